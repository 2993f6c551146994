import { type ActBy, type ActByOwner, logAct } from './audit-logs.ts';
import type { Database } from './database.ts';
import type { Prisma } from './generated/client.ts';
import { lockMerchant, noSuchMerchant } from './merchants.ts';
import { newestFirst, type Page } from './page.ts';
import { endSessions } from './sessions.ts';

/** What is read of a user: no hash and no secret. */
const shown = {
  id: true,
  merchantId: true,
  email: true,
  name: true,
  role: true,
  status: true,
  invitedBy: true,
  requestHash: true,
  invitationExpiresAt: true,
  totpConfirmedAt: true,
  lastLoginAt: true,
  createdAt: true,
  updatedAt: true,
} as const satisfies Prisma.UserSelect;

/**
 * A user without what proves who it is. `status` is `invited`, `active` or `suspended`; `requestHash` is of the request that
 * invited last, null where none did.
 */
export type UserRow = Prisma.UserGetPayload<{ select: typeof shown }>;

/** A person to invite. */
export interface NewInvitation {
  /** Of the user to make; somebody who was invited before keeps theirs. */
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: string;
  readonly invitationHash: string;
  readonly expiresAt: Date;
  /** The key of the merchant's request that invites, and its hash; null: no such request does. */
  readonly request: { readonly idempotencyKey: string; readonly hash: string } | null;
}

/** The user who manages others, as they are while nobody else changes the merchant's users; null: it is not a user of theirs. */
export type Manager = Pick<UserRow, 'role' | 'status'> | null;

/**
 * `invited`: from now on this invitation alone counts, also where the person was invited before. `existing`: the request, or
 * another one for this id, has invited somebody already, who was invited last by the one with `requestHash`. `email_taken`: the
 * address belongs to somebody who is not waiting for an invitation. The last two stored nothing.
 */
export type InvitedUser =
  | { readonly kind: 'invited' | 'existing'; readonly user: UserRow }
  | { readonly kind: 'email_taken' };

/**
 * Invites a person to a merchant, or with null to the platform; invites anew who has not accepted yet. `judge` throws where the
 * manager may not do that; `before` is the user as invited already. Throws where there is no such merchant.
 */
export async function inviteUser(
  db: Database,
  merchantId: string | null,
  invitation: NewInvitation,
  by: ActBy & { readonly managerId?: string | null },
  judge: (manager: Manager, before: UserRow | null) => void = () => undefined,
): Promise<InvitedUser> {
  return db.prisma.$transaction(async (tx) => {
    await lockUsersOf(tx, merchantId);
    const existing = await findInvited(tx, merchantId, invitation);
    if (existing !== null) return { kind: 'existing', user: existing };
    const before = await findByEmail(tx, merchantId, invitation.email);
    if (before !== null && before.status !== 'invited') return { kind: 'email_taken' };
    judge(await managerOf(tx, merchantId, by.managerId), before);
    const { name, role, invitationHash, expiresAt: invitationExpiresAt, request } = invitation;
    const asked = request && { idempotencyKey: request.idempotencyKey, requestHash: request.hash };
    const now = { role, invitationHash, invitationExpiresAt, invitedBy: by.actor, updatedAt: by.at, ...asked };
    const user =
      before === null
        ? await tx.user.create({
            data: { ...now, id: invitation.id, merchantId, email: invitation.email, name, createdAt: by.at },
            select: shown,
          })
        : await tx.user.update({ where: { id: before.id }, data: { ...now, ...(name && { name }) }, select: shown });
    await logUserAct(tx, user, 'user.invited', { role, is_repeated: before !== null }, by);
    return { kind: 'invited', user };
  });
}

/** Any number of ours that nothing else locks: the platform has no row of its own. */
const platformLock = 6_174_001;

