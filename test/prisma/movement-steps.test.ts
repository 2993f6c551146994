import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMerchant } from '../../prisma/merchants.ts';
import { findMovement, stepMovement } from '../../prisma/movements.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import { consequenceIdOf, eventIdOf } from '../../workflows/domain/ids.ts';
import type { MovementKind, MovementState } from '../../workflows/domain/movement.ts';
import { capturableOf, projectedStatus } from '../../workflows/domain/payment-status.ts';
import { feeOf } from '../../workflows/domain/terms.ts';
import type { MovementSnapshot, MovementStep, PaymentSnapshot } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { someTerms } from '../support/payment-request.ts';
import { until } from '../support/until.ts';
import {
  aCapturedPayment,
  anAuthorizedPayment,
  aStep,
  asked as askedIn,
  aTransition,
  attemptOf,
  aWaitingPayment,
  chargeOf,
  merchantId,
  opened as openedIn,
  reread as rereadIn,
  sent as sentIn,
} from './steps.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of [merchantId, 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

type End = MovementStep['toState'];

const terms = someTerms({ feeBasisPoints: 290, feeFixedMinor: '30' });
const aPayment = () => anAuthorizedPayment(database.db, { terms });
const reread = (payment: { readonly id: string }) => rereadIn(database.db, payment);
const open = (kind: MovementKind, payment: PaymentSnapshot, amountMinor: string | null = null) =>
  openedIn(database.db, kind, payment, { amountMinor });
const opened = async (...order: Parameters<typeof open>) => sentIn(database.db, await open(...order));
const step = (movement: MovementSnapshot, to: End, changes: Partial<MovementStep> = {}) =>
  stepMovement(database.db, aStep(movement, to, changes));

/** Writes these steps one after another. */
async function walk(movement: MovementSnapshot, ...path: readonly End[]): Promise<MovementSnapshot> {
  let row = movement;
  for (const to of path) {
    const answer = await step(row, to);
    if (answer.kind !== 'done') throw new Error(`${to}: ${answer.kind}`);
    row = answer.movement;
  }
  return row;
}
const moved = async (kind: MovementKind, payment: PaymentSnapshot, amountMinor: string | null = null) =>
  walk(await opened(kind, payment, amountMinor), 'succeeded');

interface EventRow {
  readonly id: string;
  readonly type: string;
  readonly sequence: number;
  readonly status: string;
}
async function eventsOf({ id }: { readonly id: string }): Promise<EventRow[]> {
  const { rows } = await database.admin.query<EventRow>(
    `SELECT id, type, sequence, data ->> 'status' AS status FROM events WHERE object_id = $1 ORDER BY sequence`,
    [id],
  );
  return rows;
}
const typesOf = async (object: { readonly id: string }) => (await eventsOf(object)).map(({ type }) => type);

async function alertsOf({ id }: { readonly id: string }): Promise<string[]> {
  const { rows } = await database.admin.query<{ line: string }>(
    `SELECT kind || CASE WHEN closed_at IS NULL THEN ' open' ELSE ' closed' END AS line FROM alerts
     WHERE resource_id = $1 ORDER BY opened_at, id`,
    [id],
  );
  return rows.map(({ line }) => line);
}

/** What the ledger says of a payment, account by account. */
async function balancesOf({ id }: { readonly id: string }): Promise<Record<string, string>> {
  const { rows } = await database.admin.query<{ account: string; sum: string }>(
    `SELECT account, sum(amount)::text AS sum FROM ledger_entries WHERE payment_id = $1 GROUP BY account
     HAVING sum(amount) <> 0 ORDER BY account`,
    [id],
  );
  return Object.fromEntries(rows.map(({ account, sum }) => [account, sum]));
}

interface Amounts {
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly voided: bigint;
  readonly refunded: bigint;
}
const amountsOf = (row: PaymentSnapshot): Amounts => ({
  authorized: BigInt(row.authorizedMinor),
  captured: BigInt(row.capturedMinor),
  voided: BigInt(row.voidedMinor),
  refunded: BigInt(row.refundedMinor),
});

