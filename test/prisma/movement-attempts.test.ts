import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  allowRepeatOfAttempt,
  beginMovementAttempt,
  clearAttempt,
  type Fault,
  findMovementAttempt,
  noteFaultOfAttempt,
  releaseAttempt,
} from '../../prisma/attempts.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { findMovement, stepMovement } from '../../prisma/movements.ts';
import { beginPreparation, confirmPreparation } from '../../prisma/preparations.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { MovementSnapshot, PaymentSnapshot } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';
import {
  aCapturedPayment,
  anAuthorizedPayment,
  aPendingPayment,
  aStep,
  attemptOf,
  aWaitingPayment,
  charged,
  chargeOf,
  merchantId,
  opened as openedIn,
  sent,
} from './steps.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of [merchantId, 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

type Order = Parameters<typeof openedIn> extends [unknown, ...infer Rest] ? Rest : never;
const opened = (...order: Order) => openedIn(database.db, ...order);
const aRefund = async () => opened('refund', await aCapturedPayment(database.db));

const seenBy = (movement: MovementSnapshot, sender: string) => ({
  attemptId: attemptOf(movement),
  paymentId: movement.paymentId,
  movementId: movement.id,
  sender,
});

function begin(
  movement: MovementSnapshot,
  sender: string,
  { merchant = merchantId, sendWithinMs = 3_000, isUrgent = false } = {},
) {
  const attempt = { ...seenBy(movement, sender), number: 1, provider: movement.provider, sendWithinMs, isUrgent };
  return beginMovementAttempt(database.db, merchant, attempt);
}

const away: Fault = { kind: 'unavailable', retryAfterMs: null };
const release = (movement: MovementSnapshot, sender: string, fault = away, merchant = merchantId) =>
  releaseAttempt(database.db, merchant, seenBy(movement, sender), fault);
const allowRepeat = (movement: MovementSnapshot, sender: string) =>
  allowRepeatOfAttempt(database.db, merchantId, seenBy(movement, sender));
const clear = (movement: MovementSnapshot, sender: string, merchant = merchantId) =>
  clearAttempt(database.db, merchant, seenBy(movement, sender));
const giveUp = (movement: MovementSnapshot) =>
  stepMovement(database.db, aStep(movement, 'failed', { failure: failureOf('provider_unavailable') }));

async function begun(sendWithinMs = 3_000): Promise<{ movement: MovementSnapshot; sender: string }> {
  const movement = await aRefund();
  const sender = randomUUID();
  expect(await begin(movement, sender, { sendWithinMs })).toMatchObject({ kind: 'mine', isDoubtful: false });
  return { movement, sender };
}

/** What the rows of the movement, its attempt and its payment say. */
async function standing({ id }: MovementSnapshot) {
  const { rows } = await database.admin.query<Record<string, unknown>>(
    `SELECT m.state AS movement, m.open_attempt_id AS open, a.operation, a.number, a.state, a.sends, a.is_doubtful, a.fault,
       p.open_attempt_id AS "openOfPayment"
     FROM movements m JOIN payments p ON p.id = m.payment_id LEFT JOIN attempts a ON a.movement_id = m.id WHERE m.id = $1`,
    [id],
  );
  expect(rows).toHaveLength(1);
  return rows[0];
}

