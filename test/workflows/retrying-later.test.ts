import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelPayment, retryNow } from '../../workflows/contract.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import type { FakePayment } from './fake-payment.ts';
import type { PaymentUnderTest } from './payment-under-test.ts';
import { approves, declines, fault, outcomeUnknown, perCandidate, stillUnknown } from './provider-steps.ts';
import { fromNow } from './rows.ts';
import type { Script } from './script.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const captured = { status: 'captured', failure: null };
const poor = declines('insufficient_funds');
const eventsOf = ({ transitions }: FakePayment) => transitions.map(({ eventType }) => eventType);

/** A payment whose merchant wants further rounds after so many seconds each. */
function aPayment(scheduleSeconds: readonly number[], attemptsMax: number, script: Script = {}): PaymentUnderTest {
  return engine.aPayment({ ...script, terms: { ...script.terms, retry: { scheduleSeconds, attemptsMax } } });
}

/** The same, until it waits for its next round. */
async function waiting(seconds: number, script: Script = {}): Promise<PaymentUnderTest> {
  const payment = aPayment([seconds], 3, { charge: [poor, approves], ...script });
  expect(await payment.awaitOutcome()).toEqual({ kind: 'stored' });
  expect(payment.fake.row).toMatchObject({
    status: 'pending',
    retriesMade: 1,
    failure: { code: 'insufficient_funds' },
  });
  await payment.historyWith('TIMER_STARTED');
  return payment;
}

// Every test has a payment of its own, and most of their time is waiting: they wait together.
describe.concurrent('a payment that was declined for a reason that may pass', () => {
  test('is told as payment.retry_scheduled, and tried again after the scheduled times, under a key of its own each', async () => {
    const { fake, ...payment } = aPayment([0.5, 1], 4, { charge: [poor, poor, poor, approves] });
    await payment.start();
    expect(await payment.result()).toEqual(captured);
    expect(eventsOf(fake)).toEqual([...Array.from({ length: 3 }, () => 'payment.retry_scheduled'), 'payment.captured']);
    expect(fake.transitions[0]).toMatchObject({
      fromStatus: 'pending',
      toStatus: 'pending',
      failure: { code: 'insufficient_funds' },
      keepsAttemptOpen: false,
      attemptEnd: { attemptId: attemptIdOf(fake.id, 'charge', 1), state: 'declined' },
    });
    expect(fake.sent).toEqual([1, 2, 3, 4]);
    const waits = fake.sentAt.slice(1).map((at, index) => at - (fake.sentAt[index] ?? 0));
    for (const [index, atLeastMs] of [500, 1_000, 1_000].entries())
      expect(waits[index]).toBeGreaterThanOrEqual(atLeastMs);
    expect(fake.row).toMatchObject({ retriesMade: 3, retryAt: null, failure: null });
    expect(new Set(fake.row?.attempts.map(({ id }) => id)).size).toBe(4);
  });

  test('is failed when the last round was declined too', async () => {
    const { fake, ...payment } = aPayment([0.3], 3, { charge: [poor] });
    await payment.start();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'insufficient_funds' } });
    expect(fake.sent).toEqual([1, 2, 3]);
    expect(eventsOf(fake)).toEqual(['payment.retry_scheduled', 'payment.retry_scheduled', 'payment.failed']);
  });

  test('is failed at once by an issuer’s last word, in the first round and in a later one', async () => {
    for (const [charge, sent] of [
      [[declines('expired_card')], [1]],
      [
        [poor, declines('lost_or_stolen_card')],
        [1, 2],
      ],
    ] as const) {
      const { fake, ...payment } = aPayment([0.3], 5, { charge });
      await payment.start();
      expect(await payment.result()).toMatchObject({ status: 'failed' });
      expect(fake.sent).toEqual(sent);
    }
  });

  test('is failed at once where the merchant wants one round', async () => {
    const { fake, ...payment } = aPayment([0.3], 1, { charge: [poor] });
    await payment.start();
    expect(await payment.result()).toMatchObject({ status: 'failed' });
    expect(fake.sent).toEqual([1]);
  });

  test('has the time of a payment of its own in every round', async () => {
    const { fake, ...payment } = aPayment([2.2], 2, {
      charge: [poor, fault('unavailable', 60_000)],
      terms: { expiresAfterSeconds: 2 },
    });
    await payment.start();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_unavailable' } });
    expect(new Set(fake.sent)).toEqual(new Set([1, 2])); // the second one after the time of the first was over
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(fake.transitions[0]?.retryAt ?? '') + 2_000);
  });

  test('is not sent in another round while its later charge is in doubt', async () => {
    const { fake, ...payment } = aPayment([0.3], 3, {
      charge: [poor, outcomeUnknown],
      ask: [stillUnknown(), poor, approves],
    });
    await payment.start();
    await until('the third round', () => fake.sent.length === 3);
    expect(fake.asked.slice(0, 2)).toMatchObject([{ attemptNumber: 2 }, { attemptNumber: 2 }]);
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 2, 3]);
  });
});

