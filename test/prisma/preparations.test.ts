import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginAttempt, findAttempt } from '../../prisma/attempts.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { findSnapshot } from '../../prisma/payments.ts';
import { beginPreparation, confirmPreparation, failPreparation } from '../../prisma/preparations.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { FaultKind } from '../../workflows/domain/outcome.ts';
import type { PaymentSnapshot } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { aTransition, canceling, chargeOf, merchantId, aPendingPayment as pendingIn } from './steps.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of [merchantId, 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

const aPendingPayment = () => pendingIn(database.db);
const preparationOf = (payment: PaymentSnapshot) => attemptIdOf(payment.id, 'prepare', 1);

function begin(payment: PaymentSnapshot, sender: string = randomUUID(), merchant = merchantId) {
  return beginPreparation(database.db, merchant, {
    attemptId: preparationOf(payment),
    paymentId: payment.id,
    chargeAttemptId: chargeOf(payment),
    sender,
    number: 1,
    provider: 'paypal',
    sendWithinMs: 3_000,
  });
}

function beginCharge(payment: PaymentSnapshot, number = 1) {
  const attempt = { attemptId: chargeOf(payment, number), paymentId: payment.id, sender: 'a', number };
  return beginAttempt(database.db, merchantId, {
    ...attempt,
    provider: 'paypal',
    sendWithinMs: 3_000,
    isUrgent: false,
  });
}

const confirm = (payment: PaymentSnapshot, orderId = 'order_1', merchant = merchantId) =>
  confirmPreparation(database.db, merchant, preparationOf(payment), orderId);
const fail = (payment: PaymentSnapshot, kind: FaultKind, merchant = merchantId) =>
  failPreparation(database.db, merchant, preparationOf(payment), kind);

/** The preparation's rows, and what the payment says is open. */
async function standing(payment: PaymentSnapshot) {
  const { rows } = await database.admin.query<Record<string, unknown>>(
    `SELECT a.operation, a.state, a.sends, a.sender, a.fault, a.outcome, p.open_attempt_id AS open
     FROM payments p LEFT JOIN attempts a ON a.payment_id = p.id AND a.operation = 'prepare' WHERE p.id = $1`,
    [payment.id],
  );
  expect(rows).toHaveLength(1);
  return rows[0];
}

