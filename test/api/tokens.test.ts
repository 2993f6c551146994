import { describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { keyPermissions, merchantRoles } from '../../api/permissions.ts';
import { parseKey } from '../../runtime/api-key.ts';
import { callApi, readAll } from '../support/api-call.ts';
import { apiOn, apiUnderTest } from '../support/api-under-test.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { testAccessTokens, testPassword } from '../support/session.ts';
import {
  aMerchantId,
  aPerson,
  logIn,
  loginOf,
  postTokens,
  refresh,
  revoke,
  type Tokens,
  wordFor,
} from '../support/token-calls.ts';
import { until } from '../support/until.ts';

const shared = { accessTokens: testAccessTokens(), apiKeyPepper: 'a pepper of at least 32 characters' };
const { database, api } = apiUnderTest(shared);
/** Another process on the same database, with the same secrets. */
const another = apiOn(database, shared);

const rows = async <Row extends object>(text: string, ...values: unknown[]): Promise<Row[]> =>
  (await database.admin.query<Row>(text, values)).rows;

/** Makes what happened with the session's refresh tokens so much older. */
const age = (sessionId: string, seconds: number) =>
  rows(
    'UPDATE auth_tokens SET used_at = used_at - make_interval(secs => $2) WHERE session_id = $1',
    sessionId,
    seconds,
  );

const endOf = async (sessionId: string) => {
  const [session] = await rows<{ revoked_reason: string | null }>(
    'SELECT revoked_reason FROM auth_sessions WHERE id = $1',
    sessionId,
  );
  return session?.revoked_reason ?? null;
};

const countTokens = async (sessionId: string) =>
  (await rows('SELECT number FROM auth_tokens WHERE session_id = $1', sessionId)).length;

const actsOn = async (sessionId: string) =>
  (
    await rows<{ action: string; reason: string | null }>(
      `SELECT action, request_data ->> 'reason' AS reason FROM audit_logs
       WHERE resource_id = $1 AND resource_type = 'session' AND action LIKE 'session.%' ORDER BY created_at, action`,
      sessionId,
    )
  ).map(({ action, reason }) => (reason === null ? action : `${action}: ${reason}`));

const warnings = (sessionId: string) =>
  [api, another]
    .flatMap((one) => one.log().split('\n'))
    .filter((line) => line.includes('used twice') && line.includes(sessionId));

describe('a login', () => {
  test('gives tokens: one to call with, and one to go on with, again and again', async () => {
    const person = await aPerson(database);
    const answer = await postTokens(api, loginOf(person));
    expect(answer.status).toBe(201);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body.data).toEqual({
      access_token: expect.stringMatching(/^eyJ/),
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.stringMatching(/^por_[0-9a-z]{58}$/),
      refresh_expires_at: expect.any(String),
      session_id: expect.stringMatching(/^ses_[0-9a-z]{26}$/),
      permissions: [...merchantRoles.owner],
      totp_required: false,
    });
    let tokens = answer.body.data;
    for (let round = 0; round < 3; round++) {
      expect(await wordFor(api, tokens.access_token)).toBe('served');
      const next = await refresh(api, tokens.refresh_token);
      expect([next.status, next.headers.get('cache-control')]).toEqual([200, 'no-store']);
      expect(next.body.data.refresh_token).not.toBe(tokens.refresh_token);
      expect(next.body.data.session_id).toBe(tokens.session_id);
      tokens = next.body.data;
    }
    expect(await countTokens(tokens.session_id)).toBe(4);
    expect(await actsOn(tokens.session_id)).toEqual(['session.opened']);
  });

  test('lasts 90 days at most, its refresh tokens 30', async () => {
    const person = await aPerson(database);
    const { session_id: id, refresh_expires_at: firstEnds, ...tokens } = await logIn(api, person);
    const days = (at: string | null) => Math.round((Date.parse(at ?? '') - Date.now()) / 86_400_000);
    expect(days(firstEnds)).toBe(30);
    const [session] = await rows<{ expires_at: Date }>('SELECT expires_at FROM auth_sessions WHERE id = $1', id);
    expect(days(session?.expires_at.toISOString() ?? null)).toBe(90);
    const soon = new Date(Date.now() + 300_000);
    await rows('UPDATE auth_sessions SET expires_at = $2 WHERE id = $1', id, soon);
    await until('the API has heard of it', async () => {
      const { body } = await refresh(api, tokens.refresh_token);
      return body.data.expires_in <= 300 && body.data.refresh_expires_at === soon.toISOString();
    });
  });

  test('carries the mode that it was asked for, for all its life: it sees nothing of the other one', async () => {
    const person = await aPerson(database);
    const row = (isTest: boolean) =>
      insertPendingPayment(database, { merchant_id: person.merchantId, is_test: isTest });
    const ids = { test: await row(true), live: await row(false) };
    for (const mode of ['test', 'live'] as const) {
      const tokens = await logIn(api, person, { mode });
      const later = (await refresh(api, tokens.refresh_token)).body.data;
      for (const token of [tokens.access_token, later.access_token]) {
        const seen = await readAll<PaymentObject>(api.url, token, '/api/v1/payments');
        expect(seen.map(({ id }) => id)).toEqual([ids[mode]]);
        const other = ids[mode === 'test' ? 'live' : 'test'];
        const answer = await callApi(api.url, token, { path: `/api/v1/payments/${other}` });
        expect(answer.problem.code).toBe('not_found');
      }
    }
  });

  test('gives what was asked for, and never more than the role allows', async () => {
    const person = await aPerson(database, { role: 'support' });
    const narrow = await logIn(api, person, { permissions: ['payments:read', 'payments:read'] });
    expect(narrow.permissions).toEqual(['payments:read']);
    const { problem } = await callApi(api.url, narrow.access_token, { path: '/api/v1/events' });
    expect(problem.code).toBe('forbidden');
    expect((await refresh(api, narrow.refresh_token)).body.data.permissions).toEqual(['payments:read']);
    const more = await postTokens(api, loginOf(person, { permissions: ['payments:read', 'refunds:write'] }));
    expect(more.problem).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('refunds:write') });
    expect(more.problem.detail).not.toContain('payments:read');
  });

  test('loses with its role what the role no longer allows, and gains nothing', async () => {
    const person = await aPerson(database, { role: 'owner' });
    const asked = ['payments:read', 'users:write'];
    const tokens = await logIn(api, person, { permissions: asked });
    await rows(`UPDATE users SET role = 'support' WHERE id = $1`, person.userId);
    await until('the API has heard of it', async () => {
      const { data } = (await refresh(api, (await logIn(api, person)).refresh_token)).body;
      return !data.permissions.includes('users:write');
    });
    expect((await refresh(api, tokens.refresh_token)).body.data.permissions).toEqual(['payments:read']);
  });

  test('of the platform without a second factor says so, and opens nothing of it', async () => {
    const person = await aPerson(database, { merchantId: null, role: 'operator' });
    const tokens = await logIn(api, person);
    expect(tokens.totp_required).toBe(true);
    const answer = await callApi(api.url, tokens.access_token, { path: '/api/v1/discrepancies' });
    expect([answer.status, answer.problem.code]).toEqual([403, 'totp_required']);
    expect(await wordFor(api, tokens.access_token)).toBe('served');
    expect((await refresh(api, tokens.refresh_token)).body.data.totp_required).toBe(true);
  });

  test('with a wrong password opens no session', async () => {
    const person = await aPerson(database);
    const answer = await postTokens(api, loginOf(person, { password: 'another password' }));
    expect([answer.status, answer.problem.code]).toEqual([401, 'login_refused']);
    expect(await rows('SELECT id FROM auth_tokens t JOIN auth_sessions USING (id)')).toEqual([]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['no grant', { grant: undefined }, '/grant'],
    ['an unknown grant', { grant: 'client_credentials' }, '/grant'],
    ['no mode for a merchant’s user', { mode: undefined }, '/mode'],
    ['a mode for the platform', { merchant_id: undefined }, '/mode'],
    ['another mode', { mode: 'both' }, '/mode'],
    ['no password', { password: undefined }, '/password'],
    ['a password without end', { password: 'x'.repeat(1_001) }, '/password'],
    ['two second factors', { totp_code: '123456', recovery_code: 'x' }, '/recovery_code'],
    ['a code that is none', { totp_code: '12345a' }, '/totp_code'],
    ['an address that is none', { email: 'somebody' }, '/email'],
    ['a NUL in the address', { email: 'a\u0000@example.com' }, '/email'],
    ['no permission at all', { permissions: [] }, '/permissions'],
    ['a permission that there is not', { permissions: ['payments:delete'] }, '/permissions/0'],
    ['a role', { role: 'owner' }, '/role'],
    ['a session', { session_id: 'ses_1' }, '/session_id'],
  ])('with %s is no valid request', async (_name, changes, pointer) => {
    const person = { userId: 'usr_1', merchantId: 'mer_1', email: 'somebody@example.com' };
    const { status, problem } = await postTokens(api, loginOf(person, changes));
    expect([status, problem.code]).toEqual([422, 'validation_failed']);
    expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
  });
});

