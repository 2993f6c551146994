import { randomUUID } from 'node:crypto';
import type { Database } from '../../prisma/database.ts';
import { acceptPayment } from '../../prisma/payments.ts';
import type { DeclineCode } from '../../workflows/domain/failure.ts';
import { attemptIdOf, paymentIdOf } from '../../workflows/domain/ids.ts';
import type { FinalOutcome } from '../../workflows/domain/outcome.ts';
import type { Route } from '../../workflows/domain/routing.ts';
import type { PaymentRequest, PaymentSnapshot, Transition } from '../../workflows/ports.ts';
import { aPaymentRequest } from '../support/payment-request.ts';

export const merchantId = 'mer_1';
export const route: Route = { rule: null, reason: 'a test', candidates: ['easypay', 'paypal'], ineligible: [] };

/** A payment of `mer_1` in test mode, accepted as workflows have it; the merchant must exist. */
export async function aPendingPayment(db: Database, changes: Partial<PaymentRequest> = {}): Promise<PaymentSnapshot> {
  const request = aPaymentRequest({ idempotencyKey: randomUUID(), cardToken: 'tok_1', ...changes });
  const paymentId = paymentIdOf({ merchantId, isTest: true, idempotencyKey: request.idempotencyKey });
  const now = new Date().toISOString();
  const answer = await acceptPayment(db, { paymentId, merchantId, isTest: true, now, request }, () => route);
  if (answer.kind !== 'accepted') throw new Error(answer.code);
  return answer.payment;
}

export const chargeOf = (payment: PaymentSnapshot, number = 1) => attemptIdOf(payment.id, 'charge', number);

const response = {
  transactionId: 'epc_1',
  responseCode: '00',
  responseMessage: 'Approved',
  card: { brand: 'visa', lastFour: '4242' },
};
const approved: FinalOutcome = { kind: 'approved', response };

/** A step as workflows decide it: captured by the first attempt unless the test wants otherwise. */
export function aTransition(payment: PaymentSnapshot, changes: Partial<Transition> = {}): Transition {
  const attemptId = chargeOf(payment);
  const toStatus = changes.toStatus ?? 'captured';
  return {
    paymentId: payment.id,
    merchantId,
    fromVersion: payment.version,
    fromStatus: payment.status,
    toStatus,
    eventType: `payment.${toStatus}`,
    openAttemptId: attemptId,
    keepsAttemptOpen: false,
    attemptEnd: { attemptId, state: 'approved', outcome: approved },
    provider: 'easypay',
    failure: null,
    alert: null,
    actor: 'system',
    action: 'charge',
    details: {},
    now: new Date().toISOString(),
    ...changes,
  };
}

/** Withdrawn, with no attempt open. */
export const canceling = {
  toStatus: 'canceled',
  openAttemptId: null,
  attemptEnd: null,
  provider: null,
  action: 'cancel',
} as const;

/** It takes longer; the attempt that is open stays so. */
export const delaying = (openAttemptId: string | null) =>
  ({
    toStatus: 'pending',
    eventType: 'payment.delayed',
    openAttemptId,
    keepsAttemptOpen: true,
    attemptEnd: null,
    provider: null,
    action: 'delay',
  }) as const;

/** The first attempt was declined, and the next candidate's turn has come. */
export const rerouting = (payment: PaymentSnapshot, declineCode: DeclineCode = 'not_permitted') =>
  ({
    toStatus: 'pending',
    eventType: 'payment.rerouted',
    attemptEnd: {
      attemptId: chargeOf(payment),
      state: 'declined',
      outcome: { kind: 'declined', declineCode, response },
    },
    provider: 'easypay',
    action: 'reroute',
    details: { declined_by: 'easypay', code: declineCode, next: 'paypal' },
  }) as const;
