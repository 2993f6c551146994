import { Client, NamespaceNotFoundError, type UpdateDefinition, WorkflowUpdateFailedError } from '@temporalio/client';
import { workflowMetadataQuery } from '@temporalio/workflow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPaymentClient } from '../../api/temporal/payment-client.ts';
import {
  awaitAccepted,
  awaitOutcome,
  cancelPayment,
  getPayment,
  type OperatorAct,
  type Resolution,
  resolvePayment,
  retryNow,
} from '../../workflows/contract.ts';
import type { Acceptance } from '../../workflows/ports.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import { type PaymentUnderTest, secrets } from './payment-under-test.ts';
import { approves, databaseAway, fault, namesAnotherAmount, outcomeUnknown, stillUnknown } from './provider-steps.ts';
import { gate } from './script.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const found: Resolution = { ...act, outcome: 'captured', evidence: 'statement line 12' };

describe('awaitAccepted', () => {
  test('answers when the row is committed, however long the charge takes', async () => {
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable', 60_000)] });
    expect(await payment.awaitAccepted()).toEqual({ kind: 'stored' });
    expect(fake.row?.status).toBe('pending');
    await payment.handle.terminate('end of the test');
  });

  test('of another body under the same key is refused', async () => {
    const payment = engine.aPayment({ charge: [fault('unavailable', 60_000)] });
    await payment.awaitAccepted();
    const reused = { kind: 'refused', code: 'idempotency_key_reused' };
    expect(await payment.awaitAccepted('another hash')).toEqual(reused);
    await payment.handle.terminate('end of the test');
  });
});

describe('awaitOutcome', () => {
  test('answers when the outcome is written, and not before', async () => {
    const { step, open, reached } = gate(approves);
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable'), step] });
    let isAnswered = false;
    const waiting = payment.awaitOutcome().then((answer) => {
      isAnswered = true;
      return answer;
    });
    await reached;
    expect(isAnswered).toBe(false);
    open();
    expect(await waiting).toEqual({ kind: 'stored' });
    expect(fake.row?.status).toBe('captured');
  });

  test('answers all who wait, and each finishes before the workflow ends', async () => {
    const { step, open, reached } = gate(approves);
    const { fake, ...payment } = engine.aPayment({ charge: [fault('unavailable'), step] });
    const waiting = [payment.awaitOutcome(), payment.awaitOutcome(), payment.awaitAccepted()];
    await reached;
    waiting.push(payment.awaitOutcome());
    const canceling = payment.startWithUpdate(cancelPayment, act);
    await payment.historyWith('ACTIVITY_TASK_CANCEL_REQUESTED');
    open();
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 4 }, () => ({ kind: 'stored' })));
    expect(await canceling).toEqual({ status: 'captured' });
    const history = await payment.history();
    const count = (type: string) => history.filter((each) => each === type).length;
    expect(count('WORKFLOW_EXECUTION_UPDATE_COMPLETED')).toBe(5);
    expect(count('WORKFLOW_EXECUTION_UPDATE_ACCEPTED')).toBe(5);
    expect(fake.sent).toEqual([1, 1]);
  });

  test('of another body is refused at once while the payment is being worked on', async () => {
    const payment = engine.aPayment({ charge: [fault('unavailable', 60_000)] });
    await payment.awaitAccepted();
    expect(await payment.awaitOutcome('another hash')).toEqual({ kind: 'refused', code: 'idempotency_key_reused' });
    await payment.handle.terminate('end of the test');
  });

  test('of another body on a new run of a payment that exists is refused, and the row stays as it is', async () => {
    const { fake, ...payment } = engine.aPayment({ row: {} });
    expect(await payment.awaitOutcome('another hash')).toEqual({ kind: 'refused', code: 'idempotency_key_reused' });
    expect(await payment.result()).toEqual({ refused: 'idempotency_key_reused' });
    expect(fake.sent).toEqual([]);
  });

  test('of a payment whose external id is taken is refused, and nothing is charged', async () => {
    const { fake, ...payment } = engine.aPayment({ accept: [() => ({ kind: 'refused', code: 'external_id_taken' })] });
    expect(await payment.awaitOutcome()).toEqual({ kind: 'refused', code: 'external_id_taken' });
    expect(await payment.result()).toEqual({ refused: 'external_id_taken' });
    expect(fake.calls.map(({ port }) => port)).toEqual(['acceptPayment']);
  });

  test('of another body, where the external id is taken, learns of its key, not of an id that it did not send', async () => {
    const { step, open } = gate<Acceptance>(() => ({ kind: 'refused', code: 'external_id_taken' }));
    const payment = engine.aPayment({ accept: [databaseAway, databaseAway, databaseAway, step] });
    await payment.start();
    const first = payment.awaitOutcome();
    await payment.historyWith('WORKFLOW_EXECUTION_UPDATE_ACCEPTED');
    const another = payment.awaitOutcome('another hash');
    await until('both wait', async () => {
      const types = await payment.history();
      return types.filter((type) => type === 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED').length === 2;
    });
    open();
    expect(await first).toEqual({ kind: 'refused', code: 'external_id_taken' });
    expect(await another).toEqual({ kind: 'refused', code: 'idempotency_key_reused' });
  });

  test('of an unresolved payment is answered: the caller reads the row', async () => {
    const payment = engine.aPayment({ charge: [namesAnotherAmount] });
    expect(await payment.awaitOutcome()).toEqual({ kind: 'stored' });
    await payment.handle.terminate('end of the test');
  });
});

