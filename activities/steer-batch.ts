import { batchSnapshotOf, readBatch, steerBatchRow } from '../prisma/batches.ts';
import type { BatchSnapshot, SteerBatch } from '../workflows/batch-ports.ts';
import { invariant } from '../workflows/domain/invariant.ts';
import type { ActivityDeps } from './deps.ts';

/** Writes down what somebody wants of a batch, if it is open, and reads it. */
export async function steerBatch({ db }: Pick<ActivityDeps, 'db'>, input: SteerBatch): Promise<BatchSnapshot> {
  const row = (await steerBatchRow(db, input)) ?? (await readBatch(db, input.merchantId, input.batchId));
  invariant(row !== null, 'a batch has a row before it has a workflow');
  return batchSnapshotOf(row);
}
