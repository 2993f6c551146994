import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { disableWebhookEndpoint } from '../../prisma/webhook-endpoints.ts';
import { createAddressGuard } from '../../runtime/address-guard.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { callApi, type List, readAll } from '../support/api-call.ts';
import type { Problem } from '../support/api-client.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { madeOnce, testCreation } from './creation-contract.ts';

const secretBox = createSecretBox(new Map([['test', randomBytes(32)]]));
/** A private network behind one name, the internet behind all others. */
const lookUp = async (name: string) => {
  if (name === 'unknown.example.com') throw Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' });
  return name === 'inside.example.com' ? ['8.8.8.8', '10.0.0.7'] : ['8.8.8.8'];
};
const addressGuard = createAddressGuard({ allowsPrivate: false, lookUp });

const { database, api } = apiUnderTest({ secretBox, addressGuard });

interface Endpoint {
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  readonly event_types: readonly string[];
  readonly status: string;
  readonly secret?: string;
  readonly created_at: string;
  readonly is_test: boolean;
}

/** A key of a merchant of its own, or of one that is there. */
async function aKey(isTest = true, merchantId = `mer_${randomUUID()}`, allowed?: readonly string[]) {
  const text = await api.keyFor(merchantId, { isTest, ...(allowed && { permissions: allowed }) });
  return { text, merchantId };
}

const anUrl = 'https://shop.example.com/hooks?shop=7';

