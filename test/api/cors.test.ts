import { beforeAll, describe, expect, test } from 'vitest';
import type { ApiServer } from '../support/api-server.ts';
import { apiOn, apiUnderTest } from '../support/api-under-test.ts';

const shop = 'https://shop.example.com';
const policy = { trustedProxies: [], addressLimitPerMinute: 1_000_000, wrongSecretLimitPerMinute: 1_000_000 };
const httpPolicy = { ...policy, corsOrigins: [shop, 'http://localhost:5173'] };
const { database, api } = apiUnderTest({ httpPolicy });
const closed = apiOn(database, { httpPolicy: { ...policy, corsOrigins: [] } });
let key: string;
beforeAll(async () => {
  key = await api.keyFor('mer_1');
});

const preflight = {
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'authorization,content-type,idempotency-key',
};
const ask = (server: ApiServer, origin: string | null, init: RequestInit = {}) =>
  fetch(`${server.url}/api/v1/payments`, {
    ...init,
    headers: { ...(origin === null ? {} : { origin }), ...(init.headers as Record<string, string>) },
  });
const corsOf = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));

describe('a page of an origin that may call', () => {
  test('reads answers, and the headers that say how to go on', async () => {
    const answer = await ask(api, shop, { headers: { authorization: `Bearer ${key}` } });
    expect(answer.status).toBe(200);
    expect(corsOf(answer)).toEqual({
      'access-control-allow-origin': shop,
      'access-control-expose-headers':
        'Idempotency-Key,Idempotent-Replayed,Location,RateLimit,RateLimit-Policy,Retry-After,X-Request-Id',
    });
    expect(answer.headers.get('vary')).toBe('Origin');
  });

  test('reads problems too', async () => {
    const answer = await ask(api, 'http://localhost:5173');
    expect(answer.status).toBe(401);
    expect(corsOf(answer)).toMatchObject({ 'access-control-allow-origin': 'http://localhost:5173' });
  });

  test('may ask before it calls, without a key', async () => {
    const answer = await ask(api, shop, { method: 'OPTIONS', headers: preflight });
    expect(answer.status).toBe(204);
    expect(corsOf(answer)).toMatchObject({
      'access-control-allow-origin': shop,
      'access-control-allow-methods': 'GET,POST,PUT,DELETE',
      'access-control-allow-headers': 'Authorization,Content-Type,Idempotency-Key,Prefer,X-Request-Id',
      'access-control-max-age': '600',
    });
    expect(corsOf(answer)).not.toHaveProperty('access-control-allow-credentials');
    expect(answer.headers.get('x-request-id')).toMatch(/^req_/);
  });
});

describe('CORS is not spoken of', () => {
  const others = [
    'https://evil.example.com',
    'https://shop.example.com.evil.example',
    'https://evilshop.example.com',
    'https://sub.shop.example.com',
    'http://shop.example.com',
    'https://shop.example.com:8443',
    'https://SHOP.example.com',
    'null',
    '*',
  ];
  test.each(others)('to %s', async (origin) => {
    const called = await ask(api, origin, { headers: { authorization: `Bearer ${key}` } });
    expect(called.status).toBe(200);
    expect(corsOf(called)).toEqual({});
    expect(called.headers.get('vary')).toBe('Origin');
    const asked = await ask(api, origin, { method: 'OPTIONS', headers: preflight });
    expect(asked.status).toBe(405);
    expect(corsOf(asked)).toEqual({});
  });

  test('to who is no page', async () => {
    const answer = await ask(api, null);
    expect(corsOf(answer)).toEqual({});
    expect(answer.headers.get('vary')).toBe('Origin');
  });

  test('where no page may call', async () => {
    for (const init of [{}, { method: 'OPTIONS', headers: preflight }]) {
      const answer = await ask(closed, shop, init);
      expect(corsOf(answer)).toEqual({});
      expect(answer.headers.get('vary')).toBeNull();
    }
  });
});