/** Holds a payment's row against its events, audit entries, reservation, fee and postings. Nothing may be unresolved. */
async function expectCoherent({ id }: { readonly id: string }): Promise<void> {
  const payment = await reread({ id });
  const amounts = amountsOf(payment);
  expect(payment.status).toBe(amounts.authorized === 0n ? payment.status : projectedStatus(amounts));
  const events = await eventsOf({ id });
  expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: payment.version }, (_, at) => at + 1));
  expect(events.at(-1)?.status).toBe(payment.status);
  const audit = await database.admin.query<{ from_status: string | null; to_status: string }>(
    `SELECT a.from_status, a.to_status FROM payment_audit_trail a JOIN events e ON e.id = a.event_id
     WHERE e.object_id = $1 ORDER BY e.sequence`,
    [id],
  );
  const path = events.map(({ status }) => status);
  expect(audit.rows).toEqual(path.map((to, at) => ({ from_status: path[at - 1] ?? null, to_status: to })));
  const { rows } = await database.admin.query<Record<string, string | number>>(
    `SELECT fee_amount::text AS fee, refund_count, refund_reserved_amount::text AS reserved,
       (SELECT COALESCE(sum(amount), 0)::text FROM movements WHERE payment_id = p.id AND kind = 'refund'
         AND state <> 'failed') AS refunds,
       (SELECT COALESCE(sum(amount), 0)::text FROM movements WHERE payment_id = p.id AND kind = 'refund'
         AND state IN ('pending', 'unresolved')) AS under_way,
       (SELECT count(*)::int FROM movements WHERE payment_id = p.id AND kind = 'refund' AND state = 'succeeded')
         AS refunds_made,
       (SELECT count(*)::int FROM events e WHERE e.object_id = p.id OR e.object_id IN (
         SELECT m.id FROM movements m WHERE m.payment_id = p.id)) AS events,
       (SELECT count(*)::int FROM payment_audit_trail a JOIN events e ON e.id = a.event_id AND e.object_id = a.object_id
         WHERE a.payment_id = p.id) AS entries
     FROM payments p WHERE id = $1`,
    [id],
  );
  const row = rows[0] ?? {};
  expect(row['entries'], 'one audit entry for each event').toBe(row['events']);
  expect(row['refund_count']).toBe(row['refunds_made']);
  expect(row['reserved']).toBe(row['refunds']);
  const fee = feeOf(amounts.captured, payment.terms);
  expect(row['fee']).toBe(fee.toString());
  const underWay = BigInt(row['under_way'] ?? 0);
  const ledger: Record<string, bigint> = {
    fees: -fee,
    merchant: fee - amounts.captured + amounts.refunded + underWay,
    'receivable.easypay': amounts.captured - amounts.refunded,
    refunds: -underWay,
  };
  const expected = Object.entries(ledger).flatMap(([name, sum]) => (sum === 0n ? [] : [[name, sum.toString()]]));
  expect(await balancesOf({ id })).toEqual(Object.fromEntries(expected));
}

/** A payment of which so much was captured and refunded. */
async function paymentWith(captured: number, refunded: number): Promise<PaymentSnapshot> {
  const payment = await aPayment();
  if (captured > 0) await moved('capture', payment, String(captured));
  if (refunded > 0) await moved('refund', payment, String(refunded));
  return reread(payment);
}

