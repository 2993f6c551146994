import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import {
  keyPermissions,
  merchantPermissions,
  merchantRoles,
  platformPermissions,
  platformRoles,
} from '../../api/permissions.ts';
import { parseKey } from '../../runtime/api-key.ts';
import { callApi } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { type SessionOf, sessionFor, testAccessTokens } from '../support/session.ts';
import { aMerchantId, aPerson, logIn, postTokens, refresh, revoke } from '../support/token-calls.ts';
import { until } from '../support/until.ts';

const accessTokens = testAccessTokens();
const { database, api } = apiUnderTest({ accessTokens });

const aSession = (of: SessionOf) => sessionFor(database.db, accessTokens, of);
const post = (token: string | null, path: string, body: unknown) =>
  callApi<{ data: Record<string, unknown> }>(api.url, token, { method: 'POST', path: `/api/v1/auth/${path}`, body });

describe('GET /auth/me', () => {
  const me = async (token: string) =>
    (await callApi<{ data: Record<string, unknown> }>(api.url, token, { path: '/api/v1/auth/me' })).body.data;

  test('says what a key is and may do', async () => {
    const merchantId = aMerchantId();
    const key = await api.keyFor(merchantId, { permissions: ['payments:read'] });
    const keyId = parseKey(key)?.keyId;
    expect(await me(key)).toEqual({
      kind: 'merchant',
      actor: `api_key:${keyId}`,
      merchant_id: merchantId,
      mode: 'test',
      role: null,
      permissions: ['payments:read'],
      credential: { kind: 'api_key', id: keyId, expires_at: null },
      has_totp: false,
      totp_required: false,
    });
    const ends = new Date('2100-01-31T12:00:00Z');
    await database.admin.query('UPDATE api_keys SET expires_at = $2 WHERE key_id = $1', [keyId, ends]);
    await until('the API has heard of it', async () => {
      const { credential } = await me(key);
      return JSON.stringify(credential).includes('2100-01-31T12:00:00.000Z');
    });
  });

  test('says who a user is, with the mode and the end of the token', async () => {
    const merchantId = aMerchantId();
    const { token, sessionId, userId } = await aSession({ merchantId, role: 'finance', isTest: false, hasTotp: true });
    const verified = await accessTokens.verify(token, new Date());
    expect(await me(token)).toEqual({
      kind: 'merchant',
      actor: `user:${userId}`,
      merchant_id: merchantId,
      mode: 'live',
      role: 'finance',
      permissions: [...merchantRoles.finance],
      credential: {
        kind: 'session',
        id: sessionId,
        expires_at: new Date((verified?.kind === 'valid' ? verified.expiresAt : 0) * 1_000).toISOString(),
      },
      has_totp: true,
      totp_required: false,
    });
  });

  test('names no mode and no merchant for who acts for the platform', async () => {
    const operatorKey = await api.operatorKey();
    const nobody = { kind: 'platform', merchant_id: null, mode: null };
    expect(await me(operatorKey)).toMatchObject({
      ...nobody,
      role: null,
      credential: { kind: 'operator_key', id: parseKey(operatorKey)?.keyId, expires_at: null },
      totp_required: false,
    });
    const with2 = await aSession({ merchantId: null, role: 'auditor', hasTotp: true });
    const auditor = { ...nobody, role: 'auditor', permissions: [...platformRoles.auditor] };
    expect(await me(with2.token)).toMatchObject({ ...auditor, has_totp: true, totp_required: false });
    const without = await aSession({ merchantId: null, role: 'auditor', hasTotp: false });
    expect(await me(without.token)).toMatchObject({ ...auditor, has_totp: false, totp_required: true });
  });

  test('is for nobody without a key or token', async () => {
    const answer = await callApi(api.url, null, { path: '/api/v1/auth/me' });
    expect([answer.status, answer.problem.code]).toEqual([401, 'unauthorized']);
  });
});

describe('POST /auth/permissions/check', () => {
  const all = [...Object.keys(merchantPermissions), ...Object.keys(platformPermissions)];
  const granted = async (token: string) => {
    const { status, body } = await post(token, 'permissions/check', {
      permissions: all,
    });
    const checked = (body.data['permissions'] ?? {}) as Record<string, boolean>;
    expect([status, Object.keys(checked)]).toEqual([200, all]);
    return Object.entries(checked).flatMap(([name, isGranted]) => (isGranted ? [name] : []));
  };
  const same = (names: readonly string[], others: readonly string[]) =>
    expect(names.toSorted()).toEqual([...others].toSorted());

  test.each(Object.entries(merchantRoles))('grants a user what the role %s allows', async (role, permissions) => {
    same(await granted((await aSession({ merchantId: aMerchantId(), role })).token), permissions);
  });

  test.each(Object.entries(platformRoles))('grants who acts for the platform as %s', async (role, permissions) => {
    same(await granted((await aSession({ merchantId: null, role, hasTotp: true })).token), permissions);
    same(await granted((await aSession({ merchantId: null, role, hasTotp: false })).token), []);
  });

  test('grants a key, a narrower token of it, and an operator’s key what they have', async () => {
    const key = await api.keyFor(aMerchantId());
    same(await granted(key), keyPermissions);
    const { body } = await postTokens(api, { grant: 'api_key', permissions: ['refunds:read'] }, key);
    same(await granted(body.data.access_token), ['refunds:read']);
    same(await granted(await api.operatorKey()), platformRoles.operator);
  });

  test.each<[string, unknown, string]>([
    ['no list', {}, '/permissions'],
    ['an empty list', { permissions: [] }, '/permissions'],
    ['a permission that there is not', { permissions: ['payments:read', 'payments:*'] }, '/permissions/1'],
    ['somebody else', { permissions: ['payments:read'], user_id: 'usr_1' }, '/user_id'],
  ])('cannot be asked about %s', async (_name, body, pointer) => {
    const { status, problem } = await post(await api.keyFor(aMerchantId()), 'permissions/check', body);
    expect([status, problem.errors?.map((error) => error.pointer)]).toEqual([422, [pointer]]);
  });
});

