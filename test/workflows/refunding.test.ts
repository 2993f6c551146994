import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveRefund, retryNow } from '../../workflows/contract.ts';
import { attemptIdOf, movementIdOf } from '../../workflows/domain/ids.ts';
import type { MovementSnapshot, PaymentSnapshot } from '../../workflows/ports.ts';
import { type Engine, startEngine } from './engine.ts';
import type { FakePayment } from './fake-payment.ts';
import {
  allowsRepeat,
  approves,
  declines,
  fault,
  namesAnotherAmount,
  nothingHappened,
  outcomeUnknown,
  stillUnknown,
} from './provider-steps.ts';
import { authorizedRow, capturedRow, movementRowOf } from './rows.ts';
import { gate, type Script } from './script.ts';
import { refusalOf } from './workflow-under-test.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const found = { ...act, outcome: 'refunded', evidence: 'statement line 12' } as const;
const notRefunded = { ...act, outcome: 'failed', evidence: 'case 7 at the provider' } as const;
const succeeded = { state: 'succeeded', failure: null };

/** A payment of 25.99 USD that was captured, without a workflow of its own. */
const paid = (script: Script = {}): FakePayment => engine.aPayment({ row: capturedRow(), ...script }).fake;
const keysOf = ({ movements }: FakePayment) => new Set(movements.sent.map(({ key }) => key));

// Every test has a payment of its own, and most of their time is waiting: they wait together.
describe.concurrent('a refund', () => {
  test('of everything is paid back quickly, under the key of its one attempt', async () => {
    const payment = paid();
    const refund = engine.aRefund(payment);
    expect(await refund.awaitRefund('outcome')).toEqual({ kind: 'stored' });
    expect(await refund.result()).toEqual(succeeded);
    expect(payment.row).toMatchObject({ status: 'refunded', refundedMinor: '2599', version: 3 });
    expect(payment.movements.sent).toMatchObject([{ kind: 'refund', key: attemptIdOf(refund.id, 'refund', 1) }]);
    expect(payment.calls.map(({ port, isLocal }) => [port, isLocal])).toEqual([
      ['openMovement', true],
      ['sendMovement', true],
      ['settleMovement', true],
    ]);
  });

  test('of a part leaves the rest, which another one pays back', async () => {
    const payment = paid();
    await engine.aRefund(payment, { amountMinor: '1000' }).awaitRefund('outcome');
    expect(payment.row).toMatchObject({ status: 'partially_refunded', refundedMinor: '1000' });
    const rest = engine.aRefund(payment);
    await rest.awaitRefund('outcome');
    expect(rest.row).toMatchObject({ amountMinor: '1599', state: 'succeeded' });
    expect(payment.row).toMatchObject({ status: 'refunded', refundedMinor: '2599' });
  });

  test('goes on beside others, and what they reserved cannot be paid back twice', async () => {
    const { step, open, reached } = gate(approves);
    const payment = paid({ move: [fault('unavailable'), step, approves] });
    const first = engine.aRefund(payment, { amountMinor: '2000' });
    const second = engine.aRefund(payment, { amountMinor: '599' });
    const third = engine.aRefund(payment, { amountMinor: '1' });
    await first.start();
    await reached;
    await second.awaitRefund('outcome');
    expect(await second.result()).toEqual(succeeded);
    expect(await third.awaitRefund('accepted')).toEqual({ kind: 'refused', code: 'amount_exceeds_refundable' });
    expect(await third.result()).toEqual({ refused: 'amount_exceeds_refundable' });
    expect(payment.row).toMatchObject({ status: 'partially_refunded', refundedMinor: '599' });
    open();
    expect(await first.result()).toEqual(succeeded);
    expect(payment.row).toMatchObject({ status: 'refunded', refundedMinor: '2599' });
  });

  test('answers that its amount is reserved before the provider has answered', async () => {
    const payment = paid({ move: [fault('unavailable', 60_000), fault('unavailable', 60_000), approves] });
    const refund = engine.aRefund(payment);
    expect(await refund.awaitRefund('accepted')).toEqual({ kind: 'stored' });
    expect(refund.row).toMatchObject({ state: 'pending' });
    await refund.isBackingOff('unavailable');
    expect(await refund.update(retryNow, act)).toEqual({ retried: true });
    expect(await refund.awaitRefund('outcome')).toEqual({ kind: 'stored' });
    expect(refund.row).toMatchObject({ state: 'succeeded' });
    expect(keysOf(payment).size).toBe(1);
  });

  test('of another body under the same key is refused, while it is open and afterwards', async () => {
    const { step, open, reached } = gate(approves);
    const refund = engine.aRefund(paid({ move: [fault('unavailable'), step] }));
    await refund.start();
    await reached;
    const reused = { kind: 'refused', code: 'idempotency_key_reused' };
    expect(await refund.awaitRefund('outcome', 'another hash')).toEqual(reused);
    open();
    await refund.result();
    expect(await refund.awaitRefund('outcome', 'another hash')).toEqual(reused);
    expect(await refund.result()).toEqual({ refused: 'idempotency_key_reused' });
    expect(refund.row).toMatchObject({ state: 'succeeded' });
  });

  test('whose workflow is canceled in Temporal is carried out all the same', async () => {
    const { step, open, reached } = gate(approves);
    const refund = engine.aRefund(paid({ move: [fault('unavailable'), step] }));
    await refund.start();
    await reached;
    await refund.handle.cancel();
    open();
    expect(await refund.result()).toEqual(succeeded);
  });
});

