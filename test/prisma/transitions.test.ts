import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginAttempt } from '../../prisma/attempts.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { findSnapshot } from '../../prisma/payments.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import type { PaymentSnapshot } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { someTerms } from '../support/payment-request.ts';
import {
  aCapturedPayment,
  anAuthorizedPayment,
  aTransition,
  aWaitingPayment,
  canceling,
  charged,
  chargeOf,
  delaying,
  merchantId,
  aPendingPayment as pendingIn,
  rerouting,
  route,
} from './steps.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of [merchantId, 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

const aPendingPayment = () => pendingIn(database.db);
const cancel = (payment: PaymentSnapshot) => recordTransition(database.db, aTransition(payment, canceling));

/** A payment whose attempt is on its way. */
async function begun(): Promise<{ payment: PaymentSnapshot }> {
  const payment = await aPendingPayment();
  const attempt = { attemptId: chargeOf(payment), paymentId: payment.id, sender: 'a', number: 1, provider: 'easypay' };
  await beginAttempt(database.db, merchantId, { ...attempt, sendWithinMs: 3_000, isUrgent: false });
  return { payment };
}

interface Standing {
  status: string;
  open: string | null;
  state: string | null;
}

async function standing(payment: PaymentSnapshot): Promise<Standing | undefined> {
  const { rows } = await database.admin.query<Standing>(
    `SELECT p.status, p.open_attempt_id AS open, a.state
     FROM payments p LEFT JOIN attempts a ON a.payment_id = p.id WHERE p.id = $1`,
    [payment.id],
  );
  expect(rows).toHaveLength(1);
  return rows[0];
}

async function historyOf(payment: PaymentSnapshot): Promise<string[]> {
  const { rows } = await database.admin.query<{ line: string }>(
    `SELECT e.sequence || ' ' || e.type || ' ' || a.to_status AS line
     FROM events e JOIN payment_audit_trail a ON a.event_id = e.id WHERE e.object_id = $1 ORDER BY e.sequence`,
    [payment.id],
  );
  return rows.map((row) => row.line);
}

describe('a transition', () => {
  test('is done once, with row, attempt, event and audit entry; the same one again is already mine', async () => {
    const { payment } = await begun();
    const transition = aTransition(payment);
    expect(await recordTransition(database.db, transition)).toMatchObject({
      kind: 'done',
      payment: { status: 'captured', version: 2, openAttemptId: null, processor: 'easypay' },
    });
    expect(await standing(payment)).toMatchObject({ status: 'captured', open: null, state: 'approved' });
    const again = await recordTransition(database.db, { ...transition, now: new Date().toISOString() });
    expect(again).toMatchObject({ kind: 'already_mine', payment: { version: 2 } });
    expect(await historyOf(payment)).toEqual(['1 payment.pending pending', '2 payment.captured captured']);
  });

  test('by ten at once is done by one and already mine for the others', async () => {
    const { payment } = await begun();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => recordTransition(database.db, aTransition(payment))),
    );
    expect(answers.map(({ kind }) => kind).toSorted()).toEqual([
      ...Array.from({ length: 9 }, () => 'already_mine'),
      'done',
    ]);
    expect(await historyOf(payment)).toHaveLength(2);
  });

  test('that another one overtook has moved on, and writes nothing', async () => {
    const payment = await aPendingPayment();
    const failing = aTransition(payment, {
      ...canceling,
      toStatus: 'failed',
      failure: failureOf('provider_unavailable'),
    });
    expect(await cancel(payment)).toMatchObject({ kind: 'done' });
    expect(await recordTransition(database.db, failing)).toMatchObject({
      kind: 'moved_on',
      payment: { status: 'canceled', version: 2, failure: null },
    });
    expect(await historyOf(payment)).toEqual(['1 payment.pending pending', '2 payment.canceled canceled']);
  });

  test('that does not know of an open attempt has moved on', async () => {
    const { payment } = await begun();
    const answer = await cancel(payment);
    expect(answer).toMatchObject({
      kind: 'moved_on',
      payment: { status: 'pending', openAttemptId: chargeOf(payment) },
    });
    expect(await historyOf(payment)).toHaveLength(1);
  });

  test('that expects an attempt which nobody opened has moved on', async () => {
    const payment = await aPendingPayment();
    expect(await recordTransition(database.db, aTransition(payment))).toMatchObject({ kind: 'moved_on' });
    expect(await historyOf(payment)).toHaveLength(1);
  });

  test('that is not in the table is illegal, and writes nothing', async () => {
    const payment = await aPendingPayment();
    await cancel(payment);
    const canceled = await findSnapshot(database.db, merchantId, payment.id);
    if (canceled === null) throw new Error('the payment is gone');
    const answer = await recordTransition(
      database.db,
      aTransition(canceled, { openAttemptId: null, attemptEnd: null }),
    );
    expect(answer).toMatchObject({ kind: 'illegal', reason: expect.stringContaining('from canceled to captured') });
    expect(await historyOf(payment)).toHaveLength(2);
    expect(await standing(payment)).toMatchObject({ status: 'canceled' });
  });

  test("of another merchant's payment touches nothing", async () => {
    const { payment } = await begun();
    await expect(recordTransition(database.db, aTransition(payment, { merchantId: 'mer_2' }))).rejects.toThrow();
    expect(await standing(payment)).toMatchObject({ status: 'pending', state: 'sent' });
  });

  test('to unresolved opens an alert that the next one closes', async () => {
    const { payment } = await begun();
    const attemptEnd = { attemptId: chargeOf(payment), state: 'unanswered', outcome: null } as const;
    const unresolved = {
      toStatus: 'unresolved',
      keepsAttemptOpen: true,
      attemptEnd,
      alert: 'payment_unresolved',
    } as const;
    const answer = await recordTransition(
      database.db,
      aTransition(payment, { ...unresolved, failure: failureOf('outcome_unknown') }),
    );
    if (answer.kind !== 'done') throw new Error(answer.kind);
    expect(answer.payment).toMatchObject({ status: 'unresolved', openAttemptId: chargeOf(payment) });
    const alerts = async () => {
      const { rows } = await database.admin.query<{ kind: string; is_open: boolean }>(
        'SELECT kind, closed_at IS NULL AS is_open FROM alerts WHERE resource_id = $1',
        [payment.id],
      );
      return rows;
    };
    expect(await alerts()).toEqual([{ kind: 'payment_unresolved', is_open: true }]);
    expect(await recordTransition(database.db, aTransition(answer.payment))).toMatchObject({ kind: 'done' });
    expect(await alerts()).toEqual([{ kind: 'payment_unresolved', is_open: false }]);
  });
});

