import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../prisma/database.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { findMovement, listOpenRefunds, openMovement, stepMovement } from '../../prisma/movements.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import { attemptIdOf, movementIdOf } from '../../workflows/domain/ids.ts';
import { type MovementKind, movementKinds } from '../../workflows/domain/movement.ts';
import type { PaymentStatus } from '../../workflows/domain/payment-status.ts';
import type { MovementRefusal, MovementSnapshot, OpenedMovement, PaymentSnapshot } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { someTerms } from '../support/payment-request.ts';
import {
  aCapturedPayment,
  aMovementRequest,
  anAuthorizedPayment,
  aPendingPayment,
  aStep,
  asked as askedIn,
  aTransition,
  aWaitingPayment,
  canceling,
  charged,
  chargeOf,
  merchantId,
  opened as openedIn,
  reread as rereadIn,
  sent as sentIn,
} from './steps.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await startDatabase();
  // As many connections as there are callers: they meet in the database and not in the pool.
  const limits = { connectionsMax: 50, connectTimeoutMs: 10_000, statementTimeoutMs: 30_000 };
  db = openDatabase({ url: database.url, ...limits }, () => undefined);
  for (const id of [merchantId, 'mer_2']) await createMerchant(db, { id, name: 'Merchant' });
});
afterAll(async () => {
  await db?.close();
  await database?.close();
});

type Asked = Parameters<typeof askedIn> extends [Database, ...infer Rest] ? Rest : never;
const ask = (...order: Asked) => askedIn(db, ...order);
const open = (...order: Asked) => openedIn(db, ...order);
const reread = (payment: { readonly id: string }) => rereadIn(db, payment);

/** Opens, sends and ends a movement. */
async function done(toState: 'succeeded' | 'failed' | 'unresolved', ...order: Asked): Promise<MovementSnapshot> {
  const answer = await stepMovement(db, aStep(await sentIn(db, await open(...order)), toState));
  if (answer.kind !== 'done') throw new Error(answer.kind);
  return answer.movement;
}

const codeOf = (answer: OpenedMovement) => (answer.kind === 'refused' ? answer.code : 'opened');
const kindsOf = (codes: readonly string[]) =>
  Object.fromEntries(Object.entries(Object.groupBy(codes, (code) => code)).map(([code, all]) => [code, all?.length]));
const sumOf = (amounts: readonly string[]) => amounts.reduce((sum, amount) => sum + BigInt(amount), 0n);

interface Standing {
  readonly status: string;
  readonly version: number;
  readonly captured: string;
  readonly reserved: string;
  readonly open_movement_id: string | null;
}
async function standing({ id }: { readonly id: string }): Promise<Standing | undefined> {
  const { rows } = await database.admin.query<Standing>(
    `SELECT status, version, captured_amount::text AS captured, refund_reserved_amount::text AS reserved,
       open_movement_id FROM payments WHERE id = $1`,
    [id],
  );
  return rows[0];
}

const countOf = async (table: 'movements' | 'events' | 'payment_audit_trail' | 'ledger_entries', id: string) => {
  const column = table === 'movements' ? 'payment_id' : 'object_id';
  return (await database.admin.query(`SELECT FROM ${table} WHERE ${column} = $1`, [id])).rowCount;
};

test.each([
  ['api_key:k', {}],
  ['user:usr_1', {}],
  ['ann', { reason: 'for Ada' }],
])(
  'a refund’s reason is in the audit trail where an operator gave it, and not a merchant: %s',
  async (actor, details) => {
    const payment = await aCapturedPayment(db);
    const request = aMovementRequest({ actor, reason: 'for Ada' });
    const movementId = movementIdOf('refund', payment.id, request.idempotencyKey);
    const now = new Date().toISOString();
    await openMovement(db, { movementId, kind: 'refund', paymentId: payment.id, merchantId, request, now }, []);
    expect(await db.prisma.paymentAuditTrail.findFirst({ where: { objectId: movementId } })).toMatchObject({ details });
  },
);

