import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { type Answer, aPayment, getPayment, postPayment } from '../support/api-client.ts';
import { until } from '../support/until.ts';
import { startWorld, type TestMerchant, type World } from '../support/world.ts';

let world: World;
let other: TestMerchant;
/** Made first and looked at last: Temporal takes its time to forget. */
let forgotten: { readonly key: string; readonly first: Answer };
beforeAll(async () => {
  world = await startWorld();
  other = await world.createMerchant();
  forgotten = await makeForgotten();
});
afterEach(() => world.bank.release());
afterAll(() => world?.close());

const post = (body: unknown, options: { key?: string; headers?: Record<string, string>; apiKey?: string } = {}) =>
  postPayment(world.apiUrl, body, { apiKey: world.merchant.testKey, ...options });
const get = (id: string, apiKey = world.merchant.testKey) => getPayment(world.apiUrl, id, apiKey);
const isReplay = (answer: Answer) => answer.headers.get('idempotent-replayed') === 'true';
const statusOf = (answers: readonly Answer[]) => [...new Set(answers.map((answer) => answer.status))];

/** Holds the charge of the payment that this key will make, before the bank commits it. */
async function parked(key: string): Promise<string> {
  const id = paymentIdOf({ merchantId: world.merchant.id, isTest: true, idempotencyKey: key });
  await world.bank.park({ operation: 'charge', point: 'before_commit', reference: id });
  return id;
}

const isParked = (id: string) =>
  until('the charge is parked', async () => (await world.bank.parked()).some((call) => call.reference === id));
const captured = (id: string) =>
  until('the payment is captured', async () => (await get(id)).payment.status === 'captured');

/** Repeats, as merchants do, while the answer is 503 or 202: a machine under load may say so to anybody. */
function definite(body: unknown, key: string): Promise<Answer> {
  return until('the answer is definite', async () => {
    const answer = await post(body, { key });
    return answer.status === 503 || answer.status === 202 ? null : answer;
  });
}

async function makeForgotten(): Promise<typeof forgotten> {
  const key = randomUUID();
  const first = await post(aPayment(), { key });
  const workflowId = first.payment.id;
  await world.temporal.workflow.getHandle(workflowId).result();
  const workflowExecution = { workflowId };
  await world.temporal.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution });
  return { key, first };
}

async function isForgotten(id: string): Promise<boolean> {
  try {
    await world.temporal.workflow.getHandle(id).describe();
    return false;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return true;
    throw error;
  }
}

async function rowsOf(merchantId: string): Promise<number> {
  const { rows } = await world.admin.query<{ count: string }>('SELECT count(*) FROM payments WHERE merchant_id = $1', [
    merchantId,
  ]);
  return Number(rows[0]?.count);
}

test('the same request 100 times in parallel with one key is one payment, one movement and equal data', async () => {
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 100 }, () => post(aPayment(), { key })));
  expect(statusOf(answers)).toEqual([201]);
  expect(new Set(answers.map((answer) => JSON.stringify(answer.payment))).size).toBe(1);
  expect(answers[0]?.payment.status).toBe('captured');
  const id = answers[0]?.payment.id ?? '';
  expect(await world.bank.movements(id)).toHaveLength(1);
  expect(answers.filter((answer) => !isReplay(answer))).toHaveLength(1);
});

test('neither the order of members nor white space makes another request', async () => {
  const key = randomUUID();
  const metadata = { b: '1', a: '2' };
  const first = await post(aPayment({ metadata }), { key });
  const reordered = Object.fromEntries(Object.entries(aPayment({ metadata: { a: '2', b: '1' } })).toReversed());
  const again = await post(JSON.stringify(reordered, null, 4), { key });
  expect(again.payment).toEqual(first.payment);
  expect([isReplay(first), isReplay(again)]).toEqual([false, true]);
});

test('a key used with another body is refused, whatever differs, and changes nothing', async () => {
  const key = randomUUID();
  const first = await post(aPayment(), { key });
  for (const change of [
    { amount: '25.98' },
    { currency: 'EUR' },
    { card_token: 'tok_amex_0005' },
    { metadata: {} },
    { amount: '25.990' },
  ]) {
    const answer = await post(aPayment(change), { key });
    const isMalformed = change.amount === '25.990';
    expect(answer.status).toBe(422);
    expect(answer.problem.code).toBe(isMalformed ? 'validation_failed' : 'idempotency_key_reused');
  }
  expect((await get(first.payment.id)).payment).toEqual(first.payment);
  expect(await world.bank.movements(first.payment.id)).toHaveLength(1);
});

test('a key used with another body is refused while the first is in flight, and a replay attaches and waits', async () => {
  const key = randomUUID();
  const id = await parked(key);
  const first = post(aPayment(), { key });
  await isParked(id);
  const refused = await post(aPayment({ amount: '1.00' }), { key });
  expect(refused.problem).toMatchObject({ status: 422, code: 'idempotency_key_reused' });

  let answered = 0;
  const replays = Array.from({ length: 3 }, async () => {
    const answer = await post(aPayment(), { key });
    answered += 1;
    return answer;
  });
  const view = await post(aPayment(), { key, headers: { prefer: 'respond-async' } });
  expect(view).toMatchObject({ status: 202, payment: { id, status: 'pending' } });
  expect(isReplay(view)).toBe(true);
  expect(answered).toBe(0);
  await world.bank.release();
  const answers = await Promise.all([first, ...replays]);
  expect(statusOf(answers)).toEqual([201]);
  expect(new Set(answers.map((answer) => JSON.stringify(answer.payment))).size).toBe(1);
  expect(answers.map(isReplay)).toEqual([false, true, true, true]);
  expect(await world.bank.movements(id)).toHaveLength(1);
});

