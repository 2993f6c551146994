import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../runtime/logger.ts';
import { type Budget, createRateLimits, type RateLimits } from '../../runtime/rate-limits.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { hasRedis, startRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

let log = '';
const sink = new Writable({
  write(chunk, _encoding, done) {
    log += String(chunk);
    done();
  },
});
const open: RateLimits[] = [];
afterEach(async () => {
  for (const limits of open.splice(0)) await limits.close();
});

function limitsAt(redisUrl: string | null): RateLimits {
  const limits = createRateLimits({ redisUrl, logger: createLogger('test', 'info', sink) });
  open.push(limits);
  return limits;
}

let budgets = 0;
const aBudget = (limit: number, given: Partial<Budget> = {}): Budget => ({
  name: `budget-${++budgets}`,
  policy: 'minute',
  limit,
  windowSeconds: 60,
  ...given,
});

/** How many of that many requests at once got through. */
async function allowed(requests: number, spend: (index: number) => ReturnType<RateLimits['spend']>): Promise<number> {
  const standings = await Promise.all(Array.from({ length: requests }, (_, index) => spend(index)));
  return standings.filter((standing) => standing?.isExceeded === false).length;
}

/** What holds wherever requests are counted. */
function holdsEverywhere(limits: () => RateLimits): void {
  test('without a budget there is nothing to say', async () => {
    expect(await limits().spend([])).toBeNull();
  });

  test('a budget counts down, and is used up', async () => {
    const budget = aBudget(2);
    const standing = { budget, resetSeconds: 60 };
    expect(await limits().spend([budget])).toEqual({ ...standing, isExceeded: false, remaining: 1 });
    expect(await limits().spend([budget])).toEqual({ ...standing, isExceeded: false, remaining: 0 });
    expect(await limits().spend([budget])).toMatchObject({ isExceeded: true, remaining: 0 });
  });

  test('of many requests at once exactly as many get through as the limit says', async () => {
    const [minute, hour] = [aBudget(37), aBudget(1_000)];
    expect(await allowed(200, () => limits().spend([minute, hour]))).toBe(37);
  });

  test('a refused request takes nothing from the other budgets, and prolongs nothing', async () => {
    const [minute, day] = [aBudget(3), aBudget(10)];
    expect(await allowed(50, () => limits().spend([minute, day]))).toBe(3);
    expect(await limits().spend([day])).toMatchObject({ remaining: 6 });
  });

  test('says how the budget stands that has the least left; of those that refuse, the one that lasts longest', async () => {
    const [wide, narrow] = [aBudget(100), aBudget(1, { windowSeconds: 30 })];
    const longest = aBudget(1, { windowSeconds: 90 });
    expect(await limits().spend([wide, narrow])).toMatchObject({ budget: narrow, remaining: 0 });
    await limits().spend([longest]);
    const refused = await limits().spend([narrow, longest, wide]);
    expect(refused).toMatchObject({ budget: longest, isExceeded: true });
    expect(refused?.resetSeconds).toBeGreaterThan(60);
  });

  test('a budget that is watched pays nothing, is not told of, and refuses when it is used up', async () => {
    const [paying, watched] = [aBudget(10), aBudget(1)];
    expect(await limits().spend([paying], [watched])).toMatchObject({ budget: paying, remaining: 9 });
    await limits().spend([watched]);
    expect(await limits().spend([paying], [watched])).toMatchObject({ budget: watched, isExceeded: true });
    expect(await limits().spend([paying])).toMatchObject({ remaining: 8 });
  });

  test('a window ends, and the next one begins with the next request', async () => {
    const budget = aBudget(1, { windowSeconds: 1 });
    await limits().spend([budget]);
    expect(await limits().spend([budget])).toMatchObject({ isExceeded: true, resetSeconds: 1 });
    await until('the window is over', async () => (await limits().spend([budget]))?.isExceeded === false);
    expect(await limits().spend([budget])).toMatchObject({ isExceeded: true });
  });
}

