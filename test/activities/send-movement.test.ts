import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DoubtRemains, NotNow, RejectedInDoubt } from '../../activities/failures.ts';
import {
  type ChargeLookUp,
  type MovementRequest,
  type Provider,
  type ProviderCall,
  ProviderFault,
} from '../../activities/providers/provider.ts';
import { sendMovement } from '../../activities/send-movement.ts';
import { allowRepeatOfAttempt } from '../../prisma/attempts.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { stepMovement } from '../../prisma/movements.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { ChargeOutcome, FaultKind } from '../../workflows/domain/outcome.ts';
import type { MovementSnapshot } from '../../workflows/ports.ts';
import {
  aCapturedPayment,
  anAuthorizedPayment,
  aPendingPayment,
  aStep,
  attemptOf,
  charged,
  chargeOf,
  merchantId,
  opened,
  sent,
} from '../prisma/steps.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { anExecution, aProvider, depsWith } from './ground.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: merchantId, name: 'Merchant' });
});
afterAll(() => database?.close());

const response = { transactionId: 'epm_1', responseCode: '00', responseMessage: 'Approved', card: null };
const approved: ChargeOutcome = { kind: 'approved', response };
const fault = (kind: FaultKind, retryAfterMs: number | null = null) =>
  new ProviderFault(kind, `the provider: ${kind}`, { retryAfterMs });

interface Exchange {
  readonly request: MovementRequest;
  readonly call: ProviderCall;
}

/** A provider that approves unless told otherwise. */
function aMovingProvider(
  act: () => ChargeOutcome | Promise<ChargeOutcome> = () => approved,
  changes: Partial<Provider> = {},
) {
  const exchanges: Exchange[] = [];
  const provider = aProvider({
    async move(request, call) {
      exchanges.push({ request, call });
      return act();
    },
    ...changes,
  });
  return { provider, exchanges };
}
const fails = (error: Error) => () => {
  throw error;
};

/** One execution of the activity: its answer, or what it threw. */
async function send(
  { id: movementId, paymentId, kind, provider: name }: MovementSnapshot,
  provider: Provider,
  { isUrgent = false, ...info }: { isUrgent?: boolean; isLocal?: boolean; attempt?: number } = {},
): Promise<unknown> {
  const input = { movementId, paymentId, merchantId, kind, provider: name, isUrgent };
  return anExecution(info)
    .run(sendMovement, depsWith(database, [provider]), input)
    .catch((error: unknown) => error);
}

async function standing({ id }: MovementSnapshot) {
  const { rows } = await database.admin.query<Record<string, unknown>>(
    `SELECT m.open_attempt_id AS open, a.state, a.fault, a.sends FROM movements m
     LEFT JOIN attempts a ON a.movement_id = m.id WHERE m.id = $1`,
    [id],
  );
  return rows[0];
}

const aRefund = async () => opened(database.db, 'refund', await aCapturedPayment(database.db), { amountMinor: '1000' });

/** A refund that somebody else sent, and whose repeat is allowed when it is to be doubtful. */
async function aSentRefund(isRepeatAllowed: boolean): Promise<MovementSnapshot> {
  const movement = await sent(database.db, await aRefund());
  const seen = { attemptId: attemptOf(movement), paymentId: movement.paymentId, movementId: movement.id, sender: 'a' };
  if (isRepeatAllowed) await allowRepeatOfAttempt(database.db, merchantId, seen);
  return movement;
}

/** A refund of a charge whose id at the provider nobody ever learned, because a person resolved it. */
async function aRefundOfResolved(): Promise<MovementSnapshot> {
  const payment = await aPendingPayment(database.db);
  const attemptEnd = { attemptId: chargeOf(payment), state: 'approved', outcome: null } as const;
  await charged(database.db, payment, { attemptEnd });
  return opened(database.db, 'refund', payment, { amountMinor: '1000' });
}