describe('a movement goes its way', () => {
  /** Captured, refunded; what follows, of how much, and by which way; and the events of the payment that it leads to. */
  const ways: readonly [number, number, MovementKind, string | null, readonly End[], readonly string[]][] = [
    [0, 0, 'capture', null, ['succeeded'], ['captured']],
    [0, 0, 'capture', '1000', ['succeeded'], ['captured']],
    [0, 0, 'capture', '1000', ['failed'], []],
    [0, 0, 'capture', '1000', ['unresolved', 'succeeded'], ['unresolved', 'captured']],
    [0, 0, 'capture', '1000', ['unresolved', 'failed'], ['unresolved', 'authorized']],
    [1000, 0, 'capture', '500', ['succeeded'], ['captured']],
    [1000, 0, 'capture', '500', ['failed'], []],
    [1000, 0, 'capture', '500', ['unresolved', 'succeeded'], ['unresolved', 'captured']],
    [1000, 0, 'capture', '500', ['unresolved', 'failed'], ['unresolved', 'captured']],
    [1000, 400, 'capture', '500', ['succeeded'], ['partially_refunded']],
    [1000, 400, 'capture', '500', ['unresolved', 'failed'], ['unresolved', 'partially_refunded']],
    [1000, 1000, 'capture', null, ['succeeded'], ['partially_refunded']],
    [1000, 1000, 'capture', null, ['failed'], []],
    [1000, 1000, 'capture', null, ['unresolved', 'succeeded'], ['unresolved', 'partially_refunded']],
    [1000, 1000, 'capture', null, ['unresolved', 'failed'], ['unresolved', 'refunded']],
    [0, 0, 'void', null, ['succeeded'], ['canceled']],
    [0, 0, 'void', null, ['failed'], []],
    [0, 0, 'void', null, ['unresolved', 'succeeded'], ['unresolved', 'canceled']],
    [0, 0, 'void', null, ['unresolved', 'failed'], ['unresolved', 'authorized']],
    [1000, 0, 'void', null, ['succeeded'], ['captured']],
    [1000, 0, 'void', null, ['failed'], []],
    [1000, 0, 'void', null, ['unresolved', 'failed'], ['unresolved', 'captured']],
    [1000, 400, 'void', null, ['succeeded'], ['partially_refunded']],
    [1000, 400, 'void', null, ['unresolved', 'succeeded'], ['unresolved', 'partially_refunded']],
    [1000, 1000, 'void', null, ['succeeded'], ['refunded']],
    [1000, 1000, 'void', null, ['unresolved', 'failed'], ['unresolved', 'refunded']],
    [1000, 0, 'refund', '400', ['succeeded'], ['partially_refunded']],
    [1000, 0, 'refund', null, ['succeeded'], ['refunded']],
    [1000, 0, 'refund', '400', ['failed'], []],
    [1000, 0, 'refund', '400', ['unresolved'], []],
    [1000, 0, 'refund', '400', ['unresolved', 'succeeded'], ['partially_refunded']],
    [1000, 0, 'refund', '400', ['unresolved', 'failed'], []],
    [1000, 400, 'refund', '100', ['succeeded'], ['partially_refunded']],
    [1000, 400, 'refund', null, ['succeeded'], ['refunded']],
    [1000, 400, 'refund', null, ['failed'], []],
    [2599, 0, 'refund', null, ['unresolved', 'succeeded'], ['refunded']],
  ];

  test.each(ways)(
    '%i captured and %i refunded, a %s of %s goes by %j: the payment tells %j',
    async (captured, refunded, kind, amount, path, expected) => {
      const before = await paymentWith(captured, refunded);
      const end = await walk(await opened(kind, before, amount), ...path);
      expect(end).toMatchObject({ state: path.at(-1), version: 1 + path.length });
      expect(await findMovement(database.db, merchantId, end.id)).toEqual(end);

      const after = await reread(before);
      const told = (await eventsOf(before)).slice(before.version);
      expect(told.map(({ type }) => type)).toEqual(expected.map((status) => `payment.${status}`));
      expect(after.version).toBe(before.version + expected.length);
      const walked = ['pending', ...path];
      expect((await eventsOf(end)).map(({ type, sequence, status }) => [type, sequence, status])).toEqual(
        walked.map((state, index) => [`${kind}.${state}`, index + 1, state]),
      );
      const happened = end.state === 'succeeded' ? BigInt(end.amountMinor) : 0n;
      const then = amountsOf(before);
      expect(amountsOf(after)).toEqual({
        authorized: 2_599n,
        captured: then.captured + (kind === 'capture' ? happened : 0n),
        voided: then.voided + (kind === 'void' ? happened : 0n),
        refunded: then.refunded + (kind === 'refund' ? happened : 0n),
      });
      expect(after.openMovement).toBeNull();
      expect(after.failure).toBeNull();
      await expectCoherent(before);

      const alert = kind === 'refund' ? 'refund_unresolved' : 'payment_unresolved';
      const isResolved = path.length > 1;
      const alerts = path[0] === 'unresolved' ? [`${alert} ${isResolved ? 'closed' : 'open'}`] : [];
      expect(await alertsOf(kind === 'refund' ? end : before)).toEqual(alerts);
      expect(await alertsOf(kind === 'refund' ? before : end)).toEqual([]);
    },
  );

  test.each(['capture', 'void'] as const)('an unresolved %s holds the payment until it is resolved', async (kind) => {
    const payment = await paymentWith(1000, 400);
    const unresolved = await walk(await opened(kind, payment), 'unresolved');
    const during = await reread(payment);
    expect(during).toMatchObject({
      status: 'unresolved',
      version: payment.version + 1,
      failure: failureOf('outcome_unknown'),
      openMovement: {
        id: unresolved.id,
        state: 'unresolved',
        openAttemptId: attemptOf(unresolved),
        attemptState: 'unanswered',
      },
    });
    expect(await alertsOf(payment)).toEqual(['payment_unresolved open']);
  });

  test('its ids are a function of its version and state, so that every process writes the same ones', async () => {
    const payment = await aPayment();
    const movement = await moved('capture', payment);
    const [, succeeded] = await eventsOf(movement);
    const consequence = (await eventsOf(payment)).at(-1);
    expect(succeeded?.id).toBe(eventIdOf(movement.id, 2, 'capture.succeeded'));
    expect(consequence?.id).toBe(consequenceIdOf(succeeded?.id ?? ''));
  });

  test('it says what the provider said, and who did it', async () => {
    const payment = await paymentWith(1000, 0);
    const movement = await opened('refund', payment, '400');
    const details = { reason: 'case 7', evidence: 'statement' };
    await step(movement, 'succeeded', { actor: 'operator:ada', action: 'resolve', details });
    const { rows } = await database.admin.query(
      `SELECT m.processor_transaction_id, m.processor_response_code, a.state, a.outcome ->> 'kind' AS outcome
       FROM movements m JOIN attempts a ON a.movement_id = m.id WHERE m.id = $1`,
      [movement.id],
    );
    expect(rows).toEqual([
      {
        processor_transaction_id: expect.stringMatching(/^epm_/),
        processor_response_code: '00',
        state: 'approved',
        outcome: 'approved',
      },
    ]);
    const audit = await database.admin.query(
      `SELECT object_id, actor, origin, action, from_status, to_status, outcome, amount::text, details
       FROM payment_audit_trail WHERE payment_id = $1 AND actor = 'operator:ada' ORDER BY object_id = payment_id`,
      [payment.id],
    );
    const both = { actor: 'operator:ada', origin: 'workflow', action: 'resolve', amount: '400' };
    expect(audit.rows).toEqual([
      {
        ...both,
        object_id: movement.id,
        from_status: 'pending',
        to_status: 'succeeded',
        outcome: 'Refund Successful',
        details,
      },
      {
        ...both,
        object_id: payment.id,
        from_status: 'captured',
        to_status: 'partially_refunded',
        outcome: 'Payment Successful',
        details: { movement: movement.id },
      },
    ]);
  });

  test('one that was never sent may be given up', async () => {
    const payment = await paymentWith(1000, 0);
    const movement = await open('refund', payment, '400');
    const failure = failureOf('provider_unavailable');
    expect(await step(movement, 'failed', { failure })).toMatchObject({
      kind: 'done',
      movement: { state: 'failed', attemptState: null, failure },
    });
    await expectCoherent(payment);
  });
});

