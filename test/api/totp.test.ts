import { randomBytes, randomUUID } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { describe, expect, test } from 'vitest';
import { Problem } from '../../api/errors.ts';
import { type LoginAttempt, login } from '../../api/login.ts';
import { beginAuthenticator, confirmAuthenticator, resetTotp } from '../../prisma/authenticators.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { callApi } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { sessionFor, testAccessTokens, testPassword } from '../support/session.ts';

const accessTokens = testAccessTokens();
const deps = {
  secretBox: createSecretBox(new Map([['test', randomBytes(32)]])),
  apiKeyPepper: randomBytes(32).toString('hex'),
};

const { database, api } = apiUnderTest({ accessTokens, ...deps });

const begin = (token: string, password = testPassword) =>
  callApi<{ data: { secret: string; otpauth_url: string } }>(api.url, token, {
    method: 'POST',
    path: '/api/v1/auth/totp',
    body: { password },
  });
const confirm = (token: string, code: string) =>
  callApi<{ data: { recovery_codes: string[] } }>(api.url, token, {
    method: 'POST',
    path: '/api/v1/auth/totp/confirm',
    body: { code },
  });
const codeAt = (secret: string, instant: Date) =>
  TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: instant.getTime() });
/** Not the code of any step around now. */
const wrongCode = (secret: string) => {
  const near = [-60, -30, 0, 30, 60].map((seconds) => codeAt(secret, new Date(Date.now() + seconds * 1_000)));
  return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !near.includes(code)) ?? '';
};

const aPerson = (merchantId: string | null = `mer_${randomUUID()}`, role = 'finance') =>
  sessionFor(database.db, accessTokens, { merchantId, role, hasTotp: false }).then((session) => ({
    ...session,
    merchantId,
  }));

/** A person with a confirmed authenticator. */
async function aCarefulPerson() {
  const person = await aPerson();
  const { secret } = (await begin(person.token)).body.data;
  const now = new Date();
  const { recovery_codes: codes } = (await confirm(person.token, codeAt(secret, now))).body.data;
  /** Later than the step that the confirmation took. */
  const afterwards = new Date(now.getTime() + 5 * 60_000);
  return { ...person, secret, codes, afterwards };
}

