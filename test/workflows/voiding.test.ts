import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelPayment, capturePayment, resolvePayment } from '../../workflows/contract.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import type { PaymentUnderTest } from './payment-under-test.ts';
import { approves, declines, fault, outcomeUnknown, stillUnknown } from './provider-steps.ts';
import { authorizedRow, fromNow } from './rows.ts';
import { gate, type Script } from './script.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const found = { ...act, outcome: 'canceled', evidence: 'statement line 12' } as const;
const notVoided = { ...act, outcome: 'failed', evidence: 'case 7 at the provider' } as const;
const canceled = { status: 'canceled', failure: null };

/** A payment of 25.99 USD that is authorized, with an open workflow. */
async function authorized(script: Script = {}): Promise<PaymentUnderTest> {
  const payment = engine.aPayment({ row: authorizedRow(), ...script });
  await payment.redrive();
  return payment;
}

const statesOf = ({ fake }: PaymentUnderTest) => fake.movements.rows.map(({ kind, state }) => [kind, state]);
const keysOf = ({ fake }: PaymentUnderTest) => new Set(fake.movements.sent.map(({ key }) => key));

// Every test has a payment of its own, and most of their time is waiting: they wait together.
describe.concurrent('a cancellation', () => {
  test('of an authorized payment gives everything back, and answers that it is canceled', async () => {
    const payment = await authorized();
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'canceled' });
    expect(await payment.result()).toEqual(canceled);
    expect(payment.fake.row).toMatchObject({ status: 'canceled', version: 3, voidedMinor: '2599' });
    expect(payment.fake.movements.sent).toMatchObject([{ kind: 'void' }]);
    expect(payment.fake.calls.filter(({ isLocal }) => !isLocal)).toEqual([]);
  });

  test('of a partly captured payment gives the rest back, and answers that it is captured', async () => {
    const payment = await authorized();
    await payment.update(capturePayment, { ...act, amount: '10.00' });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'captured' });
    expect(await payment.result()).toEqual({ status: 'captured', failure: null });
    expect(payment.fake.row).toMatchObject({ capturedMinor: '1000', voidedMinor: '1599' });
  });

  test('in Temporal itself is the same wish', async () => {
    const payment = await authorized();
    await payment.handle.cancel();
    expect(await payment.result()).toEqual(canceled);
    expect(statesOf(payment)).toEqual([['void', 'succeeded']]);
  });

  test('that comes with the start of the workflow gives back what it finds authorized', async () => {
    const payment = engine.aPayment({ row: authorizedRow() });
    expect(await payment.startWithUpdate(cancelPayment, act)).toEqual({ status: 'canceled' });
    expect(statesOf(payment)).toEqual([['void', 'succeeded']]);
  });

  test('of what is settled already is refused, also when it comes with the start of the workflow', async () => {
    const payment = engine.aPayment({ row: { status: 'captured', version: 2 } });
    const refused = payment.startWithUpdate(cancelPayment, act);
    await expect(refused).rejects.toMatchObject({ cause: { type: 'payment_not_cancelable' } });
    expect(payment.fake.movements.rows).toEqual([]);
  });

  test('cancel racing the charge: in doubt, and then approved, it is given back', async () => {
    const payment = engine.aPayment({
      captureMethod: 'manual',
      charge: [outcomeUnknown],
      ask: [stillUnknown(60_000), approves],
    });
    await payment.start();
    await payment.isBackingOff('unknown_outcome');
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'canceled' });
    expect(await payment.result()).toEqual(canceled);
    expect(payment.fake.transitions.map(({ eventType }) => eventType)).toEqual(['payment.authorized']);
    expect(statesOf(payment)).toEqual([['void', 'succeeded']]);
    expect(payment.fake.sent).toEqual([1]);
  });

  test('cancel racing the charge: on its way, and then approved, it is given back', async () => {
    const { step, open, reached } = gate(approves);
    const payment = engine.aPayment({ captureMethod: 'manual', charge: [fault('unavailable'), step] });
    await payment.start();
    await reached;
    const canceling = payment.update(cancelPayment, act);
    await payment.historyWith('ACTIVITY_TASK_CANCEL_REQUESTED');
    open();
    expect(await canceling).toEqual({ status: 'canceled' });
    expect(statesOf(payment)).toEqual([['void', 'succeeded']]);
  });

  test('of a charge that becomes unresolved answers so, and is acted on when the charge is found', async () => {
    const payment = engine.aPayment({
      captureMethod: 'manual',
      charge: [outcomeUnknown],
      ask: [stillUnknown(100)],
      expiresInMs: 1_500,
      askForMs: 3_000,
    });
    await payment.start();
    await payment.isBackingOff('unknown_outcome');
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'unresolved' });
    const resolution = { ...found, outcome: 'authorized' } as const;
    expect(await payment.refusal(resolvePayment, { ...resolution, outcome: 'captured' })).toMatchObject({
      type: 'wrong_outcome',
    });
    expect(await payment.update(resolvePayment, resolution)).toEqual({ status: 'authorized' });
    expect(await payment.result()).toEqual(canceled);
  });
});