describe('a step', () => {
  test('is done once; the same one again is already mine', async () => {
    const payment = await aPayment();
    const movement = await opened('capture', payment, '1000');
    const succeeding = aStep(movement, 'succeeded');
    const first = await stepMovement(database.db, succeeding);
    expect(first).toMatchObject({
      kind: 'done',
      movement: { state: 'succeeded', version: 2, openAttemptId: null, attemptState: 'approved' },
      payment: await reread(payment),
    });
    const again = await stepMovement(database.db, { ...succeeding, now: new Date().toISOString() });
    const { movement: done } = first as Extract<typeof first, { movement: unknown }>;
    expect(again).toEqual({ kind: 'already_mine', movement: done });
    expect((await reread(payment)).capturedMinor).toBe('1000');
    await expectCoherent(payment);
  });

  test('by ten at once is done by one', async () => {
    const payment = await aPayment();
    const movement = await opened('capture', payment, '1000');
    const answers = await atOnce(payment, () => Array.from({ length: 10 }, () => step(movement, 'succeeded')));
    expect(answers.map(({ kind }) => kind).toSorted()).toEqual([
      ...Array.from({ length: 9 }, () => 'already_mine'),
      'done',
    ]);
    await expectCoherent(payment);
  });

  test('that another one overtook has moved on, and writes nothing', async () => {
    const payment = await paymentWith(1000, 0);
    const movement = await opened('refund', payment, '400');
    await step(movement, 'succeeded');
    expect(await step(movement, 'failed')).toMatchObject({
      kind: 'moved_on',
      movement: { state: 'succeeded', version: 2, failure: null },
    });
    await expectCoherent(payment);
  });

  test('and its contrary at once: one is written, and the other has moved on', async () => {
    const payment = await paymentWith(1000, 0);
    const movement = await opened('refund', payment, '400');
    const answers = await atOnce(payment, () => [step(movement, 'succeeded'), step(movement, 'failed')]);
    expect(answers.map(({ kind }) => kind).toSorted()).toEqual(['done', 'moved_on']);
    await expectCoherent(payment);
  });

  test('that knows of no attempt, or of one that nobody opened, has moved on', async () => {
    const payment = await aPayment();
    const unsent = await open('capture', payment);
    expect(await step(unsent, 'succeeded', { openAttemptId: attemptOf(unsent) })).toMatchObject({ kind: 'moved_on' });
    const movement = await sentIn(database.db, unsent);
    expect(await step(unsent, 'failed')).toMatchObject({
      kind: 'moved_on',
      movement: { state: 'pending', openAttemptId: attemptOf(movement), attemptState: 'sent' },
    });
    expect(await typesOf(movement)).toEqual(['capture.pending']);
  });

  const ended: readonly [MovementState, End][] = [
    ['succeeded', 'failed'],
    ['succeeded', 'unresolved'],
    ['failed', 'succeeded'],
    ['failed', 'unresolved'],
  ];
  test.each(ended)('from %s to %s is illegal, and writes nothing', async (from, to) => {
    const payment = await paymentWith(1000, 0);
    const path: readonly End[] = from === 'succeeded' ? ['succeeded'] : ['failed'];
    const end = await walk(await opened('refund', payment, '400'), ...path);
    const answer = await step(end, to, { openAttemptId: null, attemptEnd: null });
    expect(answer).toMatchObject({ kind: 'illegal', reason: expect.stringContaining(`from ${from} to ${to}`) });
    expect(await findMovement(database.db, merchantId, end.id)).toEqual(end);
    await expectCoherent(payment);
  });

  test('from unresolved to unresolved is illegal', async () => {
    const payment = await paymentWith(1000, 0);
    const unresolved = await walk(await opened('refund', payment, '400'), 'unresolved');
    expect(await step(unresolved, 'unresolved')).toMatchObject({ kind: 'illegal' });
    expect(await alertsOf(unresolved)).toEqual(['refund_unresolved open']);
  });

  test('of another merchant’s movement touches nothing', async () => {
    const payment = await paymentWith(1000, 0);
    const movement = await opened('refund', payment, '400');
    await expect(step(movement, 'succeeded', { merchantId: 'mer_2' })).rejects.toThrow();
    expect(await findMovement(database.db, merchantId, movement.id)).toEqual(movement);
    expect(await findMovement(database.db, 'mer_2', movement.id)).toBeNull();
  });
});

