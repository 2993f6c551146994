import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chargePayment } from '../../activities/charge-payment.ts';
import { DoubtRemains, NotNow, RejectedInDoubt, RoundFailed, Unprepared } from '../../activities/failures.ts';
import {
  type ChargeRequest,
  type PrepareRequest,
  type Provider,
  type ProviderCall,
  ProviderFault,
} from '../../activities/providers/provider.ts';
import { allowRepeatOfAttempt, beginAttempt } from '../../prisma/attempts.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { ChargeOutcome, FaultKind } from '../../workflows/domain/outcome.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { anExecution, depsWith, aProvider as providerWith } from './ground.ts';

const merchantId = 'mer_1';
let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: merchantId, name: 'Merchant' });
});
afterAll(() => database?.close());

const response = { transactionId: 'ch_1', responseCode: '00', responseMessage: 'Approved', card: null };
const approved: ChargeOutcome = { kind: 'approved', response };
const fault = (kind: FaultKind, retryAfterMs: number | null = null) =>
  new ProviderFault(kind, `the provider: ${kind}`, { retryAfterMs });

/** What a provider does in one call: answers, or fails. */
type Act<Answer> = () => Answer | Promise<Answer>;
const fails =
  (error: Error): Act<never> =>
  () => {
    throw error;
  };

interface Exchange {
  readonly operation: string;
  readonly request: PrepareRequest & Partial<ChargeRequest>;
  readonly call: ProviderCall;
}

/** A provider that approves unless told otherwise; with `prepare` it wants two steps. */
function aProvider(name: string, acts: { readonly charge?: Act<ChargeOutcome>; readonly prepare?: Act<string> } = {}) {
  const { charge: chargeAct = () => approved, prepare } = acts;
  const exchanges: Exchange[] = [];
  const provider = providerWith({
    name,
    ...(prepare && {
      async prepare(request: PrepareRequest, call: ProviderCall) {
        exchanges.push({ operation: 'prepare', request, call });
        return prepare();
      },
    }),
    async charge(request, call) {
      exchanges.push({ operation: 'charge', request, call });
      return chargeAct();
    },
  });
  return { provider, exchanges };
}

const chargeOf = (paymentId: string, number = 1) => attemptIdOf(paymentId, 'charge', number);

/** One execution of the activity over all providers, in order. */
async function charge(
  paymentId: string,
  providers: readonly { readonly provider: Provider }[],
  options: {
    readonly isUrgent?: boolean;
    readonly isLocal?: boolean;
    readonly attempt?: number;
    /** Takes what cancels the activity. */
    readonly onCancel?: (cancel: () => void) => void;
  } = {},
) {
  const { isUrgent = false, isLocal = false, attempt = 1, onCancel } = options;
  const all = providers.map(({ provider }) => provider);
  const deps = depsWith(database, all);
  const candidates = all.map(({ name }, index) => ({ attemptNumber: index + 1, provider: name }));
  const environment = anExecution({ isLocal, attempt });
  onCancel?.(() => environment.cancel());
  const input = { paymentId, merchantId, candidates, isUrgent };
  const answer: unknown = await environment.run(chargePayment, deps, input).catch((error: unknown) => error);
  return answer;
}

interface AttemptRow {
  readonly operation: string;
  readonly number: number;
  readonly state: string;
  readonly fault: string | null;
}

/** What the rows say of a payment. */
async function standing(paymentId: string): Promise<{ open: string | null; attempts: AttemptRow[] }> {
  const { rows } = await database.admin.query<AttemptRow>(
    `SELECT operation, number, state, fault FROM attempts WHERE payment_id = $1 ORDER BY number, operation DESC`,
    [paymentId],
  );
  const payment = await database.admin.query<{ open: string | null }>(
    'SELECT open_attempt_id AS open FROM payments WHERE id = $1',
    [paymentId],
  );
  return { open: payment.rows[0]?.open ?? null, attempts: rows };
}