describe.concurrent('a refund is refused, and nothing is sent, for a payment', () => {
  test.each<[string, Partial<PaymentSnapshot>, string]>([
    ['that is not charged yet', {}, 'movement_in_progress'],
    ['that failed', { status: 'failed', version: 2 }, 'payment_not_refundable'],
    ['of which nothing was captured yet', authorizedRow(), 'payment_not_refundable'],
    ['that is unresolved', capturedRow({ status: 'unresolved' }), 'movement_in_progress'],
    ['that is paid back', capturedRow({ status: 'refunded', refundedMinor: '2599' }), 'amount_exceeds_refundable'],
  ])('%s', async (_, row, code) => {
    const payment = paid({ row });
    if (payment.row?.status === 'refunded') payment.movements.add(refundOf(payment, { state: 'succeeded' }));
    const refund = engine.aRefund(payment);
    expect(await refund.awaitRefund('outcome')).toEqual({ kind: 'refused', code });
    expect(await refund.result()).toEqual({ refused: code });
    expect(payment.movements.sent).toEqual([]);
    expect(refund.row).toBeUndefined();
  });

  test('whose captures it spans, at a provider that pays back one capture at a time', async () => {
    const row = capturedRow({ captureMethod: 'manual' });
    const payment = paid({ row, refundsPerCapture: true });
    for (const amount of [1_000n, 1_599n]) {
      const movementId = movementIdOf('capture', payment.id, `${amount}`);
      const input = { movementId, kind: 'capture', paymentId: payment.id, merchantId: 'mer_1', now: now() } as const;
      payment.movements.add({ ...movementRowOf(snapshotOf(payment), input, amount), state: 'succeeded' });
    }
    const whole = engine.aRefund(payment);
    expect(await whole.awaitRefund('outcome')).toEqual({ kind: 'refused', code: 'refund_spans_captures' });
    const part = engine.aRefund(payment, { amountMinor: '1599' });
    expect(await part.awaitRefund('outcome')).toEqual({ kind: 'stored' });
    expect(payment.row).toMatchObject({ status: 'partially_refunded', refundedMinor: '1599' });
  });
});

describe.concurrent('a refund that did not happen leaves its amount to another one', () => {
  test.each<[string, NonNullable<Script['move']>, string]>([
    ['declined', [declines('refund_declined'), approves], 'refund_declined'],
    ['rejected', [fault('rejected'), approves], 'provider_rejected'],
  ])('%s', async (_, move, code) => {
    const payment = paid({ move });
    const refund = engine.aRefund(payment);
    await refund.awaitRefund('outcome');
    expect(await refund.result()).toMatchObject({ state: 'failed', failure: { code } });
    expect(payment.row).toMatchObject({ status: 'captured', version: 2, refundedMinor: '0' });
    const another = engine.aRefund(payment);
    await another.awaitRefund('outcome');
    expect(await another.result()).toEqual(succeeded);
    expect(keysOf(payment).size).toBe(2);
  });

  test('with the provider away until its time was over', async () => {
    const payment = paid({ move: [fault('unavailable', 60_000)], terms: { expiresAfterSeconds: 1 } });
    const refund = engine.aRefund(payment);
    await refund.awaitRefund('outcome');
    expect(await refund.result()).toMatchObject({ state: 'failed', failure: { code: 'provider_unavailable' } });
  });
});

