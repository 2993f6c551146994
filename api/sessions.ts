import type { ActByOwner } from '../prisma/audit-logs.ts';
import { randomId } from '../prisma/random-id.ts';
import {
  findRefreshToken,
  type NewRefreshToken,
  type NewSession,
  openSession,
  type RefreshTokenRecord,
  revokeSession,
  useRefreshToken,
} from '../prisma/sessions.ts';
import { hashSecret } from '../runtime/api-key.ts';
import { isRefreshToken, makeRefreshToken, successorOf } from '../runtime/refresh-token.ts';
import type { ApiDeps } from './deps.ts';
import { Problem, type ProblemCode } from './errors.ts';
import { principalOfSession, subjectOf } from './identify.ts';
import type { Principal } from './principal.ts';

const hourMs = 60 * 60 * 1_000;
const userSessionMs = 90 * 24 * hourMs;
const refreshTokenMs = 30 * 24 * hourMs;
/** A key's session is no longer than its one access token. */
const keySessionMs = hourMs / 4;
/** So long after its use a refresh token may be sent again by who did not get the answer. */
const graceMs = 30_000;

/** Whose session it is to be, and for what. */
export interface SessionWish extends Pick<NewSession, 'merchantId' | 'isTest' | 'permissions' | 'hasTotp'> {
  readonly of:
    | { readonly userId: string; readonly passwordHash: string }
    | { readonly keyId: string; readonly endsAt: Date | null };
}

/** What a session's holder gets. */
export interface SessionTokens {
  readonly sessionId: string;
  readonly access: { readonly text: string; readonly expiresAt: Date };
  /** Null: it cannot be refreshed. */
  readonly refresh: { readonly text: string; readonly expiresAt: Date } | null;
  readonly who: Principal;
}

/** Opens a session; a user's can be refreshed. Throws a `Problem` when it is of somebody who may not be served. */
export async function beginSession(deps: ApiDeps, wish: SessionWish, by: ActByOwner): Promise<SessionTokens> {
  const now = by.at;
  const { of, ...rest } = wish;
  const id = randomId('ses');
  if ('keyId' in of) {
    const endsAt = new Date(Math.min(later(now, keySessionMs).getTime(), of.endsAt?.getTime() ?? Infinity));
    const session = { ...rest, id, userId: null, apiKeyId: of.keyId, expiresAt: endsAt };
    await openSession(deps.db, session, null, by);
    return { ...(await accessTo(deps, id, now, 'login_refused')), refresh: null };
  }
  const text = makeRefreshToken();
  const first = keptOf(deps, text, now);
  const expiresAt = later(now, userSessionMs);
  const { userId, passwordHash } = of;
  const session = { ...rest, id, userId, apiKeyId: null, expiresAt };
  const isOpen = await openSession(deps.db, session, first, by, passwordHash);
  if (!isOpen) throw new Problem('login_refused');
  return { ...(await accessTo(deps, id, now, 'login_refused')), refresh: { text, expiresAt: first.expiresAt } };
}

/**
 * Gives new tokens for a refresh token, which is used up by that. Again within the grace, while its successor is unused, it
 * gives that successor again: an answer may be lost, and requests may be sent at once. Used in any other way twice, it ends the
 * session, as one of those who have it stole it. Throws `refresh_refused`, or what keeps its holder from being served.
 */
export async function refreshSession(deps: ApiDeps, text: string, by: ActByOwner): Promise<SessionTokens> {
  const now = by.at;
  const found = await recordOf(deps, text);
  if (found === null || hasEnded(found, now)) throw new Problem('refresh_refused');
  const tokens = await accessTo(deps, found.sessionId, now, 'refresh_refused');
  const successor = successorOf(text, deps.apiKeyPepper);
  const made =
    found.usedAt === null
      ? await useRefreshToken(deps.db, hashOf(deps, text), keptOf(deps, successor, now), now)
      : null;
  const expiresAt = made ?? (await repeatedUntil(deps, text, by));
  return { ...tokens, refresh: { text: successor, expiresAt } };
}

/** Until when the successor lasts that may be given again. Throws where it may not, and ends the session if that is reuse. */
async function repeatedUntil(deps: ApiDeps, text: string, by: ActByOwner): Promise<Date> {
  const used = await recordOf(deps, text);
  if (used === null || used.usedAt === null) throw new Problem('refresh_refused');
  const { sessionId, usedAt, successor } = used;
  const isWithinGrace = by.at.getTime() - usedAt.getTime() <= graceMs;
  if (isWithinGrace && successor !== null && !successor.isUsed) return successor.expiresAt;
  if (await revokeSession(deps.db, sessionId, 'reuse', by)) {
    const fields = { session_id: sessionId, request_id: by.correlationId };
    deps.logger.warn(fields, 'a refresh token was used twice: its session is revoked');
  }
  throw new Problem('refresh_refused');
}

/** Ends the session of a refresh token or an access token; any other text is worth nothing already. */
export async function endSession(deps: ApiDeps, text: string, by: ActByOwner): Promise<void> {
  const refreshToken = await recordOf(deps, text);
  const accessToken = await deps.accessTokens.verify(text, by.at);
  const sessionId = refreshToken?.sessionId ?? (accessToken?.kind === 'valid' ? accessToken.claims.sessionId : null);
  if (sessionId !== null) await revokeSession(deps.db, sessionId, 'revoked', by);
}

/** An access token of a session, for whom the session stands for now. `ended`: what to throw should it have ended just now. */
async function accessTo(
  deps: ApiDeps,
  sessionId: string,
  now: Date,
  ended: ProblemCode,
): Promise<Omit<SessionTokens, 'refresh'>> {
  const { record, outage } = await deps.credentials.session(sessionId);
  if (outage !== null) throw outage;
  if (record === null || record.isRevoked) throw new Problem(ended);
  const subject = subjectOf(record.user?.userId, record.key?.keyId);
  const access = await deps.accessTokens.issue({ subject, sessionId }, now, record.expiresAt);
  return { sessionId, access, who: principalOfSession(record, access.expiresAt.getTime() / 1_000, now) };
}

async function recordOf(deps: ApiDeps, text: string): Promise<RefreshTokenRecord | null> {
  return isRefreshToken(text) ? findRefreshToken(deps.db, hashOf(deps, text)) : null;
}

function hashOf({ apiKeyPepper }: ApiDeps, text: string): string {
  return hashSecret(text, apiKeyPepper);
}

function keptOf(deps: ApiDeps, text: string, now: Date): NewRefreshToken {
  return { id: randomId('rft'), tokenHash: hashOf(deps, text), expiresAt: later(now, refreshTokenMs) };
}

function hasEnded({ session }: RefreshTokenRecord, now: Date): boolean {
  return session.isRevoked || session.expiresAt <= now;
}

function later(at: Date, ms: number): Date {
  return new Date(at.getTime() + ms);
}