describe.concurrent('while a void is at work,', () => {
  test('void racing capture: a capture is refused as movement_in_progress, and a second cancellation joins', async () => {
    const { step, open, reached } = gate(approves);
    const payment = await authorized({ move: [fault('unavailable'), step] });
    const canceling = payment.update(cancelPayment, act);
    await reached;
    expect(await payment.refusal(capturePayment, act)).toMatchObject({ type: 'movement_in_progress' });
    const second = await payment.handle.startUpdate(cancelPayment, { args: [act], waitForStage: 'ACCEPTED' });
    open();
    expect(await canceling).toEqual({ status: 'canceled' });
    expect(await second.result()).toEqual({ status: 'canceled' });
    expect(statesOf(payment)).toEqual([['void', 'succeeded']]);
  });

  test('a terminated workflow’s successor goes on with it, under the same key', async () => {
    const payment = await authorized({ move: [fault('unavailable', 60_000), fault('unavailable', 60_000), approves] });
    const canceling = payment.update(cancelPayment, act).catch(() => null);
    await payment.isBackingOff('unavailable');
    await payment.handle.terminate('by an operator');
    await canceling;
    await payment.redrive();
    expect(await payment.result()).toEqual(canceled);
    expect(keysOf(payment).size).toBe(1);
  });
});

describe.concurrent('a void that did not happen', () => {
  test.each<[string, NonNullable<Script['move']>, string]>([
    ['rejected', [fault('rejected'), approves], 'provider_rejected'],
    ['declined', [declines('processing_error'), approves], 'processing_error'],
  ])('before the time to capture is over leaves the payment authorized: %s', async (_, move, code) => {
    const payment = await authorized({ move });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'authorized' });
    expect(payment.fake.movements.rows).toMatchObject([{ kind: 'void', state: 'failed', failure: { code } }]);
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'succeeded', status: 'captured' });
  });

  test('because its provider was away too long leaves the payment authorized, and may be asked for again', async () => {
    const payment = await authorized({
      move: [fault('unavailable', 60_000), fault('unavailable', 60_000), approves],
      terms: { expiresAfterSeconds: 2 },
    });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'authorized' });
    expect(payment.fake.movements.rows).toMatchObject([{ failure: { code: 'provider_unavailable' } }]);
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'canceled' });
    expect(keysOf(payment).size).toBe(2);
  });

  test.each<[string, Script, string]>([
    ['rejected', { move: [fault('rejected'), approves] }, 'provider_rejected'],
    ['declined', { move: [declines('processing_error'), approves] }, 'processing_error'],
    [
      'its provider away',
      {
        move: [fault('unavailable', 60_000), fault('unavailable', 60_000), approves],
        terms: { expiresAfterSeconds: 2 },
      },
      'provider_unavailable',
    ],
  ])('after the time to capture is a person’s to decide: %s', async (_, script, code) => {
    const payment = await authorized({ ...script, row: authorizedRow({ captureBefore: fromNow(-1) }) });
    await until('it is unresolved', () => payment.fake.row?.status === 'unresolved');
    expect(payment.fake.row).toMatchObject({ failure: { code }, openMovement: { kind: 'void', state: 'unresolved' } });
    expect(keysOf(payment).size).toBe(1);
    expect(await payment.refusal(resolvePayment, { ...found, outcome: 'captured' })).toMatchObject({
      type: 'wrong_outcome',
    });
    expect(await payment.update(resolvePayment, found)).toEqual({ status: 'canceled' });
    expect(await payment.result()).toEqual(canceled);
    expect(payment.fake.row).toMatchObject({ voidedMinor: '2599', failure: null });
  });

  test('as a person found, after the time to capture, is tried again under another key', async () => {
    const payment = await authorized({
      row: authorizedRow({ captureBefore: fromNow(-1) }),
      move: [fault('rejected'), approves],
    });
    await until('it is unresolved', () => payment.fake.row?.status === 'unresolved');
    await payment.update(resolvePayment, notVoided);
    expect(await payment.result()).toEqual(canceled);
    expect(statesOf(payment)).toEqual([
      ['void', 'failed'],
      ['void', 'succeeded'],
    ]);
    expect(keysOf(payment).size).toBe(2);
  });
});

describe.concurrent('a void whose outcome is unknown', () => {
  test('is asked about, and not sent again when the provider finds it', async () => {
    const payment = await authorized({ move: [outcomeUnknown], askMove: [stillUnknown(), approves] });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'canceled' });
    expect(payment.fake.movements.sent).toHaveLength(1);
  });

  test('until ask_until makes the cancellation answer that it is unresolved, and waits for a person', async () => {
    const payment = await authorized({
      move: [outcomeUnknown],
      askMove: [stillUnknown(100)],
      terms: { expiresAfterSeconds: 1.5, askForSeconds: 0.7 },
    });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'unresolved' });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'unresolved' }); // it joins, and leaves no wish
    expect(await payment.update(resolvePayment, notVoided)).toEqual({ status: 'authorized' });
    expect(await payment.update(capturePayment, act)).toMatchObject({ status: 'unresolved', state: 'unresolved' });
    await payment.handle.terminate('end of the test');
  });
});
