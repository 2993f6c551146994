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
  const waiting: StoredCall[] = [];
  let lost = 0;
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;
  let isAway = false;
  let isClosed = false;

  const lose = (count: number) => {
    lost += count;
    metrics.callsNotLogged(count);
  };

  const tellLost = () => {
    if (lost > 0)
      logger.error({ count: lost }, 'calls are missing in the log of calls: the database was too slow or away');
    lost = 0;
  };

  /** Halves a batch that the database refuses, until the row that it refuses is found, which is left out. */
  const store = async (batch: readonly StoredCall[]): Promise<void> => {
    try {
      await storeCalls(db, batch);
    } catch (err) {
      if (isDatabaseAway(err)) throw err;
      if (batch.length > 1) {
        const middle = Math.ceil(batch.length / 2);
        await store(batch.slice(0, middle));
        await store(batch.slice(middle));
        return;
      }
      logger.error({ err, request_id: batch[0]?.correlationId }, 'a call cannot be written down');
      lose(1);
    }
  };

  /** Until nothing waits or the database is away: then what waits, waits for the next time. True: nothing waits. */
  const writeAll = async (): Promise<boolean> => {
    try {
      while (waiting.length > 0) {
        const batch = waiting.slice(0, batchMax);
        await store(batch); // written twice, should only the answer be lost, a row is stored once
        waiting.splice(0, batch.length);
        isAway = false;
      }
      return true;
    } catch (err) {
      if (!isAway) logger.warn({ err, count: waiting.length }, 'calls wait to be written down: the database is away');
      isAway = true;
      return false;
    } finally {
      tellLost();
    }
  };

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
      if (isClosed || waiting.length >= waitingMax) return lose(1);
      waiting.push({ ...call, id: `log_${randomUUID()}` });
      if (waiting.length === batchMax) write();
      else plan();
    },
    async close() {
      isClosed = true;
      await writing;
      if (timer !== null) clearTimeout(timer);
      timer = null;
      if (!(await writeAll())) lose(waiting.length);
      tellLost();
    },
  };
}
