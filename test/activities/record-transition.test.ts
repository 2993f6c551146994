import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.ts';
import { recordTransition } from '../../activities/record-transition.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { acceptPayment } from '../../prisma/payments.ts';
import { createLogger } from '../../runtime/logger.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import type { PaymentSnapshot, Transition } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { aPaymentRequest } from '../support/payment-request.ts';
import { depsWith } from './ground.ts';

const merchantId = 'mer_1';
let database: TestDatabase;
let deps: ActivityDeps;
let log: string;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: merchantId, name: 'Merchant' });
});
beforeEach(() => {
  log = '';
  const logger = createLogger('worker', 'info', { write: (line) => void (log += line) });
  deps = depsWith(database, [], { logger });
});
afterAll(() => database?.close());

async function aPendingPayment(): Promise<PaymentSnapshot> {
  const idempotencyKey = randomUUID();
  const paymentId = paymentIdOf({ merchantId, isTest: true, idempotencyKey });
  const request = aPaymentRequest({ idempotencyKey, correlationId: 'checkout-17' });
  const input = { paymentId, merchantId, isTest: true, now: new Date().toISOString(), request };
  const route = { rule: null, reason: 'a test', candidates: ['easypay', 'paypal'], ineligible: [] };
  const answer = await acceptPayment(database.db, input, () => route);
  if (answer.kind !== 'accepted') throw new Error(answer.code);
  return answer.payment;
}

/** Writes a step of a payment. */
function write(payment: PaymentSnapshot, changes: Pick<Transition, 'toStatus' | 'eventType'> & Partial<Transition>) {
  return recordTransition(deps, {
    paymentId: payment.id,
    merchantId,
    fromVersion: payment.version,
    fromStatus: payment.status,
    openAttemptId: null,
    keepsAttemptOpen: false,
    attemptEnd: null,
    provider: null,
    failure: null,
    redirectUrl: null,
    retryAt: null,
    alert: null,
    actor: 'system',
    action: 'test',
    details: {},
    now: new Date().toISOString(),
    ...changes,
  });
}

/** The counters that moved. */
async function counted(): Promise<string[]> {
  const lines = (await deps.metrics.text()).split('\n');
  return lines.filter((line) => /^payments_\w+_total(\{.*\})? [1-9]/.test(line));
}

test('an end is counted once, by status, provider and currency, however often it is written', async () => {
  const payment = await aPendingPayment();
  const end = { toStatus: 'captured', eventType: 'payment.captured', provider: 'easypay' } as const;
  expect(await write(payment, end)).toMatchObject({ kind: 'done' });
  expect(await write(payment, end)).toMatchObject({ kind: 'already_mine' });
  expect(await counted()).toEqual(['payments_ended_total{status="captured",provider="easypay",currency="USD"} 1']);
  expect(log).toBe('');
});

test('a delay and a change of provider are counted, and are no end', async () => {
  const payment = await aPendingPayment();
  await write(payment, { toStatus: 'pending', eventType: 'payment.delayed' });
  expect(await counted()).toEqual(['payments_delayed_total 1']);
  const details = { declined_by: 'easypay', code: 'issuer_unavailable', next: 'paypal' };
  const next = { ...payment, version: payment.version + 1 };
  await write(next, { toStatus: 'pending', eventType: 'payment.rerouted', details });
  expect(await counted()).toContain('payments_failovers_total{provider="easypay",reason="declined"} 1');
});

test('an end at the second provider of the route says that the first one could not take the payment', async () => {
  const payment = await aPendingPayment();
  await write(payment, { toStatus: 'captured', eventType: 'payment.captured', provider: 'paypal' });
  expect(await counted()).toEqual([
    'payments_ended_total{status="captured",provider="paypal",currency="USD"} 1',
    'payments_failovers_total{provider="easypay",reason="fault"} 1',
  ]);
});

test('a person who must act is called by a counter and one line, with the id of the request', async () => {
  const payment = await aPendingPayment();
  await write(payment, {
    toStatus: 'unresolved',
    eventType: 'payment.unresolved',
    failure: failureOf('outcome_unknown'),
    alert: 'payment_unresolved',
  });
  expect(await counted()).toEqual([
    'payments_ended_total{status="unresolved",provider="none",currency="USD"} 1',
    'payments_alerts_opened_total{kind="payment_unresolved"} 1',
  ]);
  expect(JSON.parse(log)).toMatchObject({
    msg: 'an operator must act',
    alert: 'payment_unresolved',
    failure: 'outcome_unknown',
    payment_id: payment.id,
    request_id: 'checkout-17',
  });
});