describe('POST /auth/tokens/validate', () => {
  const validate = async (by: string, token: string) => {
    const { status, body } = await post(by, 'tokens/validate', { token });
    expect(status).toBe(200);
    return body.data;
  };
  const inactive = { active: false };

  test('says of a token of the same merchant and mode what it stands for', async () => {
    const merchantId = aMerchantId();
    const key = await api.keyFor(merchantId, { permissions: ['events:read'] });
    const { token, sessionId, userId } = await aSession({ merchantId, role: 'support' });
    const known = {
      active: true,
      subject: userId,
      session_id: sessionId,
      permissions: [...merchantRoles.support],
      expires_at: expect.stringMatching(/^\d{4}-.*:\d\d\.000Z$/),
    };
    for (const by of [key, token]) expect(await validate(by, token)).toEqual(known);
    const ofKey = (await postTokens(api, { grant: 'api_key' }, key)).body.data;
    expect(await validate(token, ofKey.access_token)).toMatchObject({
      active: true,
      subject: `key_${parseKey(key)?.keyId}`,
      permissions: ['events:read'],
    });
  });

  test('says nothing of anybody else’s: not even that there is one', async () => {
    const merchantId = aMerchantId();
    const tokens = {
      own: (await aSession({ merchantId, role: 'owner' })).token,
      live: (await aSession({ merchantId, role: 'owner', isTest: false })).token,
      foreign: (await aSession({ merchantId: aMerchantId(), role: 'owner' })).token,
      platform: (await aSession({ merchantId: null, role: 'operator' })).token,
    };
    for (const [name, by] of Object.entries(tokens))
      for (const [other, token] of Object.entries(tokens))
        expect([name, other, await validate(by, token)]).toEqual([
          name,
          other,
          name === other ? expect.objectContaining({ active: true }) : inactive,
        ]);
    expect(await validate(await api.operatorKey(), tokens.foreign)).toEqual(inactive);
    expect(await validate(await api.operatorKey(), tokens.platform)).toMatchObject({ active: true });
  });

  test('knows no token that is none any more, or none at all', async () => {
    const person = await aPerson(database);
    const key = await api.keyFor(person.merchantId ?? '');
    const tokens = await logIn(api, person);
    const old = new Date(Date.now() - 1_000_000);
    const ids = { subject: person.userId, sessionId: tokens.session_id };
    const expired = (await accessTokens.issue(ids, old)).text;
    const foreign = (await testAccessTokens().issue(ids, new Date())).text;
    for (const text of [expired, foreign, key, tokens.refresh_token, tokens.session_id, 'x', '..'])
      expect(await validate(key, text)).toEqual(inactive);
    expect(await validate(key, tokens.access_token)).toMatchObject({ active: true });
    const next = (await refresh(api, tokens.refresh_token)).body.data;
    expect(await validate(key, next.access_token)).toMatchObject({ active: true });
    await revoke(api, tokens.refresh_token);
    await until('it is known to be revoked', async () => (await validate(key, next.access_token))['active'] === false);
    expect(await validate(key, next.access_token)).toEqual(inactive);
  });

  test('knows no token of a user who is suspended', async () => {
    const merchantId = aMerchantId();
    const key = await api.keyFor(merchantId);
    const { token, userId } = await aSession({ merchantId, role: 'owner' });
    expect(await validate(key, token)).toMatchObject({ active: true });
    await database.admin.query(`UPDATE users SET status = 'suspended' WHERE id = $1`, [userId]);
    await until('it is inactive', async () => (await validate(key, token))['active'] === false);
  });

  test('is for nobody who is not known', async () => {
    const { token } = await aSession({ merchantId: aMerchantId(), role: 'owner' });
    expect((await post(null, 'tokens/validate', { token })).problem.code).toBe('unauthorized');
  });
});

describe('GET /.well-known/jwks.json', () => {
  test('lets anybody check a token with an ordinary library, for some minutes without asking again', async () => {
    const response = await fetch(`${api.url}/.well-known/jwks.json`);
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'public, max-age=300']);
    const jwks = (await response.json()) as JSONWebKeySet;
    const { token, userId, sessionId } = await aSession({ merchantId: aMerchantId(), role: 'owner' });
    const { payload } = await jwtVerify(token, createLocalJWKSet(jwks), {
      algorithms: ['EdDSA'],
      typ: 'at+jwt',
      issuer: 'payment-orchestrator',
      audience: 'payment-orchestrator',
    });
    expect(payload).toMatchObject({ sub: userId, sid: sessionId });
    expect(jwks.keys.flatMap(Object.keys)).not.toContain('d');
  });
});