describe('an event without a change of status', () => {
  test('is written once, raises the version, and keeps the open attempt: payment.delayed', async () => {
    const { payment } = await begun();
    const delay = aTransition(payment, delaying(chargeOf(payment)));
    expect(await recordTransition(database.db, delay)).toMatchObject({
      kind: 'done',
      payment: { status: 'pending', version: 2, openAttemptId: chargeOf(payment), delayedAt: delay.now, failure: null },
    });
    expect(await recordTransition(database.db, delay)).toMatchObject({ kind: 'already_mine' });
    expect(await standing(payment)).toMatchObject({ open: chargeOf(payment), state: 'sent' });
    expect(await historyOf(payment)).toEqual(['1 payment.pending pending', '2 payment.delayed pending']);
    const { rows } = await database.admin.query('SELECT processed_at, delayed_at FROM payments WHERE id = $1', [
      payment.id,
    ]);
    expect(rows).toEqual([{ processed_at: null, delayed_at: new Date(delay.now) }]);
  });

  test('ends the attempt and frees the payment for the next one: payment.rerouted', async () => {
    const { payment } = await begun();
    const attempt = { id: chargeOf(payment), number: 1, provider: 'easypay' };
    const before = await findSnapshot(database.db, merchantId, payment.id);
    expect(before?.attempts).toEqual([{ ...attempt, state: 'sent', declineCode: null }]);
    const answer = await recordTransition(database.db, aTransition(payment, rerouting(payment)));
    expect(answer).toMatchObject({ kind: 'done', payment: { status: 'pending', version: 2, openAttemptId: null } });
    const attempts = [{ ...attempt, state: 'declined', declineCode: 'not_permitted' }];
    expect(answer.kind === 'done' && answer.payment.attempts).toEqual(attempts);
    expect(await findSnapshot(database.db, merchantId, payment.id)).toMatchObject({
      attempts,
      processor: 'easypay',
    });
    expect(await historyOf(payment)).toEqual(['1 payment.pending pending', '2 payment.rerouted pending']);
  });

  test('made by two on the same row is written by one, and the other decides again', async () => {
    const { payment } = await begun();
    const answers = await Promise.all([
      recordTransition(database.db, aTransition(payment, delaying(chargeOf(payment)))),
      recordTransition(database.db, aTransition(payment, rerouting(payment))),
    ]);
    expect(answers.map(({ kind }) => kind).toSorted()).toEqual(['done', 'moved_on']);
    expect(await historyOf(payment)).toHaveLength(2);
  });
});

