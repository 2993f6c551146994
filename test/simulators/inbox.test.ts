import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { WholeWorld, World } from './harness.ts';
import {
  control,
  faultReport,
  injectAt,
  isUnanswered,
  outcomeOf,
  parking,
  send,
  startWorld,
  until,
  untilParked,
} from './harness.ts';

const webhooksSchema = z.strictObject({
  webhooks: z.array(
    z.strictObject({
      seq: z.number(),
      at: z.iso.datetime(),
      path: z.string(),
      headers: z.record(z.string(), z.string()),
      body: z.string(),
      status: z.number().nullable(),
    }),
  ),
  dropped: z.number(),
});

async function webhooks(world: World, query = '') {
  return webhooksSchema.parse((await control(world, 'GET', `/inbox${query}`)).body).webhooks;
}

const deliver = (world: WholeWorld, path = '/hooks', init: RequestInit = {}) =>
  send(`${world.inbox}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'webhook-id': 'evt_1' },
    body: '{"id":"evt_1"}',
    redirect: 'manual',
    ...init,
  });

test('a webhook to any path is kept byte for byte and answered with 204', async () => {
  const world = await startWorld();
  const body = '{ "amount": "300.00",\n "name": "Müller €" }';
  const reply = await deliver(world, '/merchants/mer_1/hooks?x=1', { body });
  expect(reply).toMatchObject({ status: 204, body: '' });
  expect(await webhooks(world)).toMatchObject([
    { seq: 1, path: '/merchants/mer_1/hooks', headers: { 'webhook-id': 'evt_1' }, body, status: 204 },
  ]);
  expect((await deliver(world, '/', { body: '' })).status).toBe(204);
  expect((await webhooks(world, '?after=1'))[0]).toMatchObject({ path: '/', body: '' });
});

test('only POST is taken, and nothing compressed or huge', async () => {
  const world = await startWorld();
  expect((await send(`${world.inbox}/hooks`)).status).toBe(404);
  expect((await deliver(world, '/hooks', { body: 'x'.repeat(1_100_000) })).status).toBe(413);
  const headers = { 'content-encoding': 'gzip' };
  expect((await deliver(world, '/hooks', { headers, body: gzipSync('{}') })).status).toBe(415);
  expect(await webhooks(world)).toEqual([]);
});

test('webhooks are read on from a number and by path, and emptied', async () => {
  const world = await startWorld();
  for (const path of ['/one', '/two', '/one']) await deliver(world, path);
  expect((await webhooks(world, '?path=/one')).map((one) => one.seq)).toEqual([1, 3]);
  expect((await webhooks(world, '?after=1&path=/one')).map((one) => one.seq)).toEqual([3]);
  expect((await control(world, 'GET', '/inbox?after=-1')).body).toMatchObject({ error: { field: 'after' } });
  expect((await control(world, 'DELETE', '/inbox')).status).toBe(204);
  expect(await webhooks(world)).toEqual([]);
  await deliver(world);
  expect((await webhooks(world)).map((one) => one.seq)).toEqual([4]);
});

test.for([
  ['429', 429, []],
  ['410', 410, []],
  ['redirect', 302, []],
  ['500_before', 500, []],
  ['reset', 'ECONNRESET', []],
  ['500_after', 500, [500]],
  ['lost_after', 'UND_ERR_SOCKET', [null]],
  ['slow', 204, [204]],
] as const)('%s ends as %s, stored with %o, once, and is counted', async ([fault, outcome, stored]) => {
  const world = await startWorld();
  await injectAt(world, 'inbox', { operation: 'receive', fault, times: 1, delay_ms: 50 });
  expect(await outcomeOf(deliver(world))).toBe(outcome);
  expect((await webhooks(world)).map((one) => one.status)).toEqual(stored);
  expect(await outcomeOf(deliver(world))).toBe(204);
  expect(await faultReport(world, 'inbox')).toMatchObject({ injected: { [fault]: 1 }, served: { receive: 1 } });
});

test('429 says to wait a second, a redirect leads inward', async () => {
  const world = await startWorld();
  await injectAt(world, 'inbox', { fault: '429', times: 1 }, { fault: 'redirect', times: 1 });
  expect((await deliver(world)).headers.get('retry-after')).toBe('1');
  expect((await deliver(world)).headers.get('location')).toBe('http://127.0.0.1:1/');
});

test('slow stores first and answers after its delay', async () => {
  const world = await startWorld();
  await injectAt(world, 'inbox', { fault: 'slow', delay_ms: 400 });
  const call = deliver(world);
  await until('it is stored', async () => (await webhooks(world)).length === 1);
  expect((await webhooks(world))[0]?.status).toBeNull();
  expect(await isUnanswered(call)).toBe(true);
  expect((await call).status).toBe(204);
  expect((await webhooks(world))[0]?.status).toBe(204);
});

test('never stores nothing and leaves the sender waiting', async () => {
  const world = await startWorld();
  await injectAt(world, 'inbox', { fault: 'never', times: 1 });
  const gone = new AbortController();
  const call = outcomeOf(deliver(world, '/hooks', { signal: gone.signal }));
  await until('it struck', async () => (await faultReport(world, 'inbox')).injected.never === 1);
  expect((await deliver(world)).status).toBe(204);
  expect(await isUnanswered(call)).toBe(true);
  expect(await webhooks(world)).toHaveLength(1);
  gone.abort();
  expect(await call).toBe('aborted');
});

test('refuse closes the port, and healing opens it again', async () => {
  const world = await startWorld();
  await injectAt(world, 'inbox', { fault: 'refuse' });
  expect(await outcomeOf(deliver(world))).toBe('ECONNREFUSED');
  expect((await control(world, 'GET', '/health')).status).toBe(200);
  await control(world, 'DELETE', '/faults/inbox');
  expect((await deliver(world)).status).toBe(204);
});

test('a webhook can be parked by its path, and is named by its id', async () => {
  const world = await startWorld();
  await control(world, 'PUT', '/park/inbox', { operation: 'receive', point: 'after_commit', reference: '/one' });
  const call = deliver(world, '/one');
  await untilParked(world, 1, 'inbox');
  expect((await deliver(world, '/two')).status).toBe(204);
  expect((await parking(world, 'inbox')).parked).toMatchObject([{ reference: '/one', idempotency_key: 'evt_1' }]);
  await control(world, 'DELETE', '/park/inbox');
  expect((await call).status).toBe(204);
});
