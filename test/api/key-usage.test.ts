import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { createKeyUsage } from '../../api/key-usage.ts';
import { storeApiKey } from '../../prisma/api-keys.ts';
import { bySystem } from '../../prisma/audit-logs.ts';
import { addKeyUse } from '../../prisma/key-usage.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { makeOperatorKey } from '../../prisma/operator-keys.ts';
import { makeKey, parseKey } from '../../runtime/api-key.ts';
import { createLogger } from '../../runtime/logger.ts';
import { alteredDatabase } from '../support/altered-database.ts';
import { callApi } from '../support/api-call.ts';
import { startApi } from '../support/api-server.ts';
import { databaseUnderTest } from '../support/api-under-test.ts';
import { until } from '../support/until.ts';

const pepper = randomBytes(32).toString('hex');
const logger = createLogger('api', 'silent');
const often = 20;
const never = 1_000_000;

const database = databaseUnderTest();
beforeAll(async () => {
  await createMerchant(database.db, { id: 'mer_1', name: 'one' });
});

async function aKey(): Promise<string> {
  const { keyId, secretHash } = makeKey('test', pepper);
  await storeApiKey(database.db, 'mer_1', { keyId, secretHash, name: 'key', isTest: true, permissions: [] });
  return keyId;
}

async function useOf(keyId: string, table: 'api_keys' | 'operator_keys' = 'api_keys') {
  const { rows } = await database.admin.query<{ count: number; last: string | null }>(
    `SELECT usage_count::int AS count, to_char(last_used_at AT TIME ZONE 'UTC', 'HH24:MI:SS') AS last FROM ${table} WHERE key_id = $1`,
    [keyId],
  );
  return rows[0];
}

const at = (time: string) => new Date(`2026-01-05T${time}Z`);

test('two hundred requests at once, through two processes, are two hundred uses', async () => {
  const others = () => ({ apiKeyPepper: pepper, keyUsage: createKeyUsage(database.db, logger, often) });
  const apis = [await startApi(database, {}, others()), await startApi(database, {}, others())];
  const text = await apis[0]?.keyFor('mer_1');
  const operatorText = await apis[0]?.operatorKey();
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, number) =>
      callApi(apis[number % 2]?.url ?? '', text ?? '', { path: '/api/v1/payments' }),
    ),
  );
  const ofOperator = (path: string) =>
    Promise.all(Array.from({ length: 5 }, () => callApi(apis[1]?.url ?? '', operatorText ?? '', { path })));
  expect(new Set((await ofOperator('/api/v1/discrepancies')).map(({ status }) => status))).toEqual(new Set([200]));
  const refused = await ofOperator('/api/v1/payments'); // which are no use of the key
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([403]));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  const { keyId = '' } = parseKey(text ?? '') ?? {};
  const { keyId: operatorKeyId = '' } = parseKey(operatorText ?? '') ?? {};
  await until('all are written', async () => (await useOf(keyId))?.count === 200);
  await until('the operator’s are', async () => (await useOf(operatorKeyId, 'operator_keys'))?.count === 5);
  const wrong = (text ?? '').replace(/......$/, '000000');
  expect((await callApi(apis[0]?.url ?? '', wrong, { path: '/api/v1/payments' })).status).toBe(401);
  for (const api of apis) api.close();
  expect((await useOf(keyId))?.count).toBe(200);
});

test('a count is written when the process stops, and the last use is the latest', async () => {
  const keyId = await aKey();
  const one = createKeyUsage(database.db, logger, never);
  const other = createKeyUsage(database.db, logger, never);
  one.used('api_key', keyId, at('12:00:02'));
  one.used('api_key', keyId, at('12:00:01'));
  other.used('api_key', keyId, at('11:00:00'));
  expect(await useOf(keyId)).toEqual({ count: 0, last: null });
  await one.close();
  await other.close();
  expect(await useOf(keyId)).toEqual({ count: 3, last: '12:00:02' });
  await one.close();
  expect((await useOf(keyId))?.count).toBe(3);
});

