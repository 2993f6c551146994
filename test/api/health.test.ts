import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { rememberCredentials } from '../../api/credentials.ts';
import { openDatabase } from '../../prisma/database.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { createLogger } from '../../runtime/logger.ts';
import { callApi } from '../support/api-call.ts';
import { type ApiServer, startApi } from '../support/api-server.ts';
import { databaseUnderTest } from '../support/api-under-test.ts';
import { insertEndpoint, insertEvent } from '../support/deliveries.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { insertSubscription } from '../support/subscription-rows.ts';

const database = databaseUnderTest();
const servers: ApiServer[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

const operatorKeys = new Map<string, string>();

async function serving(...given: Parameters<typeof startApi>): Promise<string> {
  const server = await startApi(...given);
  servers.push(server);
  operatorKeys.set(server.url, await server.operatorKey());
  return server.url;
}

interface Health {
  readonly status: string;
  readonly degraded: string[];
  readonly checks: Record<string, Record<string, unknown>>;
}
const ask = async (url: string, path: string) => {
  const key = path === '/health/detailed' ? (operatorKeys.get(url) ?? null) : null;
  const { status, body } = await callApi<Health>(url, key, { path });
  return { code: status, ...body };
};

describe('health', () => {
  test('is ok while everything is there, without a key but for what is detailed', async () => {
    const url = await serving(database);
    for (const path of ['/health', '/health/ready'])
      expect(await ask(url, path)).toEqual({ code: 200, status: 'ok', checks: { database: 'ok', temporal: 'ok' } });
    expect(await ask(url, '/health/detailed')).toEqual({
      code: 200,
      status: 'ok',
      degraded: [],
      version: versionInPackage,
      uptime_seconds: expect.any(Number),
      checks: {
        database: { status: 'ok', latency_ms: expect.any(Number) },
        temporal: { status: 'ok', latency_ms: expect.any(Number) },
        workers: { status: 'ok', count: 1 },
        deliveries: { status: 'ok', pending: 0, oldest_due_seconds: null },
        payments: { status: 'ok', open: 0, oldest_open_seconds: null },
        subscriptions: { status: 'ok', overdue: 0, oldest_overdue_seconds: null },
      },
    });
  });

  test('names Temporal when it is away', async () => {
    const url = await serving(database, {
      isReachable: () => Promise.resolve(false),
      countWorkers: () => Promise.reject(new Error('away')),
    });
    expect(await ask(url, '/health')).toMatchObject({
      code: 503,
      status: 'unavailable',
      checks: { temporal: 'unreachable' },
    });
    expect(await ask(url, '/health/detailed')).toMatchObject({
      code: 503,
      status: 'unavailable',
      degraded: ['temporal', 'workers'],
      checks: {
        database: { status: 'ok' },
        temporal: { status: 'unreachable' },
        workers: { status: 'unknown', count: null },
      },
    });
  });

  test('does not wait for a Temporal that says nothing', async () => {
    const url = await serving(database, { isReachable: () => new Promise(() => undefined) });
    expect(await ask(url, '/health')).toMatchObject({ code: 503, checks: { database: 'ok', temporal: 'unreachable' } });
  });

  test('names the database when it is away, and says nothing of what it holds', async () => {
    const limits = { connectionsMax: 2, connectTimeoutMs: 500, statementTimeoutMs: 500 };
    const db = openDatabase(
      { url: 'postgresql://nobody:hidden-password@127.0.0.1:1/none', ...limits },
      () => undefined,
    );
    // A process that knew the key before; its database is away now.
    const pepper = { apiKeyPepper: 'a pepper that both processes have' };
    const before = await startApi(database, {}, pepper);
    servers.push(before);
    const known = rememberCredentials(database.db, null, createLogger('api', 'silent'));
    const operatorKey = async (keyId: string) => ({ ...(await known.operatorKey(keyId)), outage: new Error('away') });
    const server = await startApi({ ...database, db }, {}, { ...pepper, credentials: { ...known, operatorKey } });
    servers.push(server);
    const { url } = server;
    operatorKeys.set(url, await before.operatorKey());
    expect(await ask(url, '/health')).toMatchObject({ code: 503, checks: { database: 'unreachable', temporal: 'ok' } });
    const detailed = await ask(url, '/health/detailed');
    expect(detailed).toMatchObject({
      code: 503,
      status: 'unavailable',
      degraded: ['database', 'deliveries', 'payments', 'subscriptions'],
      checks: { deliveries: { status: 'unknown', pending: null }, payments: { status: 'unknown', open: null } },
    });
    expect(JSON.stringify(detailed)).not.toMatch(/hidden-password|nobody|127\.0\.0\.1/);
    await db.close();
  });

  test('is degraded, and goes on, without a worker', async () => {
    const url = await serving(database, { countWorkers: () => Promise.resolve(0) });
    expect(await ask(url, '/health')).toMatchObject({ code: 200 });
    expect(await ask(url, '/health/detailed')).toMatchObject({
      code: 200,
      status: 'degraded',
      degraded: ['workers'],
      checks: { workers: { status: 'absent', count: 0 } },
    });
  });

  test('counts what waits once for all who ask within some seconds, and takes one connection for it', async () => {
    const url = await serving(database);
    const query = vi.spyOn(database.db.pool, 'query');
    try {
      const together = await Promise.all(Array.from({ length: 20 }, () => ask(url, '/health/detailed')));
      const after = await ask(url, '/health/detailed');
      expect([...together, after].map(({ checks }) => checks['deliveries']?.['pending'])).toEqual(Array(21).fill(0));
      const asked = query.mock.calls.filter(([statement]) => JSON.stringify(statement).includes('select_backlog'));
      expect(asked).toHaveLength(1);
    } finally {
      query.mockRestore();
    }
  });

  test('is degraded when a delivery is due for long, and not while it waits behind a receiver that is away', async () => {
    await createMerchant(database.db, { id: 'mer_1', name: 'Merchant' });
    const [working, away] = [
      (await insertEndpoint(database, 'https://works.example.com')).id,
      (await insertEndpoint(database, 'https://away.example.com')).id,
    ];
    await insertEvent(database);
    await insertEvent(database);
    const change = (receiver: string, columns: string) =>
      database.admin.query(`UPDATE deliveries SET ${columns} WHERE receiver = $1 AND state = 'pending'`, [receiver]);
    /** As a server says that has counted nothing yet. */
    const deliveries = async () => {
      const { degraded, checks } = await ask(await serving(database), '/health/detailed');
      return { ...checks['deliveries'], isNamed: degraded.includes('deliveries') };
    };
    const fine = { status: 'ok', oldest_due_seconds: null, isNamed: false };
    const late = { status: 'late', oldest_due_seconds: expect.any(Number), isNamed: true };

    expect(await deliveries()).toMatchObject({ status: 'ok', pending: 4, isNamed: false });
    await change(working, `created_at = now() - interval '1 hour'`);
    expect(await deliveries()).toMatchObject(late);
    await change(working, `claimed_until = now() - interval '1 second'`);
    expect(await deliveries(), 'after a claimant that died').toMatchObject(late);
    await change(working, `state = 'delivered'`);

    await change(away, `created_at = now() - interval '1 hour'`);
    expect(await deliveries()).toMatchObject(late);
    await change(away, `claimed_until = now() + interval '1 hour'`);
    expect(await deliveries(), 'in somebody’s hands').toMatchObject({ ...fine, pending: 2 });
    await change(away, 'claimed_until = NULL, tries = 1');
    expect(await deliveries(), 'tried before').toMatchObject({ ...fine, pending: 2 });
    await change(away, 'tries = 0');
    await database.admin.query(
      `UPDATE deliveries SET state = 'retrying' WHERE id = (SELECT min(id) FROM deliveries WHERE receiver = $1)`,
      [away],
    );
    expect(await deliveries(), 'behind one that is retried').toMatchObject({ ...fine, pending: 1 });
    await database.admin.query('UPDATE deliveries SET state = $1', ['delivered']);
    await database.admin.query('UPDATE payments SET status = $1, version = version + 1', ['canceled']);
  });

  test('is degraded when a payment has been open for long, and names no merchant', async () => {
    const server = await startApi(database);
    servers.push(server);
    operatorKeys.set(server.url, await server.operatorKey());
    await server.keyFor('mer_1');
    const id = await insertPendingPayment(database);
    const detailed = await ask(server.url, '/health/detailed');
    expect(detailed).toMatchObject({ code: 200, status: 'degraded', degraded: ['payments'] });
    expect(detailed.checks['payments']).toMatchObject({ status: 'late', open: 1 });
    expect(Number(detailed.checks['payments']?.['oldest_open_seconds'])).toBeGreaterThanOrEqual(3_600);
    expect(JSON.stringify(detailed)).not.toContain(id);
    expect(JSON.stringify(detailed)).not.toContain('mer_1');
    await database.admin.query('UPDATE payments SET status = $1, version = version + 1', ['canceled']);
  });

  test('is degraded when nobody does what has been due for long of a subscription', async () => {
    const server = await startApi(database);
    servers.push(server);
    operatorKeys.set(server.url, await server.operatorKey());
    const subscription = await insertSubscription(database, { due_step: 'open_period', due_at: '2026-01-01' });
    const detailed = await ask(server.url, '/health/detailed');
    expect(detailed).toMatchObject({ code: 200, status: 'degraded', degraded: ['subscriptions'] });
    expect(detailed.checks['subscriptions']).toMatchObject({ status: 'late', overdue: 1 });
    await database.admin.query(`UPDATE merchants SET status = 'suspended'`); // whose subscriptions wait
    const later = await startApi(database);
    servers.push(later);
    operatorKeys.set(later.url, await later.operatorKey());
    expect((await ask(later.url, '/health/detailed')).checks['subscriptions']).toMatchObject({
      status: 'ok',
      overdue: 0,
    });
    await database.admin.query(`UPDATE merchants SET status = 'active'`);
    await database.admin.query('UPDATE subscriptions SET due_at = NULL WHERE id = $1', [subscription]);
  });
});

test('GET /version says what package.json says', async () => {
  const { body } = await callApi<{ data: unknown }>(await serving(database), null, { path: '/api/v1/version' });
  expect(body.data).toEqual({
    name: 'payment-orchestrator',
    version: versionInPackage,
    api_version: 'v1',
    node: process.versions.node,
  });
});

const { version: versionInPackage } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as {
  version: string;
};
