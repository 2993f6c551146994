import { type ActByOwner, logAct } from './audit-logs.ts';
import { type Database, run } from './database.ts';
import type { Prisma } from './generated/client.ts';

/** A session to be: of a user or of an API key, of which it names one. */
export interface NewSession {
  readonly id: string;
  readonly userId: string | null;
  /** The public id of the key. */
  readonly apiKeyId: string | null;
  readonly merchantId: string | null;
  readonly isTest: boolean;
  /** What it may do at most; empty: what the role or the key allows. */
  readonly permissions: readonly string[];
  readonly hasTotp: boolean;
  readonly expiresAt: Date;
}

/** What is kept of a refresh token: never its text. */
export interface NewRefreshToken {
  readonly id: string;
  readonly tokenHash: string;
  readonly expiresAt: Date;
}

/**
 * Opens a session with its first refresh token (null: it gets none), and writes that down, all together. False: the user whose
 * `passwordHash` it was opened with has another one by now, or is not active.
 */
export async function openSession(
  db: Database,
  session: NewSession,
  first: NewRefreshToken | null,
  by: ActByOwner,
  passwordHash: string | null = null,
): Promise<boolean> {
  const { permissions, ...columns } = session;
  const tokens = first === null ? {} : { tokens: { create: { ...first, number: 1, createdAt: by.at } } };
  return db.prisma.$transaction(async (tx) => {
    if (session.userId !== null && !(await isStillProven(tx, session.userId, passwordHash))) return false;
    await tx.authSession.create({
      data: { ...columns, permissions: [...permissions], createdAt: by.at, ...tokens },
    });
    await logAct(tx, {
      ...by,
      action: 'session.opened',
      actor: actorOf(session.userId, session.apiKeyId),
      resourceType: 'session',
      resourceId: session.id,
      merchantId: session.merchantId,
      isTest: session.isTest,
      changes: { permissions, has_totp: session.hasTotp, expires_at: session.expiresAt.toISOString() },
    });
    return true;
  });
}

/** Who changes the password ends all sessions, and waits for those that are being opened. */
async function isStillProven(
  tx: Prisma.TransactionClient,
  userId: string,
  passwordHash: string | null,
): Promise<boolean> {
  const found = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM users WHERE id = ${userId} AND status = 'active' AND password_hash = ${passwordHash} FOR SHARE`;
  return found.length === 1;
}

/** A refresh token, used or not, with its session and with the token that follows it. */
export interface RefreshTokenRecord {
  readonly sessionId: string;
  readonly expiresAt: Date;
  readonly usedAt: Date | null;
  /** Null: this one was not used yet. */
  readonly successor: { readonly expiresAt: Date; readonly isUsed: boolean } | null;
  readonly session: { readonly isRevoked: boolean; readonly expiresAt: Date };
}

interface RefreshTokenRow {
  session_id: string;
  expires_at: Date;
  used_at: Date | null;
  next_expires_at: Date | null;
  next_used_at: Date | null;
  revoked_at: Date | null;
  session_expires_at: Date;
}

const selectRefreshToken = {
  name: 'select_refresh_token',
  text: `
    SELECT t.session_id, t.expires_at, t.used_at, next.expires_at AS next_expires_at, next.used_at AS next_used_at,
      s.revoked_at, s.expires_at AS session_expires_at
    FROM auth_tokens t
    JOIN auth_sessions s ON s.id = t.session_id
    LEFT JOIN auth_tokens next ON next.session_id = t.session_id AND next.number = t.number + 1
    WHERE t.token_hash = $1`,
};

/** The refresh token with this hash, whatever its state, or null. */
export async function findRefreshToken(db: Database, tokenHash: string): Promise<RefreshTokenRecord | null> {
  const [row] = await run<RefreshTokenRow>(db, selectRefreshToken, [tokenHash]);
  if (row === undefined) return null;
  const { next_expires_at: nextExpiresAt } = row;
  return {
    sessionId: row.session_id,
    expiresAt: row.expires_at,
    usedAt: row.used_at,
    successor: nextExpiresAt === null ? null : { expiresAt: nextExpiresAt, isUsed: row.next_used_at !== null },
    session: { isRevoked: row.revoked_at !== null, expiresAt: row.session_expires_at },
  };
}

/** Of several at once, one finds the token unused: the others wait for its row, and then match nothing. */
const useToken = {
  name: 'use_refresh_token',
  text: `
    WITH used AS (
      UPDATE auth_tokens t SET used_at = $2 FROM auth_sessions s
      WHERE t.token_hash = $1 AND t.used_at IS NULL AND t.expires_at > $2
        AND s.id = t.session_id AND s.revoked_at IS NULL AND s.expires_at > $2
      RETURNING t.session_id, t.number, s.expires_at
    )
    INSERT INTO auth_tokens (id, session_id, token_hash, number, created_at, expires_at)
    SELECT $3, session_id, $4, number + 1, $2, least($5::timestamptz, expires_at) FROM used
    RETURNING expires_at`,
};

/**
 * Uses up a refresh token and puts its successor there, in one statement; that lasts as long as it says, and no longer than
 * the session. When the successor ends; null: the token is unknown, expired or used, or its session has ended.
 */
export async function useRefreshToken(
  db: Database,
  tokenHash: string,
  successor: NewRefreshToken,
  now: Date,
): Promise<Date | null> {
  const values = [tokenHash, now, successor.id, successor.tokenHash, successor.expiresAt];
  const [row] = await run<{ expires_at: Date }>(db, useToken, values);
  return row?.expires_at ?? null;
}

/** Why a session was ended. */
type RevokedReason = 'reuse' | 'revoked' | 'password_changed' | 'password_reset' | 'totp_reset' | 'user_suspended';

/** Ends a session with all its tokens and writes that down. False when it has ended already, or there is none. */
export async function revokeSession(
  db: Database,
  sessionId: string,
  reason: RevokedReason,
  by: ActByOwner,
): Promise<boolean> {
  return db.prisma.$transaction(async (tx) => {
    const [session] = await tx.authSession.updateManyAndReturn({
      where: { id: sessionId, revokedAt: null, expiresAt: { gt: by.at } },
      data: { revokedAt: by.at, revokedReason: reason },
    });
    if (session === undefined) return false;
    const { userId, apiKeyId, merchantId, isTest } = session;
    await logAct(tx, {
      ...by,
      action: 'session.revoked',
      resourceType: 'session',
      resourceId: sessionId,
      merchantId,
      isTest,
      actor: actorOf(userId, apiKeyId),
      changes: { reason },
    });
    return true;
  });
}

/** Ends the user's open sessions, but for the one that is named, in the transaction that gives the reason and writes it down. */
export async function endSessions(
  tx: Prisma.TransactionClient,
  userId: string,
  reason: RevokedReason,
  at: Date,
  exceptId: string | null = null,
): Promise<void> {
  await tx.authSession.updateMany({
    where: { userId, revokedAt: null, ...(exceptId !== null && { id: { not: exceptId } }) },
    data: { revokedAt: at, revokedReason: reason },
  });
}

/** Whoever holds a token of a session acts as the one that it belongs to. */
function actorOf(userId: string | null, apiKeyId: string | null): string {
  return userId === null ? `api_key:${apiKeyId}` : `user:${userId}`;
}