test.each([awaitAccepted, awaitOutcome])(
  '$name without a question is refused, and the payment goes on',
  async (update) => {
    const payment = engine.aPayment({ charge: [fault('unavailable', 60_000)] });
    await payment.start();
    await payment.isBackingOff('unavailable');
    for (const question of ['null', '{}', '{"requestHash":7}']) {
      const asking = payment.handle.executeUpdate(update, { args: [JSON.parse(question) as { requestHash: string }] });
      await expect(asking).rejects.toMatchObject({
        cause: { message: expect.stringMatching(/requestHash is missing/) },
      });
    }
    expect(await payment.history()).toEqual(expect.not.arrayContaining(['WORKFLOW_TASK_FAILED']));
    expect(await payment.awaitAccepted()).toEqual({ kind: 'stored' });
    await payment.handle.terminate('end of the test');
  },
);

describe('an operator’s act is refused, and leaves no trace in the history,', () => {
  async function refusal<Ret, Args extends [unknown]>(
    payment: PaymentUnderTest,
    update: UpdateDefinition<Ret, Args>,
    args: Args,
  ): Promise<string> {
    const error: unknown = await payment.handle
      .executeUpdate<Ret, Args>(update, { args })
      .catch((thrown: unknown) => thrown);
    if (!(error instanceof WorkflowUpdateFailedError)) throw new Error('the update was not refused');
    expect(await payment.history()).toEqual(expect.not.arrayContaining(['WORKFLOW_EXECUTION_UPDATE_ACCEPTED']));
    return error.cause?.message ?? '';
  }

  test.each<[string, OperatorAct, RegExp]>([
    ['without an actor', { actor: ' ', reason: 'because' }, /actor is missing/],
    ['without a reason', { actor: 'operator:ann', reason: '' }, /reason is missing/],
    ['with a reason as long as a novel', { actor: 'operator:ann', reason: 'x'.repeat(501) }, /reason is missing/],
  ])('%s', async (_, incomplete, message) => {
    const payment = engine.aPayment({ charge: [fault('unavailable', 60_000)] });
    await payment.start();
    await payment.isBackingOff('unavailable');
    expect(await refusal(payment, cancelPayment, [incomplete])).toMatch(message);
    expect(await refusal(payment, retryNow, [incomplete])).toMatch(message);
    expect(await refusal(payment, resolvePayment, [{ ...found, ...incomplete }])).toMatch(message);
    await payment.handle.terminate('end of the test');
  });

  test('when it resolves what is not unresolved', async () => {
    const payment = engine.aPayment({ charge: [fault('unavailable', 60_000)] });
    await payment.start();
    await payment.isBackingOff('unavailable');
    expect(await refusal(payment, resolvePayment, [found])).toMatch(/not unresolved/);
    await payment.handle.terminate('end of the test');
  });

  test('when it resolves without evidence or with an outcome of its own invention', async () => {
    const payment = engine.aPayment({ charge: [namesAnotherAmount] });
    await payment.start();
    await payment.historyWith('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES');
    expect(await refusal(payment, resolvePayment, [{ ...found, evidence: '' }])).toMatch(/evidence is missing/);
    const invented = JSON.parse(JSON.stringify({ ...found, outcome: 'refunded' })) as Resolution;
    expect(await refusal(payment, resolvePayment, [invented])).toMatch(/outcome must be/);
    await payment.handle.terminate('end of the test');
  });

  test('when it cancels or retries a payment that waits for a resolution', async () => {
    const payment = engine.aPayment({ charge: [namesAnotherAmount] });
    await payment.start();
    await payment.historyWith('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES');
    expect(await refusal(payment, cancelPayment, [act])).toMatch(/use resolvePayment/);
    expect(await refusal(payment, retryNow, [act])).toMatch(/nothing to retry/);
    await payment.handle.terminate('end of the test');
  });
});

