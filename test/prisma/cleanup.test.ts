import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { removeExpired } from '../../prisma/cleanup.ts';
import { findRefreshToken } from '../../prisma/sessions.ts';
import { callApi } from '../support/api-call.ts';
import { type ApiServer, startApi } from '../support/api-server.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';

let database: TestDatabase;
let api: ApiServer;
let sessionId: string;
const accessTokens = testAccessTokens();
beforeAll(async () => {
  database = await startDatabase();
  api = await startApi(database, {}, { accessTokens });
  ({ sessionId } = await sessionFor(database.db, accessTokens, { merchantId: 'mer_1', role: 'owner' }));
});
beforeEach(() => database.admin.query('TRUNCATE auth_tokens, request_nonces, login_addresses, login_throttles'));
afterAll(async () => {
  api?.close();
  await database?.close();
});

const now = new Date('2026-01-31T12:00:00.000Z');
const dayMs = 86_400_000;
const at = (ms: number) => new Date(now.getTime() + ms);
const ids = async (table: string, column: string) =>
  (await database.admin.query<{ id: string }>(`SELECT ${column} AS id FROM ${table}`)).rows.map(({ id }) => id);

/** A session whose end, and perhaps revocation, are so far from now; its id says which it is. */
async function aSession(name: string, expiresMs: number, revokedMs: number | null = null): Promise<string> {
  const id = `ses_${name}`;
  await database.admin.query(
    `INSERT INTO auth_sessions (id, user_id, merchant_id, is_test, expires_at, revoked_at)
     SELECT $1, user_id, merchant_id, is_test, $2, $3 FROM auth_sessions WHERE id = $4`,
    [id, at(expiresMs), revokedMs === null ? null : at(revokedMs), sessionId],
  );
  return id;
}

let numbers = 0;
async function aToken(id: string, expiresMs: number, of = sessionId): Promise<void> {
  numbers += 1;
  await database.admin.query(
    'INSERT INTO auth_tokens (id, session_id, token_hash, number, expires_at) VALUES ($1, $2, $1, $3, $4)',
    [id, of, numbers, at(expiresMs)],
  );
}