let addresses = 0;
async function tryLogin(
  { merchantId, email }: { merchantId: string | null; email: string },
  given: Partial<LoginAttempt>,
): Promise<string> {
  addresses += 1;
  const attempt = {
    merchantId,
    email,
    password: testPassword,
    address: `10.0.${addresses >> 8}.${addresses & 255}`,
    now: new Date(),
  };
  try {
    const { hasTotp } = await login({ db: database.db, ...deps }, { ...attempt, ...given });
    return hasTotp ? 'in with a second factor' : 'in';
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

describe('an authenticator', () => {
  test('counts once a code of it is confirmed, which shows ten recovery codes', async () => {
    const person = await aPerson();
    const begun = await begin(person.token);
    expect(begun.status).toBe(200);
    const { secret, otpauth_url: url } = begun.body.data;
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(decodeURIComponent(url)).toContain(`otpauth://totp/payment-orchestrator:${person.email}?`);
    expect(await tryLogin(person, {})).toBe('in');
    expect((await confirm(person.token, wrongCode(secret))).problem).toMatchObject({
      status: 422,
      code: 'totp_code_refused',
    });
    expect(await tryLogin(person, {})).toBe('in');
    const confirmed = await confirm(person.token, codeAt(secret, new Date()));
    expect(confirmed.status).toBe(200);
    expect(new Set(confirmed.body.data.recovery_codes).size).toBe(10);
    expect(await tryLogin(person, {})).toBe('totp_code_required');
  });

  test('asks for the password: a session alone sets up nothing, and cannot guess it', async () => {
    const { token } = await aPerson();
    const refused = (await begin(token, 'not the password')).problem;
    expect(refused).toMatchObject({ status: 422, code: 'validation_failed', errors: [{ pointer: '/password' }] });
    for (let guess = 0; guess < 4; guess++) await begin(token, `guess number ${guess}`);
    expect((await begin(token)).problem.code).toBe('login_locked');
  });

  test('is set up again until it is confirmed, and then no more; the last secret counts', async () => {
    const { token } = await aPerson();
    const first = (await begin(token)).body.data.secret;
    const second = (await begin(token)).body.data.secret;
    expect(first).not.toBe(second);
    expect((await confirm(token, codeAt(first, new Date()))).problem.code).toBe('totp_code_refused');
    expect((await confirm(token, codeAt(second, new Date()))).status).toBe(200);
    expect((await begin(token)).problem).toMatchObject({ status: 409, code: 'totp_already_confirmed' });
    expect((await confirm(token, codeAt(second, new Date()))).problem.code).toBe('totp_already_confirmed');
  });

  test('is confirmed once by two requests at once, so that one set of recovery codes counts', async () => {
    const { token } = await aPerson();
    const { secret } = (await begin(token)).body.data;
    const code = codeAt(secret, new Date());
    const answers = await Promise.all([confirm(token, code), confirm(token, code)]);
    expect(answers.map(({ status }) => String(status)).toSorted()).toEqual(['200', '409']);
  });

  test('is confirmed by the one who comes first, and only with the secret whose code was checked', async () => {
    const { userId } = await aPerson();
    const confirmed = { sealedSecret: 'a sealed secret', step: 1, recoveryCodeHashes: [] };
    const by = { actor: 'test', correlationId: 'test', at: new Date() };
    expect(await beginAuthenticator(database.db, userId, 'another sealed secret')).toBe(true);
    expect(await confirmAuthenticator(database.db, userId, confirmed, by)).toBe(false);
    expect(await beginAuthenticator(database.db, userId, confirmed.sealedSecret)).toBe(true);
    const both = await Promise.all(
      [confirmed, confirmed].map((one) => confirmAuthenticator(database.db, userId, one, by)),
    );
    expect(both.filter(Boolean)).toHaveLength(1);
    expect(await beginAuthenticator(database.db, userId, 'another sealed secret')).toBe(false);
  });

  test('that nobody began cannot be confirmed', async () => {
    const { token } = await aPerson();
    expect((await confirm(token, '123456')).problem).toMatchObject({ status: 409, code: 'totp_not_begun' });
    for (const code of ['12345', '1234567', 'abcdef', ''])
      expect((await confirm(token, code)).problem.code).toBe('validation_failed');
  });

  test('is for people, of merchants and of the platform: keys have none', async () => {
    const keys = [await api.keyFor(`mer_${randomUUID()}`), await api.operatorKey()];
    for (const key of keys) {
      expect((await begin(key)).problem).toMatchObject({ status: 403, code: 'forbidden' });
      expect((await confirm(key, '123456')).problem.code).toBe('forbidden');
    }
    const operator = await aPerson(null, 'operator');
    const { secret } = (await begin(operator.token)).body.data; // without one they may do nothing else
    expect((await confirm(operator.token, codeAt(secret, new Date()))).status).toBe(200);
    const merchants = { path: '/api/v1/merchants' };
    expect((await callApi(api.url, operator.token, merchants)).problem.code).toBe('totp_required');
  });
});

test('an operator opens nothing before a second factor, and everything that the role allows with it', async () => {
  const { email, token } = await aPerson(null, 'operator');
  const merchants = (accessToken: string) => callApi(api.url, accessToken, { path: '/api/v1/merchants' });
  const logIn = (given: Record<string, string>) =>
    callApi<{ data: { access_token: string } }>(api.url, null, {
      method: 'POST',
      path: '/api/v1/auth/tokens',
      body: { grant: 'password', email, password: testPassword, ...given },
    });
  const before = (await logIn({})).body.data.access_token;
  expect((await merchants(before)).problem.code).toBe('totp_required');
  const { secret } = (await begin(token)).body.data;
  const now = new Date();
  expect((await confirm(token, codeAt(secret, now))).status).toBe(200);
  expect((await logIn({})).problem.code).toBe('totp_code_required');
  const next = codeAt(secret, new Date(now.getTime() + 30_000)); // this step's is taken
  const after = (await logIn({ totp_code: next })).body.data.access_token;
  expect((await merchants(after)).status).toBe(200);
  expect((await merchants(before)).problem.code).toBe('totp_required');
});

describe('a code', () => {
  test('logs in once: of two at once one does, and later neither it nor an older one', async () => {
    const { secret, afterwards: now, ...person } = await aCarefulPerson();
    const totpCode = codeAt(secret, now);
    const both = await Promise.all([tryLogin(person, { totpCode, now }), tryLogin(person, { totpCode, now })]);
    expect(both.toSorted()).toEqual(['in with a second factor', 'totp_code_refused']);
    expect(await tryLogin(person, { totpCode, now })).toBe('totp_code_refused');
    const older = codeAt(secret, new Date(now.getTime() - 30_000));
    expect(await tryLogin(person, { totpCode: older, now })).toBe('totp_code_refused');
    const newer = codeAt(secret, new Date(now.getTime() + 30_000));
    expect(await tryLogin(person, { totpCode: newer, now })).toBe('in with a second factor');
  });

  test('that confirmed the authenticator logs nobody in', async () => {
    const person = await aPerson();
    const { secret } = (await begin(person.token)).body.data;
    const now = new Date();
    const totpCode = codeAt(secret, now);
    expect((await confirm(person.token, totpCode)).status).toBe(200);
    expect(await tryLogin(person, { totpCode, now })).toBe('totp_code_refused');
  });

  test('is asked for only of who has the right password, and none makes up for a wrong one', async () => {
    const { secret, afterwards: now, ...person } = await aCarefulPerson();
    const wrong = { password: 'a wrong password', now };
    expect(await tryLogin(person, wrong)).toBe('login_refused');
    expect(await tryLogin(person, { ...wrong, totpCode: codeAt(secret, now) })).toBe('login_refused');
    expect(await tryLogin(person, { totpCode: codeAt(secret, now), now })).toBe('in with a second factor');
  });

  test('that is wrong counts as a failed login; that none was sent does not', async () => {
    const { secret, afterwards: now, ...person } = await aCarefulPerson();
    const address = '192.0.2.1';
    for (let i = 0; i < 8; i++) expect(await tryLogin(person, { address, now })).toBe('totp_code_required');
    const stale = codeAt(secret, new Date(now.getTime() - 3_600_000));
    const [refused, locked] = ['totp_code_refused', 'login_locked'];
    const answers = [];
    for (let i = 0; i < 6; i++) answers.push(await tryLogin(person, { totpCode: stale, address, now }));
    expect(answers).toEqual([refused, refused, refused, refused, refused, locked]);
    expect(await tryLogin(person, { totpCode: codeAt(secret, now), address, now })).toBe('login_locked');
  });

  test('of somebody who has no authenticator is not looked at', async () => {
    expect(await tryLogin(await aPerson(), { totpCode: '123456' })).toBe('in');
  });
});

describe('a recovery code', () => {
  test('logs in once in place of a code: of two at once one does', async () => {
    const { codes, ...person } = await aCarefulPerson();
    const [first = '', second = ''] = codes;
    const both = await Promise.all([
      tryLogin(person, { recoveryCode: first }),
      tryLogin(person, { recoveryCode: first.toUpperCase().replaceAll('-', ' ') }),
    ]);
    expect(both.toSorted()).toEqual(['in with a second factor', 'totp_code_refused']);
    expect(await tryLogin(person, { recoveryCode: first })).toBe('totp_code_refused');
    expect(await tryLogin(person, { recoveryCode: second })).toBe('in with a second factor');
  });

  test('of another person, or one that is none, is refused', async () => {
    const person = await aCarefulPerson();
    const other = await aCarefulPerson();
    for (const recoveryCode of [other.codes[0], '', 'x', '0000-0000-0000-0000'])
      expect(await tryLogin(person, { recoveryCode })).toBe('totp_code_refused');
  });

  test('is spent with the code that was sent beside it only if it is the one that counts', async () => {
    const { secret, afterwards: now, codes, ...person } = await aCarefulPerson();
    const [recoveryCode] = codes;
    const totpCode = codeAt(secret, now);
    expect(await tryLogin(person, { totpCode, recoveryCode, now })).toBe('in with a second factor');
    expect(await tryLogin(person, { recoveryCode, now })).toBe('in with a second factor');
  });
});

test('a reset lets the person in without a second factor again, ends the sessions, and is written down', async () => {
  const { codes, userId, token, ...person } = await aCarefulPerson();
  const by = { actor: 'cli', correlationId: 'test', at: new Date() };
  expect(await resetTotp(database.db, userId, by)).toBe(true);
  expect(await resetTotp(database.db, 'usr_nobody', by)).toBe(false);
  await expect.poll(async () => (await begin(token)).status).toBe(401);
  expect(await tryLogin(person, {})).toBe('in');
  expect(await tryLogin(person, { recoveryCode: codes[0] })).toBe('in');
  const { rows } = await database.admin.query(
    `SELECT action, user_id FROM audit_logs WHERE resource_id = $1 AND action LIKE 'user.%' ORDER BY created_at`,
    [userId],
  );
  expect(rows).toEqual([
    { action: 'user.totp_confirmed', user_id: `user:${userId}` },
    { action: 'user.totp_reset', user_id: 'cli' },
  ]);
});

test('neither secret nor codes stand in the database in clear, in the log or in audit_logs', async () => {
  const { secret, codes, userId, email } = await aCarefulPerson();
  const { rows: users } = await database.admin.query('SELECT * FROM users WHERE id = $1', [userId]);
  const { rows: logs } = await database.admin.query('SELECT * FROM audit_logs');
  const [kept, logged] = [JSON.stringify(users), JSON.stringify(logs)];
  expect(kept).toContain('v1:test:');
  for (const canary of [secret, ...codes, ...codes.map((code) => code.replaceAll('-', ''))]) {
    expect(kept).not.toContain(canary);
    expect(logged).not.toContain(canary);
    expect(api.log()).not.toContain(canary);
  }
  expect(logged).not.toContain(email);
  expect(api.log()).not.toContain(email);
});
