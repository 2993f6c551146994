import type { ActBy } from './audit-logs.ts';
import type { Database } from './database.ts';
import { endSessions } from './sessions.ts';
import { changeUser, logUserAct, type UserRow } from './users.ts';

/**
 * For operators: suspends a user of any merchant, or of the platform, which ends their sessions, or activates them again. Null:
 * there is no such user. Nobody asks whether an owner is left: a merchant may have to be without one for a while.
 */
export async function setUserActive(
  db: Database,
  userId: string,
  isActive: boolean,
  by: ActBy,
): Promise<UserRow | null> {
  const found = await db.prisma.user.findUnique({ where: { id: userId }, select: { merchantId: true } });
  if (found === null) return null;
  const status = isActive ? 'active' : 'suspended';
  return changeUser(db, found.merchantId, userId, { ...by, managerId: null }, () => ({ status }));
}

/** What a person accepts to choose a password anew. */
export interface NewInvitationToken {
  readonly invitationHash: string;
  readonly expiresAt: Date;
}

/**
 * For operators: ends the password and the sessions of a user who is not suspended, and invites them to choose another one. A
 * second factor stays. False: there is no such user.
 */
export async function resetPassword(
  db: Database,
  userId: string,
  { invitationHash, expiresAt: invitationExpiresAt }: NewInvitationToken,
  by: ActBy,
): Promise<boolean> {
  return db.prisma.$transaction(async (tx) => {
    const [user] = await tx.user.updateManyAndReturn({
      where: { id: userId, status: { in: ['active', 'invited'] } },
      data: { status: 'invited', passwordHash: null, invitationHash, invitationExpiresAt, updatedAt: by.at },
      select: { id: true, merchantId: true },
    });
    if (user === undefined) return false;
    await endSessions(tx, userId, 'password_reset', by.at);
    await logUserAct(tx, user, 'user.password_reset', {}, by);
    return true;
  });
}

/** The platform's own people, oldest first. */
export async function listOperators(
  db: Database,
): Promise<{ id: string; email: string; role: string; status: string; has_totp: boolean }[]> {
  const rows = await db.prisma.user.findMany({
    where: { merchantId: null },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
  });
  return rows.map(({ id, email, role, status, totpConfirmedAt }) => ({
    id,
    email,
    role,
    status,
    has_totp: totpConfirmedAt !== null,
  }));
}
