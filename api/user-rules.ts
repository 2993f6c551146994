import type { Manager, UserChange, UserRow, UserStanding } from '../prisma/users.ts';
import { Problem } from './errors.ts';
import { permissionsOfRole } from './permissions.ts';
import type { Caller } from './principal.ts';

/** The user who calls; null: it is a key. */
export function userIdOfCaller({ credential }: Caller): string | null {
  return credential.kind === 'session' ? credential.userId : null;
}

/** Throws unless this caller may invite somebody to this role, in place of what they were invited to `before`. */
export function requireMayInvite(caller: Caller, manager: Manager, role: string, before: UserRow | null): void {
  requireStillManages(caller, manager);
  if (before !== null) requireMayTouch(manager, before.role);
  requireMayGive(caller, manager, role);
}

/** What a user may ask to be changed of another one; absent members stay. */
export interface WantedChange {
  readonly role?: string | undefined;
  readonly status?: 'active' | 'suspended' | undefined;
  readonly name?: string | null | undefined;
}

/**
 * What the wanted change comes to. Throws `forbidden` where it gives more than the caller has, or touches an owner and the
 * caller is none, and `last_owner` where nobody would be left who may do everything.
 */
export function judgeChange(caller: Caller, standing: UserStanding, wanted: WantedChange): UserChange {
  const { user, manager } = standing;
  requireStillManages(caller, manager);
  requireMayTouch(manager, user.role);
  const { name, role = user.role, status } = wanted;
  if (role !== user.role) requireMayGive(caller, manager, role);
  const staysOwner = role === 'owner' && status !== 'suspended';
  const isOwner = user.role === 'owner' && user.status === 'active';
  if (isOwner && !staysOwner && !standing.hasAnotherOwner) throw new Problem('last_owner');
  return { role, status, name };
}

/** What was true when the request came in may have ended since. */
function requireStillManages(caller: Caller, manager: Manager): void {
  if (userIdOfCaller(caller) === null) return;
  if (manager === null || manager.status !== 'active') throw new Problem('user_suspended');
  if (!permissionsOfRole(manager.role).includes('users:write'))
    throw forbidden('This role lacks the permission users:write.');
}

function requireMayTouch(manager: Manager, role: string): void {
  if (role === 'owner' && manager?.role !== 'owner')
    throw forbidden('Only an owner may make, change or suspend an owner.');
}

function requireMayGive(caller: Caller, manager: Manager, role: string): void {
  requireMayTouch(manager, role);
  const own = caller.permissions.filter(
    (permission) => manager === null || permissionsOfRole(manager.role).includes(permission),
  );
  if (!permissionsOfRole(role).every((permission) => own.includes(permission)))
    throw forbidden('Nobody gives more than they have: this role allows what you may not do.');
}

function forbidden(detail: string): Problem {
  return new Problem('forbidden', { detail });
}
