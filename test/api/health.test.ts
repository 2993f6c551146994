import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../prisma/database.ts';
import { callApi } from '../support/api-call.ts';
import { type ApiServer, startApi } from '../support/api-server.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { insertPendingPayment } from '../support/payment-row.ts';

let database: TestDatabase;
const servers: ApiServer[] = [];
beforeAll(async () => {
  database = await startDatabase();
});
afterAll(async () => {
  for (const server of servers) server.close();
  await database?.close();
});

async function serving(...given: Parameters<typeof startApi>): Promise<string> {
  const server = await startApi(...given);
  servers.push(server);
  return server.url;
}

interface Health {
  readonly status: string;
  readonly degraded: string[];
  readonly checks: Record<string, Record<string, unknown>>;
}
const ask = async (url: string, path: string) => {
  const { status, body } = await callApi<Health>(url, null, { path });
  return { code: status, ...body };
};

describe('health', () => {
  test('is ok, without a key, while everything is there', async () => {
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
        deliveries: { status: 'ok', pending: 0, oldest_pending_seconds: null },
        payments: { status: 'ok', open: 0, oldest_open_seconds: null },
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
    const url = await serving({ ...database, db });
    expect(await ask(url, '/health')).toMatchObject({ code: 503, checks: { database: 'unreachable', temporal: 'ok' } });
    const detailed = await ask(url, '/health/detailed');
    expect(detailed).toMatchObject({
      code: 503,
      status: 'unavailable',
      degraded: ['database', 'deliveries', 'payments'],
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

  test('is degraded when a payment has been open for long, and names no merchant', async () => {
    const server = await startApi(database);
    servers.push(server);
    await server.keyFor('mer_1');
    const id = await insertPendingPayment(database);
    const detailed = await ask(server.url, '/health/detailed');
    expect(detailed).toMatchObject({ code: 200, status: 'degraded', degraded: ['payments'] });
    expect(detailed.checks['payments']).toMatchObject({ status: 'late', open: 1 });
    expect(Number(detailed.checks['payments']?.['oldest_open_seconds'])).toBeGreaterThanOrEqual(3_600);
    expect(JSON.stringify(detailed)).not.toContain(id);
    expect(JSON.stringify(detailed)).not.toContain('mer_1');
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