describe('a payment that is captured in parts', () => {
  test('is refunded, captured and refunded again, and tells every step', async () => {
    const payment = await aPayment();
    await moved('capture', payment, '1000');
    await moved('refund', payment, '400');
    await moved('capture', payment, '599');
    await moved('refund', payment, '1199');
    await moved('capture', payment, '600');
    await moved('void', payment);
    await moved('refund', payment);
    expect(await typesOf(payment)).toEqual([
      'payment.pending',
      'payment.authorized',
      'payment.captured',
      'payment.partially_refunded',
      'payment.partially_refunded',
      'payment.refunded',
      'payment.partially_refunded',
      'payment.partially_refunded',
      'payment.refunded',
    ]);
    expect(await reread(payment)).toMatchObject({
      status: 'refunded',
      version: 9,
      capturedMinor: '2199',
      voidedMinor: '400',
      refundedMinor: '2199',
    });
    await expectCoherent(payment);
  });

  test('pays the fee of the sum, however it was taken', async () => {
    const whole = await aCapturedPayment(database.db, { terms });
    await expectCoherent(whole);
    for (const parts of [['2599'], ['1', '2598'], ['2598', '1'], ['15', '15', '2569'], ['866', '866', '867']]) {
      const payment = await aPayment();
      for (const part of parts) await moved('capture', payment, part);
      await expectCoherent(payment);
      expect(await balancesOf(payment)).toEqual(await balancesOf(whole));
    }
  });

  test('pays no fee for a capture that failed, or that nobody knows of yet', async () => {
    const payment = await aPayment();
    await walk(await opened('capture', payment, '1000'), 'failed');
    expect(await balancesOf(payment)).toEqual({});
    await walk(await opened('capture', payment, '1000'), 'unresolved');
    expect(await balancesOf(payment)).toEqual({});
  });
});

