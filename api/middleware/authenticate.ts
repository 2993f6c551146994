import type { Request } from 'express';
import { findApiKey } from '../../prisma/api-keys.ts';
import { isSecret, parseKey } from '../../runtime/api-key.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import type { Caller, Permission } from '../route.ts';

/** Who calls. Throws `unauthorized` without a valid key, whatever is wrong with it, and `forbidden` without the permission. */
export async function authenticate(deps: ApiDeps, request: Request, permission: Permission): Promise<Caller> {
  const [, text] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  const key = text === undefined ? null : parseKey(text);
  if (key === null || key.kind === 'operator') throw unauthorized();
  const record = await findApiKey(deps.db, key.keyId, new Date());
  const isRight =
    record !== null &&
    isSecret(key.secret, record.secretHash, deps.apiKeyPepper) &&
    record.isActive &&
    record.isTest === (key.kind === 'test');
  if (!isRight) throw unauthorized();
  if (!record.permissions.includes(permission)) {
    throw new Problem('forbidden', { detail: `This key lacks the permission ${permission}.` });
  }
  const { keyId, merchantId, isTest, permissions, settings } = record;
  return { keyId, merchantId, isTest, permissions, settings };
}

function unauthorized(): Problem {
  return new Problem('unauthorized', { headers: { 'WWW-Authenticate': 'Bearer' } });
}