/** One after another per merchant: whoever decides on users finds all of them as they are. Payments do not wait. */
async function lockUsersOf(tx: Prisma.TransactionClient, merchantId: string | null): Promise<void> {
  if (merchantId === null) {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(${platformLock})`;
    return;
  }
  if (!(await lockMerchant(tx, merchantId))) throw noSuchMerchant(merchantId);
}

/**
 * Whom this invitation, sent again, has invited. Found by the key of the latest request; and by the id, as the first one may be
 * repeated when another has followed it, and must not void that one's token.
 */
async function findInvited(
  tx: Prisma.TransactionClient,
  merchantId: string | null,
  { id, request }: NewInvitation,
): Promise<UserRow | null> {
  const either = [{ id }, ...(request === null ? [] : [{ idempotencyKey: request.idempotencyKey }])];
  return tx.user.findFirst({ where: { merchantId, OR: either }, select: shown });
}

async function findByEmail(
  tx: Prisma.TransactionClient,
  merchantId: string | null,
  email: string,
): Promise<UserRow | null> {
  const [found] = await tx.$queryRaw<{ id: string }[]>`
    SELECT id FROM users WHERE coalesce(merchant_id, '') = coalesce(${merchantId}::text, '') AND lower(email) = lower(${email})`;
  return found === undefined ? null : tx.user.findUnique({ where: { id: found.id }, select: shown });
}

async function managerOf(
  tx: Prisma.TransactionClient,
  merchantId: string | null,
  managerId: string | null | undefined,
): Promise<Manager> {
  if (managerId == null) return null;
  return tx.user.findFirst({ where: { id: managerId, merchantId }, select: { role: true, status: true } });
}

/** The user of this merchant with this id, or null. */
export async function findUser(db: Database, merchantId: string, userId: string): Promise<UserRow | null> {
  return db.prisma.user.findFirst({ where: { id: userId, merchantId }, select: shown });
}

/** Users of this merchant, newest first, after a position. */
export async function listUsers(db: Database, merchantId: string, page: Page): Promise<UserRow[]> {
  const { where, ...order } = newestFirst(page);
  return db.prisma.user.findMany({ where: { merchantId, ...where }, select: shown, ...order });
}

/** How things stand while nobody else changes the merchant's users. */
export interface UserStanding {
  readonly user: UserRow;
  readonly manager: Manager;
  /** Whether the merchant has an active owner beside this user. */
  readonly hasAnotherOwner: boolean;
}

/** What a user shall be from now on; absent members stay. */
export interface UserChange {
  readonly role?: string | undefined;
  readonly status?: 'active' | 'suspended' | undefined;
  readonly name?: string | null | undefined;
}

/**
 * Changes a user as `decide` says, which throws where that may not be. Whoever is suspended loses all sessions; whoever is to be
 * active and has no password to log in with is invited. What changes nothing writes nothing. Returns the user as it is then; null: there is none.
 */
export async function changeUser(
  db: Database,
  merchantId: string | null,
  userId: string,
  by: ActBy & { readonly managerId: string | null },
  decide: (standing: UserStanding) => UserChange,
): Promise<UserRow | null> {
  return db.prisma.$transaction(async (tx) => {
    await lockUsersOf(tx, merchantId);
    const where = { id: userId, merchantId };
    const found = await tx.user.findFirst({ where, select: { ...shown, passwordHash: true } });
    if (found === null) return null;
    const { passwordHash, ...user } = found;
    const otherOwners = { merchantId, role: 'owner', status: 'active', id: { not: userId } };
    const change = decide({
      user,
      manager: await managerOf(tx, merchantId, by.managerId),
      hasAnotherOwner: (await tx.user.count({ where: otherOwners })) > 0,
    });
    const { role = user.role, name = user.name } = change;
    const wanted = change.status ?? user.status;
    const status = wanted === 'active' && passwordHash === null ? 'invited' : wanted;
    const changes = {
      ...(role !== user.role && { role: { from: user.role, to: role } }),
      ...(status !== user.status && { status: { from: user.status, to: status } }),
      ...(name !== user.name && { name: 'changed' }),
    };
    if (Object.keys(changes).length === 0) return user;
    const data = { role, status, name, updatedAt: by.at };
    const changed = await tx.user.update({ where: { id: userId }, data, select: shown });
    if (status === 'suspended') await endSessions(tx, userId, 'user_suspended', by.at);
    await logUserAct(tx, changed, 'user.changed', changes, by);
    return changed;
  });
}

/** An invitation that can be accepted, with whom it is for. */
export interface OpenInvitation {
  readonly user: UserRow;
  /** True for the platform's own people. */
  readonly isMerchantActive: boolean;
}

/** The invitation with this hash; null: there is none that is open. */
export async function findInvitation(db: Database, invitationHash: string, now: Date): Promise<OpenInvitation | null> {
  const found = await db.prisma.user.findFirst({
    where: { invitationHash, status: 'invited', invitationExpiresAt: { gt: now } },
    select: { ...shown, merchant: { select: { status: true } } },
  });
  if (found === null) return null;
  const { merchant, ...user } = found;
  return { user, isMerchantActive: merchant === null || merchant.status === 'active' };
}

/**
 * Makes the invited person an active user, known at this address as after a login, once: null when the invitation is not open
 * any more.
 */
export async function acceptInvitation(
  db: Database,
  merchantId: string | null,
  invitationHash: string,
  accepted: { readonly passwordHash: string; readonly name: string | null; readonly addressHash: string },
  by: ActByOwner,
): Promise<UserRow | null> {
  return db.prisma.$transaction(async (tx) => {
    await lockUsersOf(tx, merchantId);
    const [user] = await tx.user.updateManyAndReturn({
      where: { merchantId, invitationHash, status: 'invited', invitationExpiresAt: { gt: by.at } },
      data: {
        status: 'active',
        passwordHash: accepted.passwordHash,
        invitationHash: null,
        invitationExpiresAt: null,
        updatedAt: by.at,
        ...(accepted.name && { name: accepted.name }),
      },
      select: shown,
    });
    if (user === undefined) return null;
    const { addressHash } = accepted;
    const address = { userId: user.id, addressHash };
    await tx.loginAddress.upsert({
      where: { userId_addressHash: address },
      create: { ...address, lastLoginAt: by.at },
      update: { lastLoginAt: by.at },
    });
    await logUserAct(tx, user, 'user.accepted', { role: user.role }, { ...by, actor: `user:${user.id}` });
    return user;
  });
}

/** Writes down what was done to a user, in the transaction that does it. */
export async function logUserAct(
  tx: Prisma.TransactionClient,
  user: Pick<UserRow, 'id' | 'merchantId'>,
  action: string,
  changes: Readonly<Record<string, unknown>>,
  by: ActBy,
): Promise<void> {
  const { id: resourceId, merchantId } = user;
  await logAct(tx, { ...by, action, resourceType: 'user', resourceId, merchantId, isTest: null, changes });
}
