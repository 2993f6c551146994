import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  cancelPayment,
  capturePayment,
  type Resolution,
  resolvePayment,
  resolveRefund,
} from '../../workflows/contract.ts';
import type { AskAnswer, Reconciled, TransitionAnswer } from '../../workflows/ports.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import type { FakePayment } from './fake-payment.ts';
import type { PaymentUnderTest } from './payment-under-test.ts';
import {
  approves,
  declines,
  fault,
  namesAnotherAmount,
  nothingHappened,
  outcomeUnknown,
  stillUnknown,
} from './provider-steps.ts';
import { authorizedRow, capturedRow } from './rows.ts';
import { gate, type Script, type Step } from './script.ts';
import type { WorkflowUnderTest } from './workflow-under-test.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const notCharged: Resolution = { ...act, outcome: 'failed', evidence: 'case 7 at the provider' };
const captured = { status: 'captured', failure: null };
const held: Reconciled = { lookedUp: 1, discrepancies: 0 };
const eventIdsOf = ({ reconciled }: FakePayment) => reconciled.flatMap(({ providerEventIds }) => providerEventIds);

/** The look-ups fail until they are healed. */
const lookUpsFail: Step<Reconciled> = () => {
  throw ApplicationFailure.create({ type: 'unavailable', message: 'away', nextRetryDelay: 60_000 });
};
const lookUpsFailForGood: Step<Reconciled> = () => {
  throw ApplicationFailure.nonRetryable('away', 'unavailable');
};

/** A payment that a person must decide, and whose provider does not know what came of it before it is asked again. */
async function unresolved(script: Script = {}): Promise<PaymentUnderTest> {
  const payment = engine.aPayment({
    charge: [outcomeUnknown],
    ask: [stillUnknown(100)],
    expiresInMs: 1_500,
    askForMs: 700,
    ...script,
  });
  await payment.awaitOutcome();
  expect(payment.fake.row?.status).toBe('unresolved');
  return payment;
}

const isAccepted = (workflow: Pick<WorkflowUnderTest<unknown>, 'historyWith'>) =>
  workflow.historyWith('WORKFLOW_EXECUTION_UPDATE_ACCEPTED');

