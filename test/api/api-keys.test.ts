import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Credentials } from '../../api/credentials.ts';
import { keyPermissions } from '../../api/permissions.ts';
import { revokeApiKey, storeApiKey } from '../../prisma/api-keys.ts';
import { byCommand } from '../../prisma/audit-logs.ts';
import { findApiKey, findSession } from '../../prisma/credentials.ts';
import { makeKey, parseKey } from '../../runtime/api-key.ts';
import { signRequest } from '../../runtime/request-signature.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { type CallAnswer, callApi, type List, readAll } from '../support/api-call.ts';
import type { Problem } from '../support/api-client.ts';
import { startApi } from '../support/api-server.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';
import { until } from '../support/until.ts';

const path = '/api/v1/auth/api-keys';
const accessTokens = testAccessTokens();
const apiKeyPepper = randomBytes(32).toString('hex');
const secretBox = createSecretBox(new Map([['test', randomBytes(32)]]));

const { database, api } = apiUnderTest({ accessTokens, secretBox, apiKeyPepper });

interface KeyObject {
  readonly id: string;
  readonly key_id: string;
  readonly name: string;
  readonly permissions: readonly string[];
  readonly status: string;
  readonly expires_at: string | null;
  readonly api_key?: string;
  readonly signing_secret?: string;
}

interface Made {
  readonly data: KeyObject;
}

/** A merchant with a key that nothing limits, and one of its other mode. */
async function aMerchant() {
  const merchantId = `mer_${randomUUID()}`;
  const key = await api.keyFor(merchantId);
  return { merchantId, key, live: await api.keyFor(merchantId, { isTest: false }) };
}

const aKey = (changes: object = {}) => ({ name: 'shop', permissions: ['payments:read'], ...changes });

