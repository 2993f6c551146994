import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CaptureAct, cancelPayment, capturePayment, resolvePayment, retryNow } from '../../workflows/contract.ts';
import { attemptIdOf, movementIdOf } from '../../workflows/domain/ids.ts';
import type { MovementSnapshot } from '../../workflows/ports.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import type { PaymentUnderTest } from './payment-under-test.ts';
import {
  allowsRepeat,
  approves,
  decidesLater,
  declines,
  fault,
  namesAnotherAmount,
  nothingHappened,
  outcomeUnknown,
  perKind,
  stillUnknown,
} from './provider-steps.ts';
import { authorizedRow, fromNow } from './rows.ts';
import { gate, type Script } from './script.ts';
import { refusalOf } from './workflow-under-test.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act: CaptureAct = { actor: 'operator:ann', reason: 'it was shipped' };
const found = { ...act, outcome: 'captured', evidence: 'statement line 12' } as const;
const notCaptured = { ...act, outcome: 'failed', evidence: 'case 7 at the provider' } as const;
const captured = { status: 'captured', failure: null };

/** A payment of 25.99 USD whose charge was authorized, with an open workflow. */
async function authorized(script: Script = {}): Promise<PaymentUnderTest> {
  const payment = engine.aPayment({ captureMethod: 'manual', ...script });
  expect(await payment.awaitOutcome()).toEqual({ kind: 'stored' });
  expect(payment.fake.row).toMatchObject({ status: 'authorized', authorizedMinor: '2599', capturedMinor: '0' });
  return payment;
}

const amountsOf = ({ fake }: PaymentUnderTest) =>
  fake.movements.rows.map(({ kind, amountMinor }) => [kind, amountMinor]);
const statesOf = ({ fake }: PaymentUnderTest) => fake.movements.rows.map(({ kind, state }) => [kind, state]);
const keysOf = ({ fake }: PaymentUnderTest) => new Set(fake.movements.sent.map(({ key }) => key));

