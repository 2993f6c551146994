import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { retryNow } from '../../workflows/contract.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { type Answer, aPayment, postPayment } from '../support/api-client.ts';
import { expectInvariants } from '../support/invariants.ts';
import { cancel } from '../support/movement-call.ts';
import { hasStatus, listOf, paymentOf } from '../support/payment-life.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

/** Short of funds at first. */
const secondTime = 'tok_visa_later_9996';
const thirdTime = 'tok_visa_later_9997';

function post(token: string, retry: unknown, key: string = randomUUID()): Promise<Answer> {
  const options = { apiKey: world.merchant.testKey, key, headers: { prefer: 'wait=30' } };
  return postPayment(world.apiUrl, aPayment({ card_token: token, ...(retry === undefined ? {} : { retry }) }), options);
}

/** A payment that was declined and waits for its next round, which is far away. */
async function aWaitingPayment(token = secondTime): Promise<PaymentObject> {
  const { status, payment } = await post(token, { schedule: [3_600], attempts_max: 3 });
  expect([status, payment.status]).toEqual([202, 'pending']);
  return payment;
}

interface Attempt {
  readonly id: string;
  readonly operation: string;
  readonly provider: string;
  readonly number: number;
  readonly state: string;
  readonly decline_code: string | null;
}

const attemptsOf = async (id: string) => {
  const attempts = await listOf<Attempt>(world, `/payments/${id}/attempts`);
  return attempts.map(({ number, state, decline_code: code }) => `${number} ${state} ${code ?? '-'}`);
};
const eventsOf = async (id: string) =>
  (await listOf<{ type: string }>(world, `/payments/${id}/events`)).map(({ type }) => type);
const keysAtTheBank = async (id: string) =>
  (await world.bank.movements(id)).map(({ kind, idempotency_key: key }) => [kind, key]);