test('20 different bodies in parallel with one key are exactly one payment', async () => {
  const key = randomUUID();
  const before = await rowsOf(world.merchant.id);
  const bodies = Array.from({ length: 20 }, (_, index) => aPayment({ amount: `${index + 1}.00` }));
  const answers = await Promise.all(bodies.map((body) => definite(body, key)));
  const outcomes = answers.map((answer) => (answer.status === 201 ? 'paid' : answer.problem.code));
  expect(outcomes.toSorted()).toEqual([...Array.from({ length: 19 }, () => 'idempotency_key_reused'), 'paid']);
  expect(await rowsOf(world.merchant.id)).toBe(before + 1);
  const winner = answers.find((answer) => answer.status === 201);
  const movements = await world.bank.movements(winner?.payment.id);
  expect(movements.map((movement) => movement.amount_minor)).toEqual([winner?.payment.amount.replace('.', '')]);
});

test('another merchant, and the other mode, make their own payment with the same key and external id', async () => {
  const key = randomUUID();
  const body = aPayment({ external_id: `order-${key}` });
  const callers = [world.merchant.testKey, world.merchant.liveKey, other.testKey, other.liveKey];
  const answers = await Promise.all(callers.map((apiKey) => post(body, { key, apiKey })));
  expect(statusOf(answers)).toEqual([201]);
  expect(answers.map(isReplay)).toEqual([false, false, false, false]);
  expect(answers.map((answer) => answer.payment.is_test)).toEqual([true, false, true, false]);
  const ids = answers.map((answer) => answer.payment.id);
  expect(new Set(ids).size).toBe(4);
  for (const id of ids) expect(await world.bank.movements(id)).toHaveLength(1);

  for (const [reader, apiKey] of callers.entries()) {
    const statuses = await Promise.all(ids.map(async (id) => (await get(id, apiKey)).status));
    expect(statuses).toEqual(ids.map((_, owner) => (owner === reader ? 200 : 404)));
  }
});

test('an external id that belongs to another key is refused, again and again, and nothing is stored', async () => {
  const body = aPayment({ external_id: `order-${randomUUID()}` });
  const first = await post(body);
  const before = await rowsOf(world.merchant.id);
  const key = randomUUID();
  for (let time = 0; time < 2; time++) {
    const answer = await post(body, { key });
    expect(answer.problem).toMatchObject({ status: 409, code: 'external_id_taken' });
  }
  const refusedId = paymentIdOf({ merchantId: world.merchant.id, isTest: true, idempotencyKey: key });
  expect(await rowsOf(world.merchant.id)).toBe(before);
  expect((await get(refusedId)).status).toBe(404);
  expect(await world.bank.movements(refusedId)).toEqual([]);
  expect(await world.bank.movements(first.payment.id)).toHaveLength(1);

  const free = await post(aPayment({ external_id: `order-${randomUUID()}` }), { key });
  expect(free.payment).toMatchObject({ id: refusedId, status: 'captured' });
});

test('without an external id it is the id of the payment', async () => {
  const { payment } = await post(aPayment());
  expect(payment.external_id).toBe(payment.id);
});

test('without a key the server makes one, and it can be used', async () => {
  const headers = { authorization: `Bearer ${world.merchant.testKey}`, 'content-type': 'application/json' };
  const response = await fetch(`${world.apiUrl}/api/v1/payments`, {
    method: 'POST',
    headers,
    body: JSON.stringify(aPayment()),
  });
  expect([response.status, response.headers.get('idempotent-replayed')]).toEqual([201, null]);
  const { data } = (await response.json()) as { data: { id: string } };
  const key = response.headers.get('idempotency-key') ?? '';
  expect(key).toMatch(/^[\x21-\x7e]{16,255}$/);
  const again = await post(aPayment(), { key });
  expect(again.payment.id).toBe(data.id);
  expect(isReplay(again)).toBe(true);
  expect(await world.bank.movements(data.id)).toHaveLength(1);
});

test('who does not want to wait, or not so long, gets 202 and finds the outcome later', async () => {
  const asked = await Promise.all(
    ['respond-async', 'wait=1', 'wait=0'].map(async (prefer) => {
      const key = randomUUID();
      return { prefer, key, id: await parked(key) };
    }),
  );
  for (const { prefer, key, id } of asked) {
    const answer = await post(aPayment(), { key, headers: { prefer } });
    expect([prefer, answer.status, answer.payment.status]).toEqual([prefer, 202, 'pending']);
    expect(answer.headers.get('location')).toBe(`/api/v1/payments/${id}`);
    await isParked(id); // so the answer came before the provider's
  }
  await world.bank.release();
  for (const { id } of asked) {
    await captured(id);
    expect(await world.bank.movements(id)).toHaveLength(1);
  }
});

test('a key still names its payment after Temporal has forgotten the workflow', async () => {
  const { key, first } = forgotten;
  const { id } = first.payment;
  await until('the workflow is forgotten', () => isForgotten(id));

  const again = await post(aPayment(), { key });
  expect([again.status, isReplay(again)]).toEqual([201, true]);
  expect(again.payment).toEqual(first.payment);
  expect((await post(aPayment({ amount: '1.00' }), { key })).problem.code).toBe('idempotency_key_reused');
  expect(await world.bank.movements(id)).toHaveLength(1);
  expect(await isForgotten(id)).toBe(true);
});