test('what cannot be written is kept, and written once when it can', async () => {
  const keyId = await aKey();
  let failures = 0;
  let isAway = true;
  const db = alteredDatabase(database.db, () => {
    if (!isAway) return;
    failures += 1;
    throw new Error('Connection terminated');
  });
  const usage = createKeyUsage(db, logger, often);
  usage.used('api_key', keyId, at('12:00:00'));
  await until('it failed twice', () => failures >= 2);
  usage.used('api_key', keyId, at('12:00:05'));
  isAway = false;
  await until('it is written', async () => (await useOf(keyId))?.count === 2);
  await usage.close();
  expect(await useOf(keyId)).toEqual({ count: 2, last: '12:00:05' });
});

test('a stop while the database is away is a stop', async () => {
  const db = alteredDatabase(database.db, () => Promise.reject(new Error('Connection terminated')));
  const usage = createKeyUsage(db, logger, never);
  usage.used('api_key', await aKey(), at('12:00:00'));
  await expect(usage.close()).resolves.toBeUndefined();
});

test('while the database is away, memory is bounded by ten thousand keys', async () => {
  const written: number[] = [];
  let isAway = true;
  const pool = new Proxy(database.db.pool, {
    get: () => (statement: { values: unknown[][] }) => {
      if (isAway) return Promise.reject(new Error('Connection terminated'));
      written.push(statement.values[0]?.length ?? 0);
      return Promise.resolve({ rows: [] });
    },
  });
  const usage = createKeyUsage({ ...database.db, pool }, logger, never);
  for (let key = 0; key < 10_500; key++) usage.used('api_key', `key${key}`, at('12:00:00'));
  await usage.close();
  isAway = false;
  usage.used('api_key', 'one more', at('12:00:00'));
  await usage.close();
  expect(written).toEqual([10_000]);
});

test('processes that write about the same keys in any order wait for each other, and lose nothing', async () => {
  const keyIds = await Promise.all(Array.from({ length: 40 }, aKey));
  const uses = keyIds.map((keyId) => ({ keyId, count: 1, lastUsedAt: at('12:00:00') }));
  const writes = Array.from({ length: 40 }, (_, number) =>
    addKeyUse(database.db, 'api_key', number % 2 === 0 ? uses : uses.toReversed()),
  );
  await Promise.all(writes);
  const { rows } = await database.admin.query<{ count: number }>(
    'SELECT DISTINCT usage_count::int AS count FROM api_keys WHERE key_id = ANY($1)',
    [keyIds],
  );
  expect(rows).toEqual([{ count: 40 }]);
});

test('a use is no change: nobody is told, and `updated_at` stays', async () => {
  const keyId = await aKey();
  const operator = makeKey('operator', pepper);
  await makeOperatorKey(database.db, { ...operator, name: 'operator', permissions: null }, bySystem(new Date()));
  const updatedAt = async () =>
    (await database.admin.query('SELECT updated_at FROM api_keys WHERE key_id = $1', [keyId])).rows;
  const before = await updatedAt();
  const told: string[] = [];
  const listener = new pg.Client({ connectionString: database.url });
  await listener.connect();
  await listener.query('LISTEN credentials');
  listener.on('notification', ({ payload }) => told.push(payload ?? ''));
  const usage = createKeyUsage(database.db, logger, never);
  usage.used('api_key', keyId, new Date());
  usage.used('operator_key', operator.keyId, new Date());
  usage.used('api_key', `of nobody ${randomUUID()}`, new Date());
  await usage.close();
  await database.admin.query(`SELECT pg_notify('credentials', 'the end')`);
  await until('the end is told', () => told.includes('the end'));
  await listener.end();
  expect(told).toEqual(['the end']);
  expect(await updatedAt()).toEqual(before);
  expect((await useOf(operator.keyId, 'operator_keys'))?.count).toBe(1);
});
