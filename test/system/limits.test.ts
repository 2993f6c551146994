import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasRedis, startRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let redis: TestRedis;
let world: World;
let urls: readonly [string, string];

describe.skipIf(!hasRedis)('two API processes with one Redis (needs redis-server)', () => {
  beforeAll(async () => {
    redis = await startRedis();
    world = await startWorld({ env: { REDIS_URL: redis.url } });
    const another = await world.anotherApi();
    await another.process.start();
    urls = [world.apiUrl, another.url];
  });
  afterAll(async () => {
    await world?.close();
    await redis?.close();
  });

  /** A new key with the usual limit of 100 requests per minute. */
  async function usualKey(): Promise<string> {
    const { id, testKey } = await world.createMerchant();
    await world.admin.query('UPDATE api_keys SET rate_limit_per_minute = 100 WHERE merchant_id = $1', [id]);
    return testKey;
  }

  /** The statuses of so many requests, half of them to each process. */
  async function statuses(count: number, key: string, path = '/api/v1/payments'): Promise<number[]> {
    const ask = async (url: string) => {
      const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}` } });
      await response.arrayBuffer();
      return response.status;
    };
    return Promise.all(Array.from({ length: count }, (_, index) => ask(urls[index % 2 === 0 ? 0 : 1])));
  }
  const served = (all: readonly number[]) => all.filter((status) => status === 200).length;

  test('share the budget of a key exactly', async () => {
    const all = await statuses(260, await usualKey());
    expect(served(all)).toBe(100);
    expect(all.filter((status) => status === 429)).toHaveLength(160);
  });

  test('go on without it, each with the limits of its own, and share again when it is back', async () => {
    await redis.process.kill();
    const alone = await statuses(300, await usualKey());
    expect(served(alone)).toBe(200);
    expect(alone.filter((status) => status === 429)).toHaveLength(100);
    await redis.process.start();
    await until('they share again', async () => served(await statuses(200, await usualKey())) === 100);
    const said = world.logs().split('Redis is away').length - 1;
    expect(said, 'once per loss and process, not per request').toBeLessThan(10);
    expect(said).toBeGreaterThanOrEqual(2);
  });
});