describe('a movement is opened', () => {
  test.each<[MovementKind, () => Promise<PaymentSnapshot>, string]>([
    ['capture', () => anAuthorizedPayment(db), '2599'],
    ['void', () => anAuthorizedPayment(db), '2599'],
    ['void', () => aWaitingPayment(db), '0'],
    ['refund', () => aCapturedPayment(db), '2599'],
  ])('with all that is left, its event and its audit entry in one statement: %s', async (kind, aPayment, amount) => {
    const payment = await aPayment();
    const request = aMovementRequest({ reason: 'a reason', correlationId: 'c2' });
    const movementId = movementIdOf(kind, payment.id, request.idempotencyKey);
    const now = '2026-01-31T12:00:00.000Z';
    const answer = await openMovement(db, { movementId, kind, paymentId: payment.id, merchantId, request, now }, []);
    expect(answer).toEqual({
      kind: 'opened',
      movement: {
        id: movementId,
        kind,
        paymentId: payment.id,
        merchantId,
        requestHash: 'h',
        state: 'pending',
        version: 1,
        amountMinor: amount,
        currency: 'USD',
        provider: 'easypay',
        openAttemptId: null,
        attemptState: null,
        failure: null,
        expiresAt: expect.any(String),
        askUntil: expect.any(String),
      },
    });
    if (answer.kind !== 'opened') return;
    expect(Date.parse(answer.movement.expiresAt) - Date.parse(now)).toBe(3_600_000);
    expect(Date.parse(answer.movement.askUntil) - Date.parse(now)).toBe(90_000_000);
    expect(await findMovement(db, merchantId, movementId)).toEqual(answer.movement);
    const isRefund = kind === 'refund';
    expect(await standing(payment)).toMatchObject({
      status: payment.status,
      version: payment.version,
      open_movement_id: isRefund ? null : movementId,
      reserved: isRefund ? '2599' : '0',
    });
    expect((await reread(payment)).openMovement).toEqual(isRefund ? null : answer.movement);
    const { rows } = await database.admin.query(
      `SELECT e.type, e.sequence, e.correlation_id, e.data ->> 'status' AS status, a.outcome, a.actor, a.origin, a.details,
         a.action, a.payment_id, a.amount::text
       FROM events e JOIN payment_audit_trail a ON a.event_id = e.id AND a.object_id = e.object_id WHERE e.object_id = $1`,
      [movementId],
    );
    expect(rows).toEqual([
      {
        type: `${kind}.pending`,
        sequence: 1,
        correlation_id: 'c2',
        status: 'pending',
        outcome: `${kind[0]?.toUpperCase()}${kind.slice(1)} Pending`,
        actor: 'api_key:k',
        origin: '::1',
        details: {}, // a merchant's own words stay in the row
        action: `${kind}_payment`,
        payment_id: payment.id,
        amount,
      },
    ]);
    expect(await countOf('ledger_entries', movementId)).toBe(isRefund ? 2 : 0);
  });

  test('with the time that the payment’s terms gave it, not those of today', async () => {
    const terms = someTerms({ expiresAfterSeconds: 60, askForSeconds: 600 });
    const payment = await aCapturedPayment(db, { terms });
    const before = Date.now();
    const { expiresAt, askUntil } = await open('refund', payment);
    expect(Date.parse(askUntil) - Date.parse(expiresAt)).toBe(600_000);
    expect(Date.parse(expiresAt)).toBeGreaterThanOrEqual(before + 60_000);
    expect(Date.parse(expiresAt)).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  test('with a part of what is left', async () => {
    const payment = await anAuthorizedPayment(db);
    expect(await open('capture', payment, { amountMinor: '1' })).toMatchObject({ amountMinor: '1' });
  });
});

describe('a movement is refused, and nothing is stored,', () => {
  const unresolved = async (manual: boolean) => {
    const payment = await aPendingPayment(db, { captureMethod: manual ? 'manual' : 'automatic' });
    const attemptEnd = { attemptId: chargeOf(payment), state: 'unanswered', outcome: null } as const;
    const failure = failureOf('outcome_unknown');
    return charged(db, payment, { toStatus: 'unresolved', keepsAttemptOpen: true, attemptEnd, failure });
  };
  const failed = async () => {
    const payment = await aPendingPayment(db);
    const attemptEnd = { attemptId: chargeOf(payment), state: 'rejected', outcome: null } as const;
    return charged(db, payment, { toStatus: 'failed', attemptEnd, failure: failureOf('provider_rejected') });
  };
  const canceled = async () => {
    const payment = await aPendingPayment(db);
    await recordTransition(db, aTransition(payment, canceling));
    return payment;
  };
  const moved = async (...steps: readonly [MovementKind, string | null][]) => {
    const payment = await anAuthorizedPayment(db);
    for (const [kind, amountMinor] of steps) await done('succeeded', kind, payment, { amountMinor });
    return payment;
  };
  const withOpen = async (kind: MovementKind, state: 'pending' | 'unresolved') => {
    const payment = await moved(['capture', '1000']);
    if (state === 'pending') await open(kind, payment);
    else await done('unresolved', kind, payment);
    return payment;
  };

  const inProgress = ['movement_in_progress', 'movement_in_progress', 'movement_in_progress'] as const;
  test.each<[string, PaymentStatus, () => Promise<PaymentSnapshot>, readonly (MovementRefusal | 'opened')[]]>([
    ['waits for its charge', 'pending', () => aPendingPayment(db), inProgress],
    [
      'waits for its payer',
      'requires_action',
      () => aWaitingPayment(db),
      ['payment_not_capturable', 'opened', 'movement_in_progress'],
    ],
    ['has an unresolved charge', 'unresolved', () => unresolved(false), inProgress],
    ['has an unresolved reservation', 'unresolved', () => unresolved(true), inProgress],
    ['failed', 'failed', failed, ['payment_not_capturable', 'payment_not_cancelable', 'payment_not_refundable']],
    [
      'was canceled',
      'canceled',
      canceled,
      ['payment_not_capturable', 'payment_not_cancelable', 'payment_not_refundable'],
    ],
    [
      'was voided',
      'canceled',
      () => moved(['void', null]),
      ['payment_not_capturable', 'payment_not_cancelable', 'payment_not_refundable'],
    ],
    ['is authorized', 'authorized', () => anAuthorizedPayment(db), ['opened', 'opened', 'payment_not_refundable']],
    [
      'took its money at once',
      'captured',
      () => aCapturedPayment(db),
      ['payment_not_capturable', 'payment_not_cancelable', 'opened'],
    ],
    ['was captured in part', 'captured', () => moved(['capture', '1000']), ['opened', 'opened', 'opened']],
    [
      'was captured in part, and the rest voided',
      'captured',
      () => moved(['capture', '1000'], ['void', null]),
      ['payment_not_capturable', 'payment_not_cancelable', 'opened'],
    ],
    [
      'was refunded in part',
      'partially_refunded',
      () => moved(['capture', null], ['refund', '1000']),
      ['payment_not_capturable', 'payment_not_cancelable', 'opened'],
    ],
    [
      'was refunded',
      'refunded',
      () => moved(['capture', null], ['refund', null]),
      ['payment_not_capturable', 'payment_not_cancelable', 'amount_exceeds_refundable'],
    ],
    [
      'was captured in part and that refunded',
      'refunded',
      () => moved(['capture', '1000'], ['refund', null]),
      ['opened', 'opened', 'amount_exceeds_refundable'],
    ],
    ['has an open capture', 'captured', () => withOpen('capture', 'pending'), inProgress],
    ['has an open void', 'captured', () => withOpen('void', 'pending'), inProgress],
    ['has an unresolved capture', 'unresolved', () => withOpen('capture', 'unresolved'), inProgress],
    ['has an unresolved void', 'unresolved', () => withOpen('void', 'unresolved'), inProgress],
    [
      'has an open refund of all',
      'captured',
      () => withOpen('refund', 'pending'),
      ['opened', 'opened', 'amount_exceeds_refundable'],
    ],
    [
      'has an unresolved refund of all, which keeps its reservation',
      'captured',
      () => withOpen('refund', 'unresolved'),
      ['opened', 'opened', 'amount_exceeds_refundable'],
    ],
  ])('of a payment that %s (%s): capture, void and refund', async (_name, status, aPayment, expected) => {
    const answers: string[] = [];
    for (const kind of movementKinds) {
      const payment = await aPayment();
      const before = [await standing(payment), await countOf('movements', payment.id)];
      expect(before[0]).toMatchObject({ status });
      const code = codeOf(await ask(kind, payment));
      answers.push(code);
      const after = [await standing(payment), await countOf('movements', payment.id)];
      if (code !== 'opened') expect(after).toEqual(before);
      else expect(after[1]).toBe(Number(before[1]) + 1);
    }
    expect(answers).toEqual(expected);
  });

  test.each<[MovementKind, string, MovementRefusal | 'opened']>([
    ['capture', '1599', 'opened'],
    ['capture', '1600', 'amount_exceeds_capturable'],
    ['capture', '9223372036854775807', 'amount_exceeds_capturable'],
    ['refund', '700', 'opened'],
    ['refund', '701', 'amount_exceeds_refundable'],
    ['refund', '9223372036854775807', 'amount_exceeds_refundable'],
  ])(
    'when more is wanted than there is: %s of %s of a payment with 15.99 and 7.00 left: %s',
    async (kind, amountMinor, code) => {
      const payment = await moved(['capture', '1000'], ['refund', '200']);
      await open('refund', payment, { amountMinor: '100' });
      expect(codeOf(await ask(kind, payment, { amountMinor }))).toBe(code);
    },
  );

  test('of another merchant’s payment, and of one that there is not', async () => {
    const payment = await aCapturedPayment(db);
    const request = aMovementRequest();
    const order = { kind: 'refund', request, now: new Date().toISOString() } as const;
    const foreign = { movementId: 'ref_1', paymentId: payment.id, merchantId: 'mer_2' };
    expect(await openMovement(db, { ...order, ...foreign }, [])).toEqual({ kind: 'refused', code: 'not_found' });
    expect(await ask('refund', { id: 'pay_none' })).toEqual({ kind: 'refused', code: 'not_found' });
    expect(await standing(payment)).toMatchObject({ reserved: '0' });
  });

  test('when its key was used with another body', async () => {
    const payment = await aCapturedPayment(db);
    const key = { idempotencyKey: 'k1', amountMinor: '100' };
    const first = await ask('refund', payment, key);
    expect(first).toMatchObject({ kind: 'opened' });
    expect(await ask('refund', payment, { ...key, requestHash: 'other' })).toEqual({
      kind: 'refused',
      code: 'idempotency_key_reused',
    });
    expect(await ask('refund', payment, key)).toEqual(first);
    expect(await standing(payment)).toMatchObject({ reserved: '100' });
  });

  test('when its workflow is started again and there is no row', async () => {
    const payment = await aCapturedPayment(db);
    const order = { kind: 'refund', paymentId: payment.id, merchantId, now: new Date().toISOString() } as const;
    expect(await openMovement(db, { ...order, movementId: 'ref_none' }, [])).toEqual({
      kind: 'refused',
      code: 'not_found',
    });
    const movement = await open('refund', payment);
    expect(await openMovement(db, { ...order, movementId: movement.id }, [])).toEqual({ kind: 'opened', movement });
  });
});

describe('asked for at once', () => {
  test('the same refund by ten is one row, one event and one reservation', async () => {
    for (const amountMinor of ['100', null]) {
      const payment = await aCapturedPayment(db);
      const key = { idempotencyKey: 'once', amountMinor };
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask('refund', payment, key)));
      expect(kindsOf(answers.map(codeOf))).toEqual({ opened: 10 });
      expect(await countOf('movements', payment.id)).toBe(1);
      const id = movementIdOf('refund', payment.id, 'once');
      expect([await countOf('events', id), await countOf('payment_audit_trail', id)]).toEqual([1, 1]);
      expect(await countOf('ledger_entries', id)).toBe(2);
      expect(await standing(payment)).toMatchObject({ reserved: amountMinor ?? '2599' });
    }
  });

  test('twenty captures and voids: one is open, and the others are told so', async () => {
    for (let round = 0; round < 5; round++) {
      const payment = await anAuthorizedPayment(db);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          ask(index % 2 === 0 ? 'capture' : 'void', payment, { amountMinor: index % 2 === 0 ? '100' : null }),
        ),
      );
      expect(kindsOf(answers.map(codeOf))).toEqual({ opened: 1, movement_in_progress: 19 });
      expect(await countOf('movements', payment.id)).toBe(1);
    }
  });

  // The amounts are drawn anew each time; a failure names its seed.
  test.each([1, 2, 3])('50 partial refunds never pay back more than was captured (round %i)', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const amounts = fc.sample(fc.integer({ min: 1, max: 300 }), { numRuns: 50, seed }).map(String);
    const payment = await aCapturedPayment(db);
    const answers = await Promise.all(amounts.map((amountMinor) => ask('refund', payment, { amountMinor })));
    const reserved = sumOf(amounts.filter((_, index) => answers[index]?.kind === 'opened'));
    const refused = amounts.filter((_, index) => answers[index]?.kind === 'refused');
    const about = `seed ${seed}`;
    expect(new Set(answers.map(codeOf)), about).toEqual(new Set(['opened', 'amount_exceeds_refundable']));
    expect(reserved, about).toBeLessThanOrEqual(2_599n);
    expect(await standing(payment), about).toMatchObject({ reserved: reserved.toString(), captured: '2599' });
    for (const amount of refused) expect(BigInt(amount), about).toBeGreaterThan(2_599n - reserved);

    const movements = answers.flatMap((answer) => (answer.kind === 'opened' ? [answer.movement] : []));
    const ends = await Promise.all(
      movements.map(async (movement, index) =>
        stepMovement(db, aStep(await sentIn(db, movement), index % 3 === 0 ? 'failed' : 'succeeded')),
      ),
    );
    expect(kindsOf(ends.map(({ kind }) => kind)), about).toEqual({ done: movements.length });
    const paidBack = movements.filter((_, index) => index % 3 !== 0);
    const end = await reread(payment);
    expect(end, about).toMatchObject({
      refundedMinor: sumOf(paidBack.map(({ amountMinor }) => amountMinor)).toString(),
      version: payment.version + paidBack.length,
    });
    expect(await standing(payment), about).toMatchObject({ reserved: end.refundedMinor });
    const { rows } = await database.admin.query<{ sequences: number[]; count: number }>(
      `SELECT array_agg(e.sequence ORDER BY e.sequence) AS sequences,
         (SELECT refund_count FROM payments WHERE id = $1) AS count FROM events e WHERE e.object_id = $1`,
      [payment.id],
    );
    expect(rows, about).toEqual([
      { sequences: Array.from({ length: end.version }, (_, index) => index + 1), count: paidBack.length },
    ]);
  });

  test('refunds that are opened, sent and ended beside each other never wait for each other in a circle', async () => {
    await database.admin.query(`ALTER SYSTEM SET deadlock_timeout = '50ms'`); // a circle is found, and ends one of them
    await database.admin.query('SELECT pg_reload_conf()');
    for (let round = 0; round < 10; round++) {
      const payment = await aCapturedPayment(db);
      const ends = await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          done(index % 3 === 0 ? 'failed' : 'succeeded', 'refund', payment, { amountMinor: '10' }),
        ),
      );
      expect(kindsOf(ends.map(({ state }) => state))).toEqual({ failed: 10, succeeded: 20 });
      expect(await reread(payment)).toMatchObject({ refundedMinor: '200' });
    }
  });

  test('a refund of all and fifty of one cent: together no more than was captured', async () => {
    const payment = await aCapturedPayment(db, { amountMinor: '30' });
    const wishes = Array.from({ length: 50 }, (_, index) => (index === 25 ? null : '1'));
    const answers = await Promise.all(wishes.map((amountMinor) => ask('refund', payment, { amountMinor })));
    const sum = sumOf(answers.flatMap((answer) => (answer.kind === 'opened' ? [answer.movement.amountMinor] : [])));
    expect(sum).toBe(30n);
    expect(await standing(payment)).toMatchObject({ reserved: '30' });
  });
});

