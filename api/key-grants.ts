import { isDeepStrictEqual } from 'node:util';
import type { ApiKeyRow, Giver, GiverIds, KeyTerms } from '../prisma/api-keys.ts';
import { covers } from '../runtime/address-lists.ts';
import { type FieldError, Problem } from './errors.ts';
import { permissionsOfRole } from './permissions.ts';
import type { Caller } from './principal.ts';

/** What a caller may put into a key, at most: nobody gives what they do not have. */
export interface Grant {
  readonly permissions: readonly string[];
  /** The key that calls, or opened the session that does; null: a person, whom no key's rules bind. */
  readonly key: ApiKeyRow | null;
}

/** By what the caller is known, to be read again when it counts. */
export function giverIdsOf({ credential }: Caller): GiverIds {
  switch (credential.kind) {
    case 'api_key':
      return { keyId: credential.keyId, sessionId: null };
    case 'session':
      return { keyId: credential.key?.keyId ?? null, sessionId: credential.sessionId };
    case 'operator_key':
      throw new Error('an operator’s key came as a merchant’s caller');
  }
}

/** What this caller may give now. Throws where the key or session has ended, or lost the right to, since it was proven. */
export function grantOf({ credential, permissions: proven }: Caller, giver: Giver | null): Grant {
  if (giver === null) throw new Problem(credential.kind === 'session' ? 'token_revoked' : 'api_key_revoked');
  const now = giver.key?.permissions ?? permissionsOfRole(giver.role ?? '');
  const permissions = proven.filter((permission) => now.includes(permission));
  if (!permissions.includes('api_keys:write'))
    throw new Problem('forbidden', { detail: 'This key or role lacks the permission api_keys:write.' });
  return { permissions, key: giver.key };
}

/**
 * Throws `forbidden`, naming the fields, for terms that are more than the caller has: permissions, and where a key calls, what
 * would reach beyond its own limits, addresses, hours, expiry and signature. So a key cannot widen itself, nor make a wider one.
 */
export function refuseMore(grant: Grant, terms: Partial<KeyTerms>): void {
  const { permissions = [] } = terms;
  const errors: FieldError[] = permissions
    .filter((permission) => !grant.permissions.includes(permission))
    .map((permission) => ({ pointer: '/permissions', detail: `${permission} is not yours to give` }));
  if (grant.key !== null) errors.push(...beyond(grant.key, terms));
  if (errors.length === 0) return;
  throw new Problem('forbidden', {
    detail: 'Nobody gives more than they have: `errors` names what would be more.',
    errors,
  });
}

/** Where the terms reach beyond those of the key that gives them. */
function beyond(own: KeyTerms, terms: Partial<KeyTerms>): FieldError[] {
  const { ipWhitelist, ipBlacklist, expiresAt, allowedHours, requiresSignature } = terms;
  const isMore: Readonly<Record<string, boolean>> = {
    rate_limit_per_minute: (terms.rateLimitPerMinute ?? 0) > own.rateLimitPerMinute,
    rate_limit_per_hour: (terms.rateLimitPerHour ?? 0) > own.rateLimitPerHour,
    rate_limit_per_day: (terms.rateLimitPerDay ?? 0) > own.rateLimitPerDay,
    ip_whitelist:
      ipWhitelist !== undefined &&
      own.ipWhitelist.length > 0 &&
      (ipWhitelist.length === 0 || !covers(own.ipWhitelist, ipWhitelist)),
    ip_blacklist: ipBlacklist !== undefined && !covers(ipBlacklist, own.ipBlacklist),
    expires_at: expiresAt !== undefined && own.expiresAt !== null && (expiresAt === null || expiresAt > own.expiresAt),
    allowed_hours:
      allowedHours !== undefined && own.allowedHours !== null && !isDeepStrictEqual(allowedHours, own.allowedHours),
    requires_signature: requiresSignature === false && own.requiresSignature,
  };
  return Object.keys(isMore)
    .filter((field) => isMore[field])
    .map((field) => ({ pointer: `/${field}`, detail: 'would be more than the key that gives it has' }));
}
