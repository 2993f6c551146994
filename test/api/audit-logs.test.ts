import { randomBytes, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { logAct, storeCalls } from '../../prisma/audit-logs.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { callApi, type List, pathWith, readAll } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';
import { until } from '../support/until.ts';

const accessTokens = testAccessTokens();
const path = '/api/v1/audit-logs';

const { database, api } = apiUnderTest({ accessTokens });
let operator: string;
beforeAll(async () => {
  operator = await api.operatorKey();
});

interface Log {
  readonly id: string;
  readonly correlation_id: string;
  readonly action: string;
  readonly status_code: number | null;
  readonly created_at: string;
}

const ownId = (prefix: string) => `${prefix}_${base32(randomBytes(17), 130)}`;
const paymentId = ownId('pay');
const correlationId = randomUUID();
const start = Date.parse('2026-01-01T00:00:00.000Z');
const instant = (minutes: number) => new Date(start + minutes * 60_000);

const aCall = (number: number) => ({
  id: `log_${randomUUID()}`,
  correlationId: number < 2 ? correlationId : randomUUID(),
  action: number % 3 === 0 ? 'createPayment' : 'getPayment',
  resourceType: number < 10 ? 'payment' : 'refund',
  resourceId: number < 4 ? paymentId : null,
  merchantId: number % 2 === 0 ? 'mer_even' : 'mer_odd',
  isTest: true,
  userId: number < 6 ? 'api_key:one' : 'user:two',
  ipAddress: '10.0.0.1',
  userAgent: 'shop/1.0',
  requestData: { amount: '1.00' },
  responseData: { id: paymentId },
  statusCode: number < 9 ? 200 : 404,
  durationMs: number,
  createdAt: instant(Math.floor(number / 2)),
});
/** Two a minute, at the same moment each. */
const calls = Array.from({ length: 12 }, (_, number) => aCall(number));
/** Only what this file wrote itself: its own calls are of now. */
const then = { created_to: instant(60).toISOString() };

beforeAll(() => storeCalls(database.db, calls));

const search = (query: Readonly<Record<string, string | number | undefined>>) =>
  readAll<Log>(api.url, operator, path, { ...then, ...query });

describe('a search', () => {
  test('shows everything of a row', async () => {
    const [shown] = await search({ correlation_id: correlationId, merchant_id: 'mer_even' });
    expect(shown).toEqual({
      id: calls[0]?.id,
      correlation_id: correlationId,
      service_name: 'api',
      action: 'createPayment',
      resource_type: 'payment',
      resource_id: paymentId,
      merchant_id: 'mer_even',
      is_test: true,
      user_id: 'api_key:one',
      ip_address: '10.0.0.1',
      user_agent: 'shop/1.0',
      request_data: { amount: '1.00' },
      response_data: { id: paymentId },
      status_code: 200,
      duration_ms: 0,
      created_at: '2026-01-01T00:00:00.000Z',
    });
  });

  test('goes newest first, page after page, none twice and none left out', async () => {
    const all = await search({ limit: 5 });
    const expected = calls.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1));
    expect(all.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    for (const limit of [1, 3]) expect(await search({ limit })).toEqual(all);
  });

  test('goes on where it was while rows are added before it', async () => {
    const query = { limit: 4, merchant_id: 'mer_odd', ...then };
    const first = await callApi<List<Log>>(api.url, operator, { path: pathWith(path, query) });
    await storeCalls(database.db, [{ ...aCall(11), createdAt: instant(30) }]);
    const cursor = first.body.next_cursor;
    const second = await callApi<List<Log>>(api.url, operator, { path: pathWith(path, { ...query, cursor }) });
    const ids = [...first.body.data, ...second.body.data].map(({ id }) => id);
    expect(ids.toSorted()).toEqual(
      calls
        .filter(({ merchantId }) => merchantId === 'mer_odd')
        .map(({ id }) => id)
        .toSorted(),
    );
    expect(second.body.has_more).toBe(false);
  });

  test.each([
    [{ merchant_id: 'mer_even' }, 6],
    [{ user_id: 'api_key:one' }, 6],
    [{ action: 'createPayment' }, 4],
    [{ resource_type: 'refund', merchant_id: 'mer_even' }, 1],
    [{ resource_id: paymentId }, 4],
    [{ correlation_id: correlationId }, 2],
    [{ status_code: 404, merchant_id: 'mer_even' }, 1],
    [{ created_from: instant(2).toISOString(), created_to: instant(4).toISOString() }, 4],
    [{ created_from: instant(2).toISOString(), user_id: 'api_key:one' }, 2],
    [{ merchant_id: 'mer_even', user_id: 'user:two', status_code: 200, resource_type: 'payment' }, 2],
    [{ action: 'nothing' }, 0],
  ])('by %j finds what fits all of it', async (query, count) => {
    expect(await search(query)).toHaveLength(count);
  });

  test.each([
    ['status_code', { status_code: 'ok' }],
    ['status_code', { status_code: 600 }],
    ['created_from', { created_from: 'yesterday' }],
    ['action', { action: '' }],
    ['service', { service: 'api' }],
    ['cursor', { cursor: 'bm90aGluZw' }],
    ['limit', { limit: 101 }],
  ])('that names %s wrongly is refused', async (parameter, query) => {
    const { status, problem } = await callApi(api.url, operator, { path: pathWith(path, query) });
    expect([status, problem.code, problem.errors?.[0]?.parameter]).toEqual([422, 'validation_failed', parameter]);
  });

  test('is for operators and auditors alone, and with a second factor', async () => {
    const statusOf = async (key: string | null) => (await callApi(api.url, key, { path })).status;
    expect(await statusOf(null)).toBe(401);
    expect(await statusOf(await api.keyFor('mer_even'))).toBe(403);
    const token = async (of: { merchantId: string | null; role: string; hasTotp?: boolean }) =>
      (await sessionFor(database.db, accessTokens, of)).token;
    expect(await statusOf(await token({ merchantId: 'mer_even', role: 'owner' }))).toBe(403);
    expect(await statusOf(await token({ merchantId: null, role: 'auditor' }))).toBe(200);
    expect(await statusOf(await token({ merchantId: null, role: 'auditor', hasTotp: false }))).toBe(403);
  });

  test('is in the log itself, with what it asked for', async () => {
    const { body } = await callApi<List<Log>>(api.url, operator, { path: pathWith(path, { resource_id: paymentId }) });
    const found = await until('the search is written down', async () => {
      const [own] = await readAll<Log>(api.url, operator, path, { correlation_id: body.request_id });
      return own;
    });
    expect(found).toMatchObject({
      action: 'listAuditLogs',
      resource_type: 'audit_log',
      user_id: `operator_key:${operator.split('_')[2]}`,
      merchant_id: null,
      request_data: { resource_id: paymentId },
      response_data: { count: 4 },
      status_code: 200,
    });
  });

  test('finds administrative acts beside calls', async () => {
    const act = {
      correlationId: randomUUID(),
      action: 'api_key.revoked',
      resourceType: 'api_key',
      resourceId: 'key_1',
      merchantId: 'mer_even',
      isTest: true,
      actor: 'user:two',
      changes: { status: 'revoked' },
      at: instant(5),
    } as const;
    await database.db.prisma.$transaction((tx) => logAct(tx, act));
    expect(await search({ action: 'api_key.revoked' })).toMatchObject([
      { correlation_id: act.correlationId, status_code: null, duration_ms: null, request_data: { status: 'revoked' } },
    ]);
  });
});
