import { setTimeout as pause } from 'node:timers/promises';
import { cancellationSignal, heartbeat } from '@temporalio/activity';
import { cancelRows, endOfMade, endRows, findMade, findStagedRows, type NamedRow } from '../prisma/batch-rows.ts';
import { type BatchRow, batchSnapshotOf, finishBatch, readBatch } from '../prisma/batches.ts';
import type { BatchPorts, BatchSnapshot } from '../workflows/batch-ports.ts';
import { invariant } from '../workflows/domain/invariant.ts';
import type { ActivityDeps } from './deps.ts';
import { refusalOfRow } from './start-row.ts';

/**
 * Rows are started in the order of the file, so those on their way are the first ones that are still staged: at most a window of
 * each round that a dead worker left behind.
 */
const askedMax = 500;
const askedAtOnce = 8;
/** A workflow that runs is about to make its thing; one that does not in this time is counted as if it had. */
const acceptWithinMs = 60_000;
const lookEveryMs = 250;

type Db = Pick<ActivityDeps, 'db'>;

/**
 * Ends a batch. Of a canceled one, rows whose thing is there, or is being made, end as they would have; the rest of those that are
 * still staged is canceled, step by step. May be done again: a batch that has ended stays as it is.
 */
export async function endBatch(deps: Db, input: Parameters<BatchPorts['endBatch']>[0]): Promise<BatchSnapshot> {
  const { db } = deps;
  const batch = await readBatch(db, input.merchantId, input.batchId);
  invariant(batch !== null, 'a batch has a row before it has a workflow');
  if (batch.status === 'canceled' && batch.finished_at === null) await endStaged(deps, batch);
  const row = (await finishBatch(db, input)) ?? (await readBatch(db, input.merchantId, input.batchId));
  invariant(row !== null && row.finished_at !== null, 'a batch ends when none of its rows is staged');
  return batchSnapshotOf(row);
}

async function endStaged(deps: Db, batch: BatchRow): Promise<void> {
  const first = await endMade(deps, batch);
  await endOnTheirWay(deps, batch, first);
  for (let canceled = 1; canceled > 0; ) {
    canceled = await cancelRows(deps.db, batch.id);
    heartbeat({ canceled });
  }
}

/** Ends the rows whose thing is there; returns the first ones of which nothing is. */
async function endMade({ db }: Db, batch: BatchRow): Promise<readonly NamedRow[]> {
  const first: NamedRow[] = [];
  for (let after = 0; ; ) {
    const rows = await findStagedRows(db, batch.id, after);
    const last = rows.at(-1);
    if (last === undefined) return first;
    after = last.number;
    const left = await endMadeOf(db, batch, rows);
    first.push(...left.slice(0, askedMax - first.length));
    heartbeat({ after });
  }
}

/** Ends those of some rows whose thing is there; returns the others. */
async function endMadeOf(db: ActivityDeps['db'], batch: BatchRow, rows: readonly NamedRow[]): Promise<NamedRow[]> {
  const ids = rows.map(({ resourceId }) => resourceId);
  const made = await findMade(db, batch.kind, batch.merchant_id, ids);
  const ends = rows.flatMap((row) => {
    const resource = made.get(row.resourceId);
    return resource === undefined ? [] : [endOfMade(row, resource, batch.id)];
  });
  await endRows(db, batch.id, ends);
  return rows.filter(({ resourceId }) => !made.has(resourceId));
}

/** Waits for workflows that run, and ends their rows; those that refused what the row says, too. */
async function endOnTheirWay({ db }: Db, batch: BatchRow, first: readonly NamedRow[]): Promise<void> {
  const until = performance.now() + acceptWithinMs;
  let working = await askAfter(db, batch, first);
  while (working.length > 0 && performance.now() < until) {
    await pause(lookEveryMs, undefined, { signal: cancellationSignal() });
    working = await askAfter(db, batch, await endMadeOf(db, batch, working));
  }
  await endMadeOf(db, batch, first); // what was made and over between two questions
  await endRows(
    db,
    batch.id,
    working.map(({ number }) => ({ number, state: 'started', code: null })),
  );
}

/** Which of these have a workflow that runs. */
async function askAfter(db: ActivityDeps['db'], batch: BatchRow, rows: readonly NamedRow[]): Promise<NamedRow[]> {
  const working: NamedRow[] = [];
  const rest = rows.values();
  const askInTurn = async () => {
    for (const row of rest) {
      const answer = await refusalOfRow(row.resourceId);
      if (answer === 'working') working.push(row);
      else if (answer !== 'gone')
        await endRows(db, batch.id, [{ number: row.number, state: 'refused', code: answer.refused }]);
      heartbeat({ working: working.length });
    }
  };
  await Promise.all(Array.from({ length: askedAtOnce }, askInTurn));
  return working.toSorted((one, other) => one.number - other.number);
}