async function post(apiKey: string, body: unknown, idempotencyKey?: string): Promise<CallAnswer<Made>> {
  const response = await fetch(`${api.url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    },
    body: JSON.stringify(body),
  });
  const { status, headers } = response;
  const answer: unknown = await response.json();
  return { status, headers, body: answer as Made, problem: answer as Problem };
}

const put = (apiKey: string, id: string, body: unknown) =>
  callApi<Made>(api.url, apiKey, { method: 'PUT', path: `${path}/${id}`, body });
const get = (apiKey: string, id: string) => callApi<Made>(api.url, apiKey, { path: `${path}/${id}` });
const revoke = (apiKey: string, id: string) =>
  callApi<Made>(api.url, apiKey, { method: 'DELETE', path: `${path}/${id}` });

const use = (apiKey: string) => callApi<List<unknown>>(api.url, apiKey, { path: '/api/v1/payments' });

/** A key made with the rules given, by one that nothing limits. */
async function made(apiKey: string, changes: object = {}): Promise<KeyObject & { readonly api_key: string }> {
  const answer = await post(apiKey, aKey(changes));
  expect(answer.body).toMatchObject({ data: { api_key: expect.any(String) } });
  return { ...answer.body.data, api_key: answer.body.data.api_key ?? '' };
}

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const hours = { time_zone: 'Europe/Berlin', weekdays: ['mon', 'fri'], from: '08:00', to: '18:00' };

async function actsOn(id: string) {
  const { rows } = await database.admin.query<{
    action: string;
    user_id: string;
    request_data: Record<string, unknown>;
  }>(
    'SELECT action, user_id, request_data FROM audit_logs WHERE resource_id = $1 AND action ~ $2 ORDER BY created_at',
    [id, '^api_key\\.'],
  );
  return rows;
}

describe('a new key', () => {
  test('works at once, and is shown with all that it is', async () => {
    const { key, merchantId } = await aMerchant();
    const answer = await post(key, {
      ...aKey({ permissions: ['payments:read', 'refunds:read', 'payments:read'], description: 'of the shop' }),
      rate_limit_per_minute: 7,
      ip_whitelist: ['127.0.0.1', '127.0.0.9/8', '::ffff:127.0.0.1', '2001:DB8::1'],
      ip_blacklist: ['10.0.0.0/8'],
      expires_at: '2999-01-01T01:00:00+01:00',
      allowed_hours: {
        time_zone: 'UTC',
        weekdays: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
        from: '00:00',
        to: '24:00',
      },
      signing: true,
    });
    expect(answer.status).toBe(201);
    const { api_key: text = '', signing_secret: signingSecret, ...shown } = answer.body.data;
    expect(text).toMatch(/^po_test_[0-9a-z]{16}_[0-9a-z]{38}$/);
    expect(signingSecret).toMatch(/^pos_[0-9a-hjkmnp-tv-z]{52}$/);
    expect(shown).toEqual({
      id: `key_${parseKey(text)?.keyId}`,
      key_id: parseKey(text)?.keyId,
      name: 'shop',
      description: 'of the shop',
      permissions: ['payments:read', 'refunds:read'],
      rate_limit_per_minute: 7,
      rate_limit_per_hour: 1_000,
      rate_limit_per_day: 10_000,
      ip_whitelist: ['127.0.0.1/32', '127.0.0.0/8', '2001:db8::1/128'],
      ip_blacklist: ['10.0.0.0/8'],
      allowed_hours: {
        time_zone: 'UTC',
        weekdays: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
        from: '00:00',
        to: '24:00',
      },
      requires_signature: false,
      has_signing_secret: true,
      status: 'active',
      expires_at: '2999-01-01T00:00:00.000Z',
      last_used_at: null,
      usage_count: 0,
      created_at: expect.any(String),
      updated_at: expect.any(String),
      revoked_at: null,
      created_by: `api_key:${parseKey(key)?.keyId}`,
      is_test: true,
    });
    expect(answer.headers.get('location')).toBe(`${path}/${shown.id}`);
    expect((await use(text)).status).toBe(200);
    expect((await get(key, shown.id)).body.data).toEqual(shown);
    const { rows } = await database.admin.query('SELECT merchant_id, signing_secret FROM api_keys WHERE id = $1', [
      shown.id,
    ]);
    expect(rows[0].merchant_id).toBe(merchantId);
    expect(secretBox.open(rows[0].signing_secret, shown.key_id)).toBe(signingSecret);
  });

  test('is of the mode of who makes it', async () => {
    const { live } = await aMerchant();
    const { api_key: text, ...shown } = await made(live);
    expect(text).toMatch(/^po_live_/);
    expect(shown).toMatchObject({ is_test: false });
    expect((await post(live, aKey({ is_test: true }))).problem.code).toBe('validation_failed');
  });

  test('is repeatable: a repeat answers the key without its secrets, and another body is refused', async () => {
    const { key } = await aMerchant();
    const repeatKey = randomUUID();
    const first = await post(key, aKey({ signing: true }), repeatKey);
    const again = await post(key, { signing: true, permissions: ['payments:read'], name: 'shop' }, repeatKey);
    const { api_key: _key, signing_secret: _secret, ...shown } = first.body.data;
    expect([again.status, again.body.data]).toEqual([201, shown]);
    expect([first.headers.get('idempotent-replayed'), again.headers.get('idempotent-replayed')]).toEqual([
      null,
      'true',
    ]);
    expect(again.headers.get('idempotency-key')).toBe(repeatKey);
    const other = await post(key, aKey({ name: 'other' }), repeatKey);
    expect([other.status, other.problem.code]).toEqual([422, 'idempotency_key_reused']);
    expect(await readAll(api.url, key, path)).toHaveLength(2);
  });

  test('asked for thirty times at once with one idempotency key is one, and its secret is in one answer', async () => {
    const { key } = await aMerchant();
    const repeatKey = randomUUID();
    const answers = await Promise.all(Array.from({ length: 30 }, () => post(key, aKey(), repeatKey)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.data.id}`)).size).toBe(1);
    expect(answers.filter(({ body }) => body.data.api_key !== undefined)).toHaveLength(1);
  });

  test('with the same idempotency key in the other mode or of another merchant is another one', async () => {
    const one = await aMerchant();
    const other = await aMerchant();
    const repeatKey = randomUUID();
    const answers = await Promise.all([one.key, one.live, other.key].map((key) => post(key, aKey(), repeatKey)));
    expect(new Set(answers.map(({ body }) => body.data.api_key)).size).toBe(3);
  });

  test('is the twentieth active one at most, also for thirty at once; a revoked or expired one leaves room', async () => {
    const { key, live } = await aMerchant();
    const answers = await Promise.all(Array.from({ length: 30 }, () => post(key, aKey({ expires_at: inAnHour() }))));
    const stored = answers.filter(({ status }) => status === 201);
    expect(stored).toHaveLength(19); // and the one that calls
    const refused = answers.filter(({ status }) => status !== 201);
    expect(new Set(refused.map(({ status, problem }) => `${status} ${problem.code}`))).toEqual(
      new Set(['409 too_many_api_keys']),
    );
    const ids = stored.map(({ body }) => body.data.id);
    await database.admin.query(`UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = $1`, [ids[0]]);
    await revoke(key, ids[1] ?? '');
    await made(key);
    await made(key);
    expect((await post(key, aKey())).problem.code).toBe('too_many_api_keys');
    expect((await put(key, ids[0] ?? '', { expires_at: inAnHour() })).problem.code).toBe('too_many_api_keys');
    await revoke(key, ids[2] ?? '');
    expect((await put(key, ids[0] ?? '', { expires_at: inAnHour() })).body.data.status).toBe('active');
    await made(live);
  });

  test.each<[string, object, string]>([
    ['no name', { name: undefined }, '/name'],
    ['a blank name', { name: ' ' }, '/name'],
    ['a long name', { name: 'n'.repeat(101) }, '/name'],
    ['no permissions', { permissions: undefined }, '/permissions'],
    ['an empty list of them', { permissions: [] }, '/permissions'],
    ['an unknown permission', { permissions: ['payments:read', 'payments:admin'] }, '/permissions/1'],
    ['a permission for people', { permissions: ['users:write'] }, '/permissions/0'],
    ['a permission of the platform', { permissions: ['merchants:write'] }, '/permissions/0'],
    ['a limit of zero', { rate_limit_per_minute: 0 }, '/rate_limit_per_minute'],
    ['a limit of a half', { rate_limit_per_hour: 1.5 }, '/rate_limit_per_hour'],
    ['a limit beyond all', { rate_limit_per_day: 1_000_000_001 }, '/rate_limit_per_day'],
    ['an address that is none', { ip_whitelist: ['10.0.0.1', '10.0.0.0/33'] }, '/ip_whitelist/1'],
    ['a host name', { ip_blacklist: ['example.com'] }, '/ip_blacklist/0'],
    ['too many addresses', { ip_blacklist: Array.from({ length: 101 }, (_, at) => `10.0.0.${at}`) }, '/ip_blacklist'],
    ['an expiry that is over', { expires_at: '2026-01-01T00:00:00Z' }, '/expires_at'],
    ['an expiry that is no instant', { expires_at: 'tomorrow' }, '/expires_at'],
    ['an unknown zone', { allowed_hours: { ...hours, time_zone: 'Mars/Olympus' } }, '/allowed_hours/time_zone'],
    ['an offset for a zone', { allowed_hours: { ...hours, time_zone: '+01:00' } }, '/allowed_hours/time_zone'],
    ['no day', { allowed_hours: { ...hours, weekdays: [] } }, '/allowed_hours/weekdays'],
    ['an unknown day', { allowed_hours: { ...hours, weekdays: ['monday'] } }, '/allowed_hours/weekdays/0'],
    ['an hour that is none', { allowed_hours: { ...hours, from: '24:00' } }, '/allowed_hours/from'],
    ['an hour of one digit', { allowed_hours: { ...hours, to: '9:00' } }, '/allowed_hours/to'],
    ['hours without length', { allowed_hours: { ...hours, to: '08:00' } }, '/allowed_hours/to'],
    ['hours with more in them', { allowed_hours: { ...hours, holidays: [] } }, '/allowed_hours/holidays'],
    ['a hash', { key_secret_hash: 'a'.repeat(64) }, '/key_secret_hash'],
    ['a merchant', { merchant_id: 'mer_other' }, '/merchant_id'],
    ['a status', { status: 'active' }, '/status'],
    ['a count', { usage_count: 7 }, '/usage_count'],
    ['a signing secret', { signing_secret: 'pos_mine' }, '/signing_secret'],
    ['who made it', { created_by: 'system' }, '/created_by'],
  ])('with %s is refused', async (_what, changes, pointer) => {
    const { key } = await aMerchant();
    const answer = await post(key, aKey(changes));
    expect([answer.status, answer.problem.code]).toEqual([422, 'validation_failed']);
    expect(answer.problem.errors?.map((error) => error.pointer)).toEqual([pointer]);
    expect(await readAll(api.url, key, path)).toHaveLength(1);
  });
});