// Every test has a payment of its own, and most of their time is waiting: they wait together.
describe.concurrent('a capture', () => {
  test('of everything ends the payment as captured, quickly, under the key of its one attempt', async () => {
    const payment = await authorized();
    const end = await payment.update(capturePayment, act);
    expect(end).toMatchObject({ state: 'succeeded', status: 'captured' });
    expect(await payment.result()).toEqual(captured);
    const { fake } = payment;
    expect(fake.row).toMatchObject({ status: 'captured', version: 3, capturedMinor: '2599', openMovement: null });
    expect(fake.movements.sent).toMatchObject([{ kind: 'capture', key: attemptIdOf(end.captureId, 'capture', 1) }]);
    expect(fake.movements.steps).toMatchObject([{ toState: 'succeeded', attemptEnd: { state: 'approved' } }]);
    expect(fake.calls.filter(({ isLocal }) => !isLocal)).toEqual([]);
  });

  test('of a part leaves the rest to be captured, and the last one ends the payment', async () => {
    const payment = await authorized();
    for (const [amount, capturedMinor] of [
      ['10.00', '1000'],
      ['5.99', '1599'],
    ] as const) {
      expect(await payment.update(capturePayment, { ...act, amount })).toMatchObject({ status: 'captured' });
      await until('the amount is there', () => payment.fake.row?.capturedMinor === capturedMinor);
      expect((await payment.handle.describe()).status.name).toBe('RUNNING');
    }
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'succeeded', status: 'captured' });
    expect(await payment.result()).toEqual(captured);
    expect(amountsOf(payment)).toEqual([
      ['capture', '1000'],
      ['capture', '599'],
      ['capture', '1000'],
    ]);
    expect(keysOf(payment).size).toBe(3);
  });

  test.each([
    ['26.00', 'amount_exceeds_capturable'],
    ['0.00', 'refused'],
    ['1.999', 'refused'],
    ['ten', 'refused'],
  ])('of %s is refused as %s, and leaves no trace', async (amount, type) => {
    const payment = await authorized();
    expect(await payment.refusal(capturePayment, { ...act, amount })).toMatchObject({ type });
    expect(payment.fake.movements.rows).toEqual([]);
    expect(await payment.history()).toEqual(expect.not.arrayContaining(['WORKFLOW_EXECUTION_UPDATE_REJECTED']));
    await payment.handle.terminate('end of the test');
  });

  test('of more than a first one left is refused', async () => {
    const payment = await authorized();
    await payment.update(capturePayment, { ...act, amount: '20.00' });
    const tooMuch = await payment.refusal(capturePayment, { ...act, amount: '6.00' });
    expect(tooMuch).toMatchObject({ type: 'amount_exceeds_capturable' });
    expect(amountsOf(payment)).toEqual([['capture', '2000']]);
    await payment.handle.terminate('end of the test');
  });

  test('of a payment that is not charged yet is refused as movement_in_progress', async () => {
    const payment = engine.aPayment({ captureMethod: 'manual', charge: [fault('unavailable', 60_000)] });
    await payment.start();
    await payment.isBackingOff('unavailable');
    expect(await payment.refusal(capturePayment, act)).toMatchObject({ type: 'movement_in_progress' });
    await payment.handle.terminate('end of the test');
  });

  test('that the database refuses after all is refused with its reason, and the payment waits on', async () => {
    const payment = await authorized({ open: [() => ({ kind: 'refused', code: 'movement_in_progress' }), null] });
    expect(await payment.refusal(capturePayment, act)).toMatchObject({ type: 'movement_in_progress' });
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'succeeded' });
    expect(await payment.result()).toEqual(captured);
  });

  test('by a person needs no key: the id of the update is the key', async () => {
    const payment = await authorized();
    const options = { args: [{ ...act, amount: '10.00' }] as [CaptureAct], updateId: 'by-ann-1' };
    const end = await payment.handle.executeUpdate(capturePayment, options);
    expect(end.captureId).toBe(movementIdOf('capture', payment.fake.id, 'by-ann-1'));
    expect(await payment.handle.executeUpdate(capturePayment, options)).toEqual(end);
    expect(payment.fake.movements.sent).toHaveLength(1);
    await payment.handle.terminate('end of the test');
  });

  test('with the same key is the same capture, and with another body none', async () => {
    const payment = await authorized();
    const keyed = { ...act, amount: '10.00', idempotencyKey: 'k1', requestHash: 'h1' };
    const first = await payment.update(capturePayment, keyed);
    expect(await payment.update(capturePayment, keyed)).toEqual(first);
    const reused = await payment.refusal(capturePayment, { ...keyed, requestHash: 'h2' });
    expect(reused).toMatchObject({ type: 'idempotency_key_reused' });
    expect(payment.fake.movements.sent).toHaveLength(1);
    expect(payment.fake.row).toMatchObject({ capturedMinor: '1000' });
    await payment.handle.terminate('end of the test');
  });
});

describe.concurrent('while a capture is at work,', () => {
  test('another one and a cancellation are refused as movement_in_progress', async () => {
    const { step, open, reached } = gate(approves);
    const payment = await authorized({ move: [fault('unavailable'), step] });
    const capturing = payment.update(capturePayment, { ...act, amount: '10.00' });
    await reached;
    const inProgress = { type: 'movement_in_progress' };
    expect(await payment.refusal(capturePayment, { ...act, amount: '1.00' })).toMatchObject(inProgress);
    expect(await payment.refusal(cancelPayment, act)).toMatchObject(inProgress);
    open();
    expect(await capturing).toMatchObject({ state: 'succeeded', status: 'captured' });
    expect(statesOf(payment)).toEqual([['capture', 'succeeded']]);
    await payment.handle.terminate('end of the test');
  });

  test('void racing capture: a cancellation in Temporal waits for it, and then gives back the rest', async () => {
    const { step, open, reached } = gate(approves);
    const payment = await authorized({ move: [fault('unavailable'), step, approves] });
    const capturing = payment.update(capturePayment, { ...act, amount: '10.00' });
    await reached;
    await payment.handle.cancel();
    open();
    await capturing;
    expect(await payment.result()).toEqual(captured);
    expect(amountsOf(payment)).toEqual([
      ['capture', '1000'],
      ['void', '1599'],
    ]);
    expect(payment.fake.row).toMatchObject({ status: 'captured', capturedMinor: '1000', voidedMinor: '1599' });
  });

  test('the time to capture may run out: it counts, and only the rest is given back', async () => {
    const { step, open, reached } = gate(approves);
    const payment = await authorized({
      move: [fault('unavailable'), step, approves],
      terms: { captureWithinSeconds: 3 },
    });
    const capturing = payment.update(capturePayment, { ...act, amount: '10.00' });
    await reached;
    await until('the time is over', () => Date.now() > Date.parse(payment.fake.row?.captureBefore ?? ''));
    open();
    expect(await capturing).toMatchObject({ state: 'succeeded' });
    expect(await payment.result()).toEqual(captured);
    expect(amountsOf(payment)).toEqual([
      ['capture', '1000'],
      ['void', '1599'],
    ]);
  });

  test('an operator’s retryNow ends its wait', async () => {
    const payment = await authorized({ move: [fault('rate_limited', 60_000), approves] });
    const capturing = payment.update(capturePayment, act);
    await payment.isBackingOff('not_now');
    expect(await payment.update(retryNow, act)).toEqual({ retried: true });
    expect(await capturing).toMatchObject({ state: 'succeeded' });
    expect(payment.fake.movements.sent).toHaveLength(2);
    expect(keysOf(payment).size).toBe(1);
  });
});