describe('a refund that ends while a capture of its payment is in doubt', () => {
  test.each<[End, readonly string[]]>([
    ['succeeded', ['payment.unresolved', 'payment.partially_refunded', 'payment.partially_refunded']],
    ['failed', ['payment.unresolved', 'payment.captured']],
    ['unresolved', ['payment.unresolved', 'payment.captured']],
  ])('as %s leaves the payment unresolved, which then tells %j', async (to, expected) => {
    const payment = await paymentWith(1000, 0);
    const refund = await opened('refund', payment, '400');
    const capture = await walk(await opened('capture', payment, '500'), 'unresolved');
    await walk(refund, to);
    const during = await reread(payment);
    expect(during).toMatchObject({
      status: 'unresolved',
      failure: failureOf('outcome_unknown'),
      refundedMinor: to === 'succeeded' ? '400' : '0',
      openMovement: { id: capture.id },
    });
    expect(await alertsOf(payment)).toEqual(['payment_unresolved open']);
    await walk(capture, 'failed');
    expect((await typesOf(payment)).slice(payment.version)).toEqual(expected);
    expect(await alertsOf(payment)).toEqual(['payment_unresolved closed']);
    expect(await alertsOf(refund)).toEqual(to === 'unresolved' ? ['refund_unresolved open'] : []);
    await expectCoherent(payment);
  });

  test('and all of it is paid back: the capture decides whether the payment is refunded', async () => {
    for (const [to, status] of [
      ['failed', 'refunded'],
      ['succeeded', 'partially_refunded'],
    ] as const) {
      const payment = await paymentWith(1000, 0);
      const refund = await opened('refund', payment);
      const capture = await walk(await opened('capture', payment, '500'), 'unresolved');
      await walk(refund, 'succeeded');
      expect((await typesOf(payment)).at(-1)).toBe('payment.refunded');
      await walk(capture, to);
      expect(await reread(payment)).toMatchObject({ status });
      await expectCoherent(payment);
    }
  });

  test.each<[End, End, string]>([
    ['succeeded', 'succeeded', 'partially_refunded'],
    ['failed', 'succeeded', 'captured'],
    ['succeeded', 'failed', 'partially_refunded'],
    ['succeeded', 'unresolved', 'unresolved'],
  ])('at the same moment: the refund %s and the capture %s, one after the other', async (one, other, status) => {
    const payment = await paymentWith(1000, 0);
    const [refund, capture] = [await opened('refund', payment, '400'), await opened('capture', payment, '500')];
    const answers = await atOnce(payment, () => [step(refund, one), step(capture, other)]);
    expect(answers.map(({ kind }) => kind)).toEqual(['done', 'done']);
    expect(await reread(payment)).toMatchObject({ status });
    if (status !== 'unresolved') await expectCoherent(payment);
  });
});

/** Has all of these meet at the payment's row: it is let go when everybody waits for it. */
async function atOnce<T>({ id }: PaymentSnapshot, begin: () => readonly Promise<T>[]): Promise<T[]> {
  const holder = await database.admin.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT FROM payments WHERE id = $1 FOR UPDATE', [id]);
    const all = begin();
    await until('everybody waits for the row', async () => {
      const waiting = await database.admin.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%UPDATE movements SET%'`,
      );
      return waiting.rowCount === all.length;
    });
    await holder.query('COMMIT');
    return await Promise.all(all);
  } finally {
    holder.release();
  }
}

