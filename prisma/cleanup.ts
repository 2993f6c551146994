import type { CleanupTally } from '../workflows/ports.ts';
import { type Database, run, type Statement } from './database.ts';
import { familiarDays } from './logins.ts';

/** So many batches of each kind one pass removes; the next pass goes on. */
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
function removal(table: string, condition: string, batchSize: number): Removal {
  const text = `
    WITH removed AS (
      DELETE FROM ${table} WHERE ctid IN (
        SELECT ctid FROM ${table} WHERE ${condition} LIMIT ${batchSize} FOR UPDATE SKIP LOCKED)
      RETURNING 1
    )
    SELECT count(*)::int FROM removed`;
  return { statement: { name: `remove_${table}`, text }, batchSize };
}

const isUnlocked = 'locked_until IS NULL OR locked_until <= $1';
const removals = {
  refreshTokens: removal('auth_tokens', 'expires_at <= $1', 1_000),
  sessions: removal('auth_sessions', 'expires_at <= $1 OR revoked_at <= $1', 100), // with all tokens that they still have
  nonces: removal('request_nonces', 'expires_at <= $1', 1_000),
  loginAddresses: removal('login_addresses', 'last_login_at <= $1', 1_000),
  loginThrottles: removal('login_throttles', `window_ends_at <= $1 AND (${isUnlocked})`, 1_000),
};

/**
 * Removes what has expired, in batches of bounded size and number: refresh tokens, sessions that ended more than a day ago,
 * nonces, addresses of logins that are not familiar any more, and counts of failed logins. `onBatch` is called after each.
 */
export async function removeExpired(
  db: Database,
  now: Date,
  onBatch: () => void = () => undefined,
): Promise<CleanupTally> {
  const remove = async ({ statement, batchSize }: Removal, endedBefore: Date) => {
    let removed = 0;
    for (let batch = 0; batch < batchesMax; batch++) {
      const [{ count } = { count: 0 }] = await run<{ count: number }>(db, statement, [endedBefore]);
      removed += count;
      onBatch();
      if (count < batchSize) break;
    }
    return removed;
  };
  return {
    refreshTokens: await remove(removals.refreshTokens, now),
    sessions: await remove(removals.sessions, new Date(now.getTime() - endedForMs)),
    nonces: await remove(removals.nonces, now),
    loginAddresses: await remove(removals.loginAddresses, new Date(now.getTime() - familiarForMs)),
    loginThrottles: await remove(removals.loginThrottles, now),
  };
}