describe('what has expired, to the millisecond, is removed, and nothing else:', () => {
  test('refresh tokens, used or not', async () => {
    for (const [id, ms] of Object.entries({ before: -1, exactly: 0, after: 1 })) await aToken(id, ms);
    await database.admin.query('UPDATE auth_tokens SET used_at = now()');
    expect((await removeExpired(database.db, now)).refreshTokens).toBe(2);
    expect(await ids('auth_tokens', 'id')).toEqual(['after']);
    expect(await findRefreshToken(database.db, 'after')).toMatchObject({ sessionId });
  });

  test('sessions a day after their end, or after they were revoked, with their tokens', async () => {
    await aSession('ended', -dayMs);
    await aToken('ended', -dayMs, 'ses_ended');
    await aSession('ended-a-moment-later', -dayMs + 1);
    await aSession('revoked', 90 * dayMs, -dayMs);
    await aSession('revoked-a-moment-later', 90 * dayMs, -dayMs + 1);
    await aSession('open', 90 * dayMs);
    for (const name of ['revoked', 'revoked-a-moment-later', 'open']) await aToken(name, dayMs, `ses_${name}`);
    expect((await removeExpired(database.db, now)).sessions).toBe(2);
    const left = (await ids('auth_sessions', 'id')).filter((id) => id !== sessionId);
    expect(left.toSorted()).toEqual(['ses_ended-a-moment-later', 'ses_open', 'ses_revoked-a-moment-later']);
    expect((await ids('auth_tokens', 'id')).toSorted()).toEqual(['open', 'revoked-a-moment-later']);
    await removeExpired(database.db, at(dayMs));
    expect((await ids('auth_sessions', 'id')).filter((id) => id !== sessionId)).toEqual(['ses_open']);
  });

  test('sessions that key after key opened: more in one pass than an hour of grants makes', async () => {
    await database.admin.query(
      `INSERT INTO auth_sessions (id, user_id, merchant_id, is_test, expires_at)
       SELECT 'ses_granted_' || n, user_id, merchant_id, is_test, $1 FROM auth_sessions, generate_series(1, 12000) n
       WHERE id = $2`,
      [at(-dayMs), sessionId],
    );
    expect((await removeExpired(database.db, now)).sessions).toBe(12_000);
  });

  test('nonces of signed requests', async () => {
    for (const [id, ms] of Object.entries({ before: -1, exactly: 0, after: 1 }))
      await database.admin.query('INSERT INTO request_nonces (key_id, nonce_hash, expires_at) VALUES ($1, $1, $2)', [
        id,
        at(ms),
      ]);
    expect((await removeExpired(database.db, now)).nonces).toBe(2);
    expect(await ids('request_nonces', 'key_id')).toEqual(['after']);
  });

  test('addresses that nobody has logged in from for 90 days', async () => {
    const [{ id } = { id: '' }] = (await database.admin.query<{ id: string }>('SELECT id FROM users LIMIT 1')).rows;
    for (const [name, ms] of Object.entries({ long: -90 * dayMs, lately: -90 * dayMs + 1 }))
      await database.admin.query(
        'INSERT INTO login_addresses (user_id, address_hash, last_login_at) VALUES ($1, $2, $3)',
        [id, name, at(ms)],
      );
    expect((await removeExpired(database.db, now)).loginAddresses).toBe(1);
    expect(await ids('login_addresses', 'address_hash')).toEqual(['lately']);
  });

  test('counts of failed logins, unless somebody is locked out by them still', async () => {
    const rows: readonly [string, number, number | null][] = [
      ['over', 0, null],
      ['over-and-unlocked', -1, 0],
      ['over-but-locked', -1, 1],
      ['open', 1, null],
      ['open-and-unlocked', 1, -1],
    ];
    for (const [key, ends, locked] of rows)
      await database.admin.query(
        'INSERT INTO login_throttles (key, failures, window_ends_at, locked_until) VALUES ($1, 1, $2, $3)',
        [key, at(ends), locked === null ? null : at(locked)],
      );
    expect((await removeExpired(database.db, now)).loginThrottles).toBe(2);
    expect((await ids('login_throttles', 'key')).toSorted()).toEqual(['open', 'open-and-unlocked', 'over-but-locked']);
  });
});

describe('POST /auth/cleanup', () => {
  const path = '/api/v1/auth/cleanup';
  const cleanUp = (token: string | null, body: unknown = {}) =>
    callApi<{ data: unknown }>(api.url, token, { method: 'POST', path, body });

  test('removes for an operator what has expired by now, and says how much', async () => {
    const long = Date.now() - now.getTime();
    await aToken(randomUUID(), long - 60_000);
    await aToken(randomUUID(), long + 60_000);
    const { status, body } = await cleanUp(await api.operatorKey());
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ refresh_tokens: 1, nonces: 0, login_throttles: 0 });
    expect(await ids('auth_tokens', 'id')).toHaveLength(1);
    expect((await cleanUp(await api.operatorKey())).body.data).toEqual({
      refresh_tokens: 0,
      sessions: 0,
      nonces: 0,
      login_addresses: 0,
      login_throttles: 0,
    });
  });

  test('removes 50 batches of each at most: repeated, it goes on', async () => {
    await database.admin.query(
      `INSERT INTO request_nonces (key_id, nonce_hash, expires_at)
       SELECT 'key', n, now() - interval '1 minute' FROM generate_series(1, 50500) n`,
    );
    const key = await api.operatorKey();
    expect((await cleanUp(key)).body.data).toMatchObject({ nonces: 50_000 });
    expect((await cleanUp(key)).body.data).toMatchObject({ nonces: 500 });
  });

  test('is for nobody else', async () => {
    const auditor = await sessionFor(database.db, accessTokens, { merchantId: null, role: 'auditor', hasTotp: true });
    for (const [token, code] of [
      [null, 'unauthorized'],
      [await api.keyFor('mer_1'), 'forbidden'],
      [auditor.token, 'forbidden'],
    ] as const)
      expect((await cleanUp(token)).problem.code).toBe(code);
  });
});