describe('at a provider that pays back one capture at a time', () => {
  /** A payment of 25.99 with these captures, oldest first. */
  async function captured(...amounts: readonly string[]): Promise<{ payment: PaymentSnapshot; ids: string[] }> {
    const payment = await anAuthorizedPayment(db, {}, 'paypal');
    const ids: string[] = [];
    for (const amountMinor of amounts) ids.push((await done('succeeded', 'capture', payment, { amountMinor })).id);
    return { payment, ids };
  }

  const captureOf = async (answer: OpenedMovement): Promise<string> => {
    if (answer.kind === 'refused') return answer.code;
    const { rows } = await database.admin.query<{ capture_id: string | null }>(
      'SELECT capture_id FROM movements WHERE id = $1',
      [answer.movement.id],
    );
    return rows[0]?.capture_id ?? 'none';
  };
  const refund = async (payment: PaymentSnapshot, amountMinor: string | null, captureId: string | null = null) =>
    captureOf(await ask('refund', payment, { amountMinor, captureId }, true));

  test('a refund pays back the oldest capture that has enough left', async () => {
    const { payment, ids } = await captured('1000', '500', '700');
    expect(await refund(payment, '600')).toBe(ids[0]);
    expect(await refund(payment, '600')).toBe(ids[2]);
    expect(await refund(payment, '500')).toBe(ids[1]);
    expect(await refund(payment, '401')).toBe('refund_spans_captures');
    expect(await refund(payment, null)).toBe('refund_spans_captures');
    expect(await refund(payment, '400')).toBe(ids[0]);
    expect(await refund(payment, null)).toBe(ids[2]);
    expect(await refund(payment, '1')).toBe('amount_exceeds_refundable');
    expect(await standing(payment)).toMatchObject({ reserved: '2200' });
  });

  test('a refund pays back the capture that was named, or none', async () => {
    const { payment, ids } = await captured('1000', '500');
    const other = await captured('1000');
    expect(await refund(payment, '400', ids[1])).toBe(ids[1]);
    expect(await refund(payment, '101', ids[1])).toBe('amount_exceeds_refundable');
    expect(await refund(payment, '100', other.ids[0])).toBe('amount_exceeds_refundable');
    expect(await refund(payment, '100', 'cap_none')).toBe('amount_exceeds_refundable');
    expect(await refund(payment, '100', ids[1])).toBe(ids[1]);
  });

  test.each([true, false])(
    'a refund of a named capture without an amount pays back that one (per capture: %s)',
    async (perCapture) => {
      const { payment, ids } = await captured('1000', '500');
      const opening = await ask('refund', payment, { captureId: ids[1] ?? null, amountMinor: null }, perCapture);
      expect(opening).toMatchObject({ kind: 'opened', movement: { amountMinor: '500' } });
      const more = await ask('refund', payment, { captureId: ids[1] ?? null, amountMinor: '1' }, perCapture);
      expect(more).toEqual({ kind: 'refused', code: 'amount_exceeds_refundable' });
    },
  );

  test('a payment has at most a hundred captures, declined ones included', async () => {
    const payment = await anAuthorizedPayment(db);
    for (let count = 0; count < 100; count++) await done('failed', 'capture', payment, { amountMinor: '1' });
    expect(await ask('capture', payment, { amountMinor: '1' })).toEqual({ kind: 'refused', code: 'too_many_captures' });
  });

  test('a capture that failed is not paid back', async () => {
    const { payment } = await captured();
    await done('failed', 'capture', payment, { amountMinor: '1500' });
    const { id } = await done('succeeded', 'capture', payment, { amountMinor: '1000' });
    expect(await refund(payment, '900')).toBe(id);
  });

  test('a refund that failed leaves its capture to others, and one that is unresolved does not', async () => {
    const { payment, ids } = await captured('1000', '500');
    await done('unresolved', 'refund', payment, { amountMinor: '500' }, true);
    await done('failed', 'refund', payment, { amountMinor: '400' }, true);
    expect(await refund(payment, '501')).toBe('refund_spans_captures');
    expect(await refund(payment, '500')).toBe(ids[0]);
    expect(await refund(payment, '500')).toBe(ids[1]);
  });

  test('a payment that was taken at once is paid back as a whole', async () => {
    const payment = await aCapturedPayment(db, {}, 'paypal');
    expect(await refund(payment, '1000')).toBe('none');
    expect(await refund(payment, null)).toBe('none');
  });

  test('twenty refunds at once take from each capture no more than it has', async () => {
    for (let round = 0; round < 3; round++) {
      const { payment, ids } = await captured('500', '500');
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => ask('refund', payment, { amountMinor: '200' }, true)),
      );
      const places = kindsOf(await Promise.all(answers.map(captureOf)));
      expect(places).toEqual({ [ids[0] ?? '']: 2, [ids[1] ?? '']: 2, refund_spans_captures: 16 });
      const { rows } = await database.admin.query(
        `SELECT refund_reserved_amount::text AS reserved FROM movements WHERE payment_id = $1 AND kind = 'capture'`,
        [payment.id],
      );
      expect(rows).toEqual([{ reserved: '400' }, { reserved: '400' }]);
    }
  });

  test('at one that pays back the charge, captures are no limit', async () => {
    const { payment } = await captured('1000', '500');
    expect(await captureOf(await ask('refund', payment, { amountMinor: '1200' }))).toBe('none');
  });
});

test('open refunds are listed by id, those of before an instant, page by page, and no settled ones', async () => {
  await database.admin.query('TRUNCATE payments CASCADE');
  const payment = await aCapturedPayment(db);
  const pending = [];
  for (let index = 0; index < 3; index++) pending.push(await open('refund', payment, { amountMinor: '10' }));
  const unresolved = await done('unresolved', 'refund', payment, { amountMinor: '10' });
  await done('succeeded', 'refund', payment, { amountMinor: '10' });
  await done('failed', 'refund', payment, { amountMinor: '10' });
  await open('capture', await anAuthorizedPayment(db));
  const expected = [...pending, unresolved].map(({ id }) => id).toSorted();
  const later = new Date(Date.now() + 60_000);
  const list = async (madeBefore: Date, afterId: string, limit: number) =>
    (await listOpenRefunds(db, { madeBefore, afterId, limit })).map(({ id }) => id);
  expect(await list(later, '', 100)).toEqual(expected);
  expect(await list(later, expected[1] ?? '', 1)).toEqual([expected[2]]);
  expect(await list(new Date(Date.now() - 60_000), '', 100)).toEqual([]);
  expect(attemptIdOf(unresolved.id, 'refund', 1)).toBe(unresolved.openAttemptId);
});