describe('a movement', () => {
  test('is committed as sent before the provider hears of it, and is sent under its attempt’s id', async () => {
    const movement = await aRefund();
    let before: unknown;
    const { provider, exchanges } = aMovingProvider(async () => {
      before = await standing(movement);
      return approved;
    });
    expect(await send(movement, provider)).toEqual({ kind: 'answered', outcome: approved });
    expect(before).toEqual({ open: attemptOf(movement), state: 'sent', fault: null, sends: 1 });
    expect(exchanges.map(({ request }) => request)).toEqual([
      {
        kind: 'refund',
        reference: movement.id,
        idempotencyKey: attemptOf(movement),
        paymentId: movement.paymentId,
        chargeTransactionId: 'epc_1',
        captureTransactionId: null,
        preparationId: null,
        amountMinor: 1000n,
        currency: 'USD',
        isFinal: false,
      },
    ]);
    expect(exchanges[0]?.call.mayStillSend()).toBe(true);
    expect(exchanges[0]?.call.correlationId).toBe('c');
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'sent' });
  });

  test('as a capture of all that is left says that it is the last one', async () => {
    const { provider, exchanges } = aMovingProvider();
    await send(await opened(database.db, 'capture', await anAuthorizedPayment(database.db)), provider);
    expect(exchanges[0]?.request).toMatchObject({ kind: 'capture', amountMinor: 2599n, isFinal: true });
  });

  test.each<ChargeOutcome>([
    { kind: 'declined', declineCode: 'refund_declined', response },
    { kind: 'pending', response },
    { kind: 'mismatched', response, reported: { amountMinor: '1001', currency: 'USD' } },
  ])('that ends as $kind is an answer, whose attempt stays open until that is recorded', async (outcome) => {
    const movement = await aRefund();
    expect(await send(movement, aMovingProvider(() => outcome).provider)).toEqual({ kind: 'answered', outcome });
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'sent', fault: null });
  });

  test('that is rejected is an answer, whose attempt stays open until that is recorded', async () => {
    const movement = await aRefund();
    expect(await send(movement, aMovingProvider(fails(fault('rejected'))).provider)).toEqual({ kind: 'rejected' });
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'sent', fault: 'rejected' });
  });

  test.each<FaultKind>(['unavailable', 'rate_limited', 'misconfigured'])(
    'that certainly did not happen is free again, and sent again with its key: %s',
    async (kind) => {
      const movement = await aRefund();
      const failure = fault(kind);
      const { provider, exchanges } = aMovingProvider(fails(failure));
      expect(await send(movement, provider)).toBe(failure);
      expect(await standing(movement)).toEqual({ open: null, state: 'not_sent', fault: kind, sends: 1 });
      await send(movement, provider);
      expect(exchanges.map(({ request }) => request.idempotencyKey)).toEqual([
        attemptOf(movement),
        attemptOf(movement),
      ]);
    },
  );

  test.each<[string, Error, string | null]>([
    ['of unknown outcome', fault('unknown_outcome'), 'unknown_outcome'],
    ['that broke in a way of its own', new Error('a mistake of ours'), null],
  ])('%s stays open, and is not sent again by the next try', async (_, error, noted) => {
    const movement = await aRefund();
    const { provider, exchanges } = aMovingProvider(fails(error));
    expect(await send(movement, provider)).toBe(error);
    expect(await standing(movement)).toEqual({ open: attemptOf(movement), state: 'sent', fault: noted, sends: 1 });
    expect(await send(movement, provider)).toMatchObject({ kind: 'unknown_outcome' });
    expect(exchanges).toHaveLength(1);
  });

  test('that somebody else may be sending is in doubt, and is not sent', async () => {
    const { provider, exchanges } = aMovingProvider();
    expect(await send(await aSentRefund(false), provider)).toMatchObject({ kind: 'unknown_outcome' });
    expect(exchanges).toEqual([]);
  });

  test.each<[FaultKind, typeof DoubtRemains | typeof RejectedInDoubt]>([
    ['unavailable', DoubtRemains],
    ['rate_limited', DoubtRemains],
    ['misconfigured', DoubtRemains],
    ['rejected', RejectedInDoubt],
  ])('in doubt stays in doubt when its repeat ends in %s: an earlier send may have arrived', async (kind, failure) => {
    const movement = await aSentRefund(true);
    expect(await send(movement, aMovingProvider(fails(fault(kind))).provider)).toBeInstanceOf(failure);
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), sends: 2 });
  });

  test('in doubt that is approved when repeated is answered', async () => {
    expect(await send(await aSentRefund(true), aMovingProvider().provider)).toMatchObject({ kind: 'answered' });
  });

  test('that another try took over meanwhile is in doubt', async () => {
    const movement = await aRefund();
    const { provider } = aMovingProvider(async () => {
      await database.admin.query(`UPDATE attempts SET sender = 'other' WHERE movement_id = $1`, [movement.id]);
      throw fault('unavailable');
    });
    expect(await send(movement, provider)).toMatchObject({ kind: 'unknown_outcome' });
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'sent' });
  });

  test.each(['succeeded', 'failed', 'unresolved'] as const)('that %s is sent to nobody', async (to) => {
    const movement = await aRefund();
    await stepMovement(database.db, aStep(await sent(database.db, movement), to));
    const { provider, exchanges } = aMovingProvider();
    expect(await send(movement, provider, { isUrgent: true })).toEqual({ kind: 'moved_on' });
    expect(exchanges).toEqual([]);
  });

  test('that expired is sent to nobody', async () => {
    const movement = await aRefund();
    await database.admin.query(`UPDATE movements SET expires_at = now() - interval '1 second' WHERE id = $1`, [
      movement.id,
    ]);
    const { provider, exchanges } = aMovingProvider();
    expect(await send(movement, provider, { isUrgent: true })).toBeInstanceOf(NotNow);
    expect(exchanges).toEqual([]);
  });

  test('waits as its provider asked, for ten minutes at most, unless an operator is in a hurry for one try', async () => {
    const movement = await aRefund();
    const { provider, exchanges } = aMovingProvider(fails(fault('rate_limited', 86_400_000)));
    await send(movement, provider);
    const early = await send(movement, provider);
    if (!(early instanceof NotNow)) throw new Error('expected a wait');
    expect(early.waitMs).toBeLessThanOrEqual(600_000);
    expect(early.waitMs).toBeGreaterThan(500_000);
    expect(await send(movement, provider, { isUrgent: true, attempt: 2 })).toBeInstanceOf(NotNow);
    expect(exchanges).toHaveLength(1);
    expect(await send(movement, provider, { isUrgent: true })).toMatchObject({ kind: 'rate_limited' });
    expect(exchanges).toHaveLength(2);
  });

  test.each([
    ['a local try', true, 4_000],
    ['a later one', false, 10_000],
  ])('has a time limit in %s', async (_, isLocal, timeoutMs) => {
    const { provider, exchanges } = aMovingProvider();
    await send(await aRefund(), provider, { isLocal });
    expect(exchanges[0]?.call.timeoutMs).toBeLessThanOrEqual(timeoutMs);
    expect(exchanges[0]?.call.timeoutMs).toBeGreaterThan(timeoutMs - 2_000);
  });

  test('that there is not is not sent, and one whose provider there is not is a broken invariant', async () => {
    const movement = await aRefund();
    const unknown = { ...movement, id: 'ref_none' };
    const { provider } = aMovingProvider();
    expect(await send(unknown, provider)).toEqual({ kind: 'moved_on' });
    const elsewhere = aMovingProvider(undefined, { name: 'otherpay' }).provider;
    expect(await send(movement, elsewhere)).toMatchObject({ name: 'BrokenInvariant' });
    expect(await standing(movement)).toMatchObject({ open: null, state: null });
  });
});

