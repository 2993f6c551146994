import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { removeExpired } from '../prisma/cleanup.ts';
import type { CleanupTally } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';

/** So long before its time-out a pass ends: a batch that waits for the database ends within. */
const spareMs = 60_000;

/**
 * Removes what has expired by now until nothing of it is left, its time is over or it is canceled; the next pass goes on. All
 * kinds have their turn, however much there is of one.
 */
export async function cleanUp({ db }: Pick<ActivityDeps, 'db'>): Promise<CleanupTally> {
  const now = new Date();
  const endsAt = performance.now() + activityInfo().startToCloseTimeoutMs - spareMs;
  const goesOn = () => {
    heartbeat();
    return performance.now() < endsAt && !cancellationSignal().aborted;
  };
  let total = await removeExpired(db, now, goesOn);
  let last = total;
  while (hasSome(last) && goesOn()) {
    last = await removeExpired(db, now, goesOn);
    total = sumOf(total, last);
  }
  return total;
}

function hasSome(tally: CleanupTally): boolean {
  return Object.values(tally).some((count) => count > 0);
}

function sumOf(one: CleanupTally, other: CleanupTally): CleanupTally {
  return {
    refreshTokens: one.refreshTokens + other.refreshTokens,
    sessions: one.sessions + other.sessions,
    nonces: one.nonces + other.nonces,
    loginAddresses: one.loginAddresses + other.loginAddresses,
    loginThrottles: one.loginThrottles + other.loginThrottles,
  };
}