test('two who cancel the same payment are told the same end', async () => {
  const { step, open, reached } = gate(approves);
  const payment = engine.aPayment({ charge: [fault('unavailable'), step] });
  await payment.start();
  await reached;
  const first = payment.handle.executeUpdate(cancelPayment, { args: [act] });
  await payment.historyWith('ACTIVITY_TASK_CANCEL_REQUESTED');
  const second = await payment.handle.startUpdate(cancelPayment, {
    args: [{ ...act, actor: 'operator:bob' }],
    waitForStage: 'ACCEPTED',
  });
  open();
  expect(await first).toEqual({ status: 'captured' });
  expect(await second.result()).toEqual({ status: 'captured' });
});

describe('operators see', () => {
  const boardOf = async (payment: PaymentUnderTest) =>
    (await payment.handle.query(workflowMetadataQuery)).currentDetails ?? '';

  test('a board with amount, status, what it does now and the provider’s doubt, without a word about the payer', async () => {
    const payment = engine.aPayment({ charge: [outcomeUnknown], ask: [stillUnknown(60_000), approves] });
    await payment.start();
    await payment.isBackingOff('unknown_outcome');
    const board = await boardOf(payment);
    expect(board).toContain('25.99 USD · **pending**');
    expect(board).toContain('asking easypay what came of the charge');
    expect(board).toContain('the charge may have happened');
    expect(board).toContain('`order-17`');
    expectNoSecrets(board);
    expect(await payment.handle.query(getPayment)).toMatchObject({
      paymentId: payment.fake.id,
      status: 'pending',
      version: 1,
    });
    await payment.handle.executeUpdate(retryNow, { args: [act] });
    await payment.result();
    const last = await boardOf(payment);
    expect(last).toContain('25.99 USD · **captured**');
    expect(last).toContain('| provider | easypay |');
    expect(last).not.toContain('expires');
    expectNoSecrets(last);
  });

  test('search attributes that name the end, and a history without the payer’s data outside of payloads', async () => {
    const payment = engine.aPayment();
    await payment.awaitOutcome();
    await payment.result();
    const { typedSearchAttributes, memo, staticSummary } = await payment.handle
      .describe()
      .then(async (description) => ({
        typedSearchAttributes: description.typedSearchAttributes.getAll(),
        memo: description.memo,
        staticSummary: await description.staticSummary(),
      }));
    const values = Object.fromEntries(typedSearchAttributes.map(({ key, value }) => [key.name, value]));
    expect(values).toMatchObject({
      PaymentStatus: 'captured',
      NeedsReview: false,
      Provider: 'easypay',
      PaymentId: payment.fake.id,
      MerchantId: 'mer_1',
      Currency: 'USD',
    });
    expect(staticSummary).toBe('25.99 USD · order-17');
    expectNoSecrets(JSON.stringify([values, memo, staticSummary]));
  });

  test('text from outside as text: an order id draws nothing on the board', async () => {
    const payment = engine.aPayment({
      row: { externalId: '`|\n# [x](http://evil) |', status: 'captured', version: 2 },
    });
    await payment.redrive();
    await payment.result();
    const board = await boardOf(payment);
    expect(board).toContain('| order | `   # [x](http://evil)  ` |');
  });

  function expectNoSecrets(text: string): void {
    for (const secret of Object.values(secrets)) expect(text).not.toContain(secret);
  }
});

test('a question that arrives after the end is refused by Temporal: the caller reads the row then', async () => {
  const payment = engine.aPayment();
  await payment.awaitOutcome();
  await payment.result();
  const late = payment.handle.executeUpdate(awaitOutcome, { args: [{ requestHash: payment.requestHash }] });
  await expect(late).rejects.toThrow(/already completed/);
});

describe('the API’s client is told that nothing was taken', () => {
  const submit = (client: Client, payment: PaymentUnderTest, paymentId = payment.fake.id) =>
    createPaymentClient(client).submit({ ...payment.input, paymentId }, 'outcome', Date.now() + 10_000);

  test('where the namespace does not exist', async () => {
    const { connection } = engine.client;
    const lost = new Client({ connection, namespace: 'nowhere' });
    const answer = await submit(lost, engine.aPayment());
    expect(answer).toEqual({ kind: 'not_taken', cause: expect.any(NamespaceNotFoundError) });
  });

  test('where Temporal finds the request itself wrong', async () => {
    const answer = await submit(engine.client, engine.aPayment(), `pay_${'x'.repeat(2_000)}`);
    expect(answer).toMatchObject({ kind: 'not_taken', cause: { code: 3 } });
  });
});