/** A payment whose first attempt was sent by somebody else, and whose repeat is allowed when it is to be doubtful. */
async function aSentPayment(isRepeatAllowed: boolean): Promise<string> {
  const paymentId = await insertPendingPayment(database);
  const seen = { attemptId: chargeOf(paymentId), paymentId, sender: 'other' };
  const attempt = { ...seen, number: 1, provider: 'first', sendWithinMs: 3_000, isUrgent: false };
  await beginAttempt(database.db, merchantId, attempt);
  if (isRepeatAllowed) await allowRepeatOfAttempt(database.db, merchantId, seen);
  return paymentId;
}

describe('a charge', () => {
  test('is committed as sent before the provider hears of it, and is sent under the attempt’s id', async () => {
    const paymentId = await insertPendingPayment(database);
    let before: unknown;
    const first = aProvider('first', {
      charge: async () => {
        before = await standing(paymentId);
        return approved;
      },
    });
    expect(await charge(paymentId, [first])).toEqual({
      kind: 'answered',
      by: { attemptNumber: 1, provider: 'first' },
      outcome: approved,
    });
    expect(before).toEqual({
      open: chargeOf(paymentId),
      attempts: [{ operation: 'charge', number: 1, state: 'sent', fault: null }],
    });
    expect(first.exchanges[0]?.request).toMatchObject({
      reference: paymentId,
      idempotencyKey: chargeOf(paymentId),
      amountMinor: 2599n,
      currency: 'USD',
      paymentMethod: 'credit_card',
      cardToken: 'tok',
      capture: 'automatic',
      preparationId: null,
    });
    expect(first.exchanges[0]?.call.mayStillSend()).toBe(true);
  });

  test('says whether to take the money or to reserve it, and by which link the payer comes back, each time the same', async () => {
    const paymentId = await insertPendingPayment(database, { capture_method: 'manual' });
    const [first, second] = [aProvider('first', { charge: fails(fault('unavailable')) }), aProvider('second')];
    for (let round = 0; round < 2; round++) await charge(paymentId, [first]);
    await charge(paymentId, [first, second]);
    const { rows } = await database.admin.query('SELECT return_token AS token FROM payments WHERE id = $1', [
      paymentId,
    ]);
    const returnUrl = `http://payments.example/api/v1/payments/${paymentId}/return/${rows[0].token}`;
    const requests = [...first.exchanges, ...second.exchanges].map(({ request }) => request);
    expect(requests).toHaveLength(4);
    for (const request of requests) expect(request).toMatchObject({ capture: 'manual', returnUrl });
  });

  test('that waits for its payer is an answer, whose attempt stays open', async () => {
    const paymentId = await insertPendingPayment(database);
    const outcome: ChargeOutcome = { kind: 'requires_action', response, redirectUrl: 'http://127.0.0.1:1/challenge/1' };
    const [first, second] = [aProvider('first', { charge: () => outcome }), aProvider('second')];
    expect(await charge(paymentId, [first, second])).toMatchObject({ kind: 'answered', outcome });
    expect(second.exchanges).toEqual([]);
    expect(await standing(paymentId)).toMatchObject({ open: chargeOf(paymentId), attempts: [{ state: 'sent' }] });
  });

  test('of a payment that is over is sent to nobody', async () => {
    const paymentId = await insertPendingPayment(database);
    await database.admin.query(`UPDATE payments SET status = 'canceled', version = 2 WHERE id = $1`, [paymentId]);
    const [first, second] = [aProvider('first'), aProvider('second', { prepare: () => 'order_1' })];
    expect(await charge(paymentId, [first, second])).toEqual({ kind: 'moved_on' });
    expect(await charge(paymentId, [second])).toEqual({ kind: 'moved_on' });
    expect([...first.exchanges, ...second.exchanges]).toEqual([]);
  });

  test('that was declined is an answer: nobody else is asked here', async () => {
    const outcome: ChargeOutcome = { kind: 'declined', declineCode: 'issuer_unavailable', response };
    const [first, second] = [aProvider('first', { charge: () => outcome }), aProvider('second')];
    const answer = await charge(await insertPendingPayment(database), [first, second]);
    expect(answer).toMatchObject({ kind: 'answered', by: { attemptNumber: 1 }, outcome });
    expect(second.exchanges).toEqual([]);
  });

  test('that is rejected is an answer, whose attempt stays open until that is recorded', async () => {
    const paymentId = await insertPendingPayment(database);
    const [first, second] = [aProvider('first', { charge: fails(fault('rejected')) }), aProvider('second')];
    const answer = await charge(paymentId, [first, second]);
    expect(answer).toMatchObject({ kind: 'rejected', by: { provider: 'first' }, openAttemptId: chargeOf(paymentId) });
    expect(second.exchanges).toEqual([]);
    expect(await standing(paymentId)).toMatchObject({ open: chargeOf(paymentId), attempts: [{ fault: 'rejected' }] });
  });

  test.each([
    ['a local try', true, 4_000],
    ['a later one', false, 10_000],
  ])('has a time limit of its own at every candidate in %s', async (_, isLocal, timeoutMs) => {
    const [first, second] = [aProvider('first', { charge: fails(fault('unavailable')) }), aProvider('second')];
    await charge(await insertPendingPayment(database), [first, second], { isLocal });
    for (const { exchanges } of [first, second]) {
      expect(exchanges[0]?.call.timeoutMs).toBeLessThanOrEqual(timeoutMs);
      expect(exchanges[0]?.call.timeoutMs).toBeGreaterThan(timeoutMs - 2_000);
    }
  });
});