async function post(apiKey: string, body: unknown, idempotencyKey?: string) {
  const response = await fetch(`${api.url}/api/v1/webhooks`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { data: Endpoint } & Problem;
  return { status: response.status, headers: response.headers, body: answer, problem: answer };
}

describe('a new endpoint', () => {
  test('is answered with its secret, which the database holds encrypted and no other answer shows', async () => {
    const { text: key } = await aKey();
    const answer = await post(key, {
      url: anUrl,
      description: 'The shop',
      event_types: ['payment.captured', 'payment.failed'],
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('idempotency-key')).toMatch(/./);
    expect(answer.headers.get('idempotent-replayed')).toBeNull();
    const { secret, ...endpoint } = answer.body.data;
    expect(endpoint).toEqual({
      id: expect.stringMatching(/^whe_[0-9a-z]{26}$/),
      url: anUrl,
      description: 'The shop',
      event_types: ['payment.captured', 'payment.failed'],
      status: 'active',
      disabled_reason: null,
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      is_test: true,
    });
    expect(secret).toMatch(/^whsec_/);
    expect(Buffer.from(secret?.slice(6) ?? '', 'base64')).toHaveLength(32);
    const { rows } = await database.admin.query<{ secret: string }>('SELECT * FROM webhook_endpoints WHERE id = $1', [
      endpoint.id,
    ]);
    expect(JSON.stringify(rows)).not.toContain(secret?.slice(6));
    expect(secretBox.open(rows[0]?.secret ?? '', endpoint.id)).toBe(secret);
    expect(await readAll<Endpoint>(api.url, key, '/api/v1/webhooks')).toEqual([endpoint]);
  });

  test('with the same key is the same one, secret included, also for a hundred at once', async () => {
    const { text: key } = await aKey();
    const body = { url: anUrl };
    const { secret } = await madeOnce(randomUUID(), (idempotencyKey) => post(key, body, idempotencyKey), 100);
    expect(secret).toMatch(/^whsec_/);
  });

  testCreation(api, {
    path: '/api/v1/webhooks',
    body: () => ({ url: anUrl }),
    change: { url: `${anUrl}&x=1` },
    ownMembers: ['id', 'secret'],
  });

  test('is the twentieth at most, also for thirty at once; a disabled one leaves room', async () => {
    const { text: key, merchantId } = await aKey();
    const made = await Promise.all(Array.from({ length: 30 }, () => post(key, { url: anUrl })));
    const refused = made.filter(({ status }) => status === 409);
    expect(made.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(refused.map(({ problem }) => problem.code)).toEqual(
      Array.from({ length: 10 }, () => 'too_many_webhook_endpoints'),
    );
    const first = made.find(({ status }) => status === 201)?.body.data.id ?? '';
    await disableWebhookEndpoint(database.db, merchantId, first, 'test');
    expect((await post(key, { url: anUrl })).status).toBe(201);
    expect((await post(key, { url: anUrl })).status).toBe(409);
  });

  test('needs the permission', async () => {
    const { text: key } = await aKey(true, undefined, ['webhooks:read']);
    expect((await post(key, { url: anUrl })).problem.code).toBe('forbidden');
  });
});

describe('a URL', () => {
  const refusal = async (url: unknown, isTest = true) => {
    const answer = await post((await aKey(isTest)).text, { url });
    expect([url, answer.status]).toEqual([url, 422]);
    expect(answer.problem.errors?.map(({ pointer }) => pointer)).toEqual(['/url']);
    return answer.problem.errors?.[0]?.detail;
  };

  test('is https in live mode, and may be http in test mode', async () => {
    expect((await post((await aKey(true)).text, { url: 'http://shop.example.com/' })).status).toBe(201);
    expect(await refusal('http://shop.example.com/', false)).toContain('https');
    expect((await post((await aKey(false)).text, { url: anUrl })).status).toBe(201);
  });

  test.each([
    'shop.example.com',
    'ftp://shop.example.com/',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'https://',
    'https://user@shop.example.com/',
    'https://user:password@shop.example.com/',
    'https://shop.example.com/#part',
    'https://shop.example.com/#',
    `https://shop.example.com/${'a'.repeat(2_000)}`,
    'https://shop.example.com/\n',
    '',
    7,
  ])('%j is refused', async (url) => {
    await refusal(url);
  });

  test.each([
    'http://127.0.0.1:5432/',
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://inside.example.com/',
  ])('%s leads inside and is refused', async (url) => {
    expect(await refusal(url)).toContain('private or local');
  });

  test('whose name is not known yet is taken', async () => {
    expect((await post((await aKey()).text, { url: 'https://unknown.example.com/' })).status).toBe(201);
  });

  test('may have 2,000 characters', async () => {
    const url = `https://shop.example.com/${'a'.repeat(1_975)}`;
    expect((await post((await aKey()).text, { url })).body.data.url).toBe(url);
  });
});

test('unknown types of events and unknown members are refused, and types are kept once', async () => {
  const { text: key } = await aKey();
  expect((await post(key, { url: anUrl, event_types: ['payment.exploded'] })).problem.errors?.[0]?.pointer).toBe(
    '/event_types/0',
  );
  expect((await post(key, { url: anUrl, secret: 'whsec_mine' })).status).toBe(422);
  const twice = await post(key, { url: anUrl, event_types: ['payment.delayed', 'payment.delayed'] });
  expect(twice.body.data.event_types).toEqual(['payment.delayed']);
  expect((await post(key, { url: anUrl, event_types: [] })).body.data.event_types).toEqual([]);
});

describe('the list', () => {
  test('has all endpoints of this merchant in this mode, newest first, page by page', async () => {
    const { text: key, merchantId } = await aKey();
    const other = await aKey(false, merchantId);
    const made: string[] = [];
    for (let each = 0; each < 5; each++) made.push((await post(key, { url: anUrl })).body.data.id);
    await post(other.text, { url: anUrl });
    await database.admin.query(`UPDATE webhook_endpoints SET created_at = '2026-01-01T00:00:00Z' WHERE id = ANY($1)`, [
      made.slice(0, 3),
    ]);
    await disableWebhookEndpoint(database.db, merchantId, made[0] ?? '', 'test');
    const all = await readAll<Endpoint>(api.url, key, '/api/v1/webhooks', { limit: 2 });
    expect(all.map(({ id }) => id)).toEqual([made[4], made[3], ...made.slice(0, 3).toSorted().toReversed()]);
    expect(all.find(({ id }) => id === made[0])).toMatchObject({ status: 'disabled', disabled_reason: 'test' });
    const first = await callApi<List<Endpoint>>(api.url, key, { path: '/api/v1/webhooks?limit=2' });
    expect(first.body).toMatchObject({ has_more: true, next_cursor: expect.any(String) });
    expect(JSON.stringify(first.body)).not.toMatch(/secret|whsec/);
  });

  test('is empty for another merchant, and needs the permission', async () => {
    await post((await aKey()).text, { url: anUrl });
    expect(await readAll(api.url, (await aKey()).text, '/api/v1/webhooks')).toEqual([]);
    const { text: key } = await aKey(true, undefined, ['webhooks:write']);
    expect((await callApi(api.url, key, { path: '/api/v1/webhooks' })).problem.code).toBe('forbidden');
  });
});