describe('the secret', () => {
  test('is in one answer, and nowhere after', async () => {
    const { key } = await aMerchant();
    const { api_key: text, signing_secret: signingSecret = '', id } = await made(key, { signing: true });
    await use(text);
    await put(key, id, { name: 'renamed' });
    const answers = [await get(key, id), await callApi(api.url, key, { path }), await revoke(key, id)];
    await use(text);
    const { rows } = await database.admin.query<{ all: string }>(`
      SELECT coalesce(string_agg(t, ' '), '') AS all FROM (
        SELECT api_keys::text AS t FROM api_keys UNION ALL SELECT audit_logs::text FROM audit_logs) rows`);
    const everywhere = [JSON.stringify(answers.map(({ body }) => body)), rows[0]?.all ?? '', api.log()];
    expect(everywhere.map((place) => place.length > 100)).toEqual([true, true, true]);
    const { secret = '' } = parseKey(text) ?? {};
    for (const place of everywhere) {
      for (const hidden of [secret, signingSecret, signingSecret.slice(4)]) expect(place.includes(hidden)).toBe(false);
    }
    const hashes = await database.admin.query<{ key_secret_hash: string }>('SELECT key_secret_hash FROM api_keys');
    for (const { key_secret_hash: hash } of hashes.rows) {
      expect(hash).toMatch(/^[0-9a-f]{64}$/);
      expect([everywhere[0]?.includes(hash), everywhere[2]?.includes(hash)]).toEqual([false, false]);
    }
  });
});

