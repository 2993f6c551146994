import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  allowRepeatOfAttempt,
  beginAttempt,
  clearAttempt,
  type Fault,
  findAttempt,
  noteFaultOfAttempt,
  releaseAttempt,
} from '../../prisma/attempts.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import type { FaultKind } from '../../workflows/domain/outcome.ts';
import type { PaymentSnapshot } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';
import { aTransition, canceling, chargeOf, merchantId, aPendingPayment as pendingIn, rerouting } from './steps.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of [merchantId, 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

const aPendingPayment = () => pendingIn(database.db);
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
  const operation = { number: 1, provider: 'easypay' } as const;
  return beginAttempt(database.db, merchant, { ...seenBy(payment, sender), ...operation, sendWithinMs, isUrgent });
}

/** The second candidate's attempt. */
function beginSecond(payment: PaymentSnapshot) {
  const second = { attemptId: chargeOf(payment, 2), paymentId: payment.id, sender: 'second', number: 2 };
  return beginAttempt(database.db, merchantId, { ...second, provider: 'paypal', sendWithinMs: 3_000, isUrgent: false });
}

const away: Fault = { kind: 'unavailable', retryAfterMs: null };

/** Says that nothing happened. */
function release(payment: PaymentSnapshot, sender: string, fault = away, merchant = merchantId): Promise<boolean> {
  return releaseAttempt(database.db, merchant, seenBy(payment, sender), fault);
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

const cancel = (payment: PaymentSnapshot) => recordTransition(database.db, aTransition(payment, canceling));

describe('an attempt', () => {
  test('is begun with what the provider must know, and blocks the payment', async () => {
    const payment = await aPendingPayment();
    expect(await begin(payment, 'a')).toEqual({
      kind: 'mine',
      isDoubtful: false,
      subject: {
        paymentId: payment.id,
        amountMinor: 2599n,
        currency: 'USD',
        paymentMethod: 'credit_card',
        cardToken: 'tok_1',
        capture: 'automatic',
        returnToken: expect.stringMatching(/^[0-9a-f-]{36}$/),
        correlationId: 'c',
      },
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
    expect(await release(payment, sender)).toBe(true);
    expect(await standing(payment)).toMatchObject({ open: null, state: 'not_sent' });
    expect(await release(payment, sender)).toBe(false);
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
    expect(await release(payment, 'another')).toBe(false);
    expect(await release(payment, sender, away, 'mer_2')).toBe(false);
    expect(await standing(payment)).toMatchObject({ open: chargeOf(payment), state: 'sent' });
  });

  test('whose repeat was allowed stays doubtful, also after a repeat that certainly did not arrive', async () => {
    const { payment, sender } = await begun();
    expect(await allowRepeatOfAttempt(database.db, merchantId, seenBy(payment, 'another'))).toBe(false);
    expect(await allowRepeatOfAttempt(database.db, merchantId, seenBy(payment, sender))).toBe(true);
    expect(await standing(payment)).toMatchObject({ open: chargeOf(payment), state: 'unknown', is_doubtful: true });
    expect(await begin(payment, 'b')).toMatchObject({ kind: 'mine' });
    expect(await release(payment, sender)).toBe(false);
    expect(await release(payment, 'b')).toBe(true);
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
    await release(payment, sender);
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

describe('an attempt whose provider has said its last word', () => {
  test.each(['approved', 'declined', 'rejected', 'mismatched', 'unanswered'])(
    'as %s is never begun again, and nothing is left open by trying to',
    async (state) => {
      const { payment } = await begun();
      await database.admin.query('UPDATE payments SET open_attempt_id = NULL WHERE id = $1', [payment.id]);
      await database.admin.query('UPDATE attempts SET state = $2 WHERE id = $1', [chargeOf(payment), state]);
      expect(await begin(payment, 'b')).toEqual({ kind: 'moved_on' });
      expect(await begin(payment, 'b', merchantId, 3_000, true)).toEqual({ kind: 'moved_on' });
      expect(await standing(payment)).toMatchObject({ status: 'pending', open: null, state, sends: 1 });
    },
  );

  test('makes room for the next one, and while that is open for no other', async () => {
    const { payment } = await begun();
    expect(await beginSecond(payment)).toEqual({ kind: 'moved_on' });
    await recordTransition(database.db, aTransition(payment, rerouting(payment)));
    expect(await beginSecond(payment)).toMatchObject({ kind: 'mine', isDoubtful: false });
    expect(await begin(payment, 'b')).toEqual({ kind: 'moved_on' });
    const { rows } = await database.admin.query('SELECT open_attempt_id AS open FROM payments WHERE id = $1', [
      payment.id,
    ]);
    expect(rows).toEqual([{ open: chargeOf(payment, 2) }]);
  });

  test('in a step that a late begin waited for is not opened again', async () => {
    const { payment } = await begun();
    const step = await database.admin.connect();
    try {
      await step.query('BEGIN');
      await step.query('UPDATE payments SET version = version + 1, open_attempt_id = NULL WHERE id = $1', [payment.id]);
      await step.query(`UPDATE attempts SET state = 'declined' WHERE id = $1`, [chargeOf(payment)]);
      const late = begin(payment, 'b');
      await until('the begin waits for the row', async () => {
        const { rows } = await database.admin.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%not_now AS%'`,
        );
        return rows.length > 0;
      });
      await step.query('COMMIT');
      expect((await late).kind).not.toBe('mine');
    } finally {
      step.release();
    }
    expect(await standing(payment)).toMatchObject({ open: null, state: 'declined', sends: 1 });
  });
});

describe('a provider that asked for a wait', () => {
  const limited = (retryAfterMs: number): Fault => ({ kind: 'rate_limited', retryAfterMs });

  test('is not sent this attempt again before it is over, while the next one is free', async () => {
    const { payment, sender } = await begun();
    expect(await release(payment, sender, limited(60_000))).toBe(true);
    const early = await begin(payment, 'b');
    expect(early).toMatchObject({ kind: 'not_now' });
    expect(early.kind === 'not_now' && early.waitMs).toBeGreaterThan(50_000);
    expect(early.kind === 'not_now' && early.waitMs).toBeLessThanOrEqual(60_000);
    expect(await standing(payment)).toMatchObject({ open: null, state: 'not_sent', sends: 1 });
    expect(await beginSecond(payment)).toMatchObject({ kind: 'mine' });
  });

  test('is sent it when it is over', async () => {
    const { payment, sender } = await begun();
    await release(payment, sender, limited(300));
    expect(await begin(payment, 'b')).toMatchObject({ kind: 'not_now' });
    await until('the wait is over', async () => (await begin(payment, 'b')).kind === 'mine');
  });

  test('is sent it at once when an operator asks for it, and the wait is forgotten', async () => {
    const { payment, sender } = await begun();
    await release(payment, sender, limited(60_000));
    expect(await begin(payment, 'b', merchantId, 3_000, true)).toMatchObject({ kind: 'mine' });
    expect(await release(payment, 'b')).toBe(true);
    expect(await begin(payment, 'c')).toMatchObject({ kind: 'mine' });
  });
});

describe('the last fault', () => {
  const faultOf = async (payment: PaymentSnapshot) => {
    const { rows } = await database.admin.query<{ fault: string | null }>('SELECT fault FROM attempts WHERE id = $1', [
      chargeOf(payment),
    ]);
    return rows[0]?.fault;
  };

  test.each<FaultKind>(['unavailable', 'rate_limited', 'misconfigured'])(
    '%s is kept when the attempt is released',
    async (kind) => {
      const { payment, sender } = await begun();
      expect(await faultOf(payment)).toBeNull();
      await release(payment, sender, { kind, retryAfterMs: null });
      expect(await faultOf(payment)).toBe(kind);
    },
  );

  test.each<FaultKind>(['unknown_outcome', 'rejected'])(
    '%s is noted by its sender alone, and changes nothing else',
    async (kind) => {
      const { payment, sender } = await begun();
      await noteFaultOfAttempt(database.db, merchantId, seenBy(payment, 'another'), kind);
      await noteFaultOfAttempt(database.db, 'mer_2', seenBy(payment, sender), kind);
      expect(await faultOf(payment)).toBeNull();
      await noteFaultOfAttempt(database.db, merchantId, seenBy(payment, sender), kind);
      expect(await faultOf(payment)).toBe(kind);
      expect(await standing(payment)).toMatchObject({ open: chargeOf(payment), state: 'sent', sends: 1 });
    },
  );
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
      const [released, next] = await Promise.all([release(payment, sender), begin(payment, 'b')]);
      expect(released).toBe(true);
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
