import { randomUUID } from 'node:crypto';
import { type LoggedCall, type StoredCall, storeCalls } from '../prisma/audit-logs.ts';
import { type Database, isDatabaseAway } from '../prisma/database.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ApiMetrics } from '../runtime/metrics.ts';

/** Keeps one row per call of the API, written in batches. */
export interface CallLog {
  /** Never waits and never fails: beyond the limit of what may wait, a call is counted and not kept. */
  add(call: LoggedCall): void;
  /** Writes what is waiting, and stops. */
  close(): Promise<void>;
}

/** How long a call waits to be written, how many are written at once, and how many may wait. */
export interface CallLogLimits {
  readonly waitMs: number;
  readonly batchMax: number;
  readonly waitingMax: number;
}

const usualLimits: CallLogLimits = { waitMs: 500, batchMax: 200, waitingMax: 10_000 };

/**
 * Writes calls every half second, or as soon as there are enough of them; again and again while the database is away. A
 * process that dies loses what waited: administrative acts, which must not be lost, are written where they happen.
 */
export function createCallLog(
  db: Database,
  logger: Logger,
  metrics: Pick<ApiMetrics, 'callsNotLogged'>,
  { waitMs, batchMax, waitingMax }: CallLogLimits = usualLimits,
): CallLog {
  const losses = countLosses(logger, metrics);
  const waiting: StoredCall[] = [];
  const writeAll = writerOf(db, logger, losses, { waiting, batchMax });
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;
  let isClosed = false;

  const writeRound = async (): Promise<void> => {
    const isDone = await writeAll();
    writing = null;
    if (!isDone || waiting.length > 0) plan();
  };

  const write = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    writing ??= writeRound();
  };

  const plan = () => {
    timer ??= setTimeout(write, waitMs).unref();
  };

  return {
    add(call) {
      if (isClosed || waiting.length >= waitingMax) return losses.add(1);
      waiting.push({ ...call, id: `log_${randomUUID()}` });
      if (waiting.length === batchMax) write();
      else plan();
    },
    async close() {
      isClosed = true;
      await writing;
      if (timer !== null) clearTimeout(timer);
      timer = null;
      if (!(await writeAll())) losses.add(waiting.length);
      losses.tell();
    },
  };
}

/** Calls that are not kept. */
interface Losses {
  add(count: number): void;
  /** Says in the log how many there were since it was last said; nothing where there were none. */
  tell(): void;
}

function countLosses(logger: Logger, metrics: Pick<ApiMetrics, 'callsNotLogged'>): Losses {
  let untold = 0;
  return {
    add(count) {
      untold += count;
      metrics.callsNotLogged(count);
    },
    tell() {
      if (untold > 0)
        logger.error({ count: untold }, 'calls are missing in the log of calls: the database was too slow or away');
      untold = 0;
    },
  };
}

/**
 * Writes until nothing waits, or the database is away: then what waits, waits for the next time. True: nothing waits. Must not
 * be called again before it has ended.
 */
function writerOf(
  db: Database,
  logger: Logger,
  losses: Losses,
  { waiting, batchMax }: { readonly waiting: StoredCall[]; readonly batchMax: number },
): () => Promise<boolean> {
  let isAway = false;
  const leaveOut = (call: StoredCall, err: unknown) => {
    logger.error({ err, request_id: call.correlationId }, 'a call cannot be written down');
    losses.add(1);
  };
  return async () => {
    try {
      while (waiting.length > 0) {
        const batch = waiting.slice(0, batchMax);
        await storeBatch(db, batch, leaveOut); // written twice, should only the answer be lost, a row is stored once
        waiting.splice(0, batch.length);
        isAway = false;
      }
      return true;
    } catch (err) {
      if (!isAway) logger.warn({ err, count: waiting.length }, 'calls wait to be written down: the database is away');
      isAway = true;
      return false;
    } finally {
      losses.tell();
    }
  };
}

/** Halves a batch that the database refuses, until the row that it refuses is found, which is left out. Throws while it is away. */
async function storeBatch(
  db: Database,
  batch: readonly StoredCall[],
  leaveOut: (call: StoredCall, error: unknown) => void,
): Promise<void> {
  try {
    await storeCalls(db, batch);
  } catch (error) {
    if (isDatabaseAway(error)) throw error;
    const [first, ...others] = batch;
    if (first === undefined) return;
    if (others.length === 0) return leaveOut(first, error);
    const middle = Math.ceil(batch.length / 2);
    await storeBatch(db, batch.slice(0, middle), leaveOut);
    await storeBatch(db, batch.slice(middle), leaveOut);
  }
}