describe.concurrent('what was not captured in time is given back', () => {
  test('where nothing was: the payment is canceled', async () => {
    const payment = await authorized({ terms: { captureWithinSeconds: 0.5 } });
    expect(await payment.result()).toEqual({ status: 'canceled', failure: null });
    expect(amountsOf(payment)).toEqual([['void', '2599']]);
    expect(payment.fake.row).toMatchObject({ voidedMinor: '2599', capturedMinor: '0' });
    expect(payment.fake.movements.sent[0]?.at).toBeGreaterThanOrEqual(
      Date.parse(payment.fake.row?.captureBefore ?? ''),
    );
  });

  test('where a part was: the payment is captured', async () => {
    const payment = await authorized({ terms: { captureWithinSeconds: 3 } });
    await payment.update(capturePayment, { ...act, amount: '10.00' });
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.row).toMatchObject({ status: 'captured', capturedMinor: '1000', voidedMinor: '1599' });
  });

  test('also by a workflow that was started again after that', async () => {
    const payment = engine.aPayment({ row: authorizedRow({ captureBefore: fromNow(-1) }) });
    await payment.redrive();
    expect(await payment.result()).toEqual({ status: 'canceled', failure: null });
    expect(statesOf(payment)).toEqual([['void', 'succeeded']]);
  });
});

describe.concurrent('a capture that did not happen leaves the payment authorized,', () => {
  test.each<[string, NonNullable<Script['move']>, string]>([
    ['declined', [declines('authorization_expired'), approves], 'authorization_expired'],
    ['rejected', [fault('rejected'), approves], 'provider_rejected'],
  ])('%s, and another one may follow under another key', async (_, move, code) => {
    const payment = await authorized({ move });
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'failed', status: 'authorized' });
    expect(payment.fake.movements.rows).toMatchObject([{ state: 'failed', failure: { code } }]);
    expect(payment.fake.row).toMatchObject({ status: 'authorized', version: 2, openMovement: null });
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'succeeded', status: 'captured' });
    expect(keysOf(payment).size).toBe(2);
  });

  test('with the provider away until its own time was over', async () => {
    const payment = engine.aPayment({
      row: authorizedRow(),
      move: [fault('unavailable', 60_000)],
      terms: { expiresAfterSeconds: 1 },
    });
    await payment.redrive();
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'failed', status: 'authorized' });
    expect(payment.fake.movements.rows).toMatchObject([{ failure: { code: 'provider_unavailable' } }]);
    await payment.handle.terminate('end of the test');
  });
});