// Every test has a payment of its own, and most of their time is waiting: they wait together.
describe.concurrent('a provider’s event', () => {
  test('after the end starts a run that holds what is recorded against the provider, and changes nothing', async () => {
    const { fake, ...payment } = engine.aPayment();
    await payment.awaitOutcome();
    await payment.result();
    await payment.tell('pev_1');
    expect(await payment.result()).toEqual(captured);
    expect(fake.reconciled).toMatchObject([{ paymentId: fake.id, merchantId: 'mer_1', providerEventIds: ['pev_1'] }]);
    expect(fake.transitions).toHaveLength(1);
    expect(fake.sent).toEqual([1]);
    expect(fake.asked).toEqual([]);
  });

  test('after the end of a refund does the same in the refund’s workflow', async () => {
    const { fake } = engine.aPayment({ row: capturedRow() });
    const refund = engine.aRefund(fake);
    await refund.start();
    await refund.result();
    await refund.tell('pev_1');
    expect(await refund.result()).toEqual({ state: 'succeeded', failure: null });
    expect(eventIdsOf(fake)).toEqual(['pev_1']);
    expect(fake.movements.sent).toHaveLength(1);
  });

  test('twice is looked at once, and together with another one that came meanwhile', async () => {
    const { step, open, reached } = gate(approves);
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable'), step] });
    await payment.start();
    await reached;
    for (const id of ['pev_1', 'pev_2', 'pev_1']) await payment.tell(id);
    open();
    expect(await payment.result()).toEqual(captured);
    expect(fake.reconciled).toMatchObject([{ providerEventIds: ['pev_1', 'pev_2'] }]);
  });

  test('that comes while the last task is being worked on is not lost', async () => {
    const { step, open, reached } = gate<TransitionAnswer, FakePayment>((self) => ({
      kind: 'done',
      payment: self.change({ ...capturedRow(), openAttemptId: null }),
    }));
    const { fake, ...payment } = engine.aPayment({ record: [step] });
    await payment.start();
    await reached;
    await payment.tell('pev_1');
    open();
    expect(await payment.result()).toEqual(captured);
    expect(fake.callsOf('acceptPayment')).toHaveLength(2); // the task was worked on again, because of the event
    expect(eventIdsOf(fake)).toEqual(['pev_1']);
    expect(fake.sent).toEqual([1]);
  });

  test('that comes while another one is looked at is looked at next', async () => {
    const { step, open, reached } = gate<Reconciled>(() => held);
    const { fake, ...payment } = engine.aPayment({ reconcile: [step, () => held] });
    await payment.start();
    await payment.result();
    await payment.tell('pev_1');
    await reached;
    await payment.tell('pev_2');
    open();
    expect(await payment.result()).toEqual(captured);
    expect(fake.reconciled).toMatchObject([{ providerEventIds: ['pev_1'] }, { providerEventIds: ['pev_2'] }]);
  });

  test('that could not be looked at keeps nothing open: its row does, and the next one is looked at alone', async () => {
    const { fake, ...payment } = engine.aPayment({ reconcile: [lookUpsFailForGood, () => held] });
    await payment.start();
    await payment.result();
    await payment.tell('pev_1');
    expect(await payment.result()).toEqual(captured);
    await payment.tell('pev_2');
    expect(await payment.result()).toEqual(captured);
    expect(fake.reconciled).toMatchObject([{ providerEventIds: ['pev_1'] }, { providerEventIds: ['pev_2'] }]);
  });

  test('while something may be captured is looked at at once, and the payment waits on', async () => {
    const { fake, ...payment } = engine.aPayment({ row: authorizedRow() });
    await payment.redrive();
    await payment.tell('pev_1');
    await until('it was looked at', () => fake.reconciled.length === 1);
    expect(await payment.update(capturePayment, act)).toMatchObject({ status: 'captured' });
    expect(await payment.result()).toEqual(captured);
    expect(eventIdsOf(fake)).toEqual(['pev_1']);
  });

  test.each([
    ['a capture', capturePayment, 'captured'],
    ['a cancellation', cancelPayment, 'canceled'],
  ] as const)('whose look-up fails does not keep %s waiting', async (_, update, status) => {
    const payment = engine.aPayment({ row: authorizedRow(), reconcile: [lookUpsFail] });
    await payment.redrive();
    await payment.tell('pev_1');
    await payment.isBackingOff('unavailable');
    expect(await payment.update<{ status: string }, [typeof act]>(update, act)).toMatchObject({ status });
    expect(await payment.result()).toEqual({ status, failure: null });
  });

  test('whose look-up fails does not keep the reservation from ending in time', async () => {
    const payment = engine.aPayment({
      captureMethod: 'manual',
      terms: { captureWithinSeconds: 1 },
      reconcile: [lookUpsFail],
    });
    await payment.awaitOutcome();
    await payment.tell('pev_1');
    expect(await payment.result()).toEqual({ status: 'canceled', failure: null });
  });
});

