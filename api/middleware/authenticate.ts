import type { Request } from 'express';
import { type ApiKeyRecord, findApiKey, findOperatorKey } from '../../prisma/api-keys.ts';
import { isDatabaseAway } from '../../prisma/database.ts';
import { isSecret, type ParsedKey, parseKey } from '../../runtime/api-key.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import type { Caller, Operator, Permission } from '../route.ts';

/**
 * Who calls: an operator exactly where operators are asked for. While the database is away, `outage` is its error and the caller is whom this process last read for the key:
 * enough to name what is refused, never to do anything, because the key may have been revoked meanwhile.
 */
interface Authenticated {
  readonly caller: Caller | Operator;
  readonly outage: unknown;
}

/**
 * Finds out who calls. Throws `unauthorized` without a valid key, whatever is wrong with it, and `forbidden` without the
 * permission. Keys of operators open operators' routes and no other; no merchant's key opens those.
 */
export type Authenticate = (request: Request, permission: Permission | 'operator') => Promise<Authenticated>;

const rememberedKeysMax = 10_000;

/** Makes an `Authenticate` that asks the database at every request and remembers its last words. */
export function createAuthenticate(deps: ApiDeps): Authenticate {
  const remembered = new Map<string, ApiKeyRecord>();

  async function find(keyId: string): Promise<{ record: ApiKeyRecord | null; outage: unknown }> {
    try {
      const record = await findApiKey(deps.db, keyId, new Date());
      remembered.delete(keyId);
      if (record !== null) remembered.set(keyId, record);
      const [oldest] = remembered.keys();
      if (oldest !== undefined && remembered.size > rememberedKeysMax) remembered.delete(oldest);
      return { record, outage: null };
    } catch (outage) {
      const record = remembered.get(keyId);
      if (record === undefined || !isDatabaseAway(outage)) throw outage;
      return { record, outage };
    }
  }

  return async (request, permission) => {
    const key = keyOf(request);
    if (key.kind === 'operator') return { caller: await operatorOf(deps, key, permission), outage: null };
    const { record, outage } = await find(key.keyId);
    return { caller: callerOf(deps, key, record, permission), outage };
  };
}

function keyOf(request: Request): ParsedKey {
  const [given, another] = request.headersDistinct['authorization'] ?? [];
  const [, text] = /^Bearer +(\S+)$/i.exec(another === undefined ? (given ?? '') : '') ?? []; // of two, who knows which counts
  const key = text === undefined ? null : parseKey(text);
  if (key === null) throw unauthorized();
  return key;
}

async function operatorOf(deps: ApiDeps, key: ParsedKey, permission: Permission | 'operator'): Promise<Operator> {
  if (permission !== 'operator') throw unauthorized();
  const record = await findOperatorKey(deps.db, key.keyId, new Date());
  if (!record?.isActive || !isSecret(key.secret, record.secretHash, deps.apiKeyPepper)) throw unauthorized();
  return { keyId: key.keyId, actor: `operator_key:${key.keyId}` };
}

function callerOf(
  deps: ApiDeps,
  key: ParsedKey,
  record: ApiKeyRecord | null,
  permission: Permission | 'operator',
): Caller {
  const isRight =
    record !== null &&
    isSecret(key.secret, record.secretHash, deps.apiKeyPepper) &&
    record.isActive &&
    record.isTest === (key.kind === 'test');
  if (!isRight) throw unauthorized();
  if (permission === 'operator') throw new Problem('forbidden', { detail: 'This is for operators’ keys alone.' });
  if (!record.permissions.includes(permission)) {
    throw new Problem('forbidden', { detail: `This key lacks the permission ${permission}.` });
  }
  const { keyId, merchantId, isTest, permissions, settings } = record;
  return { keyId, actor: `api_key:${keyId}`, merchantId, isTest, permissions, settings };
}

function unauthorized(): Problem {
  return new Problem('unauthorized', { headers: { 'WWW-Authenticate': 'Bearer' } });
}
