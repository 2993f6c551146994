import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aPayment, postPayment } from '../support/api-client.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

const post = (body: unknown, options: { key?: string; headers?: Record<string, string>; apiKey?: string } = {}) =>
  postPayment(world.apiUrl, body, { apiKey: world.merchant.testKey, ...options });

test('the same request 100 times in parallel with one key is one payment, one movement and equal data', async () => {
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 100 }, () => post(aPayment(), { key })));
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([201]));
  const payments = answers.map((answer) => JSON.stringify(answer.payment));
  expect(new Set(payments).size).toBe(1);
  expect(answers[0]?.payment.status).toBe('captured');
  const id = answers[0]?.payment.id ?? '';
  expect(await world.bank.movements(id)).toHaveLength(1);
  expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === null)).toHaveLength(1);
});
