import type { ApiKeyRecord, SessionRecord } from '../prisma/credentials.ts';
import { isSecret, type ParsedKey, parseKey } from '../runtime/api-key.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './errors.ts';
import type { Known } from './middleware/locals.ts';
import { permissionsOfRole } from './permissions.ts';
import type { Caller, Credential, Operator, Principal } from './principal.ts';

/** Who calls, by the `Authorization` headers of a request. Throws a `Problem` unless that is somebody who may be served. */
export async function identify(deps: ApiDeps, authorization: readonly string[] = []): Promise<Known> {
  const text = bearerOf(authorization);
  const now = new Date();
  const key = parseKey(text);
  if (key?.kind === 'operator') return byOperatorKey(deps, key, now);
  if (key !== null) return byApiKey(deps, key, now);
  return byAccessToken(deps, text, now);
}

/** Whose an access token is. Throws a `Problem` unless that is somebody who may be served. */
export async function byAccessToken(deps: ApiDeps, text: string, now: Date): Promise<Known> {
  const token = await deps.accessTokens.verify(text, now);
  if (token === null) throw new Problem('unauthorized');
  if (token.kind === 'expired') throw new Problem('token_expired');
  const { record, outage } = await deps.credentials.session(token.claims.sessionId);
  if (record === null || token.claims.subject !== subjectOf(record.user?.userId, record.key?.keyId))
    throw new Problem('unauthorized');
  return { principal: principalOfSession(record, token.expiresAt, now), outage };
}

function bearerOf([given, another]: readonly string[]): string {
  const [, text] = /^Bearer +(\S+)$/i.exec(another === undefined ? (given ?? '') : '') ?? []; // of two, who knows which counts
  if (text === undefined) throw new Problem('unauthorized');
  return text;
}

async function byOperatorKey(deps: ApiDeps, { keyId, secret }: ParsedKey, now: Date): Promise<Known> {
  const { record, outage } = await deps.credentials.operatorKey(keyId);
  if (record === null || !isSecret(secret, record.secretHash, deps.apiKeyPepper)) throw new Problem('unauthorized');
  requireUsable(record, now);
  const principal: Operator = {
    kind: 'platform',
    actor: `operator_key:${keyId}`,
    permissions: record.permissions,
    credential: { kind: 'operator_key', keyId, expiresAt: record.expiresAt },
  };
  return { principal, outage };
}

async function byApiKey(deps: ApiDeps, { keyId, secret, kind }: ParsedKey, now: Date): Promise<Known> {
  const { record, outage } = await deps.credentials.apiKey(keyId);
  const isRight = record !== null && isSecret(secret, record.secretHash, deps.apiKeyPepper);
  if (!isRight || record.isTest !== (kind === 'test')) throw new Problem('unauthorized');
  requireUsable(record, now);
  if (!record.isMerchantActive) throw new Problem('merchant_suspended');
  return { principal: callerOfKey(record, { kind: 'api_key', keyId, key: record }), outage };
}

function callerOfKey(record: ApiKeyRecord, credential: Credential, atMost: readonly string[] = []): Caller {
  const { keyId, merchantId, isTest, permissions, settings } = record;
  const allowed = narrowed(permissions, atMost);
  return {
    kind: 'merchant',
    actor: `api_key:${keyId}`,
    merchantId,
    isTest,
    permissions: allowed,
    settings,
    credential,
  };
}

/**
 * Who a session stands for, as long as an access token of it lasts (seconds since 1970). Throws a `Problem` when that is nobody
 * who may be served.
 */
export function principalOfSession(record: SessionRecord, expiresAt: number, now: Date): Principal {
  const { sessionId, user, key, merchant, hasTotp } = record;
  if (user !== null && user.status !== 'active') throw new Problem('user_suspended'); // which revoked it, too
  if (record.isRevoked) throw new Problem('token_revoked');
  if (record.expiresAt <= now) throw new Problem('token_expired');
  if (key !== null) requireUsable(key, now);
  if (merchant !== null && !merchant.isActive) throw new Problem('merchant_suspended');
  const credential: Credential = {
    kind: 'session',
    sessionId,
    userId: user?.userId ?? null,
    role: user?.role ?? null,
    hasTotp,
    key,
    expiresAt,
  };
  if (key !== null) return callerOfKey(key, credential, record.permissions);
  if (user === null) throw new Problem('unauthorized'); // it is of nobody
  const who = {
    actor: `user:${user.userId}`,
    permissions: narrowed(permissionsOfRole(user.role), record.permissions),
    credential,
  };
  if (merchant === null) return { kind: 'platform', ...who };
  const { merchantId, settings } = merchant;
  return { kind: 'merchant', ...who, merchantId, isTest: record.isTest, settings };
}

/** The `sub` of the tokens of a session: its user, or the key that opened it. */
export function subjectOf(userId: string | null | undefined, keyId: string | undefined): string {
  return userId ?? `key_${keyId}`;
}

function narrowed(permissions: readonly string[], atMost: readonly string[]): readonly string[] {
  return atMost.length === 0 ? permissions : permissions.filter((permission) => atMost.includes(permission));
}

function requireUsable(key: { readonly status: string; readonly expiresAt: Date | null }, now: Date): void {
  if (key.status !== 'active') throw new Problem('api_key_revoked');
  if (key.expiresAt !== null && key.expiresAt <= now) throw new Problem('api_key_expired');
}
