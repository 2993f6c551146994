import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelPayment, retryNow } from '../../workflows/contract.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import { approves, databaseAway, declines, fault } from './provider-steps.ts';
import { gate } from './script.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const captured = { status: 'captured', failure: null };
const isRegular = (call: { isLocal: boolean }) => !call.isLocal;

describe('a quick clear answer', () => {
  /** More than this and the happy path costs the engine more than it was measured with. */
  const eventsMax = 12;

  test('costs one workflow task, no regular activity, no timer and at most 12 events', async () => {
    const payment = engine.aPayment();
    expect(await payment.awaitOutcome()).toEqual({ kind: 'stored' });
    expect(await payment.result()).toEqual(captured);
    const history = await payment.history();
    expect(history.filter((type) => type === 'WORKFLOW_TASK_COMPLETED')).toHaveLength(1);
    expect(history.filter((type) => type === 'MARKER_RECORDED')).toHaveLength(3); // accept, charge, record: all local
    expect(history.filter((type) => /^(ACTIVITY|TIMER)/.test(type))).toEqual([]);
    expect(history.length).toBeLessThanOrEqual(eventsMax);
    expect(payment.fake.calls.map(({ port, isLocal }) => [port, isLocal])).toEqual([
      ['acceptPayment', true],
      ['chargePayment', true],
      ['recordTransition', true],
    ]);
  });

  test('approved is captured, with the attempt that was approved', async () => {
    const { fake, ...payment } = engine.aPayment();
    await payment.awaitOutcome();
    expect(fake.row).toMatchObject({ status: 'captured', version: 2, processor: 'easypay', openAttemptId: null });
    expect(fake.transitions).toMatchObject([{ actor: 'system', action: 'charge', attemptEnd: { state: 'approved' } }]);
  });

  test('declined is failed, with the reason in our vocabulary', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [declines('insufficient_funds')] });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'insufficient_funds' } });
    expect(fake.transitions).toMatchObject([{ toStatus: 'failed', attemptEnd: { state: 'declined' } }]);
    expect(fake.sent).toEqual([1]);
  });

  test('rejected is failed at once: another try of a wrong request would be wrong too', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [fault('rejected')] });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_rejected' } });
    expect(fake.transitions).toMatchObject([{ attemptEnd: { state: 'rejected', outcome: null } }]);
    expect(fake.sent).toEqual([1]);
  });
});

describe('a provider that is away', () => {
  test('is tried again with backoff as a regular activity, always as the same attempt', async () => {
    const away = fault('unavailable', 150);
    const { fake, ...payment } = engine.aPayment({ charge: [away, away, away, approves] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    const calls = fake.callsOf('chargePayment');
    expect(calls.map(({ isLocal, attempt }) => [isLocal, attempt])).toEqual([
      [true, 1],
      [false, 1],
      [false, 2],
      [false, 3],
    ]);
    expect(calls[3]!.at - calls[1]!.at).toBeGreaterThanOrEqual(300); // two delays of the failures' own
    expect(fake.sent).toEqual([1, 1, 1, 1]);
    expect((await payment.history()).filter((type) => type === 'ACTIVITY_TASK_SCHEDULED')).toHaveLength(1);
  });

  test('that asks us to slow down is left alone for as long as it said, also after the quick first try', async () => {
    const slowDown = fault('rate_limited', 1_000);
    const { fake, ...payment } = engine.aPayment({ charge: [slowDown, slowDown, approves] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    const [first, second, third] = fake.sentAt as [number, number, number];
    expect(third - second).toBeGreaterThanOrEqual(1_000);
    expect(second - first).toBeGreaterThanOrEqual(1_000);
  });

  test('that asks for a longer wait than the payment has makes it fail when it expires', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [fault('rate_limited', 60_000)], expiresInMs: 1_200 });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_unavailable' } });
    expect(fake.sent).toEqual([1]);
  });

  test('that asks for a wait does not keep operators from canceling or retrying at once', async () => {
    const limited = fault('rate_limited', 60_000);
    const [canceled, retried] = [
      engine.aPayment({ charge: [limited] }),
      engine.aPayment({ charge: [limited, approves] }),
    ];
    await Promise.all([canceled.start(), retried.start()]);
    await Promise.all([canceled.isBackingOff('not_now'), retried.isBackingOff('not_now')]);
    expect(await canceled.handle.executeUpdate(cancelPayment, { args: [act] })).toEqual({ status: 'canceled' });
    await retried.handle.executeUpdate(retryNow, { args: [act] });
    expect(await retried.result()).toEqual(captured);
  });

  test('because of wrong settings is shown to operators, whose retryNow ends the wait', async () => {
    const { fake, ...payment } = engine.aPayment({
      charge: [fault('misconfigured', 60_000), fault('misconfigured', 60_000), approves],
    });
    await payment.start();
    await payment.isBackingOff('misconfigured');
    expect(await payment.handle.executeUpdate(retryNow, { args: [act] })).toEqual({ retried: true });
    expect(await payment.result()).toEqual(captured);
    expect(fake.callsOf('chargePayment')).toHaveLength(3);
  });

  test('until the payment expires makes it fail as provider_unavailable, in the middle of a backoff', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable', 60_000)], expiresInMs: 1_500 });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_unavailable' } });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(fake.row?.expiresAt ?? ''));
    expect(fake.transitions).toMatchObject([{ action: 'expire', openAttemptId: null, attemptEnd: null }]);
  });
});

