import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  allowRepeatOfAttempt,
  beginAttempt,
  clearAttempt,
  findAttempt,
  releaseAttempt,
} from '../../prisma/attempts.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { acceptPayment, findSnapshot } from '../../prisma/payments.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import { attemptIdOf, paymentIdOf } from '../../workflows/domain/ids.ts';
import type { FinalOutcome } from '../../workflows/domain/outcome.ts';
import type { PaymentSnapshot, Transition } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { aPaymentRequest } from '../support/payment-request.ts';
import { until } from '../support/until.ts';

const merchantId = 'mer_1';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of [merchantId, 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

async function aPendingPayment(): Promise<PaymentSnapshot> {
  const idempotencyKey = randomUUID();
  const paymentId = paymentIdOf({ merchantId, isTest: true, idempotencyKey });
  const answer = await acceptPayment(database.db, {
    paymentId,
    merchantId,
    isTest: true,
    now: new Date().toISOString(),
    request: aPaymentRequest({ idempotencyKey, cardToken: 'tok_1' }),
  });
  if (answer.kind !== 'accepted') throw new Error(answer.code);
  return answer.payment;
}

const chargeOf = (payment: PaymentSnapshot) => attemptIdOf(payment.id, 'charge', 1);
const seenBy = (payment: PaymentSnapshot, sender: string) => ({
  attemptId: chargeOf(payment),
  paymentId: payment.id,
  sender,
});

function begin(
  payment: PaymentSnapshot,
  sender: string,
  merchant = merchantId,
  sendWithinMs = 3_000,
  isUrgent = false,
) {
  const operation = { operation: 'charge', number: 1, provider: 'easypay' } as const;
  return beginAttempt(database.db, merchant, { ...seenBy(payment, sender), ...operation, sendWithinMs, isUrgent });
}

async function begun(sendWithinMs = 3_000): Promise<{ payment: PaymentSnapshot; sender: string }> {
  const payment = await aPendingPayment();
  const sender = randomUUID();
  expect(await begin(payment, sender, merchantId, sendWithinMs)).toMatchObject({ kind: 'mine' });
  return { payment, sender };
}

interface Standing {
  status: string;
  open: string | null;
  state: string | null;
  sends: number | null;
  is_doubtful: boolean | null;
}

async function standing(payment: PaymentSnapshot): Promise<Standing | undefined> {
  const { rows } = await database.admin.query<Standing>(
    `SELECT p.status, p.open_attempt_id AS open, a.state, a.sends, a.is_doubtful
     FROM payments p LEFT JOIN attempts a ON a.payment_id = p.id WHERE p.id = $1`,
    [payment.id],
  );
  expect(rows).toHaveLength(1);
  return rows[0];
}

const approved: FinalOutcome = {
  kind: 'approved',
  response: {
    transactionId: 'epc_1',
    responseCode: '00',
    responseMessage: 'Approved',
    card: { brand: 'visa', lastFour: '4242' },
  },
};

/** A step as workflows decide it: captured unless the test wants otherwise. */
function aTransition(payment: PaymentSnapshot, changes: Partial<Transition> = {}): Transition {
  const attemptId = chargeOf(payment);
  return {
    paymentId: payment.id,
    merchantId,
    fromVersion: payment.version,
    fromStatus: payment.status,
    toStatus: 'captured',
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

const canceling = {
  toStatus: 'canceled',
  openAttemptId: null,
  attemptEnd: null,
  provider: null,
  action: 'cancel',
} as const;
const cancel = (payment: PaymentSnapshot) => recordTransition(database.db, aTransition(payment, canceling));

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

describe('an attempt', () => {
  test('is begun with what the provider must know, and blocks the payment', async () => {
    const payment = await aPendingPayment();
    expect(await begin(payment, 'a')).toEqual({
      kind: 'mine',
      isDoubtful: false,
      charge: { paymentId: payment.id, amountMinor: 2599n, currency: 'USD', cardToken: 'tok_1', correlationId: 'c' },
    });
    expect(await standing(payment)).toEqual({
      status: 'pending',
      open: chargeOf(payment),
      state: 'sent',
      sends: 1,
      is_doubtful: false,
    });
  });

  test('is in doubt for any other sender, and for the same one again', async () => {
    const { payment, sender } = await begun();
    expect(await begin(payment, randomUUID())).toEqual({ kind: 'in_doubt' });
    expect(await begin(payment, sender)).toEqual({ kind: 'in_doubt' });
    expect(await standing(payment)).toMatchObject({ state: 'sent', sends: 1 });
  });

  test('belongs to one of ten senders who begin at once', async () => {
    for (let round = 0; round < 10; round++) {
      const payment = await aPendingPayment();
      const answers = await Promise.all(Array.from({ length: 10 }, () => begin(payment, randomUUID())));
      expect(answers.map(({ kind }) => kind).toSorted()).toEqual([
        ...Array.from({ length: 9 }, () => 'in_doubt'),
        'mine',
      ]);
      expect(await standing(payment)).toMatchObject({ state: 'sent', sends: 1 });
    }
  });

  test("is not begun for another merchant's payment, nor for one that is over", async () => {
    const payment = await aPendingPayment();
    expect(await begin(payment, 'a', 'mer_2')).toEqual({ kind: 'moved_on' });
    await cancel(payment);
    expect(await begin(payment, 'a')).toEqual({ kind: 'moved_on' });
    expect(await standing(payment)).toMatchObject({ status: 'canceled', open: null, state: null });
  });

  test('that was certainly not processed is free again, and may be sent again', async () => {
    const { payment, sender } = await begun();
    expect(await releaseAttempt(database.db, merchantId, seenBy(payment, sender))).toBe('not_sent');
    expect(await standing(payment)).toMatchObject({ open: null, state: 'not_sent' });
    expect(await releaseAttempt(database.db, merchantId, seenBy(payment, sender))).toBe('lost');
    expect(await begin(payment, 'b')).toMatchObject({ kind: 'mine' });
    expect(await standing(payment)).toMatchObject({
      open: chargeOf(payment),
      state: 'sent',
      sends: 2,
      is_doubtful: false,
    });
  });

  test('is released by nobody but its sender', async () => {
    const { payment, sender } = await begun();
    expect(await releaseAttempt(database.db, merchantId, seenBy(payment, 'another'))).toBe('lost');
    expect(await releaseAttempt(database.db, 'mer_2', seenBy(payment, sender))).toBe('lost');
    expect(await standing(payment)).toMatchObject({ open: chargeOf(payment), state: 'sent' });
  });

  test('whose repeat was allowed stays doubtful, also after a repeat that certainly did not arrive', async () => {
    const { payment, sender } = await begun();
    expect(await allowRepeatOfAttempt(database.db, merchantId, seenBy(payment, 'another'))).toBe(false);
    expect(await allowRepeatOfAttempt(database.db, merchantId, seenBy(payment, sender))).toBe(true);
    expect(await standing(payment)).toMatchObject({ open: chargeOf(payment), state: 'unknown', is_doubtful: true });
    expect(await begin(payment, 'b')).toMatchObject({ kind: 'mine' });
    expect(await releaseAttempt(database.db, merchantId, seenBy(payment, sender))).toBe('lost');
    expect(await releaseAttempt(database.db, merchantId, seenBy(payment, 'b'))).toBe('unknown');
    expect(await standing(payment)).toMatchObject({
      open: chargeOf(payment),
      state: 'unknown',
      sends: 2,
      is_doubtful: true,
    });
    expect(await cancel(payment)).toMatchObject({ kind: 'moved_on' });
  });

  test('that ended in doubt twice is sent again only after a pause, or when an operator asks for it', async () => {
    const { payment, sender } = await begun();
    await allowRepeatOfAttempt(database.db, merchantId, seenBy(payment, sender));
    expect(await begin(payment, 'b')).toMatchObject({ kind: 'mine', isDoubtful: true });
    await allowRepeatOfAttempt(database.db, merchantId, seenBy(payment, 'b'));
    const early = await begin(payment, 'c');
    expect(early).toMatchObject({ kind: 'not_now' });
    expect(early.kind === 'not_now' && early.waitMs > 0 && early.waitMs <= 1_000).toBe(true);
    expect(await standing(payment)).toMatchObject({ open: chargeOf(payment), state: 'unknown', sends: 2 });
    expect(await begin(payment, 'd', merchantId, 3_000, true)).toMatchObject({ kind: 'mine' });
  });

  test('of an expired payment is not begun, however late its worker comes', async () => {
    const payment = await aPendingPayment();
    await database.admin.query(`UPDATE payments SET expires_at = now() - interval '1 second' WHERE id = $1`, [
      payment.id,
    ]);
    expect(await begin(payment, 'a', merchantId, 3_000, true)).toMatchObject({ kind: 'not_now' });
    expect(await standing(payment)).toMatchObject({ open: null, state: null });
  });

  test('that is free but pausing does not stand in the way of a cancellation', async () => {
    const { payment, sender } = await begun(1);
    for (const next of ['b', 'c', 'd']) {
      const last = next === 'b' ? sender : String.fromCharCode(next.charCodeAt(0) - 1);
      await until('its time to be sent is over', () => clearAttempt(database.db, merchantId, seenBy(payment, last)));
      if (next === 'd') expect(await begin(payment, next)).toMatchObject({ kind: 'not_now' });
      else expect(await begin(payment, next, merchantId, 1, true)).toMatchObject({ kind: 'mine' });
    }
    expect(await standing(payment)).toMatchObject({ open: null, state: 'not_sent' });
    expect(await cancel(payment)).toMatchObject({ kind: 'done' });
  });

  test('is not allowed to be repeated when it is not open', async () => {
    const { payment, sender } = await begun();
    await releaseAttempt(database.db, merchantId, seenBy(payment, sender));
    expect(await allowRepeatOfAttempt(database.db, merchantId, seenBy(payment, sender))).toBe(false);
  });

  test('is cleared only after it can no longer be sent, and by who saw it last', async () => {
    const { payment, sender } = await begun(60_000);
    expect(await clearAttempt(database.db, merchantId, seenBy(payment, sender))).toBe(false);
    expect(await standing(payment)).toMatchObject({ open: chargeOf(payment), state: 'sent' });

    const late = await begun(-1);
    expect(await clearAttempt(database.db, merchantId, seenBy(late.payment, 'another'))).toBe(false);
    expect(await clearAttempt(database.db, 'mer_2', seenBy(late.payment, late.sender))).toBe(false);
    expect(await clearAttempt(database.db, merchantId, seenBy(late.payment, late.sender))).toBe(true);
    expect(await standing(late.payment)).toMatchObject({ open: null, state: 'not_sent', is_doubtful: false });
    expect(await clearAttempt(database.db, merchantId, seenBy(late.payment, late.sender))).toBe(false);
    expect(await cancel(late.payment)).toMatchObject({ kind: 'done' });
  });

  test('is found as it is, with whether the horizon has passed, by its merchant only', async () => {
    const { payment, sender } = await begun(60_000);
    const late = await begun(-10_000);
    const find = (one: PaymentSnapshot, merchant: string, horizonMs: number) =>
      findAttempt(database.db, merchant, chargeOf(one), horizonMs);
    expect(await find(payment, merchantId, 0)).toMatchObject({
      sender,
      state: 'sent',
      amountMinor: 2599n,
      isPastHorizon: false,
    });
    expect(await find(late.payment, merchantId, 5_000)).toMatchObject({ isPastHorizon: true });
    expect(await find(late.payment, merchantId, 60_000)).toMatchObject({ isPastHorizon: false });
    expect(await find(payment, 'mer_2', 0)).toBeNull();
    expect(await find(await aPendingPayment(), merchantId, 0)).toBeNull();
  });
});

describe('two who race', () => {
  test('a begin and a cancellation: never a canceled payment with a charge on its way, in 50 rounds', async () => {
    const winners = new Set<string>();
    for (let round = 0; round < 50; round++) {
      const payment = await aPendingPayment();
      const first = round % 2 === 0;
      const [one, other] = await Promise.all(
        first ? [begin(payment, 'a'), cancel(payment)] : [cancel(payment), begin(payment, 'a')],
      );
      const kinds = first ? [one.kind, other.kind] : [other.kind, one.kind];
      const end = await standing(payment);
      winners.add(kinds.join(' '));
      if (end?.status === 'canceled') expect([kinds, end.state, end.open]).toEqual([['moved_on', 'done'], null, null]);
      else expect([kinds, end?.status, end?.state]).toEqual([['mine', 'moved_on'], 'pending', 'sent']);
    }
    expect([...winners].toSorted()).toEqual(['mine moved_on', 'moved_on done']);
  });

  test('a release and a begin: one sends or nobody does, in 50 rounds', async () => {
    for (let round = 0; round < 50; round++) {
      const { payment, sender } = await begun();
      const [released, next] = await Promise.all([
        releaseAttempt(database.db, merchantId, seenBy(payment, sender)),
        begin(payment, 'b'),
      ]);
      expect(released).toBe('not_sent');
      const end = await standing(payment);
      if (next.kind === 'mine') expect(end).toMatchObject({ state: 'sent', open: chargeOf(payment), sends: 2 });
      else expect([next.kind, end?.state, end?.open]).toEqual(['in_doubt', 'not_sent', null]);
    }
  });

  test('a clearing and a begin of a late attempt: what was begun is never cleared, in 50 rounds', async () => {
    for (let round = 0; round < 50; round++) {
      const { payment, sender } = await begun(-1);
      await allowRepeatOfAttempt(database.db, merchantId, seenBy(payment, sender));
      const [cleared, next] = await Promise.all([
        clearAttempt(database.db, merchantId, seenBy(payment, sender)),
        begin(payment, 'b', merchantId, 60_000),
      ]);
      const end = await standing(payment);
      if (next.kind === 'mine') expect([end?.state, end?.open]).toEqual(['sent', chargeOf(payment)]);
      else expect([cleared, next.kind, end?.state, end?.open]).toEqual([true, 'in_doubt', 'not_sent', null]);
    }
  });
});