describe('who makes or changes a key', () => {
  test('gives no permission that they lack', async () => {
    const { merchantId, key } = await aMerchant();
    const small = await api.keyFor(merchantId, { permissions: ['api_keys:write', 'payments:read'] });
    const refused = await post(small, aKey({ permissions: ['payments:read', 'refunds:write', 'ledger:read'] }));
    expect([refused.status, refused.problem.code]).toEqual([403, 'forbidden']);
    expect(refused.problem.errors?.map(({ detail }) => detail.split(' ')[0])).toEqual(['refunds:write', 'ledger:read']);
    const other = await made(small, { permissions: ['payments:read', 'api_keys:write'] });
    expect((await put(small, other.id, { permissions: ['refunds:write'] })).problem.code).toBe('forbidden');
    expect((await put(other.api_key, other.id, { permissions: [...keyPermissions] })).problem.code).toBe('forbidden');
    expect((await put(key, other.id, { permissions: ['refunds:write'] })).status).toBe(200);
  });

  test('changes no key that may do more than they may: an expiry taken back would give it all', async () => {
    const { merchantId, key } = await aMerchant();
    const strong = await made(key, { permissions: ['refunds:write'], expires_at: '2998-01-01T00:00:00Z' });
    const weak = await api.keyFor(merchantId, { permissions: ['api_keys:write', 'payments:read'] });
    for (const change of [
      { expires_at: null },
      { ip_whitelist: [] },
      { rate_limit_per_day: 10 },
      { allowed_hours: null },
    ])
      expect([change, (await put(weak, strong.id, change)).problem.code]).toEqual([change, 'forbidden']);
    expect((await put(weak, strong.id, { name: 'a better name' })).status).toBe(200);
    expect((await put(key, strong.id, { expires_at: null })).status).toBe(200);
    expect((await revoke(weak, strong.id)).status).toBe(200);
  });

  test('needs the permission itself', async () => {
    const { merchantId, key } = await aMerchant();
    const reader = await api.keyFor(merchantId, {
      permissions: keyPermissions.filter((one) => one !== 'api_keys:write'),
    });
    const { id } = await made(key);
    const answers = [await post(reader, aKey()), await put(reader, id, { name: 'mine' }), await revoke(reader, id)];
    expect(answers.map(({ problem }) => problem.code)).toEqual(['forbidden', 'forbidden', 'forbidden']);
    expect((await get(reader, id)).status).toBe(200);
    const writer = await api.keyFor(merchantId, { permissions: ['api_keys:write'] });
    expect((await get(writer, id)).problem.code).toBe('forbidden');
    expect((await callApi(api.url, writer, { path })).problem.code).toBe('forbidden');
  });

  test.each<[string, object, object]>([
    ['rate_limit_per_minute', { rate_limit_per_minute: 50 }, { rate_limit_per_minute: 51 }],
    ['rate_limit_per_hour', { rate_limit_per_hour: 500 }, { rate_limit_per_hour: 501 }],
    ['rate_limit_per_day', { rate_limit_per_day: 500 }, { rate_limit_per_day: 501 }],
    ['ip_whitelist', { ip_whitelist: ['127.0.0.0/8'] }, { ip_whitelist: ['127.0.0.0/7'] }],
    ['ip_whitelist', { ip_whitelist: ['127.0.0.0/8'] }, { ip_whitelist: [] }],
    ['ip_blacklist', { ip_blacklist: ['10.0.0.0/8'] }, { ip_blacklist: ['10.0.0.0/9'] }],
    ['ip_blacklist', { ip_blacklist: ['10.0.0.0/8'] }, { ip_blacklist: [] }],
    ['expires_at', { expires_at: '2998-01-01T00:00:00Z' }, { expires_at: '2998-01-01T00:00:01Z' }],
    ['expires_at', { expires_at: '2998-01-01T00:00:00Z' }, { expires_at: null }],
    [
      'allowed_hours',
      { allowed_hours: { ...hours, from: '00:00', to: '24:00', weekdays: allDays() } },
      { allowed_hours: null },
    ],
  ])('as a key gives no more than its own %s, to itself or to another', async (field, own, wider) => {
    const { key } = await aMerchant();
    const small = await made(key, { permissions: ['api_keys:write', 'payments:read'], ...own });
    const pointers = (answer: CallAnswer<unknown>) => [
      answer.problem.code,
      answer.problem.errors?.map(({ pointer }) => pointer),
    ];
    expect(pointers(await post(small.api_key, aKey(wider)))).toEqual(['forbidden', [`/${field}`]]);
    expect(pointers(await put(small.api_key, small.id, wider))).toEqual(['forbidden', [`/${field}`]]);
    const heir = await made(small.api_key, { permissions: ['payments:read'] });
    const { data } = (await get(key, small.id)).body;
    expect(heir).toMatchObject(Object.fromEntries(Object.entries(data).filter(([name]) => name in own)));
    expect((await put(key, heir.id, wider)).status).toBe(200);
  });

  test('as a key that must sign gives no key that need not', async () => {
    const { key } = await aMerchant();
    const own = { permissions: ['api_keys:write', 'payments:read'], requires_signature: true };
    const { api_key: text, id, signing_secret: secret = '' } = await made(key, own);
    const signed = async (method: string, target: string, body: string) => {
      const request = { timestamp: String(Math.floor(Date.now() / 1_000)), nonce: randomUUID(), method, target };
      const signature = signRequest(secret, { ...request, idempotencyKey: '', body: Buffer.from(body) });
      const response = await fetch(`${api.url}${target}`, {
        method,
        headers: {
          authorization: `Bearer ${text}`,
          'content-type': 'application/json',
          'x-signature-timestamp': request.timestamp,
          'x-signature-nonce': request.nonce,
          'x-signature': signature,
        },
        body,
      });
      return (await response.json()) as Made & Problem;
    };
    expect((await post(text, aKey())).problem.code).toBe('signature_required');
    const wider = JSON.stringify(aKey({ requires_signature: false }));
    expect(await signed('POST', path, wider)).toMatchObject({
      code: 'forbidden',
      errors: [{ pointer: '/requires_signature' }],
    });
    const free = await signed('PUT', `${path}/${id}`, '{"requires_signature":false}');
    expect(free).toMatchObject({ code: 'forbidden', errors: [{ pointer: '/requires_signature' }] });
    const heir = await signed('POST', path, JSON.stringify(aKey()));
    expect(heir.data).toMatchObject({ requires_signature: true, signing_secret: expect.stringMatching(/^pos_/) });
    expect((await put(key, id, { requires_signature: false })).status).toBe(200);
  });

  test('cannot demand signatures of a key without a signing secret', async () => {
    const { key } = await aMerchant();
    const { id } = await made(key);
    const refused = await put(key, id, { requires_signature: true });
    expect([refused.problem.code, refused.problem.errors?.[0]?.pointer]).toEqual([
      'validation_failed',
      '/requires_signature',
    ]);
  });

  test('as a user is bound by the role, and by no key', async () => {
    const { merchantId, key } = await aMerchant();
    const developer = await sessionFor(database.db, accessTokens, { merchantId, role: 'developer' });
    const shown = await made(developer.token, { permissions: ['payments:write'], rate_limit_per_minute: 1_000_000 });
    expect(shown).toMatchObject({ created_by: `user:${developer.userId}` });
    const refused = await post(developer.token, aKey({ permissions: ['refunds:write'] }));
    expect(refused.problem.code).toBe('forbidden');
    const { id } = await made(key, { permissions: ['refunds:write'] });
    expect((await put(developer.token, id, { permissions: ['refunds:write'] })).problem.code).toBe('forbidden');
    const finance = await sessionFor(database.db, accessTokens, { merchantId, role: 'finance' });
    expect((await post(finance.token, aKey())).problem.code).toBe('forbidden');
  });

  test('is read again when it counts: what was remembered of them a moment ago gives nothing', async () => {
    const { key, merchantId } = await aMerchant();
    const { text, id } = { text: await api.keyFor(merchantId), id: (await made(key)).id };
    const keyId = parseKey(text)?.keyId ?? '';
    const user = await sessionFor(database.db, accessTokens, { merchantId, role: 'owner' });
    const remembered = await findApiKey(database.db, keyId);
    const session = await findSession(database.db, user.sessionId);
    const credentials: Credentials = {
      apiKey: () => Promise.resolve({ record: remembered, outage: null }),
      operatorKey: () => Promise.resolve({ record: null, outage: null }),
      session: () => Promise.resolve({ record: session, outage: null }),
      close: () => Promise.resolve(),
    };
    const forgetful = await startApi(database, {}, { accessTokens, secretBox, apiKeyPepper, credentials });
    const codes = async (by: string) => {
      const posted = await callApi(forgetful.url, by, { method: 'POST', path, body: aKey() });
      const changed = await callApi(forgetful.url, by, {
        method: 'PUT',
        path: `${path}/${id}`,
        body: aKey({ name: by.slice(0, 9) }),
      });
      return [posted, changed].map((answer) => (answer.status < 300 ? null : answer.problem.code));
    };
    const store = (statement: string, of: string) => database.admin.query(statement, [of]);
    expect(await codes(text)).toEqual([null, null]);
    await store(`UPDATE api_keys SET permissions = '{api_keys:write}' WHERE key_id = $1`, keyId);
    expect(await codes(text)).toEqual(['forbidden', 'forbidden']);
    await store(`UPDATE api_keys SET status = 'revoked' WHERE key_id = $1`, keyId);
    expect(await codes(text)).toEqual(['api_key_revoked', 'api_key_revoked']);
    expect(await codes(user.token)).toEqual([null, null]);
    await store(`UPDATE users SET role = 'finance' WHERE id = $1`, user.userId);
    expect(await codes(user.token)).toEqual(['forbidden', 'forbidden']);
    await store(`UPDATE users SET role = 'owner', status = 'suspended' WHERE id = $1`, user.userId);
    expect(await codes(user.token)).toEqual(['token_revoked', 'token_revoked']);
    await store(`UPDATE users SET status = 'active' WHERE id = $1`, user.userId);
    await store('UPDATE auth_sessions SET revoked_at = now() WHERE id = $1', user.sessionId);
    expect(await codes(user.token)).toEqual(['token_revoked', 'token_revoked']);
    forgetful.close();
  });

  test('as an operator makes none', async () => {
    expect((await post(await api.operatorKey(), aKey())).problem.code).toBe('forbidden');
  });
});

