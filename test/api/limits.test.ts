import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { afterAll, describe, expect, test } from 'vitest';
import { rememberCredentials } from '../../api/credentials.ts';
import type { ApiDeps } from '../../api/deps.ts';
import type { HttpPolicy } from '../../api/http-policy.ts';
import { makeKey, parseKey } from '../../runtime/api-key.ts';
import { createLogger } from '../../runtime/logger.ts';
import { type ApiServer, startApi } from '../support/api-server.ts';
import { databaseUnderTest } from '../support/api-under-test.ts';
import { forgedKey } from '../support/forged-key.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';
import { until } from '../support/until.ts';

const database = databaseUnderTest();
const servers: ApiServer[] = [];
const agent = new Agent({ keepAlive: true, maxSockets: 20 });
afterAll(() => {
  agent.destroy();
  for (const server of servers) server.close();
});

const unlimited: HttpPolicy = {
  trustedProxies: [],
  corsOrigins: [],
  addressLimitPerMinute: 1_000_000,
  wrongSecretLimitPerMinute: 1_000_000,
};

async function serving(policy: Partial<HttpPolicy>, others: Partial<ApiDeps> = {}): Promise<ApiServer> {
  const server = await startApi(database, {}, { httpPolicy: { ...unlimited, ...policy }, ...others });
  servers.push(server);
  return server;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly code: string | null;
}

