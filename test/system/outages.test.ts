import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openTemporalClient } from '../../runtime/temporal.ts';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { type Answer, aPayment, getPayment, type PostOptions, postPayment } from '../support/api-client.ts';
import { expectInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({ durable: true });
});
afterEach(async () => {
  for (const part of [world.postgres, world.temporalServer, world.worker]) {
    if (part.isRunning) part.resume();
    else await part.start(); // a test that failed half-way leaves nothing down for the next
  }
  await world.bank.release();
  await world.bank.heal();
});
afterAll(() => world?.close());

const post = (options: Partial<PostOptions> = {}, body: unknown = aPayment()) =>
  postPayment(world.apiUrl, body, { apiKey: world.merchant.testKey, ...options });
const get = (id: string) => getPayment(world.apiUrl, id, world.merchant.testKey);
const idOf = (key: string) => paymentIdOf({ merchantId: world.merchant.id, isTest: true, idempotencyKey: key });
const wait = (seconds: number) => ({ prefer: `wait=${seconds}` });
const hasStatus = (id: string, status: string) =>
  until(`${id} is ${status}`, async () => {
    const answer = await get(id);
    return answer.status === 200 && answer.payment.status === status;
  });

async function health(kind: 'ready' | 'live'): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${world.apiUrl}/health/${kind}`);
  return { status: response.status, body: await response.json() };
}

const isReady = { status: 200, body: { status: 'ok', checks: { database: 'ok', temporal: 'ok' } } };
const lacks = (part: 'database' | 'temporal') => ({
  status: 503,
  body: { status: 'unavailable', checks: { database: 'ok', temporal: 'ok', [part]: 'unreachable' } },
});
const healthIs = (expected: unknown) =>
  until('readiness tells the truth', async () => {
    expect(await health('live')).toEqual({ status: 200, body: { status: 'ok' } });
    const now = await health('ready');
    return JSON.stringify(now) === JSON.stringify(expected);
  });

/** The promise about every outage: within ten seconds of the part's return a new payment is captured. */
async function expectServiceIsBack(): Promise<void> {
  const limits = { withinMs: 10_000, everyMs: 100 };
  await until('a payment is captured', async () => (await post({ headers: wait(2) })).status === 201, limits);
  await healthIs(isReady);
}

/** A refusal that promises that this request did nothing, or says that nobody knows. */
function expectRefusal(answer: Answer, key: string, codes: readonly string[]): void {
  expect(answer.status).toBe(503);
  expect(codes).toContain(answer.problem.code);
  expect(answer.problem.payment_id).toBe(idOf(key));
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
}

/** Posts once with a fresh key, is refused with one of the codes, and returns the key. */
async function refusedPost(...codes: string[]): Promise<string> {
  const key = randomUUID();
  expectRefusal(await post({ key, headers: wait(1) }), key, codes);
  return key;
}

/** Posts at one moment with fresh keys, all refused; the keys by what their refusals promise. */
async function refusedPosts(count: number): Promise<{ notAccepted: string[]; unknown: string[] }> {
  const notAccepted: string[] = [];
  const unknown: string[] = [];
  const refuse = async (key: string) => {
    const answer = await post({ key, headers: wait(1) });
    expectRefusal(answer, key, ['not_accepted', 'acceptance_unknown']);
    (answer.problem.code === 'not_accepted' ? notAccepted : unknown).push(key);
  };
  await Promise.all(Array.from({ length: count }, () => refuse(randomUUID())));
  return { notAccepted, unknown };
}

async function expectNothingHappened(keys: readonly string[]): Promise<void> {
  const ids = keys.map(idOf);
  const { rows } = await world.admin.query('SELECT id FROM payments WHERE id = ANY($1)', [ids]);
  expect(rows).toEqual([]);
  for (const id of ids) expect(await world.bank.movements(id)).toEqual([]);
}

/** Repeats a call until its payment has an outcome. */
const definite = (key: string, body: unknown = aPayment()) =>
  until(`${key} is definite`, async () => {
    const answer = await post({ key, headers: wait(10) }, body);
    return answer.status === 201 ? answer.payment : null;
  });

/** The keys of payments that stand at the bank, before their commit. */
async function parkedPayments(count: number): Promise<string[]> {
  await world.bank.park({ operation: 'charge', point: 'before_commit' });
  const keys = Array.from({ length: count }, () => randomUUID());
  const answers = await Promise.all(keys.map((key) => post({ key, headers: { prefer: 'respond-async' } })));
  expect(answers.map((answer) => answer.status)).toEqual(keys.map(() => 202));
  await until('all of them stand at the bank', async () => (await world.bank.parked()).length === count);
  return keys;
}

async function expectCapturedOnce(keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    expect((await definite(key)).status).toBe('captured');
    expect(await world.bank.movements(idOf(key))).toHaveLength(1);
  }
}

describe('Temporal', () => {
  test('killed: POST says what it knows, and what was under way ends by itself', { timeout: 120_000 }, async () => {
    const parked = await parkedPayments(2);
    await world.temporalServer.kill();
    const killedAt = Date.now();
    const first = await refusedPosts(5);
    const refused = [await refusedPost('not_accepted'), await refusedPost('not_accepted')];
    const accepted = await post({ key: parked[0] ?? '', headers: wait(1) });
    expect([accepted.status, accepted.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
    await healthIs(lacks('temporal'));
    await world.bank.release();
    const isLongAgo = async () => {
      refused.push(await refusedPost('not_accepted'));
      return Date.now() - killedAt > 12_000;
    };
    await until('Temporal has been away for a while', isLongAgo, { everyMs: 1_000 });
    await world.temporalServer.start();
    await expectServiceIsBack();
    for (const key of parked) await hasStatus(idOf(key), 'captured');
    await expectCapturedOnce([...parked, ...first.unknown]);
    await expectNothingHappened([...refused, ...first.notAccepted]);
  });

  test('paused: what was sent may happen, what was not sent does not', async () => {
    expect((await post()).status).toBe(201);
    world.temporalServer.pause();
    const first = await refusedPosts(10);
    expect(first.unknown.length).toBeGreaterThan(0);
    const refused = [await refusedPost('not_accepted'), await refusedPost('not_accepted')];
    await healthIs(lacks('temporal'));
    world.temporalServer.resume();
    await expectServiceIsBack();
    await expectNothingHappened([...refused, ...first.notAccepted]);
    await expectCapturedOnce(first.unknown);
  });

  test('away for ever so long: a client goes on asking every second or two', async () => {
    let connectionsCount = 0;
    const nobody = createServer((socket) => {
      connectionsCount += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
    const address = nobody.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    vi.stubEnv('TEMPORAL_ADDRESS', `127.0.0.1:${address.port}`);
    const { connection } = openTemporalClient(new Map([['test', randomBytes(32)]]));
    try {
      const isStillAsking = async () => {
        const asking = connection.withDeadline(Date.now() + 200, () => connection.workflowService.getSystemInfo({}));
        await expect(asking).rejects.toThrow();
        return connectionsCount >= 8;
      };
      // With the library's own backoff the eighth connection comes after three quarters of a minute.
      await until('it has tried eight times', isStillAsking, { withinMs: 20_000 });
    } finally {
      vi.unstubAllEnvs();
      await connection.close();
      nobody.close();
    }
  });
});

describe('Postgres', () => {
  test('killed while payments stand at the provider: nothing is accepted, and those end as captured', async () => {
    const parked = await parkedPayments(4);
    await world.postgres.kill();
    const refused = [await refusedPost('not_accepted'), await refusedPost('not_accepted')];
    const read = await get(idOf(parked[0] ?? ''));
    expect(read.status).toBe(503);
    expect(read.problem.code).toBe('unavailable');
    await healthIs(lacks('database'));
    await world.bank.release();
    await until('the bank has charged them', async () => {
      const moved = await Promise.all(parked.map((key) => world.bank.movements(idOf(key))));
      return moved.every((movements) => movements.length === 1);
    });
    await world.postgres.start();
    await expectServiceIsBack();
    for (const key of parked) await hasStatus(idOf(key), 'captured');
    await expectCapturedOnce(parked);
    await expectNothingHappened(refused);
  });

  test('its connections terminated again and again under load: every payment is captured once', async () => {
    const calls = Array.from({ length: 30 }, (_, index) => ({
      key: randomUUID(),
      body: aPayment({ amount: `${index + 1}.00` }),
    }));
    let isLoaded = true;
    let terminated = 0;
    const terminating = until(
      'the load is over',
      async () => {
        const { rowCount } = await world.admin.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'payments_api'",
        );
        terminated += rowCount ?? 0;
        return !isLoaded;
      },
      { everyMs: 200 },
    );
    const answers = await Promise.all(calls.map(({ key, body }) => post({ key, headers: wait(5) }, body)));
    isLoaded = false;
    await terminating;
    expect(terminated).toBeGreaterThan(10);
    for (const [index, answer] of answers.entries()) {
      if (answer.status !== 503) expect([201, 202]).toContain(answer.status);
      else expectRefusal(answer, calls[index]?.key ?? '', ['not_accepted', 'acceptance_unknown']);
    }
    const ends = await Promise.all(calls.map(({ key, body }) => definite(key, body)));
    expect(new Set(ends.map((payment) => payment.status))).toEqual(new Set(['captured']));
    await expectServiceIsBack();
  });

  test('its table of payments locked for seconds: calls are refused in time, and go on when it is free', async () => {
    const parked = await parkedPayments(1);
    const holder = await world.admin.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('LOCK TABLE payments IN ACCESS EXCLUSIVE MODE');
      await world.bank.release();
      const askedAt = Date.now();
      const [refused, read] = await Promise.all([refusedPost('not_accepted'), get(idOf(parked[0] ?? ''))]);
      expect(Date.now() - askedAt, 'they end before the longest wait that is usual').toBeLessThan(10_000);
      expect(read.status).toBe(503);
      expect(read.problem.code).toBe('unavailable');
      await holder.query('ROLLBACK');
      await expectServiceIsBack();
      await expectNothingHappened([refused]);
    } finally {
      holder.release(true);
    }
    for (const key of parked) await hasStatus(idOf(key), 'captured');
    await expectCapturedOnce(parked);
  });
});

test('all workers down: acceptance is unknown and no row is there, until a worker is back', async () => {
  await world.worker.kill();
  const key = await refusedPost('acceptance_unknown');
  await expectNothingHappened([key]);
  expect(await health('ready')).toEqual(isReady);
  await world.worker.start();
  await expectServiceIsBack();
  await expectCapturedOnce([key]);
});

test('after all that, the books agree', async () => {
  await until('nothing is pending', async () => {
    const { rows } = await world.admin.query("SELECT id FROM payments WHERE status = 'pending'");
    return rows.length === 0;
  });
  await expectInvariants(world);
});