function allDays(): string[] {
  return ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
}

describe('a change', () => {
  test('changes what is given, takes back what is null, and leaves the rest', async () => {
    const { key } = await aMerchant();
    const before = await made(key, {
      description: 'old',
      expires_at: inAnHour(),
      allowed_hours: hours,
      ip_whitelist: ['10.0.0.1'],
    });
    const changes = {
      name: 'new',
      description: null,
      permissions: ['refunds:read'],
      rate_limit_per_day: 5,
      ip_whitelist: [],
      expires_at: null,
      allowed_hours: null,
    };
    const answer = await put(key, before.id, changes);
    const { api_key: _secret, ...shown } = before;
    expect(answer.body.data).toEqual({ ...shown, ...changes, updated_at: expect.any(String) });
    expect((await get(key, before.id)).body.data).toEqual(answer.body.data);
  });

  test('that changes nothing is none', async () => {
    const { key } = await aMerchant();
    const { id } = await made(key, { allowed_hours: hours });
    const before = (await get(key, id)).body.data;
    expect((await put(key, id, {})).body.data).toEqual(before);
    expect(
      (await put(key, id, { name: 'shop', permissions: ['payments:read'], allowed_hours: hours })).body.data,
    ).toEqual(before);
    expect((await actsOn(id)).map(({ action }) => action)).toEqual(['api_key.created']);
  });

  test.each([
    'api_key',
    'key_id',
    'is_test',
    'status',
    'signing',
    'signing_secret',
    'merchant_id',
    'usage_count',
    'created_by',
  ])('of %s is refused', async (field) => {
    const { key } = await aMerchant();
    const { id } = await made(key);
    const answer = await put(key, id, { [field]: 'x' });
    expect([answer.status, answer.problem.errors?.map(({ pointer }) => pointer)]).toEqual([422, [`/${field}`]]);
  });

  test('of permissions holds at once', async () => {
    const { key } = await aMerchant();
    const one = await made(key);
    expect((await use(one.api_key)).status).toBe(200);
    await put(key, one.id, { permissions: ['refunds:read'] });
    await until('the key has lost it', async () => (await use(one.api_key)).status === 403, {
      withinMs: 1_000,
      everyMs: 20,
    });
  });

  test('revives an expired key, and no revoked one', async () => {
    const { key } = await aMerchant();
    const one = await made(key);
    await database.admin.query(`UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = $1`, [one.id]);
    expect((await get(key, one.id)).body.data.status).toBe('expired');
    expect((await put(key, one.id, { expires_at: inAnHour() })).body.data.status).toBe('active');
    await revoke(key, one.id);
    expect((await put(key, one.id, { expires_at: null, name: 'leaked' })).body.data).toMatchObject({
      name: 'leaked',
      status: 'revoked',
    });
    expect((await use(one.api_key)).problem.code).toBe('api_key_revoked');
  });
});

