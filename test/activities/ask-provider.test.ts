import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askProvider } from '../../activities/ask-provider.ts';
import {
  type ChargeLookUp,
  type Idempotency,
  type Provider,
  ProviderFault,
} from '../../activities/providers/provider.ts';
import { beginAttempt } from '../../prisma/attempts.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { beginPreparation, confirmPreparation } from '../../prisma/preparations.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
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

/** A provider that answers look-ups with "not found", unless told otherwise. */
const aProvider = (changes: Partial<Provider>) =>
  providerWith({ name: 'slowpay', lookUpCharge: async () => null, ...changes });

/** Asks about an attempt that was sent and whose time to be sent is over. */
async function ask(
  provider: Provider,
  mayRepeat = true,
  prepare: (paymentId: string) => Promise<void> = async () => undefined,
): Promise<{
  readonly paymentId: string;
  readonly answer: Promise<unknown>;
  readonly state: () => Promise<string>;
}> {
  const paymentId = await insertPendingPayment(database);
  await prepare(paymentId);
  const attemptId = attemptIdOf(paymentId, 'charge', 1);
  const attempt = { attemptId, paymentId, number: 1, provider: provider.name };
  await beginAttempt(database.db, merchantId, { ...attempt, sender: 'other', sendWithinMs: -1, isUrgent: false });
  const deps = depsWith(database, [provider]);
  const input = { paymentId, merchantId, attemptNumber: 1, provider: provider.name, mayRepeat };
  return {
    paymentId,
    answer: anExecution().run(askProvider, deps, input),
    state: async () =>
      (await database.admin.query('SELECT state FROM attempts WHERE id = $1', [attemptId])).rows[0].state,
  };
}

const idempotencies: { readonly [Kind in Idempotency['kind']]: Extract<Idempotency, { kind: Kind }> } = {
  none: { kind: 'none' },
  lookup: { kind: 'lookup' },
  window: { kind: 'window', windowMs: 1 },
  key: { kind: 'key' },
};
const stillUnknown = { type: 'unknown_outcome' };
const nothingHappened = { kind: 'nothing_happened' };

describe('"not found" at a provider with idempotency', () => {
  test.for([
    ['none', 'before', stillUnknown, 'sent'],
    ['none', 'past', stillUnknown, 'sent'],
    ['lookup', 'before', stillUnknown, 'sent'],
    ['lookup', 'past', nothingHappened, 'not_sent'],
    ['window', 'before', stillUnknown, 'sent'],
    ['window', 'past', nothingHappened, 'not_sent'],
    ['key', 'before', { kind: 'repeat' }, 'unknown'],
    ['key', 'past', nothingHappened, 'not_sent'],
  ] as const)(
    '%s, asked %s its horizon, leads to %j and leaves the attempt %s',
    async ([kind, when, consequence, stateAfter]) => {
      const processingHorizonMs = when === 'past' ? 0 : 60_000;
      const { answer, state } = await ask(aProvider({ idempotency: idempotencies[kind], processingHorizonMs }));
      expect(await answer.catch((error: unknown) => error)).toMatchObject(consequence);
      expect(await state()).toBe(stateAfter);
    },
  );

  test('key is no leave to repeat where that is not wanted', async () => {
    const { answer, state } = await ask(aProvider({}), false);
    await expect(answer).rejects.toMatchObject(stillUnknown);
    expect(await state()).toBe('sent');
  });
});

test('a provider that names a wait is not asked again before it is over', async () => {
  const fault = new ProviderFault('rate_limited', 'slow down', { retryAfterMs: 90_000 });
  const { answer, state } = await ask(aProvider({ lookUpCharge: () => Promise.reject(fault) }));
  await expect(answer).rejects.toMatchObject({ ...stillUnknown, nextRetryDelay: 90_000 });
  expect(await state()).toBe('sent');
});

test('a provider that wanted two steps is asked with what it made in the first', async () => {
  const asked: ChargeLookUp[] = [];
  const provider = aProvider({
    lookUpCharge: async (request) => {
      asked.push(request);
      return null;
    },
  });
  const { answer, paymentId } = await ask(provider, true, async (id) => {
    const attemptId = attemptIdOf(id, 'prepare', 1);
    const preparation = { attemptId, paymentId: id, chargeAttemptId: attemptIdOf(id, 'charge', 1), sender: 'other' };
    await beginPreparation(database.db, merchantId, {
      ...preparation,
      number: 1,
      provider: provider.name,
      sendWithinMs: 3_000,
    });
    await confirmPreparation(database.db, merchantId, attemptId, 'order_1');
  });
  expect(await answer).toEqual({ kind: 'repeat' });
  expect(asked).toEqual([
    {
      reference: paymentId,
      idempotencyKey: attemptIdOf(paymentId, 'charge', 1),
      amountMinor: 2599n,
      currency: 'USD',
      capture: 'automatic',
      preparationId: 'order_1',
    },
  ]);
});
