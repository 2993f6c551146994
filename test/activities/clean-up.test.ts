import { randomBytes } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { cleanUp } from '../../activities/clean-up.ts';
import type { CleanupTally } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { depsWith } from './ground.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
});
afterEach(() => database.admin.query('TRUNCATE request_nonces'));
afterAll(() => database?.close());

/** So many nonces that ended that long ago. */
async function nonces(count: number, secondsAgo: number): Promise<void> {
  await database.admin.query(
    `INSERT INTO request_nonces (key_id, nonce_hash, expires_at)
     SELECT $1, n, now() - make_interval(secs => $2) FROM generate_series(1, $3) n`,
    [randomBytes(8).toString('hex'), secondsAgo, count],
  );
}

async function noncesLeft(): Promise<number> {
  const { rows } = await database.admin.query<{ count: number }>('SELECT count(*)::int FROM request_nonces');
  return rows[0]?.count ?? -1;
}

const minuteMs = 60_000;

/** One pass of ten minutes, and how often it said that it is alive. */
async function pass(onHeartbeat: (environment: MockActivityEnvironment) => void = () => undefined) {
  const environment = new MockActivityEnvironment({ startToCloseTimeoutMs: 10 * minuteMs });
  let heartbeats = 0;
  environment.on('heartbeat', () => {
    heartbeats += 1;
    onHeartbeat(environment);
  });
  const tally: CleanupTally = await environment.run(() => cleanUp(depsWith(database)));
  return { tally, heartbeats };
}

const nothing = { refreshTokens: 0, sessions: 0, nonces: 0, loginAddresses: 0, loginThrottles: 0 };

test('where nothing has expired, nothing is removed', async () => {
  await nonces(3, -60);
  expect((await pass()).tally).toEqual(nothing);
  expect(await noncesLeft()).toBe(3);
});

test('what has expired by now is removed in batches, with a heartbeat after each', async () => {
  await nonces(2_500, 60);
  await nonces(1, -60);
  const { tally, heartbeats } = await pass();
  expect(tally).toEqual({ ...nothing, nonces: 2_500 });
  expect(heartbeats).toBeGreaterThanOrEqual(8); // three batches of nonces, and one look at each of the others
  expect(await noncesLeft()).toBe(1);
});

test('two passes at once remove everything once, and neither fails', async () => {
  await nonces(5_000, 60);
  const passes = await Promise.all([pass(), pass()]);
  const removed = passes.reduce((sum, { tally }) => sum + tally.nonces, 0);
  expect(removed + (await noncesLeft())).toBe(5_000);
  expect(removed + (await pass()).tally.nonces).toBe(5_000);
  expect(await noncesLeft()).toBe(0);
});

test('a pass goes on until nothing is left, be it more than one turn of a kind removes', async () => {
  await nonces(50_500, 60);
  const { tally, heartbeats } = await pass();
  expect(tally.nonces).toBe(50_500);
  expect(heartbeats).toBeGreaterThan(51);
  expect(await noncesLeft()).toBe(0);
});

test('a pass ends a minute before its time-out: the next one goes on', async () => {
  await nonces(5_000, 60);
  vi.useFakeTimers({ toFake: ['performance'] });
  const { tally } = await pass(() => vi.advanceTimersByTime(1.5 * minuteMs)).finally(vi.useRealTimers);
  expect(tally.nonces, 'three batches, after a look at each of three others').toBe(3_000);
  expect(await noncesLeft()).toBe(2_000);
  expect((await pass()).tally.nonces).toBe(2_000);
});

test('a pass that is canceled ends after the batch under way, and says what it removed', async () => {
  await nonces(5_000, 60);
  let beats = 0;
  const { tally } = await pass((environment) => {
    beats += 1;
    if (beats === 5) environment.cancel();
  });
  expect(beats).toBeLessThanOrEqual(6);
  expect(tally.nonces).toBeGreaterThan(0);
  expect(await noncesLeft()).toBe(5_000 - tally.nonces);
});