describe('a revocation', () => {
  test('ends the key, once and for all', async () => {
    const { key } = await aMerchant();
    const one = await made(key);
    const first = await revoke(key, one.id);
    expect(first.body.data).toMatchObject({ id: one.id, status: 'revoked', revoked_at: expect.any(String) });
    expect((await revoke(key, one.id)).body.data).toEqual(first.body.data);
    expect((await actsOn(one.id)).map(({ action }) => action)).toEqual(['api_key.created', 'api_key.revoked']);
    const refused = await use(one.api_key);
    expect([refused.status, refused.problem.code]).toEqual([401, 'api_key_revoked']);
  });

  test('may be of the key that asks for it', async () => {
    const { key } = await aMerchant();
    const one = await made(key, { permissions: ['api_keys:write'] });
    expect((await revoke(one.api_key, one.id)).status).toBe(200);
    const refused = await post(one.api_key, aKey());
    expect([refused.status, refused.problem.code]).toEqual([401, 'api_key_revoked']);
  });

  test('leaves the other of two keys at work: so keys are rotated', async () => {
    const { key } = await aMerchant();
    const [old, next] = [await made(key), await made(key)];
    expect([(await use(old.api_key)).status, (await use(next.api_key)).status]).toEqual([200, 200]);
    await put(key, old.id, { expires_at: inAnHour() });
    await revoke(key, old.id);
    expect([(await use(old.api_key)).status, (await use(next.api_key)).status]).toEqual([401, 200]);
  });
});