describe('in one process', () => {
  const limits = createRateLimits({ redisUrl: null, logger: createLogger('test', 'silent') });
  holdsEverywhere(() => limits);

  const flood = async (policy: string, names: number) => {
    for (let index = 0; index < names; index++) await limits.spend([aBudget(1, { policy })]);
  };

  test('a flood of names does not fill the memory: the oldest counts are forgotten', async () => {
    const [first, last] = [aBudget(1), aBudget(1)];
    await limits.spend([first]);
    await flood('minute', 100_000);
    await limits.spend([last]);
    expect(await limits.spend([last])).toMatchObject({ isExceeded: true });
    expect(await limits.spend([first])).toMatchObject({ isExceeded: false });
  });

  test('a flood of addresses, however long, makes nobody forget the hour and the day of a key', async () => {
    const [hour, day] = [
      aBudget(1, { policy: 'hour', windowSeconds: 3_600 }),
      aBudget(5, { policy: 'day', windowSeconds: 86_400 }),
    ];
    await limits.spend([hour, day]);
    await flood('address', 300_000);
    expect(await limits.spend([hour])).toMatchObject({ isExceeded: true });
    expect(await limits.spend([day])).toMatchObject({ remaining: 3 });
  });

  test('what has ended makes room for what has not: the newest 50,000 of a policy are kept', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      await flood('crowded', 70_000);
      vi.advanceTimersByTime(61_000);
      const kept = aBudget(1, { policy: 'crowded' });
      await limits.spend([kept]);
      await flood('crowded', 49_999);
      expect(await limits.spend([kept])).toMatchObject({ isExceeded: true });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe.skipIf(!hasRedis)('with a Redis (needs redis-server)', () => {
  let redis: TestRedis;
  let shared: RateLimits;
  beforeAll(async () => {
    redis = await startRedis();
    shared = createRateLimits({ redisUrl: redis.url, logger: createLogger('test', 'silent') });
  });
  afterAll(async () => {
    await shared?.close();
    await redis?.close();
  });

  holdsEverywhere(() => shared);

  test('two processes share a budget exactly', async () => {
    const both = [limitsAt(redis.url), limitsAt(redis.url)] as const;
    const [minute, hour] = [aBudget(101), aBudget(500)];
    expect(await allowed(400, (index) => both[index % 2 === 0 ? 0 : 1].spend([minute, hour]))).toBe(101);
    expect(await both[0].spend([hour])).toMatchObject({ remaining: 398 });
  });

  test('counts lie under our prefix, and end with their windows', async () => {
    await redis.call('FLUSHALL');
    await shared.spend([aBudget(5, { name: 'minute:key' }), aBudget(5, { name: 'short', windowSeconds: 1 })]);
    const keys = async () => (await redis.call('KEYS', '*')) as string[];
    expect((await keys()).toSorted()).toEqual(['payments:limit:minute:key', 'payments:limit:short']);
    await until('the count of the short window is gone', async () => (await keys()).length === 1);
  });

  test('flushed, it loses the counts and nothing else', async () => {
    const budget = aBudget(1);
    await shared.spend([budget]);
    expect(await shared.spend([budget])).toMatchObject({ isExceeded: true });
    await redis.call('FLUSHALL');
    expect(await shared.spend([budget])).toMatchObject({ isExceeded: false, remaining: 0 });
    expect(await shared.spend([budget])).toMatchObject({ isExceeded: true });
  });
});

describe.skipIf(!hasRedis)('when Redis goes away (needs redis-server)', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.close());

  const warnings = () => log.split('Redis is away').length - 1;
  const returns = () => log.split('Redis is back').length - 1;
  /** The longest that one of these took, one after another. */
  async function slowest(requests: number, limits: RateLimits, budget: Budget): Promise<number> {
    let longest = 0;
    for (let index = 0; index < requests; index++) {
      const from = performance.now();
      await limits.spend([budget]);
      longest = Math.max(longest, performance.now() - from);
    }
    return longest;
  }
  async function sharing(one: RateLimits, other: RateLimits): Promise<boolean> {
    const budget = aBudget(1_000);
    await one.spend([budget]);
    return (await other.spend([budget]))?.remaining === 998;
  }

  test('killed: each process limits for itself at once, says so once, and shares again when it is back', async () => {
    log = '';
    const [one, other] = [limitsAt(redis.url), limitsAt(redis.url)];
    await until('both share', () => sharing(one, other));
    await redis.process.kill();

    const budget = aBudget(5);
    expect(await slowest(3, one, budget)).toBeLessThan(300);
    expect(await allowed(20, () => one.spend([budget]))).toBe(2);
    expect(await allowed(20, () => other.spend([budget]))).toBe(5);
    expect(warnings()).toBe(2);

    await redis.process.start();
    await until('both share again', () => sharing(one, other));
    expect(warnings()).toBe(2);
    expect(returns()).toBe(2);
    expect(await allowed(20, (index) => (index % 2 === 0 ? one : other).spend([budget]))).toBe(5);
  });

  test('hanging: one request waits for a moment, and the others not at all', async () => {
    log = '';
    const [limits, other] = [limitsAt(redis.url), limitsAt(redis.url)];
    await until('both share', () => sharing(limits, other));
    redis.process.pause();
    const budget = aBudget(100);
    expect(await slowest(1, limits, budget)).toBeLessThan(1_000);
    expect(await slowest(50, limits, budget)).toBeLessThan(90);
    expect(warnings()).toBe(1);
    redis.process.resume();
    await until('both share again', () => sharing(limits, other));
  });

  test('never there: requests are limited from the first on, and none of them fails', async () => {
    log = '';
    const limits = limitsAt('redis://127.0.0.1:1');
    const budget = aBudget(3);
    const from = performance.now();
    expect(await allowed(10, () => limits.spend([budget]))).toBe(3);
    expect(performance.now() - from).toBeLessThan(1_000);
    expect(warnings()).toBe(1);
  });

  test('too full to count: requests are counted here, which is said once, until it has room', async () => {
    log = '';
    const [limits, other] = [limitsAt(redis.url), limitsAt(redis.url)];
    await until('both share', () => sharing(limits, other));
    await redis.call('CONFIG', 'SET', 'maxmemory', '1');
    const budget = aBudget(3);
    expect(await allowed(10, () => limits.spend([budget]))).toBe(3);
    const refusals = async () =>
      Number(/errorstat_OOM:count=(\d+)/.exec(String(await redis.call('INFO', 'errorstats')))?.[1] ?? 0);
    const before = await refusals();
    await until('it was asked again, more than once', async () => (await refusals()) > before + 1);
    expect([warnings(), returns()]).toEqual([1, 0]);
    await redis.call('CONFIG', 'SET', 'maxmemory', '0');
    await until('both share again', () => sharing(limits, other));
    expect([warnings(), returns()]).toEqual([1, 1]);
  });
});

describe.skipIf(!hasRedis)('by rediss:// (needs redis-server)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'payments-rediss-'));
  let redis: TestRedis;
  let certificates: Certificates;
  beforeAll(async () => {
    certificates = makeCertificates(join(folder, 'ours'), ['IP:127.0.0.1']);
    redis = await startRedis(certificates);
  });
  afterAll(async () => {
    await redis?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /**
   * What comes of it in another process, which knows the authorities of its system and perhaps ours: it counts on from what
   * stands in Redis, or its connection is refused with this code.
   */
  async function countingElsewhere(authority: string | undefined): Promise<string> {
    await redis.call('SET', 'payments:limit:b', '500', 'EX', '600');
    const file = (path: string) => JSON.stringify(join(import.meta.dirname, '../..', path));
    const program = `
      const { createRateLimits } = await import(${file('runtime/rate-limits.ts')});
      const { until } = await import(${file('test/support/until.ts')});
      let refusal;
      const logger = { warn: ({ err }) => { refusal ??= err.code; }, info() {} };
      const limits = createRateLimits({ redisUrl: ${JSON.stringify(redis.tlsUrl)}, logger });
      const budget = { name: 'b', policy: 'minute', limit: 1000, windowSeconds: 600 };
      const cameOf = await until('Redis counts, or is refused', async () => {
        const { remaining } = await limits.spend([budget]);
        return remaining < 500 ? 'counted on' : refusal;
      });
      await limits.close();
      console.log(cameOf);`;
    const env = { PATH: process.env['PATH'], ...(authority && { NODE_EXTRA_CA_CERTS: authority }) };
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { env });
    return stdout.trim();
  }

  test('counts are shared over TLS with a server whose authority is known, and with no other', async () => {
    expect(await countingElsewhere(undefined)).toBe('SELF_SIGNED_CERT_IN_CHAIN');
    expect(await countingElsewhere(certificates.authority)).toBe('counted on');
  });
});
