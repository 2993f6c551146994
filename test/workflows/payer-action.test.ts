import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelPayment, capturePayment, payerReturned, resolvePayment } from '../../workflows/contract.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import type { PaymentUnderTest } from './payment-under-test.ts';
import {
  approves,
  declines,
  fault,
  namesAnotherAmount,
  outcomeUnknown,
  stillUnknown,
  wantsThePayer,
} from './provider-steps.ts';
import { fromNow } from './rows.ts';
import { gate, type Script } from './script.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const captured = { status: 'captured', failure: null };
const canceled = { status: 'canceled', failure: null };

/** A payment whose charge waits for its payer, with an open workflow. */
async function waiting(script: Script = {}): Promise<PaymentUnderTest> {
  const payment = engine.aPayment({ charge: [wantsThePayer], ...script });
  expect(await payment.awaitOutcome()).toEqual({ kind: 'stored' });
  expect(payment.fake.row?.status).toBe('requires_action');
  return payment;
}

/** One without a workflow, as its row says. */
function alreadyWaiting(actionExpiresAt: string, script: Script = {}): PaymentUnderTest {
  const status = 'requires_action' as const;
  const payment = engine.aPayment({ row: { status, version: 2, processor: 'easypay', actionExpiresAt }, ...script });
  const id = attemptIdOf(payment.fake.id, 'charge', 1);
  payment.fake.setAttempt({ id, number: 1, provider: 'easypay', state: status, declineCode: null });
  payment.fake.change({ openAttemptId: id });
  return payment;
}

const voidsOf = ({ fake }: PaymentUnderTest) =>
  fake.movements.rows.map(({ state, amountMinor }) => [state, amountMinor]);

// Every test has a payment of its own, and most of their time is waiting: they wait together.
describe.concurrent('a charge that its payer must confirm', () => {
  test('is told with the address, keeps its attempt open, and is left alone while the payer acts', async () => {
    const { fake, ...payment } = await waiting();
    const id = attemptIdOf(fake.id, 'charge', 1);
    expect(fake.transitions).toMatchObject([
      {
        eventType: 'payment.requires_action',
        redirectUrl: 'http://127.0.0.1/challenge/secret',
        keepsAttemptOpen: true,
        attemptEnd: { attemptId: id, state: 'requires_action' },
      },
    ]);
    expect(fake.row).toMatchObject({ openAttemptId: id, attempts: [{ state: 'requires_action' }] });
    await payment.historyWith('TIMER_STARTED');
    expect(fake.asked).toEqual([]);
    expect(await payment.refusal(capturePayment, act)).toMatchObject({ type: 'payment_not_capturable' });
    await payment.handle.terminate('end of the test');
  });

  test('is asked about when the provider’s event comes, and captured when it was confirmed', async () => {
    const { fake, ...payment } = await waiting();
    await payment.tell('pev_1');
    expect(await payment.result()).toEqual(captured);
    expect(fake.asked).toMatchObject([{ attemptNumber: 1, mayRepeat: false }]);
    expect(fake.sent).toEqual([1]);
    expect(fake.reconciled).toMatchObject([{ providerEventIds: ['pev_1'] }]);
  });

  test('is asked about when the payer comes back', async () => {
    const { fake, ...payment } = await waiting();
    await payment.handle.signal(payerReturned);
    expect(await payment.result()).toEqual(captured);
    expect(fake.asked).toHaveLength(1);
    expect(fake.reconciled).toEqual([]);
  });

  test('is authorized where it is to be captured later', async () => {
    const payment = await waiting({ captureMethod: 'manual' });
    await payment.handle.signal(payerReturned);
    await until('it is authorized', () => payment.fake.row?.status === 'authorized');
    expect(await payment.update(capturePayment, act)).toMatchObject({ status: 'captured' });
  });

  test('and not confirmed yet waits on, until the next event', async () => {
    const { fake, ...payment } = await waiting({ ask: [wantsThePayer, approves] });
    await payment.tell('pev_1');
    await until('it was asked about', () => fake.asked.length === 1);
    expect(fake.row?.status).toBe('requires_action');
    await payment.tell('pev_2');
    expect(await payment.result()).toEqual(captured);
    expect(fake.asked).toHaveLength(2);
  });

  test('and whose provider cannot say waits on', async () => {
    const { fake, ...payment } = await waiting({
      ask: [stillUnknown(), stillUnknown(), stillUnknown(), stillUnknown(), stillUnknown(), approves],
    });
    await payment.tell('pev_1');
    await until('it was asked about in vain', () => fake.asked.length === 5);
    await payment.tell('pev_2');
    expect(await payment.result()).toEqual(captured);
  });

  test('and was refused there is failed', async () => {
    const { fake, ...payment } = await waiting({ ask: [declines('authentication_failed')] });
    await payment.tell('pev_1');
    expect(await payment.result()).toMatchObject({ status: 'failed', failure: { code: 'authentication_failed' } });
    expect(fake.row?.openAttemptId).toBeNull();
  });

  test('and names another amount then is a person’s to decide', async () => {
    const payment = await waiting({ ask: [namesAnotherAmount] });
    await payment.tell('pev_1');
    await until('it is unresolved', () => payment.fake.row?.status === 'unresolved');
    const found = { ...act, outcome: 'captured', evidence: 'statement line 12' } as const;
    expect(await payment.update(resolvePayment, found)).toEqual({ status: 'captured' });
  });
});

