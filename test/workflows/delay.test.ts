import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { delayAfterMs } from '../../workflows/policies.ts';
import type { Transition } from '../../workflows/ports.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import type { FakePayment } from './fake-payment.ts';
import { approves, fault, outcomeUnknown, stillUnknown } from './provider-steps.ts';
import { gate, type Script } from './script.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const captured = { status: 'captured', failure: null };
const chargeOf = (fake: FakePayment) => attemptIdOf(fake.id, 'charge', 1);
const isDelay = ({ eventType }: Transition) => eventType === 'payment.delayed';

/** A world that gives no answer until it is healed. */
function anOutage<Answer>(failure: () => (fake: FakePayment) => never, answer: () => Answer) {
  let isOver = false;
  return {
    step: (fake: FakePayment): Answer => (isOver ? answer() : failure()(fake)),
    end: () => {
      isOver = true;
    },
  };
}

// Each waits for the time after which a payment is delayed: all at once, so that it passes once.
describe.concurrent('a payment that takes longer', () => {
  async function toldOnce(fake: FakePayment): Promise<Transition> {
    const before = Date.now();
    await until('it is told', () => fake.transitions.some(isDelay));
    const triesThen = fake.calls.length;
    await until('it goes on', () => fake.calls.length >= triesThen + 3);
    expect(fake.transitions).toHaveLength(1);
    const [told] = fake.transitions as [Transition];
    const patientSince = fake.calls.find(({ isLocal }) => !isLocal)?.at ?? before;
    const passedMs = Date.parse(told.now) - patientSince;
    expect(passedMs).toBeGreaterThanOrEqual(delayAfterMs - 500); // the workflow began to be patient just before its call
    expect(passedMs).toBeLessThan(delayAfterMs + 10_000);
    expect(fake.row).toMatchObject({ status: 'pending', version: 2, delayedAt: told.now, failure: null });
    return told;
  }

  test('because all providers are away is told once that it is delayed, and captured later', async () => {
    const { step, end } = anOutage(() => fault('unavailable', 400), approves);
    const { fake, ...payment } = engine.aPayment({ charge: [step], candidates: ['easypay', 'paypal'] });
    await payment.start();
    expect(await toldOnce(fake)).toMatchObject({
      fromStatus: 'pending',
      toStatus: 'pending',
      fromVersion: 1,
      openAttemptId: null,
      attemptEnd: null,
      alert: null,
    });
    end();
    expect(await payment.result()).toEqual(captured);
    expect(fake.transitions.map(({ eventType }) => eventType)).toEqual(['payment.delayed', 'payment.captured']);
    expect(fake.row).toMatchObject({ version: 3 });
  });

  test('because its outcome is unknown is told once, keeps its attempt open, and is captured when it is found', async () => {
    const { step, end } = anOutage(() => stillUnknown(400), approves);
    const { fake, ...payment } = engine.aPayment({ charge: [outcomeUnknown], ask: [step] });
    await payment.start();
    expect(await toldOnce(fake)).toMatchObject({ openAttemptId: chargeOf(fake), keepsAttemptOpen: true });
    expect(fake.row?.openAttemptId).toBe(chargeOf(fake));
    end();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1]);
    expect(fake.transitions.map(({ eventType }) => eventType)).toEqual(['payment.delayed', 'payment.captured']);
  });

  test.for<[string, Script]>([
    ['sending', { charge: [fault('unavailable', 400)] }],
    ['asking', { charge: [outcomeUnknown], ask: [stillUnknown(400)] }],
  ])('and was told so before it was started again is not told twice while %s', async ([, script]) => {
    const { fake, ...payment } = engine.aPayment({
      ...script,
      row: { version: 2, delayedAt: new Date(Date.now() - 60_000).toISOString() },
    });
    await payment.redrive();
    const first = await until('it goes on patiently', () => fake.calls.find(({ isLocal }) => !isLocal));
    await until('the time to tell has passed', () => Date.now() > first.at + delayAfterMs + 1_500);
    expect(fake.transitions).toEqual([]);
    expect(fake.row).toMatchObject({ status: 'pending', version: 2 });
    await payment.handle.terminate('end of the test');
  });

  test('but expires before that is failed, and no delay is told', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable', 400)], expiresInMs: 4_000 });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_unavailable' } });
    expect(fake.transitions.map(({ eventType }) => eventType)).toEqual(['payment.failed']);
  });

  test('because its charge is on its way just then waits for the answer, which counts', async () => {
    const { step, open, reached } = gate(approves);
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable'), step] });
    await payment.start();
    await reached;
    await payment.historyWith('ACTIVITY_TASK_CANCEL_REQUESTED');
    expect(fake.transitions).toEqual([]);
    open();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 1]);
    expect(fake.transitions.map(({ eventType }) => eventType)).toEqual(['payment.captured']);
  });
});

test('a payment that is captured at once, or soon, is never told of a delay', async () => {
  const away = fault('unavailable', 100);
  for (const charge of [[approves], [away, away, approves]]) {
    const { fake, ...payment } = engine.aPayment({ charge });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.transitions.map(({ eventType }) => eventType)).toEqual(['payment.captured']);
    expect(fake.row?.delayedAt).toBeNull();
  }
});
