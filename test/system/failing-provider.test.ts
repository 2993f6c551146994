import { afterAll, beforeAll, expect, test } from 'vitest';
import { aPayment, postPayment } from '../support/api-client.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

test('a provider that fails every charge is sent the same key again less and less often, and the history stays short', async () => {
  await world.bank.inject([{ operation: 'charge', probability: 1, fault: '500_before' }]);
  const began = performance.now();
  const options = { apiKey: world.merchant.testKey, headers: { prefer: 'respond-async' } };
  const { id } = (await postPayment(world.apiUrl, aPayment(), options)).payment;
  await until('it was sent four times', async () => ((await world.bank.injected())['500_before'] ?? 0) >= 4);
  expect(performance.now() - began, 'pauses of one and two seconds').toBeGreaterThan(3_000);
  expect((await world.temporal.workflow.getHandle(id).describe()).historyLength).toBeLessThan(100);

  await world.bank.heal();
  await until('it is captured', async () => {
    const { rows } = await world.admin.query('SELECT status FROM payments WHERE id = $1', [id]);
    return rows[0]?.status === 'captured';
  });
  expect(await world.bank.movements(id)).toHaveLength(1);
});

test('a charge in doubt whose repeats are all turned away waits with backoff, and the history stays short', async () => {
  await world.bank.inject([
    { operation: 'charge', probability: 1, times: 1, fault: '500_before' },
    { operation: 'charge', probability: 1, fault: '503' },
  ]);
  const options = { apiKey: world.merchant.testKey, headers: { prefer: 'respond-async' } };
  const { id } = (await postPayment(world.apiUrl, aPayment(), options)).payment;
  await until('it was turned away three times', async () => ((await world.bank.injected())['503'] ?? 0) >= 3);
  expect((await world.temporal.workflow.getHandle(id).describe()).historyLength).toBeLessThan(40);
  await world.bank.heal();
  await until('it is captured', async () => {
    const { rows } = await world.admin.query('SELECT status FROM payments WHERE id = $1', [id]);
    return rows[0]?.status === 'captured';
  });
  expect(await world.bank.movements(id)).toHaveLength(1);
});
