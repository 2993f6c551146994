import { type IncomingMessage, request } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { bytesBody, fileBody, type Route } from '../../api/route.ts';
import { routes } from '../../api/routes/index.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { insertMovedPayment } from '../support/moved-payment.ts';
import { bodies } from './access-bodies.ts';

const { database, api } = apiUnderTest();
let mine: string;
let paymentId: string;
beforeAll(async () => {
  mine = await api.keyFor('mer_1');
  await api.keyFor('mer_2');
  const foreign = { merchant_id: 'mer_2', description: 'a secret of mer_2' };
  paymentId = await insertMovedPayment(database, { status: 'captured', authorized: 2599, captured: 2599 }, foreign);
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Sends a path as it is: `fetch` would tidy it up. */
function send(path: string, headers: Readonly<Record<string, string>>, method = 'GET', body = ''): Promise<Answer> {
  const { hostname, port } = new URL(api.url);
  return new Promise((resolve, reject) => {
    const read = (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    };
    request({ hostname, port, path, method, headers }, read).on('error', reject).end(body);
  });
}

describe('no way around the key', () => {
  const ways = [
    '//api/v1/payments',
    '/api//v1/payments',
    '/api/v1//payments',
    '/api/v1/payments/',
    '/api/v1/payments;x=1',
    '/api/v1/payments%2f',
    '/api/v1/payments%00',
    '/api/v1/./payments',
    '/api/v1/x/../payments',
    '/health/../api/v1/payments',
    '/health/..%2fapi/v1/payments',
    '/docs/../api/v1/payments',
    '/docs/..%2f..%2fapi/v1/payments',
    '/docs/%2e%2e/api/v1/payments',
    '/docs/..%5c..%5capi/v1/payments',
    '/API/V1/PAYMENTS',
    '/api/v1/Payments',
    '/api/v1/payments?authorization=Bearer',
    '/api/v1/payments.json',
    '/.well-known/../api/v1/payments',
    'http://127.0.0.1/api/v1/payments',
    '/%61pi/v1/payments',
  ];
  test.each(ways)('by the path %s', async (path) => {
    const { status, text } = await send(path, {});
    expect([400, 401, 404]).toContain(status);
    expect(text).not.toContain('"data"');
  });

  const headers: Record<string, string>[] = [
    { 'x-original-url': '/health' },
    { 'x-rewrite-url': '/health' },
    { 'x-forwarded-uri': '/health' },
    { 'x-forwarded-host': 'localhost' },
    { 'x-forwarded-for': '127.0.0.1' },
    { 'x-http-method-override': 'OPTIONS' },
    { 'x-merchant-id': 'mer_1' },
    { 'x-user-id': 'usr_1' },
    { 'x-api-key': 'po_test' },
    { cookie: 'session=1; authorization=Bearer' },
    { authorization: 'Basic bWVyXzE6bWVyXzE=' },
    { 'proxy-authorization': 'Bearer x' },
    { host: 'internal' },
  ];
  test.each(headers)('by the header %o', async (given) => {
    const { status, text } = await send('/api/v1/payments', given);
    expect(status).toBe(401);
    expect(text).not.toContain('"data"');
  });
});

describe('no way to another merchant’s payment', () => {
  interface Way {
    readonly name: string;
    readonly path: (id: string) => string;
    readonly headers?: Readonly<Record<string, string>>;
  }
  const ways: Way[] = [
    { name: 'in the path', path: (id) => id },
    { name: 'with another merchant in a header', path: (id) => id, headers: { 'x-merchant-id': 'mer_2' } },
    { name: 'behind one’s own id', path: (id) => `pay_x%2f..%2f${id}` },
    { name: 'with a mode in a header', path: (id) => id, headers: { 'x-mode': 'live' } },
    { name: 'in upper case', path: (id) => id.toUpperCase() },
    { name: 'with a suffix', path: (id) => `${id}%00` },
  ];
  test.each(ways)('$name', async ({ path, headers = {} }) => {
    const { status, text } = await send(`/api/v1/payments/${path(paymentId)}`, {
      authorization: `Bearer ${mine}`,
      ...headers,
    });
    expect(status).toBe(404);
    expect(text).not.toContain('secret of mer_2');
  });

  test.each(['merchant_id', 'tenant_id', 'is_test'])('by the parameter %s of a list', async (parameter) => {
    const { status } = await send(`/api/v1/payments?${parameter}=mer_2`, { authorization: `Bearer ${mine}` });
    expect(status).toBe(422);
  });
});

/** The members that are named as unknown, of a choice between shapes by each of them. */
function refusedMembers(issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'invalid_union') return issue.errors.flatMap(refusedMembers);
    return issue.code === 'unrecognized_keys' ? issue.keys : [];
  });
}

/** Bytes and files have no members; what is in the rows of a file is judged by the schemas of what they make. */
const writing = routes.filter(({ body }) => body !== undefined && body !== bytesBody && body !== fileBody);
const forbidden = {
  id: 'x',
  merchant_id: 'mer_2',
  user_id: 'usr_x',
  created_at: '2026-01-01T00:00:00Z',
  created_by: 'system',
  usage_count: 0,
  version: 9,
  is_admin: true,
  __proto_: {},
  constructor: {},
};

describe('nobody sets what a body does not have', () => {
  test.each(writing)('$method $path', (route: Route) => {
    const schema = route.body as z.ZodType;
    const good = bodies[route.operationId];
    if (good === undefined) throw new Error(`a good body of ${route.operationId} is missing in access-bodies.ts`);
    expect(schema.safeParse(good).error).toBeUndefined();
    for (const [name, value] of Object.entries(forbidden)) {
      if (Object.hasOwn(good, name)) continue;
      const refused = refusedMembers(schema.safeParse({ ...good, [name]: value }).error?.issues ?? []);
      expect([name, [...new Set(refused)]]).toEqual([name, [name]]);
    }
  });
});
