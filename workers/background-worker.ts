import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { createBackgroundActivities } from '../activities/index.ts';
import { type Database, openDatabase, serviceLimits } from '../prisma/database.ts';
import { backgroundTaskQueue } from '../workflows/contract.ts';

/** Rounds of batches and turns of clocks at a time; each ends within half a minute, and whoever waits has its turn. */
const activitiesMax = 16;
/** Apart from the connections that payments use. */
const databaseConnectionsMax = 6;

/** A worker with what it alone uses. */
export interface BackgroundWorker {
  readonly worker: Worker;
  /** After the worker has ended. */
  close(): Promise<void>;
}

/** Makes the worker for long work for which nobody waits: slots and connections of its own keep it from taking the payments'. */
export async function createBackgroundWorker(
  common: Pick<WorkerOptions, 'connection' | 'namespace' | 'dataConverter' | 'shutdownGraceTime'>,
  databaseUrl: string,
  deps: Omit<ActivityDeps, 'db'>,
): Promise<BackgroundWorker> {
  const db = openBackgroundDatabase(databaseUrl, deps);
  const worker = await Worker.create({
    ...common,
    taskQueue: backgroundTaskQueue,
    activities: createBackgroundActivities({ ...deps, db }),
    maxConcurrentActivityTaskExecutions: activitiesMax,
    activityTaskPollerBehavior: { type: 'autoscaling' },
  });
  return { worker, close: () => db.close() };
}

function openBackgroundDatabase(url: string, { logger }: Pick<ActivityDeps, 'logger'>): Database {
  return openDatabase({ url, connectionsMax: databaseConnectionsMax, ...serviceLimits }, (err) =>
    logger.warn({ err }, 'lost an idle database connection'),
  );
}