describe('the next candidate', () => {
  test.each<FaultKind>(['unavailable', 'rate_limited', 'misconfigured'])(
    'has its turn when the one before was certainly not reached: %s',
    async (kind) => {
      const paymentId = await insertPendingPayment(database);
      const [first, second] = [aProvider('first', { charge: fails(fault(kind)) }), aProvider('second')];
      const answer = await charge(paymentId, [first, second]);
      expect(answer).toMatchObject({ kind: 'answered', by: { attemptNumber: 2, provider: 'second' } });
      expect(second.exchanges[0]?.request.idempotencyKey).toBe(chargeOf(paymentId, 2));
      expect(await standing(paymentId)).toEqual({
        open: chargeOf(paymentId, 2),
        attempts: [
          { operation: 'charge', number: 1, state: 'not_sent', fault: kind },
          { operation: 'charge', number: 2, state: 'sent', fault: null },
        ],
      });
    },
  );

  test.each<[string, Error]>([
    ['of unknown outcome', fault('unknown_outcome')],
    ['that broke in a way of its own', new Error('a mistake of ours')],
  ])('has none after a charge %s', async (_, error) => {
    const paymentId = await insertPendingPayment(database);
    const [first, second] = [aProvider('first', { charge: fails(error) }), aProvider('second')];
    const answer = await charge(paymentId, [first, second]);
    expect(answer).toBe(error);
    expect(second.exchanges).toEqual([]);
    expect(await standing(paymentId)).toMatchObject({ open: chargeOf(paymentId), attempts: [{ state: 'sent' }] });
  });

  test('has none while somebody else’s charge at the one before may be on its way: nobody is sent anything', async () => {
    const paymentId = await aSentPayment(false);
    const [first, second] = [aProvider('first'), aProvider('second')];
    expect(await charge(paymentId, [first, second])).toMatchObject({ kind: 'unknown_outcome' });
    expect([...first.exchanges, ...second.exchanges]).toEqual([]);
  });

  test('has none when another try took the attempt over meanwhile', async () => {
    const paymentId = await insertPendingPayment(database);
    const first = aProvider('first', {
      charge: async () => {
        await database.admin.query(`UPDATE attempts SET sender = 'other' WHERE id = $1`, [chargeOf(paymentId)]);
        throw fault('unavailable');
      },
    });
    const second = aProvider('second');
    expect(await charge(paymentId, [first, second])).toMatchObject({ kind: 'unknown_outcome' });
    expect(second.exchanges).toEqual([]);
  });

  test.each<[FaultKind, typeof DoubtRemains | typeof RejectedInDoubt]>([
    ['unavailable', DoubtRemains],
    ['rate_limited', DoubtRemains],
    ['rejected', RejectedInDoubt],
  ])('has none when a repeat in doubt ends in %s: an earlier send may have arrived', async (kind, failure) => {
    const paymentId = await aSentPayment(true);
    const [first, second] = [aProvider('first', { charge: fails(fault(kind)) }), aProvider('second')];
    expect(await charge(paymentId, [first, second])).toBeInstanceOf(failure);
    expect(first.exchanges).toHaveLength(1);
    expect(second.exchanges).toEqual([]);
    expect((await standing(paymentId)).open).toBe(chargeOf(paymentId));
  });

  test('has its turn while the one before asked for a wait, unless an operator is in a hurry', async () => {
    const paymentId = await insertPendingPayment(database);
    const first = aProvider('first', { charge: fails(fault('rate_limited', 60_000)) });
    const second = aProvider('second', { charge: fails(fault('unavailable')) });
    for (const isUrgent of [false, false, true]) {
      const answer = await charge(paymentId, [first, second], { isUrgent });
      expect(answer).toBeInstanceOf(RoundFailed);
    }
    expect(first.exchanges).toHaveLength(2);
    expect(second.exchanges).toHaveLength(3);
    expect(await standing(paymentId)).toMatchObject({ open: null, attempts: [{ number: 1 }, { number: 2 }] });
  });

  test('of the engine’s own later tries waits as asked: an operator’s hurry is for one try', async () => {
    const paymentId = await insertPendingPayment(database);
    const first = aProvider('first', { charge: fails(fault('rate_limited', 60_000)) });
    for (const attempt of [1, 2, 3]) await charge(paymentId, [first], { isUrgent: true, attempt });
    expect(first.exchanges).toHaveLength(1);
  });

  test('is left alone for ten minutes at most, however long the provider asks for', async () => {
    const paymentId = await insertPendingPayment(database);
    const first = aProvider('first', { charge: fails(fault('rate_limited', 86_400_000)) });
    await charge(paymentId, [first]);
    const again = await charge(paymentId, [first]);
    if (!(again instanceof RoundFailed)) throw new Error('expected a failed round');
    const [error] = again.failures.map((failure) => failure.error);
    if (!(error instanceof NotNow)) throw new Error('expected a wait');
    expect(error.waitMs).toBeLessThanOrEqual(600_000);
  });

  test('has no turn after a cancellation: what is on its way ends, and nothing new begins', async () => {
    let cancel = () => {};
    const first = aProvider('first', {
      charge: () => {
        cancel();
        throw fault('unavailable');
      },
    });
    const second = aProvider('second');
    const answer = await charge(await insertPendingPayment(database), [first, second], {
      onCancel: (given) => {
        cancel = given;
      },
    });
    expect(answer).toBeInstanceOf(RoundFailed);
    expect(second.exchanges).toEqual([]);
  });

  test('and all others being away fails the round, with what was wrong at each', async () => {
    const [first, second] = [
      aProvider('first', { charge: fails(fault('misconfigured')) }),
      aProvider('second', { charge: fails(fault('unavailable')) }),
    ];
    const answer = await charge(await insertPendingPayment(database), [first, second]);
    expect(answer).toMatchObject({
      failures: [
        { provider: 'first', error: { kind: 'misconfigured' } },
        { provider: 'second', error: { kind: 'unavailable' } },
      ],
    });
  });

  test('is not sent a charge that expired: the round ends without anybody', async () => {
    const paymentId = await insertPendingPayment(database, { expires_at: new Date(Date.now() - 1_000) });
    const [first, second] = [aProvider('first'), aProvider('second', { prepare: () => 'order_1' })];
    expect(await charge(paymentId, [first, second])).toBeInstanceOf(RoundFailed);
    expect([...first.exchanges, ...second.exchanges]).toEqual([]);
  });
});