describe('an API key that asks for a token', () => {
  const ask = { grant: 'api_key' };

  test('gets one with what it may do itself, for its mode, and none to refresh it with', async () => {
    const key = await api.keyFor(aMerchantId(), { isTest: false });
    const { status, body } = await postTokens(api, ask, key);
    expect(status).toBe(201);
    expect(body.data).toMatchObject({ refresh_token: null, refresh_expires_at: null, expires_in: 900 });
    expect(body.data.permissions.toSorted()).toEqual([...keyPermissions].toSorted());
    const me = await callApi<{ data: object }>(api.url, body.data.access_token, { path: '/api/v1/auth/me' });
    expect(me.body.data).toMatchObject({ mode: 'live', actor: `api_key:${parseKey(key)?.keyId}` });
  });

  test('gets fewer permissions when it says so, and never more than it has', async () => {
    const key = await api.keyFor(aMerchantId(), { permissions: ['payments:read', 'events:read'] });
    const { body } = await postTokens(api, { ...ask, permissions: ['events:read'] }, key);
    expect(body.data.permissions).toEqual(['events:read']);
    const payments = await callApi(api.url, body.data.access_token, { path: '/api/v1/payments' });
    expect(payments.problem.code).toBe('forbidden');
    const more = await postTokens(api, { ...ask, permissions: ['payments:write'] }, key);
    expect([more.status, more.problem.code]).toEqual([403, 'forbidden']);
  });

  test('gets one that ends with it', async () => {
    const key = await api.keyFor(aMerchantId());
    await rows(`UPDATE api_keys SET expires_at = now() + interval '5 minutes' WHERE key_id = $1`, parseKey(key)?.keyId);
    const { body } = await postTokens(api, ask, key);
    expect(body.data.expires_in).toBeLessThanOrEqual(300);
    await rows('UPDATE api_keys SET expires_at = now() WHERE key_id = $1', parseKey(key)?.keyId);
    await until('the token is refused', async () => (await wordFor(api, body.data.access_token)) === 'api_key_expired');
  });

  test('must be the merchant’s own: nobody else gets one this way', async () => {
    const { access_token: token } = await logIn(api, await aPerson(database));
    for (const [credential, status, code] of [
      [null, 401, 'unauthorized'],
      ['po_test_nothing', 401, 'unauthorized'],
      [await api.operatorKey(), 403, 'forbidden'],
      [token, 403, 'forbidden'],
    ] as const) {
      const answer = await postTokens(api, ask, credential);
      expect([answer.status, answer.problem.code]).toEqual([status, code]);
    }
  });

  test.each<[string, string, string]>([
    ['that must sign', `requires_signature = true, signing_secret = 'sealed'`, 'signature_required'],
    ['from elsewhere', `ip_whitelist = '{192.0.2.0/24}'`, 'address_not_allowed'],
    ['that was revoked', `status = 'revoked'`, 'api_key_revoked'],
    ['that has expired', 'expires_at = now()', 'api_key_expired'],
  ])('gets none: a key %s', async (_name, change, code) => {
    const key = await api.keyFor(aMerchantId());
    await rows(`UPDATE api_keys SET ${change} WHERE key_id = $1`, parseKey(key)?.keyId);
    expect((await postTokens(api, ask, key)).problem.code).toBe(code);
  });

  test('gets no more tokens than it has requests', async () => {
    const key = await api.keyFor(aMerchantId());
    await rows('UPDATE api_keys SET rate_limit_per_minute = 2 WHERE key_id = $1', parseKey(key)?.keyId);
    const { body } = await postTokens(api, ask, key);
    expect(await wordFor(api, body.data.access_token)).toBe('served');
    const third = await postTokens(api, ask, key);
    expect([third.status, third.problem.code]).toEqual([429, 'rate_limited']);
    expect(third.headers.get('ratelimit')).toMatch(/^"minute";r=0;t=\d+$/);
    expect(third.headers.get('ratelimit-policy')).toBe('"minute";q=2;w=60');
    expect(third.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('a refresh token', () => {
  test('sent 50 times at once makes one family, and all who sent it go on with the same one', async () => {
    const tokens = await logIn(api, await aPerson(database));
    const atOnce = (token: string | null) =>
      Promise.all(Array.from({ length: 50 }, (_, index) => refresh(index % 2 === 0 ? api : another, token)));
    const first = await atOnce(tokens.refresh_token);
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set([200]));
    const successors = new Set(first.map(({ body }) => body.data.refresh_token));
    expect(successors.size).toBe(1);
    expect(await countTokens(tokens.session_id)).toBe(2);
    const words = await Promise.all(first.map(({ body }) => wordFor(api, body.data.access_token)));
    expect(new Set(words)).toEqual(new Set(['served']));
    const [successor] = successors;
    const second = await atOnce(successor ?? null);
    expect(new Set(second.map(({ body }) => body.data.refresh_token)).size).toBe(1);
    expect(await countTokens(tokens.session_id)).toBe(3);
    expect([await endOf(tokens.session_id), warnings(tokens.session_id)]).toEqual([null, []]);
  });

  test('whose answer was lost works again within half a minute, and not after', async () => {
    const tokens = await logIn(api, await aPerson(database));
    const lost = (await refresh(api, tokens.refresh_token)).body.data;
    await age(tokens.session_id, 25);
    const again = await refresh(another, tokens.refresh_token);
    expect(again.body.data).toMatchObject({
      refresh_token: lost.refresh_token,
      refresh_expires_at: lost.refresh_expires_at,
    });
    expect(await wordFor(api, again.body.data.access_token)).toBe('served');
    await age(tokens.session_id, 6);
    const late = await refresh(api, tokens.refresh_token);
    expect([late.status, late.problem.code]).toEqual([401, 'refresh_refused']);
    expect(await endOf(tokens.session_id)).toBe('reuse');
    expect((await refresh(api, lost.refresh_token)).problem.code).toBe('refresh_refused');
  });

  test('used again after its successor was used ends the session, however soon', async () => {
    const tokens = await logIn(api, await aPerson(database));
    const next = (await refresh(api, tokens.refresh_token)).body.data;
    const last = (await refresh(api, next.refresh_token)).body.data;
    expect((await refresh(api, tokens.refresh_token)).problem.code).toBe('refresh_refused');
    expect(await endOf(tokens.session_id)).toBe('reuse');
    expect((await refresh(api, last.refresh_token)).problem.code).toBe('refresh_refused');
    await until('its access token is refused', async () => (await wordFor(api, last.access_token)) === 'token_revoked');
  });

  test('that is reused many times at once ends the session once, and says so once', async () => {
    const tokens = await logIn(api, await aPerson(database));
    const bystander = await logIn(api, await aPerson(database));
    await refresh(api, tokens.refresh_token);
    await age(tokens.session_id, 31);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => refresh(index % 2 === 0 ? api : another, tokens.refresh_token)),
    );
    expect(new Set(answers.map(({ problem }) => problem.code))).toEqual(new Set(['refresh_refused']));
    expect(await actsOn(tokens.session_id)).toEqual(['session.opened', 'session.revoked: reuse']);
    expect(warnings(tokens.session_id)).toHaveLength(1);
    expect(warnings(tokens.session_id)[0]).toContain('"level":40');
    expect((await refresh(api, bystander.refresh_token)).status).toBe(200);
  });

  test('that was stolen, and reused, ends the access tokens on another process within a second', async () => {
    const tokens = await logIn(api, await aPerson(database));
    const thief = (await refresh(api, tokens.refresh_token)).body.data;
    expect(await wordFor(another, thief.access_token)).toBe('served');
    await age(tokens.session_id, 31);
    expect(await wordFor(another, thief.access_token)).toBe('served'); // and remembered there from now on
    await refresh(api, tokens.refresh_token);
    const refused = async () => (await wordFor(another, thief.access_token)) === 'token_revoked';
    await until('the other process refuses it', refused, { withinMs: 1_000, everyMs: 20 });
  });

  test('that has expired is refused, and ends nothing', async () => {
    const tokens = await logIn(api, await aPerson(database));
    await rows('UPDATE auth_tokens SET expires_at = now() WHERE session_id = $1', tokens.session_id);
    expect((await refresh(api, tokens.refresh_token)).problem.code).toBe('refresh_refused');
    expect(await endOf(tokens.session_id)).toBeNull();
    expect(await wordFor(api, tokens.access_token)).toBe('served');
  });

  test('of a session that has come to its end is refused', async () => {
    const tokens = await logIn(api, await aPerson(database));
    await rows('UPDATE auth_sessions SET expires_at = now() WHERE id = $1', tokens.session_id);
    const answer = await refresh(api, tokens.refresh_token);
    expect(answer.problem.code).toBe('refresh_refused');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    await until(
      'its access token is refused',
      async () => (await wordFor(api, tokens.access_token)) === 'token_expired',
    );
  });

  test('is kept by its hash alone: what the database holds is no token', async () => {
    const tokens = await logIn(api, await aPerson(database));
    const next = (await refresh(api, tokens.refresh_token)).body.data;
    const kept = await rows<{ id: string; token_hash: string }>(
      'SELECT id, token_hash FROM auth_tokens WHERE session_id = $1',
      tokens.session_id,
    );
    const texts = [tokens.refresh_token, next.refresh_token ?? ''].map((text) => text.slice(4, -6));
    for (const text of texts) expect(JSON.stringify(kept)).not.toContain(text);
    for (const { id, token_hash: hash } of kept)
      for (const text of [id, hash, `por_${hash.slice(0, 58)}`])
        expect((await refresh(api, text)).problem.code).toBe('refresh_refused');
  });

  test.each([
    ['nothing like one', 'x'],
    ['an unknown one', `por_${'0'.repeat(58)}`],
    ['an API key', 'po_test_0000000000000000_00000000000000000000000000000000000000'],
  ])('that is %s is refused', async (_name, text) => {
    const answer = await refresh(api, text);
    expect([answer.status, answer.problem.code]).toEqual([401, 'refresh_refused']);
  });

  test('opens no route, and an access token refreshes nothing', async () => {
    const tokens = await logIn(api, await aPerson(database));
    expect(await wordFor(api, tokens.refresh_token)).toBe('unauthorized');
    const answer = await refresh(api, tokens.access_token);
    expect(['refresh_refused', 'validation_failed']).toContain(answer.problem.code);
  });
});

describe('somebody who is suspended', () => {
  test.each<[string, string, string]>([
    ['as a user', 'users', 'user_suspended'],
    ['with the merchant', 'merchants', 'merchant_suspended'],
  ])('%s, in the middle of a session, is not served, and goes on when that is over', async (_name, table, code) => {
    const person = await aPerson(database);
    const tokens = await logIn(api, person);
    const id = table === 'users' ? person.userId : person.merchantId;
    const setStatus = (status: string) => rows(`UPDATE ${table} SET status = $2 WHERE id = $1`, id, status);
    expect(await wordFor(another, tokens.access_token)).toBe('served');
    await setStatus('suspended');
    for (const one of [api, another]) {
      const refused = async () => (await wordFor(one, tokens.access_token)) === code;
      await until('it is refused', refused, { withinMs: 1_000, everyMs: 20 });
    }
    const answer = await refresh(api, tokens.refresh_token);
    expect([answer.status, answer.problem.code]).toEqual([403, code]);
    await setStatus('active');
    await until('it is served again', async () => (await wordFor(api, tokens.access_token)) === 'served');
    expect((await refresh(api, tokens.refresh_token)).status).toBe(200);
  });

  test('a revoked key takes its tokens with it', async () => {
    const key = await api.keyFor(aMerchantId());
    const { body } = await postTokens(api, { grant: 'api_key' }, key);
    expect(await wordFor(another, body.data.access_token)).toBe('served');
    await rows(`UPDATE api_keys SET status = 'revoked' WHERE key_id = $1`, parseKey(key)?.keyId);
    const refused = async () => (await wordFor(another, body.data.access_token)) === 'api_key_revoked';
    await until('the other process refuses it', refused, { withinMs: 1_000, everyMs: 20 });
  });
});

describe('a revoked token', () => {
  const kinds: readonly [string, (tokens: Tokens, next: Tokens) => string][] = [
    ['the latest refresh token', (_tokens, next) => next.refresh_token ?? ''],
    ['a refresh token that was used', (tokens) => tokens.refresh_token ?? ''],
    ['an access token', (_tokens, next) => next.access_token],
  ];

  test.each(kinds)('%s ends its session, everywhere, and no other one', async (_name, choose) => {
    const person = await aPerson(database);
    const tokens = await logIn(api, person);
    const other = await logIn(api, person);
    const next = (await refresh(api, tokens.refresh_token)).body.data;
    expect(await wordFor(another, next.access_token)).toBe('served');
    const answer = await revoke(api, choose(tokens, next));
    expect([answer.status, answer.body.data]).toEqual([200, { revoked: true }]);
    const refused = async () => (await wordFor(another, next.access_token)) === 'token_revoked';
    await until('the other process refuses it', refused, { withinMs: 1_000, everyMs: 20 });
    expect((await refresh(another, next.refresh_token)).problem.code).toBe('refresh_refused');
    expect(await actsOn(tokens.session_id)).toEqual(['session.opened', 'session.revoked: revoked']);
    expect(warnings(tokens.session_id)).toEqual([]);
    expect([await wordFor(api, other.access_token), (await refresh(api, other.refresh_token)).status]).toEqual([
      'served',
      200,
    ]);
  });

  test('that is unknown, or revoked already, is answered alike, and nothing happens', async () => {
    const tokens = await logIn(api, await aPerson(database));
    await revoke(api, tokens.refresh_token);
    for (const text of [tokens.refresh_token, tokens.access_token, `por_${'0'.repeat(58)}`, 'x', tokens.session_id]) {
      const answer = await revoke(api, text);
      expect([answer.status, answer.body.data]).toEqual([200, { revoked: true }]);
    }
    expect(await actsOn(tokens.session_id)).toEqual(['session.opened', 'session.revoked: revoked']);
  });
});

test('no token and no password stands in any log, nor in any row', async () => {
  const person = await aPerson(database);
  const tokens = await logIn(api, person);
  const next = (await refresh(api, tokens.refresh_token)).body.data;
  await callApi(api.url, next.access_token, {
    method: 'POST',
    path: '/api/v1/auth/tokens/validate',
    body: { token: tokens.access_token },
  });
  await refresh(api, next.refresh_token);
  await refresh(api, tokens.refresh_token);
  await revoke(api, tokens.access_token);
  const secrets = [tokens, next].flatMap((one) => [one.access_token.split('.')[2] ?? '', one.refresh_token ?? '']);
  await until('the calls are in the log of calls', async () => {
    const calls = await rows<{ action: string }>('SELECT DISTINCT action FROM audit_logs');
    return calls.some(({ action }) => /revokeToken/.test(action));
  });
  const tables = await rows<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
  );
  const stored = await Promise.all(tables.map(({ name }) => rows(`SELECT * FROM "${name}"`)));
  const everything = [api.log(), another.log(), JSON.stringify(stored)].join('\n');
  expect(everything).toContain(tokens.session_id);
  for (const secret of [...secrets, testPassword]) expect(everything).not.toContain(secret);
  expect(everything).not.toMatch(/por_[0-9a-z]{58}|eyJ[\w-]+\.eyJ/);
});