describe('the attempt of a movement', () => {
  test('is begun with what the provider must know of the charge, and blocks its movement alone', async () => {
    const movement = await opened('refund', await aCapturedPayment(database.db), { amountMinor: '1000' });
    expect(await begin(movement, 'a')).toEqual({
      kind: 'mine',
      isDoubtful: false,
      subject: {
        movementId: movement.id,
        kind: 'refund',
        paymentId: movement.paymentId,
        provider: 'easypay',
        amountMinor: 1000n,
        currency: 'USD',
        capture: 'automatic',
        chargeAttemptId: attemptIdOf(movement.paymentId, 'charge', 1),
        paymentAmountMinor: 2599n,
        chargeTransactionId: 'epc_1',
        captureTransactionId: null,
        preparationId: null,
        isFinal: false,
        correlationId: 'c',
      },
    });
    expect(await standing(movement)).toEqual({
      movement: 'pending',
      open: attemptOf(movement),
      operation: 'refund',
      number: 1,
      state: 'sent',
      sends: 1,
      is_doubtful: false,
      fault: null,
      openOfPayment: null,
    });
  });

  test('two refunds of one payment are on their way beside each other', async () => {
    const payment = await aCapturedPayment(database.db);
    for (const amountMinor of ['1000', '1599']) {
      const movement = await opened('refund', payment, { amountMinor });
      expect(await begin(movement, 'a')).toMatchObject({ kind: 'mine' });
    }
  });

  test('is in doubt for any other sender, and for the same one again', async () => {
    const { movement, sender } = await begun();
    expect(await begin(movement, randomUUID())).toEqual({ kind: 'in_doubt' });
    expect(await begin(movement, sender)).toEqual({ kind: 'in_doubt' });
    expect(await standing(movement)).toMatchObject({ state: 'sent', sends: 1 });
  });

  test('belongs to one of ten senders who begin at once', async () => {
    for (let round = 0; round < 5; round++) {
      const movement = await aRefund();
      const answers = await Promise.all(Array.from({ length: 10 }, () => begin(movement, randomUUID())));
      const kinds = answers.map(({ kind }) => kind).toSorted();
      expect(kinds).toEqual([...Array.from({ length: 9 }, () => 'in_doubt'), 'mine']);
      expect(await standing(movement)).toMatchObject({ state: 'sent', sends: 1 });
    }
  });

  test('is not begun for another merchant’s movement, nor for one that is over', async () => {
    const movement = await aRefund();
    expect(await begin(movement, 'a', { merchant: 'mer_2' })).toEqual({ kind: 'moved_on' });
    await giveUp(movement);
    expect(await begin(movement, 'a')).toEqual({ kind: 'moved_on' });
    expect(await begin(movement, 'a', { isUrgent: true })).toEqual({ kind: 'moved_on' });
    expect(await standing(movement)).toMatchObject({ movement: 'failed', open: null, state: null });
  });

  test.each(['succeeded', 'failed', 'unresolved'] as const)('is never begun again after it %s', async (to) => {
    const movement = await aRefund();
    await stepMovement(database.db, aStep(await sent(database.db, movement), to));
    const before = await standing(movement);
    expect(await begin(movement, 'b', { isUrgent: true })).toEqual({ kind: 'moved_on' });
    expect(await standing(movement)).toEqual(before);
  });

  test('is not begun while a person decides whether to go on, though nothing was ever sent', async () => {
    const movement = await aRefund();
    await stepMovement(database.db, aStep(movement, 'unresolved', { keepsAttemptOpen: false }));
    expect(await begin(movement, 'a', { isUrgent: true })).toEqual({ kind: 'moved_on' });
    expect(await standing(movement)).toMatchObject({ movement: 'unresolved', open: null, state: null });
  });

  test('that was certainly not processed is free again, and may be sent again or given up', async () => {
    const { movement, sender } = await begun();
    expect(await release(movement, 'another')).toBe(false);
    expect(await release(movement, sender, away, 'mer_2')).toBe(false);
    expect(await standing(movement)).toMatchObject({ state: 'sent', open: attemptOf(movement) });
    expect(await release(movement, sender)).toBe(true);
    expect(await standing(movement)).toMatchObject({ open: null, state: 'not_sent', fault: 'unavailable' });
    expect(await begin(movement, 'b')).toMatchObject({ kind: 'mine', isDoubtful: false });
    expect(await release(movement, 'b')).toBe(true);
    expect(await giveUp(movement)).toMatchObject({ kind: 'done', movement: { attemptState: 'not_sent' } });
  });

  test('whose repeat was allowed stays doubtful, also after a repeat that certainly did not arrive', async () => {
    const { movement, sender } = await begun();
    expect(await allowRepeat(movement, 'another')).toBe(false);
    expect(await allowRepeat(movement, sender)).toBe(true);
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'unknown', is_doubtful: true });
    expect(await begin(movement, 'b')).toMatchObject({ kind: 'mine', isDoubtful: true });
    expect(await release(movement, 'b')).toBe(true);
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'unknown', sends: 2 });
    expect(await giveUp(movement)).toMatchObject({ kind: 'moved_on' });
  });

  test('that ended in doubt twice is sent again only after a pause, or when an operator asks for it', async () => {
    const { movement, sender } = await begun();
    await allowRepeat(movement, sender);
    await begin(movement, 'b');
    await allowRepeat(movement, 'b');
    const early = await begin(movement, 'c');
    expect(early).toMatchObject({ kind: 'not_now' });
    expect(early.kind === 'not_now' && early.waitMs > 0 && early.waitMs <= 1_000).toBe(true);
    expect(await begin(movement, 'd', { isUrgent: true })).toMatchObject({ kind: 'mine', isDoubtful: true });
  });

  test('of an expired movement is never sent, however late its worker comes', async () => {
    const movement = await aRefund();
    const past = `UPDATE movements SET expires_at = now() - interval '1 second' WHERE id = $1`;
    await database.admin.query(past, [movement.id]);
    expect(await begin(movement, 'a')).toMatchObject({ kind: 'not_now' });
    expect(await begin(movement, 'a', { isUrgent: true })).toMatchObject({ kind: 'not_now' });
    expect(await standing(movement)).toMatchObject({ open: null, state: null });
    const doubtful = await begun();
    await allowRepeat(doubtful.movement, doubtful.sender);
    await database.admin.query(past, [doubtful.movement.id]);
    expect(await begin(doubtful.movement, 'b', { isUrgent: true })).toMatchObject({ kind: 'not_now' });
  });

  test('is sent long after its payment’s own time to be charged', async () => {
    const payment = await aCapturedPayment(database.db);
    await database.admin.query(`UPDATE payments SET expires_at = now() - interval '1 day' WHERE id = $1`, [payment.id]);
    expect(await begin(await opened('refund', payment), 'a')).toMatchObject({ kind: 'mine' });
  });

  test('waits as long as its provider asked for', async () => {
    const { movement, sender } = await begun();
    await release(movement, sender, { kind: 'rate_limited', retryAfterMs: 60_000 });
    const early = await begin(movement, 'b');
    expect(early.kind === 'not_now' && early.waitMs > 50_000 && early.waitMs <= 60_000).toBe(true);
    expect(await begin(movement, 'b', { isUrgent: true })).toMatchObject({ kind: 'mine' });
  });

  test('is cleared only after it can no longer be sent, and by who saw it last', async () => {
    const { movement, sender } = await begun(60_000);
    expect(await clear(movement, sender)).toBe(false);
    const late = await begun(-1);
    expect(await clear(late.movement, 'another')).toBe(false);
    expect(await clear(late.movement, late.sender, 'mer_2')).toBe(false);
    expect(await clear(late.movement, late.sender)).toBe(true);
    expect(await standing(late.movement)).toMatchObject({ open: null, state: 'not_sent', is_doubtful: false });
    expect(await clear(late.movement, late.sender)).toBe(false);
    expect(await giveUp(late.movement)).toMatchObject({ kind: 'done' });
  });

  test('keeps its last fault, noted by its sender alone', async () => {
    const { movement, sender } = await begun();
    await noteFaultOfAttempt(database.db, merchantId, seenBy(movement, 'another'), 'rejected');
    expect(await standing(movement)).toMatchObject({ fault: null });
    await noteFaultOfAttempt(database.db, merchantId, seenBy(movement, sender), 'rejected');
    expect(await standing(movement)).toMatchObject({ fault: 'rejected', state: 'sent' });
  });

  test('is found as it is, with its movement and whether the horizon has passed, by its merchant only', async () => {
    const { movement, sender } = await begun(60_000);
    const late = await begun(-10_000);
    const find = (one: MovementSnapshot, merchant: string, horizonMs: number) =>
      findMovementAttempt(database.db, merchant, attemptOf(one), horizonMs);
    expect(await find(movement, merchantId, 0)).toMatchObject({
      attemptId: attemptOf(movement),
      sender,
      state: 'sent',
      isPastHorizon: false,
      ageMs: expect.any(Number),
      movable: { movementId: movement.id, kind: 'refund', amountMinor: 2599n, chargeTransactionId: 'epc_1' },
    });
    expect(await find(late.movement, merchantId, 5_000)).toMatchObject({ isPastHorizon: true });
    expect(await find(late.movement, merchantId, 60_000)).toMatchObject({ isPastHorizon: false });
    expect(await find(movement, 'mer_2', 0)).toBeNull();
    expect(await find(await aRefund(), merchantId, 0)).toBeNull();
  });
});

