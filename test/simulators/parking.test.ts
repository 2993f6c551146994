import { expect, test } from 'vitest';
import type { World } from './harness.ts';
import {
  charge,
  control,
  isUnanswered,
  lookUp,
  movements,
  outcomeOf,
  parking,
  startWorld,
  until,
  untilParked,
} from './harness.ts';

const park = (world: World, point: string, reference?: string) =>
  control(world, 'PUT', '/park/easypay', {
    operation: 'charge',
    point,
    ...(reference === undefined ? {} : { reference }),
  });

test('a call parked before its commit has moved nothing, holds its key, and goes on when released', async () => {
  const world = await startWorld();
  await park(world, 'before_commit');
  const call = charge(world, {}, { key: 'k' });
  await untilParked(world, 1);
  expect((await parking(world)).parked).toEqual([
    {
      operation: 'charge',
      point: 'before_commit',
      reference: 'pay_1',
      idempotency_key: 'k',
      since: expect.any(String),
    },
  ]);
  expect(await movements(world)).toEqual([]);
  expect((await lookUp(world, 'pay_1')).body).toEqual({ charges: [] });
  const same = await charge(world, {}, { key: 'k' });
  expect(same.status).toBe(409);
  expect(same.body).toMatchObject({ error: { code: 'request_in_progress' } });
  const other = await charge(world, { amount_minor: '1' }, { key: 'k' });
  expect(other.body).toMatchObject({ error: { code: 'idempotency_key_reused' } });
  expect(await isUnanswered(call)).toBe(true);
  await control(world, 'DELETE', '/park/easypay');
  expect((await call).status).toBe(201);
  expect(await parking(world)).toEqual({ parks: [], parked: [] });
  expect(await movements(world)).toHaveLength(1);
});

test('a call parked after its commit has moved the money and still holds its key', async () => {
  const world = await startWorld();
  await park(world, 'after_commit');
  const call = charge(world, {}, { key: 'k' });
  await untilParked(world, 1);
  expect(await movements(world)).toHaveLength(1);
  expect((await lookUp(world, 'pay_1')).body).toMatchObject({ charges: [{ status: 'approved' }] });
  expect((await charge(world, {}, { key: 'k' })).body).toMatchObject({ error: { code: 'request_in_progress' } });
  await control(world, 'DELETE', '/park/easypay');
  expect((await call).status).toBe(201);
});

test('a parked call whose client has gone commits when it is released', async () => {
  const world = await startWorld();
  await park(world, 'before_commit');
  const gone = new AbortController();
  const call = charge(world, {}, { key: 'k', signal: gone.signal });
  await untilParked(world, 1);
  gone.abort();
  expect(await outcomeOf(call)).toBe('aborted');
  expect((await parking(world)).parked).toHaveLength(1);
  await control(world, 'DELETE', '/park/easypay');
  await until('the bank committed', async () => (await movements(world)).length === 1);
  await until('the key is free', async () => (await charge(world, {}, { key: 'k' })).status === 200);
  expect(await movements(world)).toHaveLength(1);
});

test('several parks stand at once, each for its reference, and are released apart', async () => {
  const world = await startWorld();
  await park(world, 'before_commit', 'pay_1');
  await park(world, 'after_commit', 'pay_1');
  await park(world, 'before_commit', 'pay_2');
  await park(world, 'before_commit', 'pay_2');
  expect((await parking(world)).parks).toHaveLength(3);
  const first = charge(world, { reference: 'pay_1' });
  const second = charge(world, { reference: 'pay_2' });
  expect((await charge(world, { reference: 'pay_3' })).status).toBe(201);
  await untilParked(world, 2);
  await control(world, 'DELETE', '/park/easypay?reference=pay_1');
  expect((await first).status).toBe(201);
  expect(await parking(world)).toMatchObject({ parks: [{ reference: 'pay_2' }], parked: [{ reference: 'pay_2' }] });
  expect(await isUnanswered(second)).toBe(true);
  await control(world, 'DELETE', '/park/easypay?reference=pay_2');
  expect((await second).status).toBe(201);
});

test('a park that names no reference stays when one reference is released', async () => {
  const world = await startWorld();
  await park(world, 'before_commit');
  const first = charge(world, { reference: 'pay_1' });
  const second = charge(world, { reference: 'pay_2' });
  await untilParked(world, 2);
  await control(world, 'DELETE', '/park/easypay?reference=pay_1');
  expect((await first).status).toBe(201);
  const third = charge(world, { reference: 'pay_1' });
  await untilParked(world, 2);
  await control(world, 'DELETE', '/park/easypay');
  expect([(await second).status, (await third).status]).toEqual([201, 201]);
});

test('a stop ends parked calls uncommitted and loses nothing else', async () => {
  const world = await startWorld();
  await charge(world, { reference: 'pay_0' });
  await park(world, 'before_commit');
  const call = outcomeOf(charge(world, {}, { key: 'k' }));
  await untilParked(world, 1);
  await world.stop();
  expect(await call).not.toBe(201);
  const again = await startWorld(world.folder);
  expect((await movements(again)).map((movement) => movement.reference)).toEqual(['pay_0']);
  expect((await charge(again, {}, { key: 'k' })).status).toBe(201);
  expect(world.warnings).toEqual([]);
});

test('a parked look-up answers what stands when it is read: before the park it waits, after it it is stale', async () => {
  const world = await startWorld();
  const parkLookup = (point: string) => control(world, 'PUT', '/park/easypay', { operation: 'lookup', point });
  await parkLookup('after_commit');
  const stale = lookUp(world, 'pay_1');
  await untilParked(world, 1);
  expect((await parking(world)).parked).toMatchObject([{ operation: 'lookup', idempotency_key: null }]);
  await charge(world);
  await control(world, 'DELETE', '/park/easypay');
  expect((await stale).body).toEqual({ charges: [] });
  await parkLookup('before_commit');
  const fresh = lookUp(world, 'pay_1');
  await untilParked(world, 1);
  await charge(world);
  await control(world, 'DELETE', '/park/easypay');
  expect((await fresh).body).toMatchObject({ charges: [{}, {}] });
});
