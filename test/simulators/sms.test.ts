import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { WholeWorld, World } from './harness.ts';
import { control, injectAt, outcomeOf, send, startWorld } from './harness.ts';

const messagesSchema = z.strictObject({
  messages: z.array(
    z.strictObject({
      seq: z.number(),
      at: z.iso.datetime(),
      id: z.string(),
      idempotency_key: z.string(),
      to: z.string(),
      text: z.string(),
    }),
  ),
  dropped: z.number(),
});

async function messages(world: World, query = '') {
  return messagesSchema.parse((await control(world, 'GET', `/sms${query}`)).body).messages;
}

const text = (world: WholeWorld, fields: object = {}, key: string = randomUUID()) =>
  send(`${world.sms}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ to: '+15550100', text: 'Your payment of 25.99 USD', ...fields }),
  });

test('a message is sent once per key, and another body with the key is refused', async () => {
  const world = await startWorld();
  const first = await text(world, {}, 'key-1');
  expect(first).toMatchObject({ status: 201, body: { id: expect.stringMatching(/^sms_/) } });
  expect(await text(world, {}, 'key-1')).toMatchObject({ status: 200, body: Object(first.body) });
  const other = await text(world, { text: 'another' }, 'key-1');
  expect(other).toMatchObject({ status: 409, body: { error: { code: 'idempotency_key_reused' } } });
  expect(await messages(world)).toMatchObject([
    { seq: 1, ...Object(first.body), idempotency_key: 'key-1', to: '+15550100', text: 'Your payment of 25.99 USD' },
  ]);
});

test('messages are read on from a number, and emptied', async () => {
  const world = await startWorld();
  for (const body of ['one', 'two', 'three']) await text(world, { text: body });
  expect((await messages(world, '?after=2')).map((one) => one.text)).toEqual(['three']);
  expect((await control(world, 'DELETE', '/sms')).status).toBe(204);
  expect(await messages(world)).toEqual([]);
});

test('a request that is wrong is refused by the name of its field', async () => {
  const world = await startWorld();
  expect((await text(world, { to: '0555' })).body).toMatchObject({ error: { field: 'to' } });
  expect((await text(world, { text: '' })).body).toMatchObject({ error: { field: 'text' } });
  expect((await text(world, {}, '')).body).toMatchObject({ error: { field: 'idempotency-key' } });
  expect(await messages(world)).toEqual([]);
});

test('it has faults like every face', async () => {
  const world = await startWorld();
  await injectAt(world, 'sms', { operation: 'send', fault: 'lost_after', times: 1 });
  expect(await outcomeOf(text(world, {}, 'k'))).toBe('UND_ERR_SOCKET');
  expect((await text(world, {}, 'k')).status).toBe(200);
  expect(await messages(world)).toHaveLength(1);
});
