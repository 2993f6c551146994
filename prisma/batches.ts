import type { BatchSnapshot, SteerBatch } from '../workflows/batch-ports.ts';
import type { BatchKind, BatchStatus } from '../workflows/domain/batch.ts';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { Page } from './page.ts';
import type { MerchantScope } from './payments.ts';

/** One thing that is wrong with a file, as the API shows it. */
export interface BatchError {
  readonly line: number;
  readonly column: number;
  readonly pointer?: string;
  readonly detail: string;
}

/** A batch as its row has it. */
export interface BatchRow {
  readonly id: string;
  readonly merchant_id: string;
  readonly is_test: boolean;
  readonly request_hash: string | null;
  readonly reference: string;
  readonly kind: BatchKind;
  readonly format: 'csv' | 'ndjson';
  readonly is_dry_run: boolean;
  readonly status: BatchStatus;
  readonly rows_total: number;
  readonly rows_started: number;
  readonly rows_existing: number;
  readonly rows_refused: number;
  readonly rows_canceled: number;
  readonly error_count: number;
  readonly errors: readonly BatchError[];
  readonly rate_per_second: number | null;
  readonly actor: string;
  readonly origin: string;
  readonly correlation_id: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

const columns = `
  b.id, b.merchant_id, b.is_test, b.request_hash, b.reference, b.kind, b.format, b.is_dry_run, b.status, b.rows_total,
  b.rows_started, b.rows_existing, b.rows_refused, b.rows_canceled, b.error_count, b.errors, b.rate_per_second, b.actor, b.origin,
  b.correlation_id, b.created_at, b.updated_at, b.started_at, b.finished_at`;

/** A batch whose file came in. */
export interface NewBatch {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly reference: string;
  readonly kind: BatchKind;
  readonly format: 'csv' | 'ndjson';
  readonly isDryRun: boolean;
  readonly ratePerSecond: number | null;
  readonly actor: string;
  readonly origin: string;
  readonly correlationId: string;
}

/** So many batches of a merchant in a mode may be received, running or paused at a time: others have their turn. */
const openBatchesMax = 4;

/**
 * `mine`: nobody else reads this file; nothing of it is staged. `existing`: the batch is there, perhaps of another request, and
 * perhaps while somebody else reads its file at this moment. `too_many`: so many others are open that this one is not taken.
 */
export type ClaimedBatch =
  | { readonly kind: 'mine' | 'existing'; readonly batch: BatchRow }
  | { readonly kind: 'too_many' };

const insert = {
  name: 'insert_batch',
  text: `
    INSERT INTO batches AS b (
      id, merchant_id, is_test, idempotency_key, request_hash, reference, kind, format, is_dry_run, rate_per_second, actor, origin,
      correlation_id, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, now(), now())
    ON CONFLICT DO NOTHING RETURNING ${columns}`,
};

/** Who reads a file says so at least this often; after longer silence, its process has died. */
const silenceMax = '15 seconds';

/** Refusals are not kept: a file with errors may come again under its key, mended. */
const takeOver = {
  name: 'take_over_batch',
  text: `
    UPDATE batches AS b SET
      status = 'receiving', request_hash = $4, reference = $5, kind = $6, format = $7, is_dry_run = $8, rate_per_second = $9,
      actor = $10, origin = $11, correlation_id = $12, errors = '[]', error_count = 0, rows_total = 0,
      updated_at = greatest(now(), b.updated_at + interval '1 millisecond')
    WHERE b.id = $1 AND b.merchant_id = $2 AND b.is_test = $3
      AND (b.status = 'invalid' OR (b.status = 'receiving' AND b.request_hash = $4 AND b.updated_at < now() - interval '${silenceMax}'))
    RETURNING ${columns}`,
};

/** Those whose reader has died do not count. */
const countOpen = {
  name: 'count_open_batches',
  text: `
    SELECT count(*)::int FROM batches
    WHERE merchant_id = $1 AND is_test = $2 AND id <> $3 AND NOT is_dry_run AND (
      status IN ('running', 'paused') OR (status = 'receiving' AND updated_at >= now() - interval '${silenceMax}'))`,
};

/** Whether a batch would be one too many. Files that come in the same moment may each be let in. */
async function isOneTooMany(db: Database, scope: MerchantScope, { id, isDryRun }: NewBatch): Promise<boolean> {
  if (isDryRun) return false;
  const [others] = await run<{ count: number }>(db, countOpen, [scope.merchantId, scope.isTest, id]);
  if ((others?.count ?? 0) < openBatchesMax) return false;
  const known = await findBatch(db, scope, id);
  return known === null || known.status === 'invalid';
}

/** Takes on the reading of a file: of a new batch, or of one whose reading came to nothing. */
export async function claimBatch(db: Database, scope: MerchantScope, batch: NewBatch): Promise<ClaimedBatch> {
  if (await isOneTooMany(db, scope, batch)) return { kind: 'too_many' };
  const { merchantId, isTest } = scope;
  const { requestHash, reference, kind, format, isDryRun, ratePerSecond, actor, origin, correlationId } = batch;
  const said = [requestHash, reference, kind, format, isDryRun, ratePerSecond, actor, origin, correlationId];
  const [made] = await run<BatchRow>(db, insert, [batch.id, merchantId, isTest, batch.idempotencyKey, ...said]);
  const [mine] =
    made === undefined ? await run<BatchRow>(db, takeOver, [batch.id, merchantId, isTest, ...said]) : [made];
  if (mine !== undefined) return { kind: 'mine', batch: mine };
  const existing = await findBatch(db, scope, batch.id);
  if (existing === null) throw new Error(`batch ${batch.id} is neither there nor can it be made`);
  return { kind: 'existing', batch: existing };
}

const select = {
  name: 'select_batch',
  text: `SELECT ${columns} FROM batches b WHERE b.merchant_id = $1 AND b.is_test = $2 AND b.id = $3`,
};

/** A batch of this merchant in this mode, or null. */
export async function findBatch(db: Database, scope: MerchantScope, batchId: string): Promise<BatchRow | null> {
  const [row] = await run<BatchRow>(db, select, [scope.merchantId, scope.isTest, batchId]);
  return row ?? null;
}

/** Which batches; what is absent does not count. */
export interface BatchFilters {
  readonly status?: BatchStatus | undefined;
  readonly kind?: BatchKind | undefined;
  readonly reference?: string | undefined;
}

const conditions: Conditions<BatchFilters> = {
  status: (mark) => `b.status = ${mark}`,
  kind: (mark) => `b.kind = ${mark}`,
  reference: (mark) => `b.reference = ${mark}`,
};

/** Batches of this merchant in this mode, newest first, those behind `after` only, at most `limit`; without their errors. */
export async function findBatches(
  db: Database,
  scope: MerchantScope,
  filters: BatchFilters,
  page: Page,
): Promise<BatchRow[]> {
  const own = [scope.merchantId, scope.isTest, page.limit, ...(page.after ?? [])];
  const where = filtered(conditions, filters, own.length);
  const behind = page.after === null ? '' : ' AND (b.created_at, b.id) < ($4::timestamptz, $5)';
  const statement = {
    name: `list_batches_${page.after === null ? 'first' : 'next'}_${where.name}`,
    text: `
      SELECT ${columns.replace('b.errors', `'[]'::jsonb AS errors`)} FROM batches b
      WHERE b.merchant_id = $1 AND b.is_test = $2${behind}${where.sql}
      ORDER BY b.created_at DESC, b.id DESC LIMIT $3`,
  };
  return run<BatchRow>(db, statement, [...own, ...where.values]);
}

/** What came of reading a file. */
export interface ReceivedBatch {
  readonly status: Extract<BatchStatus, 'invalid' | 'validated' | 'running'>;
  readonly rowsTotal: number;
  readonly errorCount: number;
  readonly errors: readonly BatchError[];
}

const endReceiving = {
  name: 'end_receiving_batch',
  text: `
    UPDATE batches AS b SET
      status = $3, rows_total = $4, error_count = $5, errors = $6::jsonb,
      started_at = CASE WHEN $3 = 'running' THEN now() END,
      finished_at = CASE WHEN $3 <> 'running' THEN now() END,
      updated_at = greatest(now(), b.updated_at + interval '1 millisecond')
    WHERE b.id = $1 AND b.status = 'receiving' AND b.updated_at = $2
    RETURNING ${columns}`,
};

/** Writes that down; null: somebody else reads the file by now. `held` is `updated_at` as this reader wrote it last. */
export async function endReceivingBatch(
  db: Database,
  batchId: string,
  held: Date,
  { status, rowsTotal, errorCount, errors }: ReceivedBatch,
): Promise<BatchRow | null> {
  const values = [batchId, held, status, rowsTotal, errorCount, JSON.stringify(errors)];
  const [row] = await run<BatchRow>(db, endReceiving, values);
  return row ?? null;
}

/** A batch whose file's reader died long ago is refused: nobody sent the file again. */
const abandon = {
  name: 'abandon_batches',
  text: `
    UPDATE batches b SET status = 'invalid', error_count = 1, finished_at = now(),
      errors = '[{"line":1,"column":1,"detail":"the reading of the file was cut off: send it again"}]',
      updated_at = greatest(now(), b.updated_at + interval '1 millisecond')
    WHERE b.status = 'receiving' AND b.updated_at < now() - interval '1 hour'`,
};

/** Refuses such batches. */
export async function abandonBatches(db: Database): Promise<void> {
  await run(db, abandon, []);
}

const selectSnapshot = {
  name: 'select_batch_snapshot',
  text: `SELECT ${columns} FROM batches b WHERE b.id = $1 AND b.merchant_id = $2`,
};

/** A batch as its workflow and its activities need it, or null. */
export async function readBatch(db: Database, merchantId: string, batchId: string): Promise<BatchRow | null> {
  const [row] = await run<BatchRow>(db, selectSnapshot, [batchId, merchantId]);
  return row ?? null;
}

/** A wish is logged as an administrative act, in the statement that carries it out. */
const steer = {
  name: 'steer_batch',
  text: `
    WITH b AS (
      UPDATE batches AS b SET
        status = COALESCE($3, b.status), rate_per_second = CASE WHEN $4 THEN $5::int ELSE b.rate_per_second END,
        updated_at = greatest($6::timestamptz, b.updated_at + interval '1 millisecond')
      WHERE b.id = $1 AND b.merchant_id = $2 AND b.status IN ('running', 'paused')
        AND ($3 IS DISTINCT FROM b.status OR $4)
      RETURNING b.*
    ), act AS (
      INSERT INTO audit_logs (
        id, correlation_id, service_name, action, resource_type, resource_id, merchant_id, is_test, user_id, request_data, created_at)
      SELECT 'log_' || gen_random_uuid(), b.correlation_id, 'worker', 'batch.steered', 'batch', b.id, b.merchant_id, b.is_test, $7,
        jsonb_build_object('status', b.status, 'rate_per_second', b.rate_per_second), $6::timestamptz FROM b
    )
    SELECT ${columns} FROM b`,
};

/** Writes a wish down, if the batch is open and not as wished; null: nothing was changed. */
export async function steerBatchRow(
  db: Database,
  { batchId, merchantId, wish, now }: SteerBatch,
): Promise<BatchRow | null> {
  if (wish === undefined) return null;
  const { status = null, ratePerSecond, actor } = wish;
  const isThrottled = ratePerSecond !== undefined;
  const values = [batchId, merchantId, status, isThrottled, ratePerSecond ?? null, now, actor];
  const [row] = await run<BatchRow>(db, steer, values);
  return row ?? null;
}

const finish = {
  name: 'finish_batch',
  text: `
    UPDATE batches AS b SET
      status = CASE WHEN b.status = 'canceled' THEN 'canceled' ELSE 'completed' END,
      finished_at = $3::timestamptz,
      updated_at = greatest($3::timestamptz, b.updated_at + interval '1 millisecond')
    WHERE b.id = $1 AND b.merchant_id = $2 AND b.status IN ('running', 'paused', 'canceled') AND b.finished_at IS NULL
      AND b.rows_total = b.rows_started + b.rows_existing + b.rows_refused + b.rows_canceled
    RETURNING ${columns}`,
};

/** Ends a batch of which no row is staged. Null: some are, or it has ended before. */
export async function finishBatch(
  db: Database,
  { batchId, merchantId, now }: { readonly batchId: string; readonly merchantId: string; readonly now: string },
): Promise<BatchRow | null> {
  const [row] = await run<BatchRow>(db, finish, [batchId, merchantId, now]);
  return row ?? null;
}

/** An open batch as the sweep needs it to start its workflow again. */
export type OpenBatch = Pick<BatchRow, 'id' | 'merchant_id' | 'reference' | 'kind' | 'rows_total' | 'correlation_id'>;

const selectOpen = {
  name: 'select_open_batches',
  text: `
    SELECT id, merchant_id, reference, kind, rows_total, correlation_id FROM batches
    WHERE started_at IS NOT NULL AND finished_at IS NULL AND updated_at < $1 AND id > $2
    ORDER BY id LIMIT $3`,
};

/** Batches of every merchant that need a workflow and that nobody has steered since `madeBefore`, after a cursor, by id. */
export async function listOpenBatches(
  db: Database,
  page: { readonly madeBefore: Date; readonly afterId: string; readonly limit: number },
): Promise<OpenBatch[]> {
  return run<OpenBatch>(db, selectOpen, [page.madeBefore, page.afterId, page.limit]);
}

/** The row as its workflow knows it. */
export function batchSnapshotOf(row: BatchRow): BatchSnapshot {
  const { rows_started: started, rows_existing: existing, rows_refused: refused, rows_canceled: canceled } = row;
  const staged = row.rows_total - started - existing - refused - canceled;
  return {
    kind: row.kind,
    reference: row.reference,
    isTest: row.is_test,
    status: row.status,
    ratePerSecond: row.rate_per_second,
    rows: { staged, started, existing, refused, canceled },
    steeredAt: row.updated_at.toISOString(),
  };
}
