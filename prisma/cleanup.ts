import type { CleanupTally } from '../workflows/ports.ts';
import { type Database, run, type Statement } from './database.ts';
import { familiarDays } from './logins.ts';

/** So many batches of each kind one call removes. */
const batchesMax = 50;
/** Sessions stay for a while after their end, so that somebody who asks can see why. */
const dayMs = 24 * 60 * 60 * 1_000;
const endedForMs = dayMs;
const familiarForMs = familiarDays * dayMs;

/** Rows that one statement removes: so few that it holds their locks for a moment only. */
interface Removal {
  readonly statement: Statement;
  readonly batchSize: number;
}

/** Those that another pass is removing are left to it. */
function removal(name: string, table: string, condition: string, batchSize: number): Removal {
  const text = `
    WITH removed AS (
      DELETE FROM ${table} WHERE ctid IN (
        SELECT ctid FROM ${table} WHERE ${condition} LIMIT ${batchSize} FOR UPDATE SKIP LOCKED)
      RETURNING 1
    )
    SELECT count(*)::int FROM removed`;
  return { statement: { name: `remove_${name}`, text }, batchSize };
}

/** No token outlives the end of its session: those that are left are on their way out. */
const hasNoTokens = 'NOT EXISTS (SELECT FROM auth_tokens t WHERE t.session_id = auth_sessions.id)';
const isUnlocked = 'locked_until IS NULL OR locked_until <= $1';
const removals = {
  refreshTokens: removal('refresh_tokens', 'auth_tokens', 'expires_at <= $1', 1_000),
  expiredSessions: removal('expired_sessions', 'auth_sessions', `expires_at <= $1 AND ${hasNoTokens}`, 1_000),
  revokedSessions: removal('revoked_sessions', 'auth_sessions', 'revoked_at <= $1', 20), // with thousands of tokens each
  nonces: removal('nonces', 'request_nonces', 'expires_at <= $1', 1_000),
  loginAddresses: removal('login_addresses', 'login_addresses', 'last_login_at <= $1', 1_000),
  loginThrottles: removal('login_throttles', 'login_throttles', `window_ends_at <= $1 AND (${isUnlocked})`, 1_000),
};

/**
 * Removes what has expired, in batches of bounded size and number: refresh tokens, sessions that ended more than a day ago,
 * nonces, addresses of logins that are not familiar any more, and counts of failed logins. `goesOn` is asked after each batch:
 * if not, no other one follows. Whoever wants nothing left repeats it until it removed nothing.
 */
export async function removeExpired(
  db: Database,
  now: Date,
  goesOn: () => boolean = () => true,
): Promise<CleanupTally> {
  let isOver = false;
  const remove = async ({ statement, batchSize }: Removal, endedBefore: Date) => {
    let removed = 0;
    for (let batch = 0; batch < batchesMax && !isOver; batch++) {
      const [{ count } = { count: 0 }] = await run<{ count: number }>(db, statement, [endedBefore]);
      removed += count;
      isOver = !goesOn();
      if (count < batchSize) break;
    }
    return removed;
  };
  const aDayAgo = new Date(now.getTime() - endedForMs);
  return {
    refreshTokens: await remove(removals.refreshTokens, now),
    sessions: (await remove(removals.expiredSessions, aDayAgo)) + (await remove(removals.revokedSessions, aDayAgo)),
    nonces: await remove(removals.nonces, now),
    loginAddresses: await remove(removals.loginAddresses, new Date(now.getTime() - familiarForMs)),
    loginThrottles: await remove(removals.loginThrottles, now),
  };
}
