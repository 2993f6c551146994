import { z } from 'zod';
import { type BatchRow, batchSnapshotOf, findBatch } from '../prisma/batches.ts';
import type { MerchantScope } from '../prisma/payments.ts';
import { ratePerSecondMax } from '../workflows/batch-contract.ts';
import { batchKinds, batchStatuses } from '../workflows/domain/batch.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './errors.ts';
import { requireForm } from './require-form.ts';

const instant = z.iso.datetime();
const count = z.int().min(0);

/** What the rows of a batch make. */
export const batchKind = z.enum(batchKinds, `must be ${batchKinds.join(' or ')}`);

/** How a batch stands. */
export const batchStatus = z.enum(batchStatuses, `must be one of ${batchStatuses.join(', ')}`);

/** Rows started per second at most. */
export const ratePerSecond = z.int().min(1).max(ratePerSecondMax);

/** A batch as its merchant sees it. */
export const batchSchema = z
  .object({
    id: z.string(),
    reference: z.string(),
    kind: batchKind,
    format: z.enum(['csv', 'ndjson']),
    dry_run: z.boolean(),
    status: batchStatus,
    rows: z.object({
      total: count,
      staged: count.describe('To be started'),
      started: count.describe('Made by this batch'),
      existing: count.describe('Made before, by the same row of another run'),
      refused: count.describe('Not made: the result says why'),
      canceled: count.describe('Not made: the batch was canceled first'),
    }),
    rate_per_second: z.int().nullable().describe('Rows started per second at most; null: as many as there can be'),
    error_count: count,
    errors: z
      .array(z.object({ line: z.int(), column: z.int(), pointer: z.string().optional(), detail: z.string() }))
      .describe('What is wrong with the file: the first 1,000; none in lists'),
    created_at: instant,
    started_at: instant.nullable(),
    finished_at: instant.nullable(),
    is_test: z.boolean(),
  })
  .meta({ id: 'Batch' });

/** A row as the wire has it. */
export function toBatchObject(row: BatchRow): z.infer<typeof batchSchema> {
  const isStaged = row.started_at !== null;
  const { staged, ...ended } = batchSnapshotOf(row).rows;
  return {
    id: row.id,
    reference: row.reference,
    kind: row.kind,
    format: row.format,
    dry_run: row.is_dry_run,
    status: row.status,
    rows: { total: row.rows_total, staged: isStaged ? staged : 0, ...ended },
    rate_per_second: row.rate_per_second,
    error_count: row.error_count,
    errors: [...row.errors],
    created_at: row.created_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    finished_at: row.finished_at?.toISOString() ?? null,
    is_test: row.is_test,
  };
}

/** The id, or `not_found` for text that can be no batch's id. */
const requireBatchId = requireForm(/^bat_[0-9a-z]{26}$/);

/** The row of a batch of this merchant in this mode, or `not_found`. */
export async function requireBatch({ db }: ApiDeps, scope: MerchantScope, id: string): Promise<BatchRow> {
  const row = await findBatch(db, scope, requireBatchId(id));
  if (row === null) throw new Problem('not_found');
  return row;
}
