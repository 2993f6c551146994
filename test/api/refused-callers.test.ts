import { expect, test } from 'vitest';
import { type ProblemCode, problemCatalogue } from '../../api/errors.ts';
import { parseKey } from '../../runtime/api-key.ts';
import type { Problem } from '../support/api-client.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { forgedKey } from '../support/forged-key.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';
import { aMerchantId } from '../support/token-calls.ts';

const accessTokens = testAccessTokens();
const { database, api } = apiUnderTest({ accessTokens });

const sql = (text: string, ...values: unknown[]) => database.admin.query(text, values);

/** A key whose row was changed so. */
async function keyWith(change: string): Promise<string> {
  const key = await api.keyFor(aMerchantId());
  await sql(`UPDATE api_keys SET ${change} WHERE key_id = $1`, parseKey(key)?.keyId);
  return key;
}

/** A key right in form, of this id and a secret that nobody has. */
function wellFormed(keyId = ''): Promise<string> {
  return Promise.resolve(forgedKey('test', keyId, '0'.repeat(32)));
}

/** A person, or the merchant or session of theirs, whose row was changed so. */
async function tokenWith(table: 'users' | 'merchants' | 'auth_sessions', change: string): Promise<string> {
  const merchantId = aMerchantId();
  const { token, userId, sessionId } = await sessionFor(database.db, accessTokens, { merchantId, role: 'owner' });
  const id = { users: userId, merchants: merchantId, auth_sessions: sessionId }[table];
  await sql(`UPDATE ${table} SET ${change} WHERE id = $1`, id);
  return token;
}

async function suspendedMerchantsKey(): Promise<string> {
  const merchantId = aMerchantId();
  const key = await api.keyFor(merchantId);
  await sql(`UPDATE merchants SET status = 'suspended' WHERE id = $1`, merchantId);
  return key;
}

/** It has made the one request that it may make in a minute. */
async function spentKey(): Promise<string> {
  const key = await keyWith('rate_limit_per_minute = 1');
  expect((await ask(key)).status).toBe(200);
  return key;
}

async function expiredToken(): Promise<string> {
  const { sessionId, userId } = await sessionFor(database.db, accessTokens, {
    merchantId: aMerchantId(),
    role: 'owner',
  });
  return (await accessTokens.issue({ subject: userId, sessionId }, new Date(Date.now() - 3_600_000))).text;
}

const ask = (credential: string) =>
  fetch(`${api.url}/api/v1/payments`, { headers: { authorization: `Bearer ${credential}` } });

test.each<[string, ProblemCode, () => Promise<string>]>([
  ['an expired key', 'api_key_expired', () => keyWith(`expires_at = now() - interval '1 second'`)],
  ['a revoked key', 'api_key_revoked', () => keyWith(`status = 'revoked'`)],
  ['a key at a wrong address', 'address_not_allowed', () => keyWith(`ip_whitelist = '{203.0.113.0/24}'`)],
  ['a key at a denied address', 'address_not_allowed', () => keyWith(`ip_blacklist = '{127.0.0.0/8}'`)],
  ['a key outside its hours', 'outside_allowed_hours', () => keyWith(`allowed_hours = '${hoursThatAreOver()}'`)],
  ['a key without a signature', 'signature_required', () => keyWith(`requires_signature = true, signing_secret = 'x'`)],
  ['a key without the permission', 'forbidden', () => keyWith(`permissions = '{refunds:read}'`)],
  ['a key beyond its limit', 'rate_limited', spentKey],
  ['a key of a suspended merchant', 'merchant_suspended', suspendedMerchantsKey],
  ['a person of a suspended merchant', 'merchant_suspended', () => tokenWith('merchants', `status = 'suspended'`)],
  ['a suspended person', 'user_suspended', () => tokenWith('users', `status = 'suspended'`)],
  ['a session that was ended', 'token_revoked', () => tokenWith('auth_sessions', 'revoked_at = now()')],
  ['an expired token', 'token_expired', expiredToken],
  ['a key that nobody has', 'unauthorized', () => wellFormed('0'.repeat(16))],
  [
    'a key with a wrong secret',
    'unauthorized',
    async () => wellFormed(parseKey(await api.keyFor(aMerchantId()))?.keyId),
  ],
])('%s is told %s, and nothing more', async (_, code, credential) => {
  const response = await ask(await credential());
  const { status, title, meaning } = problemCatalogue[code];
  const problem = (await response.json()) as Problem;
  expect([response.status, problem.code, problem.title]).toEqual([status, code, title]);
  const known = ['code', 'detail', 'request_id', 'status', 'title', 'type'];
  expect(Object.keys(problem).toSorted()).toEqual(known);
  if (code !== 'forbidden') expect(problem.detail).toBe(meaning);
});

/** A minute of the day that is not now, nor in the next hours. */
function hoursThatAreOver(): string {
  const hour = String((new Date().getUTCHours() + 12) % 24).padStart(2, '0');
  const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
  return JSON.stringify({ time_zone: 'UTC', weekdays, from: `${hour}:00`, to: `${hour}:01` });
}
