import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askMovement } from '../../activities/ask-movement.ts';
import {
  type Idempotency,
  type MovementRequest,
  type Provider,
  ProviderFault,
} from '../../activities/providers/provider.ts';
import { beginMovementAttempt, releaseAttempt } from '../../prisma/attempts.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import type { ChargeOutcome, FaultKind } from '../../workflows/domain/outcome.ts';
import type { MovementSnapshot, PaymentSnapshot } from '../../workflows/ports.ts';
import {
  aCapturedPayment,
  aPendingPayment,
  attemptOf,
  charged,
  chargeOf,
  merchantId,
  opened,
} from '../prisma/steps.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { anExecution, depsWith, aProvider as providerWith } from './ground.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: merchantId, name: 'Merchant' });
});
afterAll(() => database?.close());

const response = { transactionId: 'epm_1', responseCode: '00', responseMessage: 'Approved', card: null };

/** A provider that answers look-ups with "not found", unless told otherwise. */
const aProvider = (changes: Partial<Provider>) => providerWith({ lookUpMovement: async () => null, ...changes });

/** A refund that was sent by somebody, and whose time to be sent is over. */
async function aSentRefund(payment?: PaymentSnapshot): Promise<MovementSnapshot> {
  const of = payment ?? (await aCapturedPayment(database.db));
  const movement = await opened(database.db, 'refund', of, { amountMinor: '1000' });
  await beginMovementAttempt(database.db, merchantId, {
    attemptId: attemptOf(movement),
    paymentId: movement.paymentId,
    movementId: movement.id,
    sender: 'other',
    number: 1,
    provider: movement.provider,
    sendWithinMs: -1,
    isUrgent: false,
  });
  return movement;
}

/** One execution of the activity: its answer, or what it threw. */
async function ask(
  { id, paymentId, kind, provider: name }: MovementSnapshot,
  provider: Provider,
  mayRepeat = true,
): Promise<unknown> {
  const input = { movementId: id, paymentId, merchantId, kind, provider: name, mayRepeat };
  return anExecution()
    .run(askMovement, depsWith(database, [provider]), input)
    .catch((error: unknown) => error);
}

async function standing({ id }: MovementSnapshot) {
  const { rows } = await database.admin.query<Record<string, unknown>>(
    `SELECT m.open_attempt_id AS open, a.state, a.is_doubtful FROM movements m
     LEFT JOIN attempts a ON a.movement_id = m.id WHERE m.id = $1`,
    [id],
  );
  return rows[0];
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
      const movement = await aSentRefund();
      const provider = aProvider({ idempotency: idempotencies[kind], processingHorizonMs });
      expect(await ask(movement, provider)).toMatchObject(consequence);
      const open = stateAfter === 'not_sent' ? null : attemptOf(movement);
      expect(await standing(movement)).toEqual({ open, state: stateAfter, is_doubtful: stateAfter === 'unknown' });
    },
  );

  test('key is no leave to repeat where that is not wanted', async () => {
    const movement = await aSentRefund();
    expect(await ask(movement, aProvider({}), false)).toMatchObject(stillUnknown);
    expect(await standing(movement)).toMatchObject({ state: 'sent', open: attemptOf(movement) });
  });

  test('key, asked by two at once past its horizon, is proven once, and no doubt is left', async () => {
    const movement = await aSentRefund();
    const provider = aProvider({ processingHorizonMs: 0 });
    const answers = await Promise.all([ask(movement, provider), ask(movement, provider)]);
    expect(answers).toContainEqual(nothingHappened);
    expect(await standing(movement)).toEqual({ open: null, state: 'not_sent', is_doubtful: false });
  });
});

describe('a provider that knows it', () => {
  test.each<ChargeOutcome>([
    { kind: 'approved', response },
    { kind: 'declined', declineCode: 'refund_declined', response },
    { kind: 'mismatched', response, reported: { amountMinor: '1001', currency: 'USD' } },
  ])('says $kind, and the attempt stays open until that is recorded', async (outcome) => {
    const movement = await aSentRefund();
    const requests: MovementRequest[] = [];
    const provider = aProvider({
      async lookUpMovement(request) {
        requests.push(request);
        return outcome;
      },
    });
    expect(await ask(movement, provider)).toEqual(outcome);
    expect(requests).toMatchObject([
      { kind: 'refund', reference: movement.id, idempotencyKey: attemptOf(movement), chargeTransactionId: 'epc_1' },
    ]);
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'sent' });
  });

  test('and has not decided is asked again later', async () => {
    const movement = await aSentRefund();
    const provider = aProvider({ lookUpMovement: async () => ({ kind: 'pending', response }), processingHorizonMs: 0 });
    expect(await ask(movement, provider)).toMatchObject({ ...stillUnknown, message: 'easypay has not decided yet' });
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'sent' });
  });
});

test.each<FaultKind>(['unknown_outcome', 'unavailable', 'rate_limited', 'misconfigured', 'rejected'])(
  'a question that ends in %s says nothing about the money',
  async (kind) => {
    const movement = await aSentRefund();
    const fault = new ProviderFault(kind, 'what happened', { retryAfterMs: 90_000 });
    const provider = aProvider({ lookUpMovement: () => Promise.reject(fault), processingHorizonMs: 0 });
    expect(await ask(movement, provider)).toMatchObject({ ...stillUnknown, nextRetryDelay: 90_000 });
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'sent' });
  },
);

describe('nobody is asked about a movement', () => {
  const silent = providerWith();

  test('that was never begun: nothing happened', async () => {
    const movement = await opened(database.db, 'refund', await aCapturedPayment(database.db));
    expect(await ask(movement, silent)).toEqual(nothingHappened);
  });

  test('that certainly was not sent: nothing happened', async () => {
    const movement = await aSentRefund();
    const seen = { attemptId: attemptOf(movement), paymentId: movement.paymentId, movementId: movement.id };
    const away = { kind: 'unavailable', retryAfterMs: null } as const;
    await releaseAttempt(database.db, merchantId, { ...seen, sender: 'other' }, away);
    expect(await ask(movement, silent)).toEqual(nothingHappened);
  });
});

describe('a movement of a charge whose id at the provider nobody learned', () => {
  const resolved = async () => {
    const payment = await aPendingPayment(database.db);
    const attemptEnd = { attemptId: chargeOf(payment), state: 'approved', outcome: null } as const;
    return charged(database.db, payment, { attemptEnd });
  };

  test('is asked about with the id that the provider finds', async () => {
    const movement = await aSentRefund(await resolved());
    const requests: MovementRequest[] = [];
    const provider = aProvider({
      lookUpCharge: async () => ({ kind: 'approved', response: { ...response, transactionId: 'epc_found' } }),
      async lookUpMovement(request) {
        requests.push(request);
        return { kind: 'approved', response };
      },
    });
    expect(await ask(movement, provider)).toMatchObject({ kind: 'approved' });
    expect(requests).toMatchObject([{ chargeTransactionId: 'epc_found' }]);
  });

  test('stays unknown when the provider does not find the charge, also past its horizon', async () => {
    const movement = await aSentRefund(await resolved());
    const provider = aProvider({ lookUpCharge: async () => null, processingHorizonMs: 0 });
    expect(await ask(movement, provider)).toMatchObject(stillUnknown);
    expect(await standing(movement)).toMatchObject({ open: attemptOf(movement), state: 'sent' });
  });
});