describe('a charge', () => {
  const terms = someTerms({
    feeBasisPoints: 290,
    feeFixedMinor: '30',
    actionWithinSeconds: 600,
    captureWithinSeconds: 60,
  });
  const postings = async (payment: PaymentSnapshot) => {
    const { rows } = await database.admin.query<{ line: string }>(
      `SELECT account || ' ' || amount || ' ' || currency AS line FROM ledger_entries WHERE payment_id = $1
       AND event_id IN (SELECT id FROM events WHERE object_id = $1) AND object_id = $1 ORDER BY position`,
      [payment.id],
    );
    return rows.map(({ line }) => line);
  };
  const rowOf = async (payment: PaymentSnapshot) =>
    (
      await database.admin.query<Record<string, unknown>>(
        `SELECT fee_amount::text AS fee, next_action, processed_at, expires_at, ask_until FROM payments WHERE id = $1`,
        [payment.id],
      )
    ).rows[0];

  test('that took the money posts it, less the fee, with the event that says so', async () => {
    const payment = await aCapturedPayment(database.db, { terms });
    expect(payment).toMatchObject({ authorizedMinor: '2599', capturedMinor: '2599', captureBefore: null });
    expect(await postings(payment)).toEqual(['receivable.easypay 2599 USD', 'merchant -2494 USD', 'fees -105 USD']);
    expect(await rowOf(payment)).toMatchObject({ fee: '105' });
  });

  test('that took the money of a payment without a fee posts two sides', async () => {
    const payment = await aCapturedPayment(database.db);
    expect(await postings(payment)).toEqual(['receivable.easypay 2599 USD', 'merchant -2599 USD']);
  });

  test('whose fee eats all of it leaves the merchant nothing', async () => {
    const payment = await aCapturedPayment(database.db, { terms, amountMinor: '30' });
    expect(await postings(payment)).toEqual(['receivable.easypay 30 USD', 'fees -30 USD']);
  });

  test('by ten at once is posted once', async () => {
    const payment = await pendingIn(database.db, { terms });
    const attempt = {
      attemptId: chargeOf(payment),
      paymentId: payment.id,
      sender: 'a',
      number: 1,
      provider: 'easypay',
    };
    await beginAttempt(database.db, merchantId, { ...attempt, sendWithinMs: 3_000, isUrgent: false });
    await Promise.all(Array.from({ length: 10 }, () => recordTransition(database.db, aTransition(payment))));
    expect(await postings(payment)).toHaveLength(3);
  });

  test('that only reserved posts nothing, and can be captured for as long as the terms say', async () => {
    const payment = await anAuthorizedPayment(database.db, { terms });
    expect(payment).toMatchObject({
      status: 'authorized',
      authorizedMinor: '2599',
      capturedMinor: '0',
      openAttemptId: null,
      voids: 0,
    });
    expect(await postings(payment)).toEqual([]);
    const row = await rowOf(payment);
    expect(row).toMatchObject({ fee: '0', processed_at: expect.any(Date) });
    const processedAt = row?.['processed_at'] instanceof Date ? row['processed_at'].getTime() : 0;
    expect(Date.parse(payment.captureBefore ?? '') - processedAt).toBe(60_000);
  });

  test('that waits for its payer says where, for how long, and stays open', async () => {
    const before = Date.now();
    const payment = await aWaitingPayment(database.db, { terms });
    expect(payment).toMatchObject({
      status: 'requires_action',
      authorizedMinor: '0',
      openAttemptId: chargeOf(payment),
      attempts: [{ state: 'requires_action', declineCode: null }],
    });
    expect(Date.parse(payment.actionExpiresAt ?? '')).toBeGreaterThanOrEqual(before + 600_000);
    expect(Date.parse(payment.actionExpiresAt ?? '')).toBeLessThanOrEqual(Date.now() + 600_000);
    expect(await rowOf(payment)).toMatchObject({
      next_action: { type: 'redirect', redirect_url: 'http://127.0.0.1:1/challenge/random' },
      processed_at: null,
    });
    const sentAgain = {
      attemptId: chargeOf(payment),
      paymentId: payment.id,
      sender: 'b',
      number: 1,
      provider: 'easypay',
    };
    expect(await beginAttempt(database.db, merchantId, { ...sentAgain, sendWithinMs: 3_000, isUrgent: true })).toEqual({
      kind: 'moved_on',
    });
  });

  test.each([
    ['captured', 'automatic'],
    ['authorized', 'manual'],
  ] as const)('whose payer acted is %s, and asks for nothing more', async (toStatus, captureMethod) => {
    const payment = await aWaitingPayment(database.db, { terms, captureMethod });
    const answer = await recordTransition(database.db, aTransition(payment, { toStatus }));
    expect(answer).toMatchObject({ kind: 'done', payment: { status: toStatus, openAttemptId: null } });
    expect(await rowOf(payment)).toMatchObject({ next_action: null, processed_at: expect.any(Date) });
    expect(await postings(payment)).toHaveLength(toStatus === 'captured' ? 3 : 0);
  });

  test('that a person says was made is posted then, and closes its alert', async () => {
    const payment = await pendingIn(database.db, { terms });
    const attemptEnd = { attemptId: chargeOf(payment), state: 'unanswered', outcome: null } as const;
    const unresolved = await charged(database.db, payment, {
      toStatus: 'unresolved',
      keepsAttemptOpen: true,
      attemptEnd,
      alert: 'payment_unresolved',
    });
    expect(await postings(payment)).toEqual([]);
    const end = { attemptId: chargeOf(payment), state: 'approved', outcome: null } as const;
    await recordTransition(database.db, aTransition(unresolved, { attemptEnd: end }));
    expect(await postings(payment)).toEqual(['receivable.easypay 2599 USD', 'merchant -2494 USD', 'fees -105 USD']);
  });
});