describe.concurrent('a refund whose outcome is unknown', () => {
  test('is asked about, and not sent again when the provider finds it', async () => {
    const payment = paid({ move: [outcomeUnknown], askMove: [stillUnknown(), approves] });
    const refund = engine.aRefund(payment);
    await refund.start();
    expect(await refund.result()).toEqual(succeeded);
    expect(payment.movements.sent).toHaveLength(1);
  });

  test.each([
    ['the provider does not know it', allowsRepeat],
    ['it is proven to be nothing', nothingHappened],
  ])('is sent again, with the same key, when %s', async (_, step) => {
    const payment = paid({ move: [outcomeUnknown, approves], askMove: [step] });
    const refund = engine.aRefund(payment);
    await refund.start();
    expect(await refund.result()).toEqual(succeeded);
    expect(payment.movements.sent).toHaveLength(2);
    expect(keysOf(payment).size).toBe(1);
  });

  test('is asked about sooner when the provider’s event comes', async () => {
    const payment = paid({ move: [outcomeUnknown], askMove: [stillUnknown(60_000), approves] });
    const refund = engine.aRefund(payment);
    await refund.start();
    await refund.isBackingOff('unknown_outcome');
    await refund.tell('pev_1');
    expect(await refund.result()).toEqual(succeeded);
    expect(payment.reconciled).toMatchObject([{ providerEventIds: ['pev_1'] }]);
  });

  async function unresolved() {
    const payment = paid({
      move: [outcomeUnknown],
      askMove: [stillUnknown(100)],
      terms: { expiresAfterSeconds: 1.5, askForSeconds: 0.7 },
    });
    const refund = engine.aRefund(payment);
    expect(await refund.awaitRefund('outcome')).toEqual({ kind: 'stored' });
    expect(refund.row).toMatchObject({ state: 'unresolved', failure: { code: 'outcome_unknown' } });
    expect(payment.row).toMatchObject({ status: 'captured', version: 2, failure: null });
    return { payment, refund };
  }

  test('until ask_until is a person’s to decide: refunded', async () => {
    const { payment, refund } = await unresolved();
    const wrong = { ...found, outcome: 'captured' } as const;
    expect(await refund.refusal(resolveRefund, wrong)).toMatchObject({ type: 'wrong_outcome' });
    expect(await refund.refusal(retryNow, act)).toMatchObject({ type: 'refused' });
    expect(await refund.update(resolveRefund, found)).toEqual({ state: 'succeeded' });
    expect(await refund.result()).toEqual(succeeded);
    expect(payment.row).toMatchObject({ status: 'refunded', version: 3 });
    expect(payment.movements.steps.at(-1)).toMatchObject({ action: 'resolve', actor: act.actor });
  });

  test('until ask_until is a person’s to decide: failed', async () => {
    const { payment, refund } = await unresolved();
    expect(await refund.update(resolveRefund, notRefunded)).toEqual({ state: 'failed' });
    expect(await refund.result()).toMatchObject({ state: 'failed', failure: { code: 'resolved_not_moved' } });
    expect(payment.row).toMatchObject({ status: 'captured', refundedMinor: '0' });
  });

  test('because the provider named another amount is a person’s to decide at once', async () => {
    const payment = paid({ move: [namesAnotherAmount] });
    const refund = engine.aRefund(payment);
    expect(await refund.awaitRefund('outcome')).toEqual({ kind: 'stored' });
    expect(refund.row).toMatchObject({ state: 'unresolved', failure: { code: 'amount_mismatch' } });
    expect(await refund.update(resolveRefund, found)).toEqual({ state: 'succeeded' });
  });

  test('is decided by nobody while the provider is being asked', async () => {
    const refund = engine.aRefund(paid({ move: [outcomeUnknown], askMove: [stillUnknown(60_000), approves] }));
    await refund.start();
    await refund.isBackingOff('unknown_outcome');
    expect(await refund.refusal(resolveRefund, found)).toMatchObject({ type: 'not_unresolved' });
    await refund.update(retryNow, act);
    expect(await refund.result()).toEqual(succeeded);
  });
});

describe.concurrent('a refund’s workflow that is started again with ids alone', () => {
  const openRefund = (changes: Partial<MovementSnapshot>) => {
    const payment = paid();
    const refund = engine.aRefund(payment, { idempotencyKey: 'k1' });
    payment.movements.add(refundOf(payment, changes));
    return { payment, refund };
  };

  test.each<[string, Partial<MovementSnapshot>, number, number]>([
    ['sends one that was never begun', {}, 1, 0],
    ['asks about one that may have been sent', { attemptState: 'sent' }, 0, 1],
    ['does nothing about one that is over', { state: 'succeeded', version: 2 }, 0, 0],
  ])('%s', async (_, changes, sends, questions) => {
    const { payment, refund } = openRefund(changes);
    await refund.redrive();
    expect(await refund.result()).toEqual(succeeded);
    expect(payment.movements.sent).toHaveLength(sends);
    expect(payment.movements.asked).toHaveLength(questions);
  });

  test('waits for a person where it is unresolved, who may speak before anything else', async () => {
    const { refund } = openRefund({ state: 'unresolved', version: 2, attemptState: 'declined' });
    expect(await refund.startWithUpdate(resolveRefund, found)).toEqual({ state: 'succeeded' });
  });

  test('refuses a person’s word that comes too late, also before anything else', async () => {
    const { refund } = openRefund({ state: 'succeeded', version: 2 });
    const late = await refusalOf(refund.startWithUpdate(resolveRefund, notRefunded));
    expect(late).toMatchObject({ type: 'not_unresolved' });
  });

  test('says so where there is no row', async () => {
    const refund = engine.aRefund(paid());
    await refund.redrive();
    expect(await refund.result()).toEqual({ refused: 'not_found' });
  });
});

const now = () => new Date().toISOString();

function snapshotOf({ row }: FakePayment): PaymentSnapshot {
  if (row === null) throw new Error('the payment has a row');
  return row;
}

function refundOf(payment: FakePayment, changes: Partial<MovementSnapshot>): MovementSnapshot {
  const movementId = movementIdOf('refund', payment.id, 'k1');
  const input = { movementId, kind: 'refund', paymentId: payment.id, merchantId: 'mer_1', now: now() } as const;
  const requestHash = 'hash of k1';
  const openAttemptId = changes.attemptState === 'sent' ? attemptIdOf(movementId, 'refund', 1) : null;
  return { ...movementRowOf(snapshotOf(payment), input, 2_599n), requestHash, openAttemptId, ...changes };
}