describe('a movement of a charge whose id at the provider nobody learned', () => {
  test('is sent with the id that the provider finds by our reference and key', async () => {
    const movement = await aRefundOfResolved();
    const asked: ChargeLookUp[] = [];
    const { provider, exchanges } = aMovingProvider(undefined, {
      async lookUpCharge(request) {
        asked.push(request);
        return { kind: 'approved', response: { ...response, transactionId: 'epc_found' } };
      },
    });
    expect(await send(movement, provider)).toMatchObject({ kind: 'answered' });
    expect(asked).toEqual([
      {
        reference: movement.paymentId,
        idempotencyKey: attemptIdOf(movement.paymentId, 'charge', 1),
        amountMinor: 2599n,
        currency: 'USD',
        capture: 'automatic',
        preparationId: null,
      },
    ]);
    expect(exchanges[0]?.request).toMatchObject({ chargeTransactionId: 'epc_found', amountMinor: 1000n });
  });

  test.each<[string, () => Promise<ChargeOutcome | null>, FaultKind]>([
    ['the provider does not know it', async () => null, 'unavailable'],
    ['asking ends in unknown_outcome', () => Promise.reject(fault('unknown_outcome')), 'unavailable'],
    ['asking ends in unavailable', () => Promise.reject(fault('unavailable')), 'unavailable'],
    ['asking ends in rate_limited', () => Promise.reject(fault('rate_limited')), 'rate_limited'],
    ['asking ends in misconfigured', () => Promise.reject(fault('misconfigured')), 'misconfigured'],
  ])('is not sent, and free to be sent later, when %s', async (_, lookUpCharge, kind) => {
    const movement = await aRefundOfResolved();
    const { provider, exchanges } = aMovingProvider(undefined, { lookUpCharge });
    expect(await send(movement, provider)).toMatchObject({ name: 'ProviderFault', kind });
    expect(exchanges).toEqual([]);
    expect(await standing(movement)).toEqual({ open: null, state: 'not_sent', fault: kind, sends: 1 });
  });
});
