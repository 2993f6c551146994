import { request as httpRequest } from 'node:http';
import { expect, test } from 'vitest';
import { parseKey } from '../../runtime/api-key.ts';
import { type CallAnswer, callApi } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { sessionFor, testAccessTokens, testPassword } from '../support/session.ts';
import { aMerchantId, aPerson, loginOf } from '../support/token-calls.ts';
import { until } from '../support/until.ts';

/** What somebody does who keeps trying, slowly, or from everywhere. The test is a proxy that is believed. */
const accessTokens = testAccessTokens();
const limits = { addressLimitPerMinute: 1_000_000, wrongSecretLimitPerMinute: 1_000_000 };
const httpPolicy = { trustedProxies: ['127.0.0.0/8'], corsOrigins: [], ...limits };
const { database, api } = apiUnderTest({ accessTokens, httpPolicy });

const addressOf = (number: number) => ({ 'x-forwarded-for': `198.51.100.${number}` });

const codesOf = (answers: readonly CallAnswer<unknown>[]) =>
  answers.map(({ status, problem }) => (status < 400 ? 'served' : problem.code));

const all = (code: string, count: number) => Array.from({ length: count }, () => code);

test('whoever has a session guesses its password thirty times in an hour at most, from however many addresses', async () => {
  const { token } = await sessionFor(database.db, accessTokens, { merchantId: aMerchantId(), role: 'owner' });
  const body = { current_password: 'not the password', new_password: 'another good password' };
  const guesses: CallAnswer<unknown>[] = [];
  for (let number = 1; number <= 32; number++) {
    const headers = addressOf(number);
    guesses.push(await callApi(api.url, token, { method: 'PUT', path: '/api/v1/auth/password', body, headers }));
  }
  expect(codesOf(guesses)).toEqual([...all('validation_failed', 30), ...all('login_locked', 2)]);
});

test('an account is logged in to thirty times a minute from one address at most, and from others meanwhile', async () => {
  const person = await aPerson(database);
  const logIn = (number: number) =>
    callApi(api.url, null, {
      method: 'POST',
      path: '/api/v1/auth/tokens',
      body: loginOf(person, { password: testPassword }),
      headers: addressOf(number),
    });
  const answers: CallAnswer<unknown>[] = [];
  for (let count = 0; count < 31; count++) answers.push(await logIn(40));
  const last = answers.at(-1);
  expect([last?.status, last?.problem.code]).toEqual([429, 'rate_limited']);
  expect(answers.slice(0, -1).map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 201));
  expect((await logIn(41)).status).toBe(201);
});

test('of one address sixty refused calls a minute are recorded, and all that are let through', async () => {
  const ask = () => callApi(api.url, null, { path: '/api/v1/payments', headers: addressOf(50) });
  const answers = await Promise.all(Array.from({ length: 80 }, ask));
  expect(codesOf(answers)).toEqual(all('unauthorized', 80));
  const count = async () =>
    (await database.admin.query(`SELECT 1 FROM audit_logs WHERE ip_address = '198.51.100.50'`)).rowCount;
  await until('they are written', async () => (await count()) === 60);
  const known = await api.keyFor(aMerchantId());
  const ofKnown = (path: string) => callApi(api.url, known, { path, headers: addressOf(50) });
  expect((await ofKnown('/api/v1/discrepancies')).status).toBe(403);
  expect((await ofKnown('/api/v1/payments')).status).toBe(200);
  await until('the one that was let through is too', async () => (await count()) === 61);
});

test('a key that is revoked while its body comes is refused when the body is there', async () => {
  const key = await api.keyFor(aMerchantId());
  const body = JSON.stringify({ name: 'Ada' });
  const status = await new Promise<number>((resolve, reject) => {
    const sending = httpRequest(
      `${api.url}/api/v1/customers`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': body.length },
      },
      (response) => resolve(response.resume().statusCode ?? 0),
    );
    sending.on('error', reject);
    sending.write(body.slice(0, 5));
    revoked(key)
      .then(() => sending.end(body.slice(5)))
      .catch(reject);
  });
  expect(status).toBe(401);
});

/** Revokes a key, and waits until the API knows. */
async function revoked(key: string): Promise<void> {
  await callApi(api.url, key, { path: '/api/v1/payments' }); // by then the request before is on its way
  const { keyId = '' } = parseKey(key) ?? {};
  await database.admin.query(`UPDATE api_keys SET status = 'revoked' WHERE key_id = $1`, [keyId]);
  await until('it is refused', async () => (await callApi(api.url, key, { path: '/api/v1/payments' })).status === 401);
}