describe('a key of another merchant or mode', () => {
  test('is not there', async () => {
    const mine = await aMerchant();
    const other = await aMerchant();
    const { id } = await made(mine.key);
    for (const stranger of [other.key, other.live, mine.live]) {
      const answers = [await get(stranger, id), await put(stranger, id, { name: 'x' }), await revoke(stranger, id)];
      expect(answers.map(({ status, problem }) => [status, problem.code])).toEqual(
        answers.map(() => [404, 'not_found']),
      );
    }
    expect((await get(mine.key, id)).body.data).toMatchObject({ name: 'shop', status: 'active' });
    expect(await readAll(api.url, other.key, path)).toHaveLength(1);
  });

  test.each([
    'key_0000000000000000',
    'key_',
    'key',
    'KEY_0000000000000000',
    '%00',
    'key_%00',
    "key_' OR 1=1",
    'opk_0000000000000000',
  ])('nor is %j', async (id) => {
    const { key } = await aMerchant();
    const answers = [await get(key, id), await put(key, id, { name: 'x' }), await revoke(key, id)];
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
  });
});

test('the list has all keys of this merchant in this mode, newest first, page by page', async () => {
  const { key, live } = await aMerchant();
  const ids: string[] = [];
  for (let each = 0; each < 5; each++) ids.push((await made(key)).id);
  await made(live);
  await database.admin.query(`UPDATE api_keys SET created_at = '2026-01-01T00:00:00Z' WHERE id = ANY($1)`, [
    ids.slice(0, 3),
  ]);
  await revoke(key, ids[0] ?? '');
  const all = await readAll<KeyObject>(api.url, key, path, { limit: 2 });
  const others = all.filter(({ id }) => ids.includes(id)).map(({ id }) => id);
  expect(all).toHaveLength(6);
  expect(others).toEqual([ids[4], ids[3], ...ids.slice(0, 3).toSorted().toReversed()]);
  expect(all.find(({ id }) => id === ids[0])?.status).toBe('revoked');
  expect(JSON.stringify(all)).not.toMatch(/"(api_key|signing_secret|key_secret_hash|request_hash|idempotency_key)"/);
});