describe('a cancellation', () => {
  test('before anything was sent ends the payment without a charge, under the name of who asked', async () => {
    const { fake, ...payment } = engine.aPayment();
    expect(await payment.startWithUpdate(cancelPayment, act)).toEqual({ status: 'canceled' });
    expect(await payment.result()).toEqual({ status: 'canceled', failure: null });
    expect(fake.sent).toEqual([]);
    expect(fake.transitions).toMatchObject([
      { action: 'cancel', actor: act.actor, details: { reason: act.reason }, openAttemptId: null },
    ]);
  });

  test('during a backoff ends the payment at once', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable', 60_000)] });
    await payment.start();
    await payment.isBackingOff('unavailable');
    expect(await payment.handle.executeUpdate(cancelPayment, { args: [act] })).toEqual({ status: 'canceled' });
    expect(fake.callsOf('chargePayment')).toHaveLength(2);
  });

  test('while a charge is on its way waits for the answer, which counts', async () => {
    const { step, open, reached } = gate(approves);
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable'), step] });
    await payment.start();
    await reached;
    const canceling = payment.handle.executeUpdate(cancelPayment, { args: [act] });
    await payment.historyWith('ACTIVITY_TASK_CANCEL_REQUESTED');
    open();
    expect(await canceling).toEqual({ status: 'captured' });
    expect(fake.callsOf('chargePayment')).toHaveLength(2);
  });

  test('in Temporal itself is the same wish', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable', 60_000)] });
    await payment.start();
    await payment.isBackingOff('unavailable');
    await payment.handle.cancel();
    expect(await payment.result()).toEqual({ status: 'canceled', failure: null });
    expect(fake.transitions).toMatchObject([{ actor: 'operator:temporal' }]);
  });
});

describe('a database that is away', () => {
  test('while the payment is accepted is asked again as a regular activity', async () => {
    const { fake, ...payment } = engine.aPayment({ accept: [databaseAway, databaseAway, databaseAway, null] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.callsOf('acceptPayment').filter(isRegular).length).toBeGreaterThanOrEqual(1);
    expect(fake.sent).toEqual([1]);
  });

  test('while the outcome is recorded is asked again as a regular activity, and nothing is charged again', async () => {
    const { fake, ...payment } = engine.aPayment({ record: [databaseAway, databaseAway, databaseAway, null] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.callsOf('recordTransition').filter(isRegular).length).toBeGreaterThanOrEqual(1);
    expect(fake.sent).toEqual([1]);
    expect(fake.transitions).toHaveLength(1);
  });

  test('for a while longer is waited for without a limit', async () => {
    const { fake, ...payment } = engine.aPayment({ record: [...Array.from({ length: 5 }, () => databaseAway), null] });
    await payment.start();
    await until('it is recorded', () => fake.transitions.length === 1);
    expect(await payment.result()).toEqual(captured);
  });
});