describe.concurrent('provider event racing the answer:', () => {
  test('an event that comes before the wait for the payer begins is a reason to ask at once', async () => {
    const { step, open, reached } = gate(wantsThePayer);
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable'), step] });
    await payment.start();
    await reached;
    await payment.tell('pev_1');
    await payment.historyWith('ACTIVITY_TASK_CANCEL_REQUESTED');
    open();
    expect(await payment.result()).toEqual(captured);
    expect(fake.asked).toHaveLength(1);
    expect(fake.sent).toEqual([1, 1]);
  });

  test('an event that starts the workflow of a payment that waits for its payer is a reason to ask at once', async () => {
    const { fake, ...payment } = alreadyWaiting(fromNow(60_000));
    await payment.tell('pev_1');
    expect(await payment.result()).toEqual(captured);
    expect(fake.asked).toHaveLength(1);
  });

  test('an event about a charge that was answered at once changes nothing', async () => {
    const { fake, ...payment } = engine.aPayment();
    await payment.awaitOutcome();
    await payment.tell('pev_1');
    expect(await payment.result()).toEqual(captured);
    expect(fake.asked).toEqual([]);
    expect(fake.reconciled.flatMap(({ providerEventIds }) => providerEventIds)).toContain('pev_1');
    expect(fake.transitions).toHaveLength(1);
  });
});

describe.concurrent('when the payer’s time is over,', () => {
  const soon = { terms: { actionWithinSeconds: 0.5 } };

  test('the provider is asked a last time and told to give the charge up, and the payment is canceled', async () => {
    const { fake, ...payment } = await waiting({ ...soon, ask: [wantsThePayer] });
    expect(await payment.result()).toEqual(canceled);
    expect(fake.asked).toHaveLength(1);
    expect(fake.movements.sent).toMatchObject([{ kind: 'void' }]);
    expect(fake.movements.rows).toMatchObject([{ amountMinor: '0', state: 'succeeded' }]);
    expect(fake.row).toMatchObject({ openAttemptId: null, attempts: [{ state: 'voided' }], authorizedMinor: '0' });
    expect(fake.movements.sent[0]?.at).toBeGreaterThanOrEqual(Date.parse(fake.row?.actionExpiresAt ?? ''));
  });

  test('and the payer acted in the last moment, that counts: captured, and nothing is given up', async () => {
    const { fake, ...payment } = await waiting({ ...soon, ask: [approves] });
    expect(await payment.result()).toEqual(captured);
    expect(fake.movements.rows).toEqual([]);
  });

  test('and the payer acts between the last question and the void, that counts: captured', async () => {
    const payment = await waiting({ ...soon, ask: [wantsThePayer, approves], move: [fault('rejected')] });
    expect(await payment.result()).toEqual(captured);
    expect(voidsOf(payment)).toEqual([['failed', '0']]);
    expect(payment.fake.row).toMatchObject({ status: 'captured', capturedMinor: '2599' });
  });

  test('and the provider does not know what came of the void, it is asked', async () => {
    const payment = await waiting({ ...soon, ask: [wantsThePayer], move: [outcomeUnknown], askMove: [approves] });
    expect(await payment.result()).toEqual(canceled);
    expect(payment.fake.movements.sent).toHaveLength(1);
  });

  test('and the provider never gives the charge up, a person decides', async () => {
    const payment = await waiting({ ...soon, ask: [wantsThePayer], move: [fault('rejected')] });
    await until('it is unresolved', () => payment.fake.row?.status === 'unresolved');
    expect(voidsOf(payment)).toEqual(Array.from({ length: 5 }, () => ['failed', '0']));
    expect(new Set(payment.fake.movements.sent.map(({ key }) => key)).size).toBe(5);
    const notCharged = { ...act, outcome: 'failed', evidence: 'case 7 at the provider' } as const;
    expect(await payment.update(resolvePayment, notCharged)).toEqual({ status: 'failed' });
  });
});

describe.concurrent('a cancellation while the payer acts', () => {
  test('gives the charge up at once, and answers that the payment is canceled', async () => {
    const { fake, ...payment } = await waiting({ ask: [wantsThePayer] });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'canceled' });
    expect(await payment.result()).toEqual(canceled);
    expect(fake.movements.opened).toMatchObject([{ request: { actor: act.actor, reason: act.reason } }]);
  });

  test('and after the payer confirmed answers that it is captured', async () => {
    const payment = await waiting({ ask: [approves] });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'captured' });
    expect(voidsOf(payment)).toEqual([]);
  });

  test('and in the moment in which the payer confirms answers that it is captured', async () => {
    const payment = await waiting({ ask: [wantsThePayer, approves], move: [fault('rejected')] });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'captured' });
    expect(voidsOf(payment)).toEqual([['failed', '0']]);
  });

  test('that becomes unresolved answers so, and the payment waits for the payer again when it did not happen', async () => {
    const payment = await waiting({
      ask: [wantsThePayer, approves],
      move: [outcomeUnknown],
      askMove: [stillUnknown(100)],
      expiresInMs: 1_500,
      askForMs: 700,
    });
    expect(await payment.update(cancelPayment, act)).toEqual({ status: 'unresolved' });
    const notVoided = { ...act, outcome: 'failed', evidence: 'case 7 at the provider' } as const;
    expect(await payment.update(resolvePayment, notVoided)).toEqual({ status: 'requires_action' });
    await payment.tell('pev_1');
    expect(await payment.result()).toEqual(captured);
  });
});

test('a workflow that is started again after the payer’s time gives the charge up', async () => {
  const payment = alreadyWaiting(fromNow(-1), { ask: [wantsThePayer] });
  await payment.redrive();
  expect(await payment.result()).toEqual(canceled);
  expect(payment.fake.sent).toEqual([]);
});
