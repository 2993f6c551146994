import type { RequestHandler } from 'express';
import { Problem } from '../errors.ts';
import { isPlatformPermission } from '../permissions.ts';
import type { Principal } from '../principal.ts';
import type { Route } from '../route.ts';
import { principalOf } from './locals.ts';

/** Lets through whoever has the permission. Denies by default: a permission that nobody was given opens nothing. */
export function authorize(permission: NonNullable<Route['permission']>): RequestHandler {
  if (permission === 'self') return (_request, _response, next) => next();
  return (_request, response, next) => next(refusalOf(principalOf(response), permission) ?? undefined);
}

/** What keeps somebody from what needs this permission; null: nothing does. */
export function refusalOf(who: Principal, permission: string): Problem | null {
  const isForPlatform = isPlatformPermission(permission);
  if (isForPlatform && who.kind === 'merchant')
    return new Problem('forbidden', { detail: 'This is for the platform alone.' });
  if (!isForPlatform && who.kind === 'platform')
    return new Problem('forbidden', { detail: 'This is for merchants’ keys and users alone.' });
  if (!who.permissions.includes(permission)) {
    const what = who.credential.kind === 'session' && who.credential.userId !== null ? 'role' : 'key';
    return new Problem('forbidden', { detail: `This ${what} lacks the permission ${permission}.` });
  }
  return isSecondFactorMissing(who) ? new Problem('totp_required') : null;
}

/** Whether somebody acts for the platform by a password alone: that opens nothing of it. */
export function isSecondFactorMissing({ kind, credential }: Principal): boolean {
  return kind === 'platform' && credential.kind === 'session' && !credential.hasTotp;
}