describe('what a provider must know', () => {
  const subjectOf = async (movement: MovementSnapshot) => {
    const answer = await begin(movement, 'a');
    if (answer.kind !== 'mine') throw new Error(answer.kind);
    return answer.subject;
  };

  test('of a capture: whether anything remains after it', async () => {
    const part = await opened('capture', await anAuthorizedPayment(database.db), { amountMinor: '2598' });
    expect(await subjectOf(part)).toMatchObject({ capture: 'manual', amountMinor: 2598n, isFinal: false });
    await stepMovement(database.db, aStep(await rereadMovement(part), 'succeeded'));
    const rest = await opened('capture', { id: part.paymentId });
    expect(await subjectOf(rest)).toMatchObject({ amountMinor: 1n, isFinal: true });
  });

  test('of a refund of a capture: the provider’s id of that capture', async () => {
    const payment = await anAuthorizedPayment(database.db, {}, 'paypal');
    const capture = await sent(database.db, await opened('capture', payment));
    await stepMovement(database.db, aStep(capture, 'succeeded'));
    const { rows } = await database.admin.query('SELECT processor_transaction_id AS id FROM movements WHERE id = $1', [
      capture.id,
    ]);
    const refund = await opened('refund', payment, {}, true);
    expect(rows).toEqual([{ id: expect.stringMatching(/^epm_/) }]);
    expect(await subjectOf(refund)).toMatchObject({ captureTransactionId: rows[0].id, provider: 'paypal' });
  });

  test('of a void before the payer acted: the charge that waits, and that nothing is given back', async () => {
    const payment = await aWaitingPayment(database.db);
    expect(await subjectOf(await opened('void', payment))).toMatchObject({
      amountMinor: 0n,
      paymentAmountMinor: 2599n,
      chargeAttemptId: chargeOf(payment),
      chargeTransactionId: 'epc_1',
      isFinal: false,
    });
  });

  test('of a charge that a person resolved: that nobody learned its id', async () => {
    const payment = await aPendingPayment(database.db);
    const attemptEnd = { attemptId: chargeOf(payment), state: 'approved', outcome: null } as const;
    await charged(database.db, payment, { attemptEnd });
    expect(await subjectOf(await opened('refund', payment))).toMatchObject({
      chargeAttemptId: chargeOf(payment),
      chargeTransactionId: null,
    });
  });

  test('of a charge that was prepared: what the provider made for that one', async () => {
    const payment = await aPendingPayment(database.db, { captureMethod: 'manual' });
    for (const number of [1, 2]) await prepare(payment, number);
    await charged(database.db, payment);
    expect(await subjectOf(await opened('capture', payment))).toMatchObject({ preparationId: 'order_1' });
  });

  async function prepare(payment: PaymentSnapshot, number: number): Promise<void> {
    const attemptId = attemptIdOf(payment.id, 'prepare', number);
    await beginPreparation(database.db, merchantId, {
      attemptId,
      paymentId: payment.id,
      chargeAttemptId: chargeOf(payment, number),
      sender: 'a',
      number,
      provider: 'paypal',
      sendWithinMs: 3_000,
    });
    await confirmPreparation(database.db, merchantId, attemptId, `order_${number}`);
  }
});

