import { type AddressInfo, connect } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { createApiServer } from '../../api/server.ts';
import { apiOn, apiUnderTest } from '../support/api-under-test.ts';

const httpPolicy = { trustedProxies: [], corsOrigins: [], addressLimitPerMinute: 1, wrongSecretLimitPerMinute: 1 };
const { database, api } = apiUnderTest();
const limited = apiOn(database, { httpPolicy });
let key: string;
beforeAll(async () => {
  key = await api.keyFor('mer_1');
  await fetch(`${limited.url}/health`);
});

const exact = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-xss-protection': '0',
  'strict-transport-security': 'max-age=31536000',
  'content-security-policy': "default-src 'self'",
  'referrer-policy': 'strict-origin-when-cross-origin',
  'permissions-policy': 'geolocation=(), microphone=(), camera=()',
};

function hardeningOf(headers: Headers): Record<string, string | null> {
  return Object.fromEntries(Object.keys(exact).map((name) => [name, headers.get(name)]));
}

describe('every answer is hardened', () => {
  const bearer = () => ({ authorization: `Bearer ${key}` });
  const json = { 'content-type': 'application/json' };
  const answers: [what: string, status: number, ask: () => Promise<Response>][] = [
    ['an open answer', 200, () => fetch(`${api.url}/health/live`)],
    ['one with a key', 200, () => fetch(`${api.url}/api/v1/payments`, { headers: bearer() })],
    ['the OpenAPI document', 200, () => fetch(`${api.url}/openapi.json`)],
    ['one without a body', 200, () => fetch(`${api.url}/health/live`, { method: 'HEAD' })],
    ['a header that is not valid', 400, () => fetch(`${api.url}/health`, { headers: { 'x-request-id': 'no id' } })],
    [
      'a body that is no JSON',
      400,
      () => fetch(`${api.url}/api/v1/payments`, { method: 'POST', headers: { ...bearer(), ...json }, body: '{' }),
    ],
    ['nobody known', 401, () => fetch(`${api.url}/api/v1/payments`)],
    ['somebody who may not', 403, () => fetch(`${api.url}/metrics`, { headers: bearer() })],
    ['nothing there', 404, () => fetch(`${api.url}/nowhere`)],
    ['a page that is not there', 404, () => fetch(`${api.url}/docs/nowhere`)],
    ['a link of a payer that leads nowhere', 404, () => fetch(`${api.url}/api/v1/payments/pay_x/return/y`)],
    ['a method that is not allowed', 405, () => fetch(`${api.url}/api/v1/payments`, { method: 'DELETE' })],
    ['OPTIONS where no page may ask', 405, () => fetch(`${api.url}/api/v1/payments`, { method: 'OPTIONS' })],
    [
      'a body that is too large',
      413,
      () =>
        fetch(`${api.url}/api/v1/payments`, {
          method: 'POST',
          headers: { ...bearer(), ...json },
          body: JSON.stringify('x'.repeat(100_000)),
        }),
    ],
    [
      'a type that nobody reads',
      415,
      () => fetch(`${api.url}/api/v1/payments`, { method: 'POST', headers: bearer(), body: 'text' }),
    ],
    [
      'a body that is not valid',
      422,
      () => fetch(`${api.url}/api/v1/payments`, { method: 'POST', headers: { ...bearer(), ...json }, body: '{}' }),
    ],
    ['too many requests', 429, () => fetch(`${limited.url}/health`)],
  ];
  test.each(answers)('%s (%i)', async (_what, status, ask) => {
    const { status: answered, headers } = await ask();
    expect(answered).toBe(status);
    expect(hardeningOf(headers)).toEqual(exact);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('server')).toBeNull();
  });

  test('what is not even HTTP (400)', async () => {
    const server = createApiServer((_request, response) => response.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () =>
        socket.write('no HTTP\r\n\r\n'),
      );
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      socket.on('close', () => resolve(text)).on('error', reject);
    });
    server.close();
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    for (const [name, value] of Object.entries(exact))
      expect(answer.toLowerCase()).toContain(`${name}: ${value.toLowerCase()}\r\n`);
  });

  test('the page with the documentation, which alone may show pictures that it brings along', async () => {
    const { headers } = await fetch(`${api.url}/docs`);
    expect(hardeningOf(headers)).toEqual({
      ...exact,
      'content-security-policy': "default-src 'self'; img-src 'self' data:",
    });
  });
});
