import { randomUUID } from 'node:crypto';
import { beginAttempt, beginMovementAttempt } from '../../prisma/attempts.ts';
import type { Database } from '../../prisma/database.ts';
import { openMovement } from '../../prisma/movements.ts';
import { acceptPayment, findSnapshot } from '../../prisma/payments.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { type DeclineCode, failureOf } from '../../workflows/domain/failure.ts';
import { attemptIdOf, movementIdOf, paymentIdOf } from '../../workflows/domain/ids.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import type { FinalOutcome } from '../../workflows/domain/outcome.ts';
import type { Route } from '../../workflows/domain/routing.ts';
import type {
  MovementRequest,
  MovementSnapshot,
  MovementStep,
  OpenedMovement,
  PaymentRequest,
  PaymentSnapshot,
  Transition,
} from '../../workflows/ports.ts';
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
    redirectUrl: null,
    retryAt: null,
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

/** The payment's row as it is now. */
export async function reread(db: Database, { id }: { readonly id: string }): Promise<PaymentSnapshot> {
  const payment = await findSnapshot(db, merchantId, id);
  if (payment === null) throw new Error(`${id} is gone`);
  return payment;
}

/** Sends the first charge of a payment and writes what came of it: approved unless the test wants otherwise. */
export async function charged(
  db: Database,
  payment: PaymentSnapshot,
  changes: Partial<Transition> = {},
): Promise<PaymentSnapshot> {
  const attempt = { attemptId: chargeOf(payment), paymentId: payment.id, sender: 'a', number: 1, provider: 'easypay' };
  await beginAttempt(db, merchantId, { ...attempt, sendWithinMs: 3_000, isUrgent: false });
  const toStatus = payment.captureMethod === 'manual' ? 'authorized' : 'captured';
  const answer = await recordTransition(db, aTransition(payment, { toStatus, ...changes }));
  if (answer.kind !== 'done') throw new Error(answer.kind);
  return answer.payment;
}

/** A payment whose amount, 25.99 USD, was taken at once. */
export async function aCapturedPayment(
  db: Database,
  changes: Partial<PaymentRequest> = {},
  provider = 'easypay',
): Promise<PaymentSnapshot> {
  return charged(db, await aPendingPayment(db, changes), { provider });
}

/** A payment whose amount, 25.99 USD, is reserved. */
export async function anAuthorizedPayment(
  db: Database,
  changes: Partial<PaymentRequest> = {},
  provider = 'easypay',
): Promise<PaymentSnapshot> {
  return charged(db, await aPendingPayment(db, { captureMethod: 'manual', ...changes }), { provider });
}

/** A payment whose payer must act. */
export async function aWaitingPayment(db: Database, changes: Partial<PaymentRequest> = {}): Promise<PaymentSnapshot> {
  const payment = await aPendingPayment(db, changes);
  const redirectUrl = 'http://127.0.0.1:1/challenge/random';
  return charged(db, payment, {
    toStatus: 'requires_action',
    keepsAttemptOpen: true,
    redirectUrl,
    attemptEnd: {
      attemptId: chargeOf(payment),
      state: 'requires_action',
      outcome: { kind: 'requires_action', response, redirectUrl },
    },
  });
}

/** A wish to capture, void or refund all that is left, under a key of its own. */
export function aMovementRequest(changes: Partial<MovementRequest> = {}): MovementRequest {
  return {
    idempotencyKey: randomUUID(),
    requestHash: 'h',
    correlationId: 'c',
    actor: 'api_key:k',
    origin: '::1',
    reason: null,
    amountMinor: null,
    captureId: null,
    ...changes,
  };
}

/** Asks for a movement. `perCapture`: at a provider that pays back one capture at a time. */
export function asked(
  db: Database,
  kind: MovementKind,
  payment: { readonly id: string },
  changes: Partial<MovementRequest> = {},
  perCapture = false,
): Promise<OpenedMovement> {
  const request = aMovementRequest(changes);
  const movementId = movementIdOf(kind, payment.id, request.idempotencyKey);
  const now = new Date().toISOString();
  return openMovement(
    db,
    { movementId, kind, paymentId: payment.id, merchantId, request, now },
    perCapture ? ['easypay', 'paypal'] : [],
  );
}

/** The same, where it must be allowed. */
export async function opened(...order: Parameters<typeof asked>): Promise<MovementSnapshot> {
  const answer = await asked(...order);
  if (answer.kind !== 'opened') throw new Error(answer.code);
  return answer.movement;
}

export const attemptOf = ({ id, kind }: Pick<MovementSnapshot, 'id' | 'kind'>) => attemptIdOf(id, kind, 1);

/** Commits the movement's one attempt as sent. */
export async function sent(db: Database, movement: MovementSnapshot): Promise<MovementSnapshot> {
  const attempt = { attemptId: attemptOf(movement), paymentId: movement.paymentId, movementId: movement.id };
  const begun = await beginMovementAttempt(db, merchantId, {
    ...attempt,
    sender: 'a',
    number: 1,
    provider: movement.provider,
    sendWithinMs: 3_000,
    isUrgent: false,
  });
  if (begun.kind !== 'mine') throw new Error(begun.kind);
  return { ...movement, openAttemptId: attempt.attemptId, attemptState: 'sent' };
}

/** How a step ends the attempt of a movement that was sent. */
const ends = {
  succeeded: (attemptId: string) => ({
    attemptId,
    state: 'approved' as const,
    outcome: { kind: 'approved' as const, response: { ...response, transactionId: `epm_${attemptId.slice(-8)}` } },
  }),
  failed: (attemptId: string) => ({
    attemptId,
    state: 'declined' as const,
    outcome: { kind: 'declined' as const, declineCode: 'refund_declined' as const, response },
  }),
  unresolved: (attemptId: string) => ({ attemptId, state: 'unanswered' as const, outcome: null }),
};
const failures = { succeeded: null, failed: failureOf('refund_declined'), unresolved: failureOf('outcome_unknown') };

/** A step of a movement as workflows decide it. */
export function aStep(
  movement: MovementSnapshot,
  toState: MovementStep['toState'],
  changes: Partial<MovementStep> = {},
): MovementStep {
  const { id: movementId, paymentId, kind, version: fromVersion, state: fromState, openAttemptId } = movement;
  return {
    movementId,
    paymentId,
    merchantId,
    kind,
    fromVersion,
    fromState,
    toState,
    openAttemptId,
    keepsAttemptOpen: toState === 'unresolved',
    attemptEnd: openAttemptId === null ? null : ends[toState](openAttemptId),
    failure: failures[toState],
    actor: 'system',
    action: kind,
    details: {},
    now: new Date().toISOString(),
    ...changes,
  };
}