describe('a void before the payer has acted', () => {
  const chargeState = async (payment: PaymentSnapshot) =>
    (await reread(payment)).attempts.find(({ id }) => id === chargeOf(payment))?.state;
  const nextAction = async ({ id }: PaymentSnapshot) =>
    (await database.admin.query('SELECT next_action FROM payments WHERE id = $1', [id])).rows[0]?.next_action;

  test('ends the payment and its charge, and gives nothing back', async () => {
    const payment = await aWaitingPayment(database.db);
    expect(await moved('void', payment)).toMatchObject({ amountMinor: '0', state: 'succeeded' });
    expect(await reread(payment)).toMatchObject({
      status: 'canceled',
      openAttemptId: null,
      openMovement: null,
      voidedMinor: '0',
    });
    expect(await chargeState(payment)).toBe('voided');
    expect(await nextAction(payment)).toBeNull();
    expect(await typesOf(payment)).toEqual(['payment.pending', 'payment.requires_action', 'payment.canceled']);
    expect(await balancesOf(payment)).toEqual({});
  });

  test('that failed leaves it waiting, and the next one may be tried', async () => {
    const payment = await aWaitingPayment(database.db);
    await walk(await opened('void', payment), 'failed');
    expect(await reread(payment)).toMatchObject({
      status: 'requires_action',
      openAttemptId: chargeOf(payment),
      openMovement: null,
      voids: 1,
    });
    expect(await chargeState(payment)).toBe('requires_action');
    expect(await nextAction(payment)).toMatchObject({ type: 'redirect' });
    expect(await moved('void', payment)).toMatchObject({ state: 'succeeded' });
    expect(await reread(payment)).toMatchObject({ status: 'canceled' });
  });

  test.each<[End, string, string]>([
    ['succeeded', 'canceled', 'voided'],
    ['failed', 'requires_action', 'requires_action'],
  ])('that was in doubt and then %s: the payment is %s', async (to, status, state) => {
    const payment = await aWaitingPayment(database.db);
    const unresolved = await walk(await opened('void', payment), 'unresolved');
    expect(await reread(payment)).toMatchObject({ status: 'unresolved' });
    await walk(unresolved, to);
    expect(await reread(payment)).toMatchObject({ status });
    expect(await chargeState(payment)).toBe(state);
    expect(await typesOf(payment)).toEqual([
      'payment.pending',
      'payment.requires_action',
      'payment.unresolved',
      `payment.${status}`,
    ]);
    expect(await alertsOf(payment)).toEqual(['payment_unresolved closed']);
  });

  test('that came too late fails, and the payer has paid', async () => {
    const payment = await aWaitingPayment(database.db, { terms });
    const late = await opened('void', payment);
    const paid = await recordTransition(database.db, aTransition(await reread(payment)));
    expect(paid).toMatchObject({ kind: 'done', payment: { status: 'captured', openMovement: { id: late.id } } });
    await walk(late, 'failed');
    expect(await reread(payment)).toMatchObject({ status: 'captured', openMovement: null, failure: null });
    await expectCoherent(payment);
  });
});

describe('any life', () => {
  const acts = fc.array(
    fc.record({
      kind: fc.constantFrom<MovementKind>('capture', 'capture', 'refund', 'refund', 'refund', 'void'),
      percent: fc.option(fc.integer({ min: 1, max: 120 }), { freq: 4 }),
      path: fc.constantFrom<readonly End[]>(
        ['succeeded'],
        ['succeeded'],
        ['succeeded'],
        ['failed'],
        ['unresolved', 'succeeded'],
        ['unresolved', 'failed'],
      ),
      isLate: fc.boolean(),
    }),
    { minLength: 3, maxLength: 12 },
  );

  // A failing property prints its seed and its smallest counterexample.
  test('of captures, voids and refunds, in any order and beside each other, keeps amounts, events and ledger in step', async () => {
    await fc.assert(
      fc.asyncProperty(acts, async (life) => {
        const payment = await aPayment();
        const refundsUnderWay: (() => Promise<unknown>)[] = [];
        for (const { kind, percent, path, isLate } of life) {
          const before = await reread(payment);
          const amounts = amountsOf(before);
          const left = kind === 'refund' ? amounts.captured - amounts.refunded : capturableOf(amounts);
          const amount = percent === null || kind === 'void' ? null : (left * BigInt(percent)) / 100n;
          const amountMinor = amount === null || amount === 0n ? null : amount.toString();
          const answer = await askedIn(database.db, kind, payment, { amountMinor });
          if (answer.kind === 'refused') {
            expect(await reread(payment)).toEqual(before);
            continue;
          }
          expect(BigInt(answer.movement.amountMinor)).toBeLessThanOrEqual(left);
          const movement = await sentIn(database.db, answer.movement);
          if (kind === 'refund' && isLate) refundsUnderWay.push(() => walk(movement, ...path));
          else await walk(movement, ...path);
          await expectCoherent(payment);
        }
        await Promise.all(refundsUnderWay.map((end) => end()));
        await expectCoherent(payment);
      }),
      { numRuns: 25 },
    );
  }, 120_000);
});