describe.concurrent('a capture whose outcome is unknown', () => {
  test('is asked about, and not sent again when the provider finds it', async () => {
    const payment = await authorized({ move: [outcomeUnknown], askMove: [stillUnknown(), approves] });
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'succeeded', status: 'captured' });
    expect(payment.fake.movements.sent).toHaveLength(1);
    expect(payment.fake.movements.asked).toMatchObject([{ mayRepeat: true }, { mayRepeat: true }]);
  });

  test('because the provider decides later is asked about until it has', async () => {
    const payment = await authorized({ move: [decidesLater], askMove: [stillUnknown(), approves] });
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'succeeded' });
    expect(payment.fake.movements.sent).toHaveLength(1);
  });

  test('is sent again, with the same key, when the provider does not know it', async () => {
    const payment = await authorized({ move: [outcomeUnknown, approves], askMove: [allowsRepeat] });
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'succeeded' });
    expect(payment.fake.movements.sent).toHaveLength(2);
    expect(keysOf(payment).size).toBe(1);
  });

  test('that is proven to be nothing is sent again, with the same key', async () => {
    const payment = await authorized({ move: [outcomeUnknown, approves], askMove: [nothingHappened] });
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'succeeded' });
    expect(payment.fake.movements.sent).toHaveLength(2);
    expect(keysOf(payment).size).toBe(1);
  });

  /** Nobody ever says what became of it. */
  async function unresolved(): Promise<PaymentUnderTest> {
    const payment = engine.aPayment({
      row: authorizedRow(),
      move: [outcomeUnknown, approves],
      askMove: [stillUnknown(100)],
      terms: { expiresAfterSeconds: 1.5, askForSeconds: 0.7 },
    });
    await payment.redrive();
    const end = await payment.update(capturePayment, { ...act, amount: '10.00' });
    expect(end).toMatchObject({ state: 'unresolved', status: 'unresolved' });
    expect(payment.fake.row).toMatchObject({ status: 'unresolved', failure: { code: 'outcome_unknown' }, version: 3 });
    expect(payment.fake.movements.sent).toHaveLength(1);
    return payment;
  }

  test('until ask_until is a person’s to decide: captured, it counts', async () => {
    const payment = await unresolved();
    const { typedSearchAttributes } = await payment.handle.describe();
    expect(typedSearchAttributes.get({ name: 'NeedsReview', type: 'BOOL' })).toBe(true);
    expect(await payment.refusal(capturePayment, act)).toMatchObject({ type: 'movement_in_progress' });
    expect(await payment.update(resolvePayment, found)).toEqual({ status: 'captured' });
    expect(payment.fake.row).toMatchObject({ status: 'captured', capturedMinor: '1000', failure: null });
    expect(payment.fake.movements.steps).toMatchObject([
      { action: 'give_up_asking', keepsAttemptOpen: true },
      { action: 'resolve', actor: act.actor, details: { evidence: found.evidence }, attemptEnd: { state: 'approved' } },
    ]);
    await payment.handle.terminate('end of the test');
  });

  test('until ask_until is a person’s to decide: failed, the payment is authorized again and may be captured', async () => {
    const payment = await unresolved();
    expect(await payment.update(resolvePayment, notCaptured)).toEqual({ status: 'authorized' });
    expect(statesOf(payment)).toEqual([['capture', 'failed']]);
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'succeeded', status: 'captured' });
    expect(await payment.result()).toEqual(captured);
    expect(keysOf(payment).size).toBe(2);
  });

  test('cannot be resolved as what a capture never becomes', async () => {
    const payment = await unresolved();
    for (const outcome of ['authorized', 'canceled', 'refunded'] as const)
      expect(await payment.refusal(resolvePayment, { ...found, outcome })).toMatchObject({ type: 'wrong_outcome' });
    await payment.handle.terminate('end of the test');
  });

  test('because the provider named another amount is a person’s to decide at once', async () => {
    const payment = await authorized({ move: [namesAnotherAmount] });
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'unresolved', status: 'unresolved' });
    expect(payment.fake.row).toMatchObject({ failure: { code: 'amount_mismatch' } });
    expect(await payment.update(resolvePayment, found)).toEqual({ status: 'captured' });
    expect(await payment.result()).toEqual(captured);
  });
});