describe.concurrent('with two providers', () => {
  const candidates = ['easypay', 'paypal'];

  test('every round begins with the first, and the numbers go on', async () => {
    const { fake, ...payment } = aPayment([0.3], 3, {
      candidates,
      charge: [perCandidate({ 1: [poor], 3: [declines('issuer_unavailable')], 4: [approves] })],
    });
    await payment.start();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 3, 4]);
    expect(eventsOf(fake)).toEqual(['payment.retry_scheduled', 'payment.rerouted', 'payment.captured']);
    expect(fake.row?.processor).toBe('paypal');
  });

  test('a round that the second one ends by being away is followed by another, too', async () => {
    const { fake, ...payment } = aPayment([0.3], 2, {
      candidates,
      charge: [perCandidate({ 1: [declines('not_permitted')], 2: [fault('unavailable', 60_000)], 3: [approves] })],
    });
    await payment.start();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 2, 3]);
    expect(fake.transitions[1]).toMatchObject({ eventType: 'payment.retry_scheduled', attemptEnd: null });
  });
});

describe.concurrent('while a payment waits for its next round,', () => {
  test('it can be canceled, and nothing is sent any more', async () => {
    const payment = await waiting(3_600);
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'canceled' });
    expect(await payment.result()).toEqual({ status: 'canceled', failure: null });
    expect(payment.fake.sent).toEqual([1]);
  });

  test('an operator’s retryNow begins it', async () => {
    const payment = await waiting(3_600);
    expect(await payment.update(retryNow, act)).toEqual({ retried: true });
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.sent).toEqual([1, 2]);
  });

  test('a retryNow that was meant for the round before does not begin it', async () => {
    const payment = aPayment([3_600], 2, {
      charge: [outcomeUnknown],
      ask: [stillUnknown(60_000), poor],
    });
    await payment.start();
    await payment.isBackingOff('unknown_outcome');
    await payment.update(retryNow, act);
    await payment.awaitOutcome();
    await payment.historyWith('TIMER_STARTED');
    await payment.refusal(retryNow, { actor: '', reason: '' }); // a round trip: it would have begun by then
    expect(payment.fake.sent).toEqual([1]);
    await payment.handle.terminate('end of the test');
  });

  test('a provider’s event does not begin it', async () => {
    const payment = await waiting(2);
    await payment.tell('pev_1');
    expect(await payment.result()).toEqual(captured);
    const { fake } = payment;
    expect((fake.sentAt[1] ?? 0) - (fake.sentAt[0] ?? 0)).toBeGreaterThanOrEqual(2_000);
    expect(fake.reconciled).toMatchObject([{ providerEventIds: ['pev_1'] }]);
  });

  test('a workflow that is started again waits for the same time', async () => {
    const payment = await waiting(2);
    const { retryAt } = payment.fake.row ?? {};
    await payment.handle.terminate('by an operator');
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.sentAt[1]).toBeGreaterThanOrEqual(Date.parse(retryAt ?? ''));
  });

  test('a workflow that is started again after that time begins it', async () => {
    const payment = aPayment([3_600], 2, { row: { version: 2, retriesMade: 1, retryAt: fromNow(-1) } });
    const id = attemptIdOf(payment.fake.id, 'charge', 1);
    payment.fake.setAttempt({
      id,
      number: 1,
      provider: 'easypay',
      state: 'declined',
      declineCode: 'insufficient_funds',
    });
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.sent).toEqual([2]);
  });
});