describe('a next round', () => {
  const terms = someTerms({
    retry: { scheduleSeconds: [60], attemptsMax: 3 },
    expiresAfterSeconds: 100,
    askForSeconds: 50,
  });
  const retryAt = '2027-01-31T12:00:00.000Z';
  const scheduling = (payment: PaymentSnapshot) =>
    aTransition(payment, {
      ...rerouting(payment, 'insufficient_funds'),
      eventType: 'payment.retry_scheduled',
      failure: failureOf('insufficient_funds'),
      action: 'schedule_retry',
      retryAt,
    });
  async function declined() {
    const payment = await pendingIn(database.db, { terms });
    const attempt = {
      attemptId: chargeOf(payment),
      paymentId: payment.id,
      sender: 'a',
      number: 1,
      provider: 'easypay',
    };
    await beginAttempt(database.db, merchantId, { ...attempt, sendWithinMs: 3_000, isUrgent: false });
    return payment;
  }

  test('is scheduled once, and has the time of a payment of its own', async () => {
    const payment = await declined();
    const transition = scheduling(payment);
    const answer = await recordTransition(database.db, transition);
    expect(answer).toMatchObject({
      kind: 'done',
      payment: {
        status: 'pending',
        version: 2,
        openAttemptId: null,
        retriesMade: 1,
        retryAt,
        expiresAt: '2027-01-31T12:01:40.000Z',
        askUntil: '2027-01-31T12:02:30.000Z',
        failure: failureOf('insufficient_funds'),
        attempts: [{ number: 1, state: 'declined', declineCode: 'insufficient_funds' }],
      },
    });
    expect(await recordTransition(database.db, transition)).toMatchObject({
      kind: 'already_mine',
      payment: { retriesMade: 1, version: 2 },
    });
    expect(await historyOf(payment)).toEqual(['1 payment.pending pending', '2 payment.retry_scheduled pending']);
  });

  test('begun has its own attempts, and what comes of it is no longer waited for', async () => {
    const payment = await declined();
    const scheduled = await recordTransition(database.db, scheduling(payment));
    if (scheduled.kind !== 'done') throw new Error(scheduled.kind);
    const third = {
      attemptId: chargeOf(payment, 3),
      paymentId: payment.id,
      sender: 'a',
      number: 3,
      provider: 'easypay',
    };
    expect(
      await beginAttempt(database.db, merchantId, { ...third, sendWithinMs: 3_000, isUrgent: false }),
    ).toMatchObject({ kind: 'mine' });
    const attemptEnd = { attemptId: third.attemptId, state: 'approved', outcome: null } as const;
    const captured = await recordTransition(
      database.db,
      aTransition(scheduled.payment, { openAttemptId: third.attemptId, attemptEnd }),
    );
    expect(captured).toMatchObject({
      kind: 'done',
      payment: {
        status: 'captured',
        retryAt: null,
        retriesMade: 1,
        failure: null,
        expiresAt: '2027-01-31T12:01:40.000Z',
      },
    });
  });
});

