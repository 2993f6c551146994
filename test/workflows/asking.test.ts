import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelPayment, type Resolution, resolvePayment, retryNow } from '../../workflows/contract.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { type Engine, startEngine } from './engine.ts';
import {
  allowsRepeat,
  approves,
  decidesLater,
  declines,
  fault,
  namesAnotherAmount,
  nothingHappened,
  outcomeUnknown,
  rejectsRepeat,
  stillUnknown,
} from './provider-steps.ts';
import { gate } from './script.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const found: Resolution = { ...act, outcome: 'captured', evidence: 'statement line 12' };
const notCharged: Resolution = { ...act, outcome: 'failed', evidence: 'case 7 at the provider' };
const captured = { status: 'captured', failure: null };

describe('an unknown outcome', () => {
  test('is asked about and never sent again when the provider finds the charge', async () => {
    const { fake, ...payment } = engine.aPayment({
      charge: [outcomeUnknown],
      ask: [stillUnknown(), stillUnknown(), approves],
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1]);
    expect(fake.asked).toHaveLength(3);
    expect(fake.asked[0]).toMatchObject({ paymentId: fake.id, attemptNumber: 1, provider: 'easypay', mayRepeat: true });
    expect(fake.transitions).toMatchObject([{ attemptEnd: { attemptId: attemptIdOf(fake.id, 'charge', 1) } }]);
  });

  test('that turns out declined is failed', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [outcomeUnknown], ask: [declines('expired_card')] });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'expired_card' } });
    expect(fake.sent).toEqual([1]);
  });

  test('of a charge that the provider does not know is sent again with the same attempt number', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [outcomeUnknown, approves], ask: [allowsRepeat] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 1]);
    expect(fake.callsOf('chargePayment').map(({ isLocal }) => isLocal)).toEqual([true, false]);
  });

  test('stays one when the second send does not answer either', async () => {
    const { fake, ...payment } = engine.aPayment({
      charge: [outcomeUnknown],
      ask: [allowsRepeat, allowsRepeat, stillUnknown(), approves],
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 1, 1]);
  });

  test('that is proven to be nothing is sent again while the payment is wanted', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [outcomeUnknown, approves], ask: [nothingHappened] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1, 1]);
  });

  test('that is proven to be nothing after the payment expired is failed as provider_unavailable', async () => {
    const { fake, ...payment } = engine.aPayment({
      charge: [outcomeUnknown],
      ask: [stillUnknown(60_000), nothingHappened],
      expiresInMs: 1_500,
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_unavailable' } });
    expect(fake.sent).toEqual([1]);
    expect(fake.asked.map(({ mayRepeat }) => mayRepeat)).toEqual([true, false]);
  });

  test('does not end with the payment’s expiry: an answer that comes later counts', async () => {
    const { fake, ...payment } = engine.aPayment({
      charge: [outcomeUnknown],
      ask: [stillUnknown(60_000), stillUnknown(), approves],
      expiresInMs: 1_000,
    });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(Date.now()).toBeGreaterThan(Date.parse(fake.row?.expiresAt ?? ''));
  });

  test('is asked about at once when an operator says retryNow', async () => {
    const payment = engine.aPayment({ charge: [outcomeUnknown], ask: [stillUnknown(60_000), approves] });
    await payment.start();
    await payment.isBackingOff('unknown_outcome');
    await payment.handle.executeUpdate(retryNow, { args: [act] });
    expect(await payment.result()).toEqual(captured);
  });

  test('of a local try that never came back is one too, whatever the failure was', async () => {
    const broken = () => {
      throw new Error('the connection broke');
    };
    const { fake, ...payment } = engine.aPayment({ charge: [broken], ask: [approves] });
    await payment.awaitOutcome();
    expect(await payment.result()).toEqual(captured);
    expect(fake.sent).toEqual([1]);
  });
});

test('a provider that decides later is asked until it has decided', async () => {
  const { fake, ...payment } = engine.aPayment({ charge: [decidesLater], ask: [stillUnknown(), approves] });
  await payment.awaitOutcome();
  expect(await payment.result()).toEqual(captured);
  expect(fake.sent).toEqual([1]);
});