test('each act is written down with who did it, and without names', async () => {
  const { key } = await aMerchant();
  const actor = `api_key:${parseKey(key)?.keyId}`;
  const { id } = await made(key, { name: 'Jane Doe', description: 'of Jane Doe', ip_whitelist: ['127.0.0.1'] });
  await put(key, id, { name: 'John Doe', permissions: ['refunds:read'], rate_limit_per_minute: 3 });
  await revoke(key, id);
  const acts = await actsOn(id);
  expect(acts.map(({ action, user_id: who }) => [action, who])).toEqual([
    ['api_key.created', actor],
    ['api_key.changed', actor],
    ['api_key.revoked', actor],
  ]);
  expect(acts[0]?.request_data).toMatchObject({ permissions: ['payments:read'], ip_whitelist_length: 1 });
  expect(acts[1]?.request_data).toEqual({
    fields: ['name', 'permissions', 'rate_limit_per_minute'],
    permissions: ['refunds:read'],
    rate_limit_per_minute: 3,
  });
  expect(JSON.stringify(acts)).not.toMatch(/Doe|127\.0\.0\.1/);
});

test('what the product and operators do to keys is written down as well, by command as of another service', async () => {
  const { merchantId } = await aMerchant();
  const { keyId, secretHash } = makeKey('test', apiKeyPepper);
  await storeApiKey(database.db, merchantId, {
    keyId,
    secretHash,
    name: 'key',
    isTest: true,
    permissions: ['payments:read'],
  });
  const revokeByHand = (id: string) => revokeApiKey(database.db, id, byCommand(new Date()));
  expect([await revokeByHand(keyId), await revokeByHand(keyId), await revokeByHand('unknown')]).toEqual([
    true,
    false,
    false,
  ]);
  const { rows } = await database.admin.query(
    'SELECT action, user_id, service_name FROM audit_logs WHERE resource_id = $1 ORDER BY created_at',
    [`key_${keyId}`],
  );
  expect(rows).toEqual([
    { action: 'api_key.created', user_id: 'system', service_name: 'api' },
    { action: 'api_key.revoked', user_id: 'cli', service_name: 'admin' },
  ]);
});

test('a refused request writes nothing down', async () => {
  const { key, merchantId } = await aMerchant();
  const small = await api.keyFor(merchantId, { permissions: ['api_keys:write'] });
  const countActs = async () =>
    (
      await database.admin.query(`SELECT 1 FROM audit_logs WHERE merchant_id = $1 AND action ~ '^api_key\\.'`, [
        merchantId,
      ])
    ).rowCount;
  const before = await countActs();
  await post(small, aKey());
  await post(key, aKey({ expires_at: '2020-01-01T00:00:00Z' }));
  expect(await countActs()).toBe(before);
});