describe('a provider that wants two steps', () => {
  test('is asked for the first under a key of its own, and for the charge with what it made', async () => {
    const paymentId = await insertPendingPayment(database);
    const only = aProvider('only', { prepare: () => 'order_1' });
    expect(await charge(paymentId, [only])).toMatchObject({ kind: 'answered', outcome: { kind: 'approved' } });
    expect(only.exchanges.map(({ operation, request }) => [operation, request.idempotencyKey])).toEqual([
      ['prepare', attemptIdOf(paymentId, 'prepare', 1)],
      ['charge', chargeOf(paymentId)],
    ]);
    expect(only.exchanges[1]?.request.preparationId).toBe('order_1');
    expect((await standing(paymentId)).attempts).toMatchObject([
      { operation: 'prepare', state: 'prepared' },
      { operation: 'charge', state: 'sent' },
    ]);
  });

  test('makes the first step once, however often the second is tried', async () => {
    const paymentId = await insertPendingPayment(database);
    const only = aProvider('only', { prepare: () => 'order_1', charge: fails(fault('unavailable')) });
    for (let round = 0; round < 3; round++) await charge(paymentId, [only]);
    expect(only.exchanges.map(({ operation }) => operation)).toEqual(['prepare', 'charge', 'charge', 'charge']);
    expect(new Set(only.exchanges.slice(1).map(({ request }) => request.preparationId))).toEqual(new Set(['order_1']));
  });

  test('and never confirms the first is passed over after three times: what it may have made moves no money', async () => {
    const paymentId = await insertPendingPayment(database);
    const first = aProvider('first', { prepare: fails(fault('unknown_outcome')) });
    const second = aProvider('second');
    for (let round = 0; round < 2; round++) {
      expect(await charge(paymentId, [first, second])).toBeInstanceOf(Unprepared);
    }
    expect(await charge(paymentId, [first, second])).toMatchObject({ kind: 'answered', by: { attemptNumber: 2 } });
    expect(new Set(first.exchanges.map(({ request }) => request.idempotencyKey)).size).toBe(1);
    expect(first.exchanges).toHaveLength(3);
  });

  test('and took nearly all the time for the first is charged at the next try, which has its own', async () => {
    const paymentId = await insertPendingPayment(database);
    const only = aProvider('only', { prepare: () => pause(2_700).then(() => 'order_1') });
    expect(await charge(paymentId, [only], { isLocal: true })).toBeInstanceOf(RoundFailed);
    expect(await standing(paymentId)).toMatchObject({ open: null, attempts: [{ state: 'prepared' }] });
    expect(await charge(paymentId, [only])).toMatchObject({ kind: 'answered' });
    expect(only.exchanges.map(({ operation }) => operation)).toEqual(['prepare', 'charge']);
  });

  test('and does not confirm the first is asked for it again, before anybody else is tried', async () => {
    const paymentId = await insertPendingPayment(database);
    const orders = [fails(fault('unknown_outcome')), () => 'order_1'];
    const first = aProvider('first', { prepare: () => orders.shift()?.() ?? '' });
    const second = aProvider('second');
    expect(await charge(paymentId, [first, second])).toBeInstanceOf(Unprepared);
    expect(await standing(paymentId)).toMatchObject({ open: null, attempts: [{ state: 'unknown' }] });
    expect(await charge(paymentId, [first, second])).toMatchObject({
      kind: 'answered',
      by: { attemptNumber: 1 },
    });
    expect(first.exchanges.map(({ request }) => request.idempotencyKey)).toEqual([
      attemptIdOf(paymentId, 'prepare', 1),
      attemptIdOf(paymentId, 'prepare', 1),
      chargeOf(paymentId),
    ]);
    expect(second.exchanges).toEqual([]);
  });

  test('and is away already then is left for the next one', async () => {
    const paymentId = await insertPendingPayment(database);
    const [first, second] = [aProvider('first', { prepare: fails(fault('unavailable')) }), aProvider('second')];
    expect(await charge(paymentId, [first, second])).toMatchObject({
      kind: 'answered',
      by: { attemptNumber: 2 },
    });
    expect((await standing(paymentId)).attempts).toMatchObject([
      { operation: 'prepare', number: 1, state: 'not_sent', fault: 'unavailable' },
      { operation: 'charge', number: 2, state: 'sent' },
    ]);
  });

  test('and refuses the first as wrong is an answer, with no attempt open', async () => {
    const paymentId = await insertPendingPayment(database);
    const [first, second] = [aProvider('first', { prepare: fails(fault('rejected')) }), aProvider('second')];
    expect(await charge(paymentId, [first, second])).toEqual({
      kind: 'rejected',
      by: { attemptNumber: 1, provider: 'first' },
      openAttemptId: null,
    });
    expect(second.exchanges).toEqual([]);
    expect(await standing(paymentId)).toMatchObject({
      open: null,
      attempts: [{ state: 'rejected', fault: 'rejected' }],
    });
  });
});