describe('what a provider said', () => {
  const said = async (payment: PaymentSnapshot) =>
    database.db.prisma.payment.findUnique({
      where: { id: payment.id },
      select: { processor: true, processorTransactionId: true, processorResponseCode: true },
    });

  test('is never shown beside the name of another one that said nothing', async () => {
    const { payment } = await begun();
    const declined = await recordTransition(database.db, aTransition(payment, rerouting(payment)));
    if (declined.kind !== 'done') throw new Error(declined.kind);
    expect(await said(payment)).toMatchObject({ processor: 'easypay', processorTransactionId: 'epc_1' });
    const refused = { toStatus: 'failed', openAttemptId: null, attemptEnd: null, provider: 'paypal' } as const;
    await recordTransition(database.db, aTransition(declined.payment, refused));
    expect(await said(payment)).toEqual({
      processor: 'paypal',
      processorTransactionId: null,
      processorResponseCode: null,
    });
  });

  test('stays where the payment ends by what it said, or by nobody’s word', async () => {
    for (const provider of ['easypay', null]) {
      const { payment } = await begun();
      const declined = await recordTransition(database.db, aTransition(payment, rerouting(payment)));
      if (declined.kind !== 'done') throw new Error(declined.kind);
      const ended = { toStatus: 'failed', openAttemptId: null, attemptEnd: null, provider } as const;
      await recordTransition(database.db, aTransition(declined.payment, ended));
      expect(await said(payment)).toMatchObject({ processor: 'easypay', processorTransactionId: 'epc_1' });
    }
  });
});

describe('a snapshot', () => {
  test('names the route that was stored when the payment was accepted', async () => {
    const payment = await aPendingPayment();
    expect(payment).toMatchObject({ route, attempts: [], delayedAt: null });
    expect(await findSnapshot(database.db, merchantId, payment.id)).toEqual(payment);
  });

  test('taken by the statement that ends an attempt shows it as it is from then on, beside the others', async () => {
    const { payment } = await begun();
    const answer = await recordTransition(database.db, aTransition(payment, rerouting(payment, 'processing_error')));
    if (answer.kind !== 'done') throw new Error(answer.kind);
    const second = {
      attemptId: chargeOf(payment, 2),
      paymentId: payment.id,
      sender: 'b',
      number: 2,
      provider: 'paypal',
    };
    await beginAttempt(database.db, merchantId, { ...second, sendWithinMs: 3_000, isUrgent: false });
    const end = { attemptId: second.attemptId, state: 'rejected', outcome: null } as const;
    const failed = await recordTransition(
      database.db,
      aTransition(answer.payment, {
        toStatus: 'failed',
        openAttemptId: second.attemptId,
        attemptEnd: end,
        provider: 'paypal',
        failure: failureOf('provider_rejected'),
      }),
    );
    expect(failed.kind === 'done' && failed.payment.attempts).toEqual([
      { id: chargeOf(payment), number: 1, provider: 'easypay', state: 'declined', declineCode: 'processing_error' },
      { id: second.attemptId, number: 2, provider: 'paypal', state: 'rejected', declineCode: null },
    ]);
    const stored = await findSnapshot(database.db, merchantId, payment.id);
    expect(failed.kind === 'done' && failed.payment).toEqual(stored);
    expect(stored?.failure).toEqual(failureOf('provider_rejected'));
  });
});

test('every event carries the correlation id of the request that began it', async () => {
  const payment = await pendingIn(database.db, { correlationId: 'req_correlated' });
  await cancel(payment);
  const { rows } = await database.admin.query<{ line: string }>(
    `SELECT type || ' ' || correlation_id AS line FROM events WHERE object_id = $1 ORDER BY sequence`,
    [payment.id],
  );
  expect(rows.map(({ line }) => line)).toEqual(['payment.pending req_correlated', 'payment.canceled req_correlated']);
});