describe.concurrent('resolve racing a late look-up: what is written first counts,', () => {
  test('the look-up’s word, and the person is told that the provider spoke first', async () => {
    const { step, open, reached } = gate(approves);
    const payment = await unresolved({ ask: [stillUnknown(100)] });
    payment.fake.answerQuestionsWith(step);
    await payment.tell('pev_1');
    await reached;
    const resolving = payment.refusal(resolvePayment, notCharged);
    await isAccepted(payment);
    open();
    expect(await resolving).toMatchObject({ type: 'not_unresolved' });
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.transitions.map(({ action }) => action)).toEqual(['give_up_asking', 'charge']);
    expect(eventIdsOf(payment.fake)).toEqual(['pev_1']);
  });

  test('the person’s word, and the event that comes after it is held against it', async () => {
    const payment = await unresolved();
    expect(await payment.update(resolvePayment, notCharged)).toEqual({ status: 'failed' });
    await payment.result();
    await payment.tell('pev_1');
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'resolved_not_charged' } });
    expect(eventIdsOf(payment.fake)).toEqual(['pev_1']);
  });

  test('the person’s word, where the look-up that is on its way says nothing', async () => {
    const { step, open, reached } = gate(namesAnotherAmount);
    const payment = await unresolved();
    payment.fake.answerQuestionsWith(step);
    await payment.tell('pev_1');
    await reached;
    const resolving = payment.update(resolvePayment, notCharged);
    await isAccepted(payment);
    open();
    expect(await resolving).toEqual({ status: 'failed' });
    expect(payment.fake.transitions.map(({ action }) => action)).toEqual(['give_up_asking', 'resolve']);
  });

  test('and the person’s word that came too late decides nothing later', async () => {
    const { step, open, reached } = gate(approves);
    const payment = await unresolved({ captureMethod: 'manual', move: [namesAnotherAmount] });
    payment.fake.answerQuestionsWith(step);
    await payment.tell('pev_1');
    await reached;
    const resolving = payment.refusal(resolvePayment, notCharged);
    await isAccepted(payment);
    open();
    await resolving;
    expect(payment.fake.row?.status).toBe('authorized');
    expect(await payment.update(capturePayment, act)).toMatchObject({ state: 'unresolved' });
    const found = { ...act, outcome: 'captured', evidence: 'statement line 12' } as const;
    expect(await payment.update(resolvePayment, found)).toEqual({ status: 'captured' });
    expect(payment.fake.movements.steps.map(({ action }) => action)).toEqual(['capture', 'resolve']);
  });

  test('of a capture: the look-up’s word', async () => {
    const { step, open, reached } = gate(approves);
    const payment = engine.aPayment({ row: authorizedRow(), move: [namesAnotherAmount], askMove: [step] });
    await payment.redrive();
    await payment.update(capturePayment, act);
    await payment.tell('pev_1');
    await reached;
    const resolving = payment.refusal(resolvePayment, notCharged);
    await until('it is accepted', async () => {
      const types = await payment.history();
      return types.filter((type) => type === 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED').length === 2;
    });
    open();
    expect(await resolving).toMatchObject({ type: 'not_unresolved' });
    expect(await payment.result()).toEqual(captured);
    expect(payment.fake.movements.steps.map(({ action }) => action)).toEqual(['capture', 'capture']);
  });

  test('of a refund: the look-up’s word', async () => {
    const { step, open, reached } = gate(approves);
    const { fake } = engine.aPayment({ row: capturedRow(), move: [namesAnotherAmount], askMove: [step] });
    const refund = engine.aRefund(fake);
    await refund.start();
    await until('it is unresolved', () => refund.row?.state === 'unresolved');
    await refund.tell('pev_1');
    await reached;
    const resolving = refund.refusal(resolveRefund, notCharged);
    await isAccepted(refund);
    open();
    expect(await resolving).toMatchObject({ type: 'not_unresolved' });
    expect(await refund.result()).toEqual({ state: 'succeeded', failure: null });
  });
});

describe.concurrent('a payment that a person is to decide', () => {
  test.each<[string, Step<AskAnswer>, string]>([
    ['captured', approves, 'captured'],
    ['declined', declines('card_declined'), 'failed'],
    ['nothing', nothingHappened, 'failed'],
  ])('is decided by the provider’s late word: %s', async (_, step, status) => {
    const payment = await unresolved();
    payment.fake.answerQuestionsWith(step);
    await payment.tell('pev_1');
    expect(await payment.result()).toMatchObject({ status });
    expect(eventIdsOf(payment.fake)).toEqual(['pev_1']);
  });

  test('because of a void is decided by the provider’s late word', async () => {
    const payment = engine.aPayment({
      row: authorizedRow(),
      move: [namesAnotherAmount],
      askMove: [namesAnotherAmount, approves],
    });
    await payment.redrive();
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'unresolved' });
    await payment.tell('pev_1');
    await until('it was asked about', () => payment.fake.movements.asked.length === 1);
    expect(payment.fake.row?.status).toBe('unresolved');
    await payment.tell('pev_2');
    expect(await payment.result()).toEqual({ status: 'canceled', failure: null });
  });
});