describe('a preparation', () => {
  test('is committed as sent with what the provider must know, and blocks nothing', async () => {
    const payment = await aPendingPayment();
    expect(await begin(payment, 'a')).toEqual({
      kind: 'mine',
      payment: {
        paymentId: payment.id,
        amountMinor: 2599n,
        currency: 'USD',
        paymentMethod: 'credit_card',
        cardToken: 'tok_1',
        capture: 'automatic',
        returnToken: expect.stringMatching(/^[0-9a-f-]{36}$/),
        correlationId: 'c',
      },
      sends: 1,
    });
    expect(await standing(payment)).toMatchObject({ operation: 'prepare', state: 'sent', sends: 1, open: null });
    const canceled = await recordTransition(database.db, aTransition(payment, canceling));
    expect(canceled).toMatchObject({ kind: 'done', payment: { status: 'canceled', attempts: [] } });
  });

  test('that the provider confirmed is used by everybody from then on, also by those who ask about the charge', async () => {
    const payment = await aPendingPayment();
    await begin(payment);
    await confirm(payment);
    expect(await begin(payment)).toEqual({ kind: 'prepared', preparationId: 'order_1' });
    expect(await standing(payment)).toMatchObject({ state: 'prepared', sends: 1, fault: null });
    expect(await beginCharge(payment)).toMatchObject({ kind: 'mine' });
    expect(await begin(payment)).toEqual({ kind: 'prepared', preparationId: 'order_1' });
    expect(await findAttempt(database.db, merchantId, chargeOf(payment), 0)).toMatchObject({
      preparationId: 'order_1',
    });
    expect((await findSnapshot(database.db, merchantId, payment.id))?.attempts).toMatchObject([
      { number: 1, state: 'sent' },
    ]);
  });

  test('is another one for every candidate', async () => {
    const payment = await aPendingPayment();
    await begin(payment);
    await confirm(payment);
    await beginCharge(payment, 2);
    expect(await findAttempt(database.db, merchantId, chargeOf(payment, 2), 0)).toMatchObject({ preparationId: null });
  });

  test('whose answer was lost is sent again in the same row, under the same key, whoever sent it before', async () => {
    const payment = await aPendingPayment();
    await begin(payment, 'a');
    expect(await begin(payment, 'b')).toMatchObject({ kind: 'mine' });
    await fail(payment, 'unknown_outcome');
    expect(await standing(payment)).toMatchObject({
      state: 'unknown',
      fault: 'unknown_outcome',
      sender: 'b',
      open: null,
    });
    expect(await begin(payment, 'c')).toMatchObject({ kind: 'mine' });
    expect(await standing(payment)).toMatchObject({ state: 'sent', sends: 3, sender: 'c' });
    await confirm(payment);
    expect(await begin(payment, 'd')).toEqual({ kind: 'prepared', preparationId: 'order_1' });
  });

  test.each<[FaultKind, string]>([
    ['unavailable', 'not_sent'],
    ['rate_limited', 'not_sent'],
    ['misconfigured', 'not_sent'],
    ['unknown_outcome', 'unknown'],
    ['rejected', 'rejected'],
  ])('that ended in %s is kept as %s with its fault', async (kind, state) => {
    const payment = await aPendingPayment();
    await begin(payment);
    await fail(payment, kind, 'mer_2');
    expect(await standing(payment)).toMatchObject({ state: 'sent', fault: null });
    await fail(payment, kind);
    expect(await standing(payment)).toMatchObject({ state, fault: kind, outcome: null });
  });

  test('that was confirmed stays so, whatever comes later of sends that were on their way', async () => {
    const payment = await aPendingPayment();
    await begin(payment, 'a');
    await begin(payment, 'b');
    await confirm(payment);
    await fail(payment, 'unknown_outcome');
    await confirm(payment, 'order_2');
    await confirm(payment, 'order_3', 'mer_2');
    expect(await standing(payment)).toMatchObject({
      state: 'prepared',
      outcome: { preparationId: 'order_1' },
      fault: null,
    });
  });

  test('of an expired payment is not begun', async () => {
    const payment = await aPendingPayment();
    await database.admin.query(`UPDATE payments SET expires_at = now() - interval '1 second' WHERE id = $1`, [
      payment.id,
    ]);
    expect(await begin(payment)).toEqual({ kind: 'expired' });
    expect(await standing(payment)).toMatchObject({ state: null });
  });

  test("is not begun for a payment that is over, for another merchant's, or while another attempt is open", async () => {
    const [over, foreign, elsewhere] = [await aPendingPayment(), await aPendingPayment(), await aPendingPayment()];
    await recordTransition(database.db, aTransition(over, canceling));
    await beginCharge(elsewhere, 2);
    expect(await begin(over)).toEqual({ kind: 'moved_on' });
    expect(await begin(foreign, 'a', 'mer_2')).toEqual({ kind: 'moved_on' });
    expect(await begin(elsewhere)).toEqual({ kind: 'moved_on' });
    for (const payment of [over, foreign, elsewhere]) expect(await standing(payment)).toMatchObject({ state: null });
  });

  test('begun by ten at once is one row, and all may send its key', async () => {
    const payment = await aPendingPayment();
    const answers = await Promise.all(Array.from({ length: 10 }, () => begin(payment)));
    expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['mine']));
    expect(await standing(payment)).toMatchObject({ state: 'sent', sends: 10 });
  });

  test('confirmed by ten at once with the same order is confirmed once', async () => {
    const payment = await aPendingPayment();
    await begin(payment);
    await Promise.all(Array.from({ length: 10 }, () => confirm(payment)));
    expect(await begin(payment)).toEqual({ kind: 'prepared', preparationId: 'order_1' });
  });
});