describe('a cancellation in doubt', () => {
  test('does not give the charge up: when it happened, the payment is captured', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [outcomeUnknown], ask: [stillUnknown(60_000), approves] });
    await payment.start();
    await payment.isBackingOff('unknown_outcome');
    expect(await payment.handle.executeUpdate(cancelPayment, { args: [act] })).toEqual({ status: 'captured' });
    expect(fake.asked.map(({ mayRepeat }) => mayRepeat)).toEqual([true, false]);
  });

  test('takes effect when it is proven that nothing happened', async () => {
    const { fake, ...payment } = engine.aPayment({
      charge: [outcomeUnknown],
      ask: [stillUnknown(60_000), nothingHappened],
    });
    await payment.start();
    await payment.isBackingOff('unknown_outcome');
    expect(await payment.handle.executeUpdate(cancelPayment, { args: [act] })).toEqual({ status: 'canceled' });
    expect(fake.sent).toEqual([1]);
  });

  test('after a repeat was allowed is not sent again', async () => {
    const { step, open, reached } = gate(allowsRepeat);
    const { fake, ...payment } = engine.aPayment({ charge: [outcomeUnknown], ask: [step, nothingHappened] });
    await payment.start();
    await reached;
    const canceling = payment.handle.executeUpdate(cancelPayment, { args: [act] });
    await payment.historyWith('ACTIVITY_TASK_CANCEL_REQUESTED');
    open();
    expect(await canceling).toEqual({ status: 'canceled' });
    expect(fake.sent).toEqual([1]);
  });
});

describe('a payment that a person must decide', () => {
  test('because the provider named another amount waits, tagged and alerted, until it is resolved as captured', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [namesAnotherAmount] });
    await payment.awaitOutcome();
    expect(fake.row).toMatchObject({
      status: 'unresolved',
      failure: { code: 'amount_mismatch' },
      openAttemptId: attemptIdOf(fake.id, 'charge', 1),
    });
    expect(fake.transitions).toMatchObject([{ alert: 'payment_unresolved', keepsAttemptOpen: true }]);
    const { status, typedSearchAttributes } = await payment.handle.describe();
    expect(status.name).toBe('RUNNING');
    expect(typedSearchAttributes.get({ name: 'NeedsReview', type: 'BOOL' })).toBe(true);
    expect(await payment.handle.executeUpdate(resolvePayment, { args: [found] })).toEqual({ status: 'captured' });
    expect(await payment.result()).toEqual(captured);
    expect(fake.transitions[1]).toMatchObject({
      fromStatus: 'unresolved',
      actor: act.actor,
      action: 'resolve',
      details: { reason: act.reason, evidence: found.evidence },
      attemptEnd: { state: 'approved' },
    });
  });

  test('because nobody knew until ask_until is unresolved, and failed when a person finds no charge', async () => {
    const { fake, ...payment } = engine.aPayment({
      charge: [outcomeUnknown],
      ask: [stillUnknown(100)],
      expiresInMs: 500,
      askForMs: 1_500,
    });
    await payment.awaitOutcome();
    expect(fake.row).toMatchObject({ status: 'unresolved', failure: { code: 'outcome_unknown' } });
    expect(fake.transitions).toMatchObject([
      { action: 'give_up_asking', alert: 'payment_unresolved', attemptEnd: { state: 'unanswered' } },
    ]);
    expect(fake.sent).toEqual([1]);
    expect(await payment.handle.executeUpdate(resolvePayment, { args: [notCharged] })).toEqual({ status: 'failed' });
    expect(await payment.result()).toMatchObject({ failure: { code: 'resolved_not_charged' } });
  });

  test('is decided by nobody while the provider is still being asked', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [outcomeUnknown], ask: [stillUnknown(60_000), approves] });
    await payment.start();
    await payment.isBackingOff('unknown_outcome');
    const refused = payment.handle.executeUpdate(resolvePayment, { args: [notCharged] });
    await expect(refused).rejects.toMatchObject({ cause: { message: expect.stringMatching(/not unresolved/) } });
    await payment.handle.executeUpdate(retryNow, { args: [act] });
    expect(await payment.result()).toEqual(captured);
    expect(fake.transitions).toMatchObject([{ action: 'charge', attemptEnd: { state: 'approved' } }]);
  });
});

test('a rejected repeat is not sent again until it is proven that the first send did nothing', async () => {
  const { fake, ...payment } = engine.aPayment({
    charge: [outcomeUnknown, rejectsRepeat, fault('rejected')],
    ask: [allowsRepeat, nothingHappened],
  });
  await payment.awaitOutcome();
  expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_rejected' } });
  expect(fake.asked.map(({ mayRepeat }) => mayRepeat)).toEqual([true, false]);
  expect(fake.sent).toEqual([1, 1, 1]);
});

test('a rejection is final also at a later try', async () => {
  const { fake, ...payment } = engine.aPayment({
    charge: [fault('unavailable'), fault('unavailable'), fault('rejected')],
  });
  await payment.awaitOutcome();
  expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'provider_rejected' } });
  expect(fake.sent).toEqual([1, 1, 1]);
});