/** Sends a request; a body makes it a POST. */
function send(
  { url }: ApiServer,
  path: string,
  { key, body, headers = {} }: { key?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const sent = {
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  };
  const method = body === undefined ? 'GET' : 'POST';
  return new Promise((resolve, reject) => {
    const sending = request({ hostname, port, path, method, headers: sent, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const { statusCode = 0 } = response;
        const { code = null } = statusCode < 400 ? {} : (JSON.parse(text) as { code?: string });
        resolve({ status: statusCode, headers: response.headers, code });
      });
    });
    sending.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const open = '/api/v1/version';
const times = <T>(count: number, one: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => one(index)));

/** Makes a key with other limits than the unlimited ones of tests. */
async function limitedKey(server: ApiServer, merchantId: string, limits: Readonly<Record<string, number>>) {
  const key = await server.keyFor(merchantId);
  const columns = Object.keys(limits).map((name, index) => `rate_limit_per_${name} = $${index + 2}`);
  await database.admin.query(`UPDATE api_keys SET ${columns.join(', ')} WHERE key_id = $1`, [
    parseKey(key)?.keyId,
    ...Object.values(limits),
  ]);
  return key;
}

describe('a client address', () => {
  test('has a budget per minute, of which every answer tells, and is refused when it is used up', async () => {
    const server = await serving({ addressLimitPerMinute: 2 });
    const [first, second, third] = [await send(server, open), await send(server, '/nowhere'), await send(server, open)];
    expect(first).toMatchObject({
      status: 200,
      headers: { ratelimit: '"address";r=1;t=60' },
    });
    expect(first.headers['ratelimit-policy']).toBe('"address";q=2;w=60');
    expect(second).toMatchObject({ status: 404, headers: { ratelimit: expect.stringContaining('"address";r=0;t=') } });
    expect(third).toMatchObject({ status: 429, code: 'rate_limited' });
    const [, reset] = /t=(\d+)/.exec(String(third.headers['ratelimit'])) ?? [];
    expect(third.headers['retry-after']).toBe(reset);
    expect(Number(reset)).toBeLessThanOrEqual(60);
  });

  test('is limited whatever it asks for, except whether the process lives', async () => {
    const server = await serving({ addressLimitPerMinute: 1 });
    await send(server, open);
    for (const path of [
      '/health',
      '/health/ready',
      '/openapi.json',
      '/docs',
      '/metrics',
      '/api/v1/payments',
      '/nowhere',
    ])
      expect(await send(server, path), path).toMatchObject({ status: 429 });
    const live = await send(server, '/health/live');
    expect(live.status).toBe(200);
    expect(live.headers).not.toHaveProperty('ratelimit');
  });

  test('is refused without a question to the database', async () => {
    let asked = 0;
    const credentials = rememberCredentials(database.db, null, createLogger('test', 'silent'));
    const counting = { ...credentials, apiKey: (id: string) => (asked++, credentials.apiKey(id)) };
    const server = await serving({ addressLimitPerMinute: 3 }, { credentials: counting });
    await times(20, () => send(server, '/api/v1/payments', { key: makeKey('test', 'pepper').text }));
    expect(asked).toBe(3);
  });

  test('cannot be another one by X-Forwarded-For: 10,000 spoofed values are one client', async () => {
    const server = await serving({ addressLimitPerMinute: 50 });
    const spoofed = (index: number) => ({
      'x-forwarded-for': `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    });
    const answers = await times(10_000, (index) => send(server, open, { headers: spoofed(index) }));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(50);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(9_950);
  });

  test('is, behind proxies that are trusted, the last hop that is not', async () => {
    const server = await serving({ addressLimitPerMinute: 1, trustedProxies: ['127.0.0.1', '10.0.0.0/8'] });
    const from = async (...hops: string[]) =>
      (await send(server, open, { headers: { 'x-forwarded-for': hops.join(', ') } })).status;
    expect(await from('203.0.113.7', '10.1.2.3')).toBe(200);
    expect(await from('198.51.100.1', '203.0.113.7', '10.1.2.3'), 'a hop that it made up').toBe(429);
    expect(await from('::ffff:203.0.113.7'), 'in IPv6’s clothes').toBe(429);
    expect(await from('203.0.113.8')).toBe(200);
  });

  test('is, of IPv6, its network of 64 bits', async () => {
    const server = await serving({ addressLimitPerMinute: 1, trustedProxies: ['127.0.0.1'] });
    const from = async (address: string) =>
      (await send(server, open, { headers: { 'x-forwarded-for': address } })).status;
    expect(await from('2001:db8:1:2::1')).toBe(200);
    expect(await from('2001:db8:1:2:ffff:ffff:ffff:ffff')).toBe(429);
    expect(await from('2001:db8:1:3::1')).toBe(200);
  });

  test('is the proxy’s own where what it passes on is no address', async () => {
    const server = await serving({ addressLimitPerMinute: 1, trustedProxies: ['127.0.0.1'] });
    const garbage = ['unknown', '_hidden', '203.0.113.7:4711', '999.1.1.1', '"', '203.0.113.9, ;drop', '1.1', '0x7f.1'];
    const answers = [await send(server, open)];
    for (const value of garbage) answers.push(await send(server, open, { headers: { 'x-forwarded-for': value } }));
    expect(answers.map(({ status }) => status)).toEqual([200, ...garbage.map(() => 429)]);
  });
});

describe('wrong secrets', () => {
  const wrong = () => makeKey('test', 'a pepper of somebody else').text;

  test('are answered with 401 until there were too many, then the address is refused before the database is asked', async () => {
    let asked = 0;
    const credentials = rememberCredentials(database.db, null, createLogger('test', 'silent'));
    const counting = { ...credentials, apiKey: (id: string) => (asked++, credentials.apiKey(id)) };
    const server = await serving({ wrongSecretLimitPerMinute: 5 }, { credentials: counting });
    const right = await server.keyFor('mer_1');
    for (let index = 0; index < 5; index++)
      expect(await send(server, '/api/v1/payments', { key: wrong() })).toMatchObject({ code: 'unauthorized' });
    const refused = await until('the last one is counted', async () => {
      const answer = await send(server, '/api/v1/payments', { key: right });
      return answer.status === 429 ? answer : null;
    });
    expect(refused.headers['ratelimit-policy']).toBe('"wrong-secrets";q=5;w=60');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const before = asked;
    for (const path of ['/api/v1/payments', open])
      expect(await send(server, path, { key: wrong() })).toMatchObject({ status: 429 });
    expect(asked).toBe(before);
  });

  test('are counted for the address that sent them, and for no other', async () => {
    const server = await serving({ wrongSecretLimitPerMinute: 2, trustedProxies: ['127.0.0.1'] });
    const key = await server.keyFor('mer_1');
    const from = (address: string, secret: string) =>
      send(server, '/api/v1/payments', { key: secret, headers: { 'x-forwarded-for': address } });
    for (let index = 0; index < 2; index++) await from('203.0.113.7', wrong());
    await until('they are counted', async () => (await from('203.0.113.7', key)).status === 429);
    expect(await from('203.0.113.8', key)).toMatchObject({ status: 200 });
  });

  test('are none where no secret was sent, or the right one by somebody who may not', async () => {
    const server = await serving({ wrongSecretLimitPerMinute: 1 });
    const key = await server.keyFor('mer_1');
    for (let index = 0; index < 3; index++) {
      expect(await send(server, '/api/v1/payments')).toMatchObject({ code: 'unauthorized' });
      expect(await send(server, '/metrics', { key })).toMatchObject({ code: 'forbidden' });
    }
    expect(await send(server, '/api/v1/payments', { key })).toMatchObject({ status: 200 });
  });
});

describe('a key', () => {
  test('has its own limits, of which the tightest is told', async () => {
    const server = await serving({});
    const key = await limitedKey(server, 'mer_1', { minute: 3, hour: 100, day: 2 });
    const answers = [];
    for (let index = 0; index < 3; index++) answers.push(await send(server, '/api/v1/payments', { key }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers.map(({ headers }) => headers['ratelimit-policy'])).toEqual(Array(3).fill('"day";q=2;w=86400'));
    expect(answers.map(({ headers }) => String(headers['ratelimit']).replace(/\d+$/, ''))).toEqual([
      '"day";r=1;t=',
      '"day";r=0;t=',
      '"day";r=0;t=',
    ]);
    expect(Number(answers[2]?.headers['retry-after'])).toBeGreaterThan(86_000);
  });

  test('gets exactly as many of many requests at once through as it may', async () => {
    const server = await serving({});
    const key = await limitedKey(server, 'mer_1', { minute: 20 });
    const answers = await times(60, () => send(server, '/api/v1/payments', { key }));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
  });

  test('does not spend another one’s budget: not of the same merchant, nor by its id with a wrong secret', async () => {
    const server = await serving({});
    const [one, other] = [
      await limitedKey(server, 'mer_1', { minute: 2 }),
      await limitedKey(server, 'mer_1', { minute: 2 }),
    ];
    await times(3, () => send(server, '/api/v1/payments', { key: one }));
    const forged = forgedKey('test', parseKey(other)?.keyId ?? '', '0'.repeat(32));
    for (let index = 0; index < 3; index++)
      expect(await send(server, '/api/v1/payments', { key: forged })).toMatchObject({ status: 401 });
    expect(await send(server, '/api/v1/payments', { key: other })).toMatchObject({ status: 200 });
  });

  test('that was given 100 requests per minute makes at most 100 payments in 60 seconds', async () => {
    const server = await serving({});
    const key = await limitedKey(server, 'mer_1', { minute: 100, hour: 1_000, day: 10_000 });
    const answers = await times(120, () => send(server, '/api/v1/payments', { key, body: {} }));
    expect(answers.filter(({ code }) => code === 'validation_failed')).toHaveLength(100);
    expect(answers.filter(({ code }) => code === 'rate_limited')).toHaveLength(20);
  });

  test('that was given more per minute may make as many payments', async () => {
    const server = await serving({});
    const key = await limitedKey(server, 'mer_1', { minute: 150, hour: 1_000, day: 10_000 });
    const answers = await times(200, () => send(server, '/api/v1/payments', { key, body: {} }));
    expect(answers.filter(({ code }) => code === 'validation_failed')).toHaveLength(150);
  });
});

describe('a person', () => {
  test('may ask 300 times per minute over all sessions, and make 100 payments of these', async () => {
    const accessTokens = testAccessTokens();
    const server = await serving({}, { accessTokens });
    const of = { merchantId: 'mer_1', role: 'owner' };
    const { userId, token } = await sessionFor(database.db, accessTokens, of);
    const { token: another } = await sessionFor(database.db, accessTokens, { ...of, userId });
    const making = await times(120, (index) =>
      send(server, '/api/v1/payments', { key: index % 2 === 0 ? token : another, body: {} }),
    );
    expect(making.filter(({ code }) => code === 'rate_limited')).toHaveLength(20);
    expect(making.at(-1)?.headers['ratelimit-policy']).toBe('"create-payment";q=100;w=60');
    const asking = await times(250, (index) =>
      send(server, '/api/v1/payments', { key: index % 2 === 0 ? token : another }),
    );
    expect(asking.filter(({ status }) => status === 200)).toHaveLength(200);
    expect(asking.at(-1)?.headers['ratelimit-policy']).toBe('"minute";q=300;w=60');
  });
});

test('an answer to an operator’s key says that it is one of 600 per minute', async () => {
  const server = await serving({});
  const key = await server.operatorKey();
  const { headers } = await send(server, '/metrics', { key });
  expect(headers['ratelimit-policy']).toBe('"minute";q=600;w=60');
  expect(headers['ratelimit']).toMatch(/^"minute";r=599;t=\d+$/);
});

test('what is counted is named by ids and hashes: no address and no secret', async () => {
  const names: string[] = [];
  const rateLimits = {
    spend: (...budgets: Parameters<ApiDeps['rateLimits']['spend']>) => {
      names.push(...budgets.flatMap((some) => (some ?? []).map(({ name }) => name)));
      return Promise.resolve(null);
    },
    close: () => Promise.resolve(),
  };
  const server = await serving({}, { rateLimits });
  const key = await server.keyFor('mer_1');
  expect(await send(server, '/api/v1/payments', { key, body: {} })).toMatchObject({ code: 'validation_failed' });
  expect(names.map((name) => name.replace(/:[0-9a-f]{64}$/, ':hash'))).toEqual([
    'address:hash',
    'wrong-secrets:hash',
    ...['minute', 'hour', 'day', 'create-payment'].map((policy) => `${policy}:api_key:${parseKey(key)?.keyId}`),
  ]);
  expect(names.join()).not.toContain(parseKey(key)?.secret);
});