async function rereadMovement({ id }: MovementSnapshot): Promise<MovementSnapshot> {
  const movement = await findMovement(database.db, merchantId, id);
  if (movement === null) throw new Error(`${id} is gone`);
  return movement;
}

describe('two who race for a movement', () => {
  test('a begin and a giving up: never an ended movement with something on its way, in 50 rounds', async () => {
    const winners = new Set<string>();
    for (let round = 0; round < 50; round++) {
      const movement = await aRefund();
      const first = round % 2 === 0;
      const [one, other] = await Promise.all(
        first ? [begin(movement, 'a'), giveUp(movement)] : [giveUp(movement), begin(movement, 'a')],
      );
      const kinds = first ? [one.kind, other.kind] : [other.kind, one.kind];
      const end = await standing(movement);
      winners.add(kinds.join(' '));
      if (end?.['movement'] === 'failed') {
        expect([kinds, end['state'], end['open']]).toEqual([['moved_on', 'done'], null, null]);
      } else {
        expect([kinds, end?.['movement'], end?.['state']]).toEqual([['mine', 'moved_on'], 'pending', 'sent']);
      }
    }
    expect([...winners].toSorted()).toEqual(['mine moved_on', 'moved_on done']);
  });

  test('a release and a begin: one sends or nobody does, in 30 rounds', async () => {
    for (let round = 0; round < 30; round++) {
      const { movement, sender } = await begun();
      const [released, next] = await Promise.all([release(movement, sender), begin(movement, 'b')]);
      expect(released).toBe(true);
      const end = await standing(movement);
      if (next.kind === 'mine') expect(end).toMatchObject({ state: 'sent', open: attemptOf(movement), sends: 2 });
      else expect([next.kind, end?.['state'], end?.['open']]).toEqual(['in_doubt', 'not_sent', null]);
    }
  });

  test('a clearing and a begin of a late one: what was begun is never cleared, in 30 rounds', async () => {
    for (let round = 0; round < 30; round++) {
      const { movement, sender } = await begun(-1);
      await allowRepeat(movement, sender);
      const [cleared, next] = await Promise.all([
        clear(movement, sender),
        begin(movement, 'b', { sendWithinMs: 60_000 }),
      ]);
      const end = await standing(movement);
      if (next.kind === 'mine') expect([end?.['state'], end?.['open']]).toEqual(['sent', attemptOf(movement)]);
      else expect([cleared, next.kind, end?.['state'], end?.['open']]).toEqual([true, 'in_doubt', 'not_sent', null]);
    }
  });

  // Its foreign key would take a weak lock there in any case, and that one alone makes steps wait for each other in a circle.
  test('a begin waits its turn for the row of its payment, as every step does', async () => {
    const movement = await aRefund();
    const client = await database.admin.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT FROM payments WHERE id = $1 FOR NO KEY UPDATE', [movement.paymentId]);
      const late = begin(movement, 'a');
      await until('the begin waits for the row', async () => {
        const { rows } = await database.admin.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%not_now AS%'`,
        );
        return rows.length > 0;
      });
      await client.query('COMMIT');
      expect(await late).toMatchObject({ kind: 'mine' });
    } finally {
      client.release();
    }
  });

  test('a step that a late begin waited for is not undone by it', async () => {
    const { movement, sender } = await begun();
    await release(movement, sender);
    const client = await database.admin.connect();
    try {
      await client.query('BEGIN');
      await client.query(`UPDATE movements SET state = 'failed', version = 2 WHERE id = $1`, [movement.id]);
      const late = begin(movement, 'b');
      await until('the begin waits for the row', async () => {
        const { rows } = await database.admin.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%not_now AS%'`,
        );
        return rows.length > 0;
      });
      await client.query('COMMIT');
      expect(await late).toEqual({ kind: 'moved_on' });
    } finally {
      client.release();
    }
    expect(await standing(movement)).toMatchObject({ movement: 'failed', open: null, state: 'not_sent', sends: 1 });
  });
});
