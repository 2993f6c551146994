import { heartbeat } from '@temporalio/activity';
import { removeExpired } from '../prisma/cleanup.ts';
import type { CleanupTally } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';

/** Removes what has expired by now; what a pass leaves is removed by the next one. */
export function cleanUp({ db }: Pick<ActivityDeps, 'db'>): Promise<CleanupTally> {
  return removeExpired(db, new Date(), heartbeat);
}