describe('a payment that is declined for a reason that may pass', () => {
  test.each([
    [secondTime, 2],
    [thirdTime, 3],
  ] as const)('is tried again later until it is captured, once (%s)', async (token, rounds) => {
    const key = randomUUID();
    const retry = { schedule: [1], attempts_max: 4 };
    const first = await post(token, retry, key);
    expect(first.status).toBe(202); // nobody waits for a next round
    expect(first.payment).toMatchObject({
      status: 'pending',
      failure: { code: 'insufficient_funds', decline_class: 'retry_same' },
      retry: { ...retry, attempts_made: 1, next_attempt_at: expect.stringMatching(/Z$/) },
    });
    const captured = await hasStatus(world, first.payment.id, 'captured');
    expect(captured).toMatchObject({
      captured_amount: '25.99',
      failure: null,
      retry: { ...retry, attempts_made: rounds, next_attempt_at: null },
    });
    const numbers = Array.from({ length: rounds }, (_, index) => index + 1);
    expect(await attemptsOf(captured.id)).toEqual(
      numbers.map((number) => (number === rounds ? `${number} approved -` : `${number} declined insufficient_funds`)),
    );
    const attempts = await listOf<Attempt>(world, `/payments/${captured.id}/attempts`);
    expect(attempts.map(({ id }) => id)).toEqual(numbers.map((number) => attemptIdOf(captured.id, 'charge', number)));
    expect(await keysAtTheBank(captured.id)).toEqual([['charge', attemptIdOf(captured.id, 'charge', rounds)]]);
    expect(await eventsOf(captured.id)).toEqual([
      'payment.pending',
      ...numbers.slice(1).map(() => 'payment.retry_scheduled'),
      'payment.captured',
    ]);
    const again = await post(token, retry, key);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(again.payment).toEqual(captured);
  });

  test('fails with its last round', async () => {
    const { payment } = await post(thirdTime, { schedule: [1], attempts_max: 2 });
    const failed = await hasStatus(world, payment.id, 'failed');
    expect(failed).toMatchObject({
      failure: { code: 'insufficient_funds' },
      retry: { attempts_made: 2, next_attempt_at: null },
    });
    expect(await attemptsOf(payment.id)).toEqual(['1 declined insufficient_funds', '2 declined insufficient_funds']);
    expect(await keysAtTheBank(payment.id)).toEqual([]);
  });

  test('has its next round also behind the time in which it would have expired', async () => {
    const { testKey } = await world.createMerchant({ expires_after: 10 });
    const body = aPayment({ card_token: secondTime, retry: { schedule: [12], attempts_max: 2 } });
    const { payment } = await postPayment(world.apiUrl, body, { apiKey: testKey });
    const nextAt = Date.parse(payment.retry?.next_attempt_at ?? '');
    expect(nextAt - Date.parse(payment.created_at)).toBeGreaterThan(10_000);
    const captured = await hasStatus(world, payment.id, 'captured', testKey);
    expect(Date.parse(captured.processed_at ?? '')).toBeGreaterThanOrEqual(nextAt);
  });

  test('fails at once where nobody asked for another round', async () => {
    const { status, payment } = await post(secondTime, undefined);
    expect([status, payment.status, payment.retry]).toEqual([201, 'failed', null]);
    expect(await attemptsOf(payment.id)).toEqual(['1 declined insufficient_funds']);
  });

  test('is canceled between two rounds, and never charged', async () => {
    const { id } = await aWaitingPayment();
    const canceled = await cancel(world, id);
    expect([canceled.status, canceled.data.status]).toEqual([200, 'canceled']);
    expect(canceled.data.retry?.next_attempt_at).toBeNull();
    expect(await attemptsOf(id)).toEqual(['1 declined insufficient_funds']);
    expect(await keysAtTheBank(id)).toEqual([]);
  });

  test('has its next round at once where an operator wants it', async () => {
    const { id } = await aWaitingPayment();
    const act = { actor: 'operator:ada', reason: 'the payer has paid in' };
    await world.temporal.workflow.getHandle(id).executeUpdate(retryNow, { args: [act] });
    expect((await hasStatus(world, id, 'captured')).retry?.attempts_made).toBe(2);
    expect(await keysAtTheBank(id)).toEqual([['charge', attemptIdOf(id, 'charge', 2)]]);
  });

  test('goes on after its worker was killed between two rounds', async () => {
    const { payment } = await post(secondTime, { schedule: [6], attempts_max: 2 });
    expect(payment.status).toBe('pending');
    await world.worker.kill();
    expect(await paymentOf(world, payment.id)).toMatchObject({ status: 'pending', retry: { attempts_made: 1 } });
    await world.worker.start();
    const captured = await hasStatus(world, payment.id, 'captured');
    const waitedMs = Date.parse(captured.processed_at ?? '') - Date.parse(payment.retry?.next_attempt_at ?? '');
    expect(waitedMs, 'the next round did not begin before its time').toBeGreaterThanOrEqual(0);
    expect(await attemptsOf(payment.id)).toEqual(['1 declined insufficient_funds', '2 approved -']);
    expect(await keysAtTheBank(payment.id)).toHaveLength(1);
  });

  test('has a place for each of its providers in every round, with keys of their own', async () => {
    const merchant = await world.createMerchant({ routing: { rules: [], default: ['paypal', 'easypay'] } });
    const body = aPayment({ card_token: thirdTime, retry: { schedule: [1], attempts_max: 3 } });
    const { payment } = await postPayment(world.apiUrl, body, { apiKey: merchant.testKey });
    const captured = await hasStatus(world, payment.id, 'captured', merchant.testKey);
    expect(captured).toMatchObject({ processor: 'paypal', retry: { attempts_made: 3 } });
    const attempts = await listOf<Attempt>(world, `/payments/${captured.id}/attempts`, merchant.testKey);
    const charges = attempts.filter(({ operation }) => operation === 'charge');
    expect(charges.map(({ number, provider, state }) => [number, provider, state])).toEqual([
      [1, 'paypal', 'declined'],
      [3, 'paypal', 'declined'],
      [5, 'paypal', 'approved'],
    ]);
    expect(charges.map(({ id }) => id)).toEqual([1, 3, 5].map((number) => attemptIdOf(captured.id, 'charge', number)));
    expect(await keysAtTheBank(captured.id)).toEqual([['charge', attemptIdOf(captured.id, 'charge', 5)]]);
  });
});

test.each(['tok_visa_lost_9987', 'tok_visa_declined_0002'])(
  'a decline that is final (%s) is not tried again, whatever was asked for',
  async (token) => {
    const { status, payment } = await post(token, { schedule: [1], attempts_max: 5 });
    expect([status, payment.status]).toEqual([201, 'failed']);
    expect(payment.retry).toMatchObject({ attempts_made: 1, next_attempt_at: null });
    expect(await attemptsOf(payment.id)).toHaveLength(1);
    expect(await eventsOf(payment.id)).toEqual(['payment.pending', 'payment.failed']);
  },
);

test('after all that, the books agree', async () => {
  await expectInvariants(world);
});