describe.concurrent('a workflow that is started again with the payment id alone, where a capture is open,', () => {
  const key = 'k1';
  const openCapture = (paymentId: string, changes: Partial<MovementSnapshot>): MovementSnapshot => {
    const id = movementIdOf('capture', paymentId, key);
    return {
      id,
      kind: 'capture',
      paymentId,
      merchantId: 'mer_1',
      requestHash: 'h',
      state: 'pending',
      version: 1,
      amountMinor: '2599',
      currency: 'USD',
      provider: 'easypay',
      openAttemptId: null,
      attemptState: null,
      failure: null,
      expiresAt: fromNow(3_600_000),
      askUntil: fromNow(7_200_000),
      ...changes,
    };
  };
  const attempted = (paymentId: string, attemptState: string) => ({
    attemptState,
    openAttemptId: attemptIdOf(movementIdOf('capture', paymentId, key), 'capture', 1),
  });

  function withOpenCapture(script: Script, changes: (paymentId: string) => Partial<MovementSnapshot>) {
    const payment = engine.aPayment({ row: authorizedRow(), ...script });
    const openMovement = openCapture(payment.fake.id, changes(payment.fake.id));
    payment.fake.movements.add(openMovement);
    payment.fake.change({ openMovement });
    return payment;
  }

  test.each<[string, (paymentId: string) => Partial<MovementSnapshot>, number, number]>([
    ['sends one that was never begun', () => ({}), 1, 0],
    ['sends one that certainly did not happen', () => ({ attemptState: 'not_sent' }), 1, 0],
    ['asks about one that may have been sent', (id) => attempted(id, 'sent'), 0, 1],
    ['sends one again that the provider allowed to be repeated', (id) => attempted(id, 'unknown'), 1, 0],
  ])('%s', async (_, changes, sends, questions) => {
    const payment = withOpenCapture({ move: [perKind({ capture: [approves] })] }, changes);
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.movements.sent).toHaveLength(sends);
    expect(payment.fake.movements.asked).toHaveLength(questions);
    expect(statesOf(payment)).toEqual([['capture', 'succeeded']]);
  });

  test('refuses another capture and a cancellation meanwhile', async () => {
    const { step, open, reached } = gate(approves);
    const payment = withOpenCapture({ askMove: [step] }, (id) => attempted(id, 'sent'));
    await payment.redrive();
    await reached;
    expect(await payment.refusal(capturePayment, act)).toMatchObject({ type: 'movement_in_progress' });
    expect(await payment.refusal(cancelPayment, act)).toMatchObject({ type: 'movement_in_progress' });
    open();
    expect(await payment.result()).toEqual(captured);
  });

  test('waits for a person where it is unresolved, who may speak before anything else', async () => {
    const payment = withOpenCapture({ row: authorizedRow({ status: 'unresolved', version: 3 }) }, (id) => ({
      ...attempted(id, 'unanswered'),
      state: 'unresolved',
      version: 2,
    }));
    expect(await payment.startWithUpdate(resolvePayment, found)).toEqual({ status: 'captured' });
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.movements.asked).toEqual([]);
  });

  test('refuses a wrong word, or one that comes too late, also before anything else', async () => {
    const isUnresolved = authorizedRow({ status: 'unresolved', version: 3 });
    const state = { state: 'unresolved', version: 2 } as const;
    const wrong = withOpenCapture({ row: isUnresolved }, (id) => ({ ...attempted(id, 'unanswered'), ...state }));
    const canceled = { ...found, outcome: 'canceled' } as const;
    const refused = await refusalOf(wrong.startWithUpdate(resolvePayment, canceled));
    expect(refused).toMatchObject({ type: 'wrong_outcome' });
    await wrong.handle.terminate('end of the test');
    const late = engine.aPayment({ row: authorizedRow({ captureMethod: 'automatic' }) });
    expect(await refusalOf(late.startWithUpdate(resolvePayment, found))).toMatchObject({ type: 'not_unresolved' });
    expect(await late.refusal(resolvePayment, canceled)).toMatchObject({ type: 'not_unresolved' }); // which fits nothing either
    await late.handle.terminate('end of the test');
  });

  test('after the first run was terminated in doubt asks, and never sends', async () => {
    const payment = await authorized({ move: [outcomeUnknown], askMove: [stillUnknown(60_000), approves] });
    const capturing = refusalOrError(payment.update(capturePayment, act));
    await payment.isBackingOff('unknown_outcome');
    await payment.handle.terminate('by an operator');
    await capturing;
    await payment.redrive();
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.movements.sent).toHaveLength(1);
  });

  const refusalOrError = (asking: Promise<unknown>) => refusalOf(asking).catch(() => null);
});
