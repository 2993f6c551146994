import type { BatchKind, BatchRowState } from '../workflows/domain/batch.ts';
import { type Database, run } from './database.ts';
import type { Prisma } from './generated/client.ts';
import type { MerchantScope } from './payments.ts';

/** A row of a file that may be started. */
export interface StagedRow {
  readonly number: number;
  readonly rowKey: string;
  readonly resourceId: string;
  readonly requestHash: string;
  /** What it makes; null: that is there already. */
  readonly data: unknown;
}

/** The table that a kind of rows makes something in. */
const tables: Readonly<Record<BatchKind, string>> = { payments: 'payments', subscriptions: 'subscriptions' };

const stage = {
  name: 'stage_batch_rows',
  text: `
    WITH mine AS (
      UPDATE batches b SET updated_at = greatest(now(), b.updated_at + interval '1 millisecond')
      WHERE b.id = $1 AND b.status = 'receiving' AND b.updated_at = $2 RETURNING b.id, b.updated_at
    ), rows AS (
      INSERT INTO batch_rows (batch_id, number, row_key, resource_id, request_hash, data, updated_at)
      SELECT mine.id, r.number, r.row_key, r.resource_id, r.request_hash, NULLIF(r.data, 'null'), now()
      FROM mine CROSS JOIN jsonb_to_recordset($3::jsonb) AS r (
        number int, row_key text, resource_id text, request_hash text, data jsonb)
    )
    SELECT updated_at FROM mine`,
};

/**
 * Stages rows of a file that is being read, or only says that it still is. Returns what `held` is now; null: somebody else reads
 * the file by now, and nothing was staged.
 */
export async function stageRows(
  db: Database,
  batchId: string,
  held: Date,
  rows: readonly StagedRow[],
): Promise<Date | null> {
  const wire = rows.map(({ number, rowKey, resourceId, requestHash, data }) => ({
    number,
    row_key: rowKey,
    resource_id: resourceId,
    request_hash: requestHash,
    data,
  }));
  const [mine] = await run<{ updated_at: Date }>(db, stage, [batchId, held, JSON.stringify(wire)]);
  return mine?.updated_at ?? null;
}

const rowsPerStep = 2_000;

const remove = {
  name: 'remove_batch_rows',
  text: `
    WITH mine AS (
      UPDATE batches b SET updated_at = greatest(now(), b.updated_at + interval '1 millisecond')
      WHERE b.id = $1 AND b.status = 'receiving' AND b.updated_at = $2 RETURNING b.id, b.updated_at
    ), next AS (
      SELECT r.number FROM batch_rows r JOIN mine ON mine.id = r.batch_id ORDER BY r.number LIMIT ${rowsPerStep}
    ), removed AS (
      DELETE FROM batch_rows r USING mine, next WHERE r.batch_id = mine.id AND r.number = next.number RETURNING 1
    )
    SELECT updated_at, (SELECT count(*)::int FROM removed) AS count FROM mine`,
};

/**
 * Removes all rows of a file that is being read, step by step. Returns what `held` is now; null: somebody else reads the file by
 * now, and its rows are left alone.
 */
export async function removeRows(db: Database, batchId: string, held: Date): Promise<Date | null> {
  for (let now = held; ; ) {
    const [mine] = await run<{ updated_at: Date; count: number }>(db, remove, [batchId, now]);
    if (mine === undefined) return null;
    now = mine.updated_at;
    if (mine.count < rowsPerStep) return now;
  }
}

/** What a reader that died left behind. A file that comes again is another status in the same snapshot. */
const removeRefused = {
  name: 'remove_refused_batch_rows',
  text: `
    WITH removed AS (
      DELETE FROM batch_rows WHERE (batch_id, number) IN (
        SELECT r.batch_id, r.number FROM batches b JOIN batch_rows r ON r.batch_id = b.id
        WHERE b.status = 'invalid' LIMIT ${rowsPerStep})
      RETURNING 1
    )
    SELECT count(*)::int FROM removed`,
};

/** Removes the rows of refused files, step by step. `goesOn` hears of each. */
export async function removeRefusedRows(db: Database, goesOn: () => void): Promise<void> {
  for (let removed = rowsPerStep; removed === rowsPerStep; goesOn()) {
    const [row] = await run<{ count: number }>(db, removeRefused, []);
    removed = row?.count ?? 0;
  }
}

/**
 * Removes the e-mail address and the name that rows of a customer of ours carry themselves, in files that are to be worked off. A row
 * that somebody else has locked is just being emptied.
 */
export async function blankStagedRows(
  tx: Prisma.TransactionClient,
  { merchantId, isTest }: MerchantScope,
  customerId: string,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE batch_rows r
    SET data = jsonb_set(jsonb_set(r.data, '{request,customerEmail}', 'null'), '{request,customerName}', 'null')
    WHERE (r.batch_id, r.number) IN (
      SELECT s.batch_id, s.number FROM batches b JOIN batch_rows s ON s.batch_id = b.id AND s.state = 'staged'
      WHERE b.merchant_id = ${merchantId} AND b.is_test = ${isTest} AND b.kind = 'payments' AND b.finished_at IS NULL
        AND s.data -> 'request' ->> 'customerId' = ${customerId}
      FOR UPDATE OF s SKIP LOCKED)`;
}

/** Which of these ids have a row, with the hash of the request that made it. */
export async function findMade(
  db: Database,
  kind: BatchKind,
  merchantId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, MadeResource>> {
  if (ids.length === 0) return new Map();
  const rows = await run<{ id: string; request_hash: string; correlation_id: string }>(
    db,
    {
      name: `find_made_${kind}`,
      text: `SELECT id, request_hash, correlation_id FROM ${tables[kind]} WHERE id = ANY ($1) AND merchant_id = $2`,
    },
    [ids, merchantId],
  );
  return new Map(rows.map((row) => [row.id, { requestHash: row.request_hash, correlationId: row.correlation_id }]));
}

/** What a row names, once it is there. */
export interface MadeResource {
  readonly requestHash: string;
  /** Of what made it: a batch's id, where one did. */
  readonly correlationId: string;
}

/** A row that is to be started. */
export interface RowToStart extends StagedRow {
  /** What it names, where that is there. */
  readonly made: MadeResource | null;
  /** The customer whom it names, where we keep one. */
  readonly customer: { readonly status: string; readonly email: string | null; readonly name: string | null } | null;
}

interface TakenRow {
  number: number;
  row_key: string;
  resource_id: string;
  request_hash: string;
  data: unknown;
  made_hash: string | null;
  made_by: string | null;
  customer_status: string | null;
  email: string | null;
  name: string | null;
}

function take(kind: BatchKind) {
  return {
    name: `take_batch_rows_${kind}`,
    text: `
      SELECT r.number, r.row_key, r.resource_id, r.request_hash, r.data, m.request_hash AS made_hash, m.correlation_id AS made_by,
        c.status AS customer_status, c.email, c.name
      FROM batches b
      JOIN batch_rows r ON r.batch_id = b.id AND r.state = 'staged' AND r.number > $3
      LEFT JOIN ${tables[kind]} m ON m.id = r.resource_id AND m.merchant_id = b.merchant_id
      LEFT JOIN customers c ON c.id = r.data -> 'request' ->> 'customerId' AND c.merchant_id = b.merchant_id AND c.is_test = b.is_test
      WHERE b.id = $1 AND b.merchant_id = $2 AND b.status = 'running'
      ORDER BY r.number LIMIT $4`,
  };
}

/** The next staged rows behind a number, while the batch is running. */
export async function takeRows(
  db: Database,
  kind: BatchKind,
  { batchId, merchantId, after, limit }: { batchId: string; merchantId: string; after: number; limit: number },
): Promise<RowToStart[]> {
  const rows = await run<TakenRow>(db, take(kind), [batchId, merchantId, after, limit]);
  return rows.map((row) => ({
    number: row.number,
    rowKey: row.row_key,
    resourceId: row.resource_id,
    requestHash: row.request_hash,
    data: row.data,
    made: row.made_hash === null ? null : { requestHash: row.made_hash, correlationId: row.made_by ?? '' },
    customer: row.customer_status === null ? null : { status: row.customer_status, email: row.email, name: row.name },
  }));
}

/** How a row ends whose thing is there: this batch made it, or another run did, or it says something else. */
export function endOfMade({ number, requestHash }: NamedRow, made: MadeResource, batchId: string): RowEnd {
  if (made.requestHash !== requestHash) return { number, state: 'refused', code: 'idempotency_key_reused' };
  return { number, state: made.correlationId === batchId ? 'started' : 'existing', code: null };
}

/** How a row ended. */
export interface RowEnd {
  readonly number: number;
  readonly state: Exclude<BatchRowState, 'staged' | 'canceled'>;
  readonly code: string | null;
}

const end = {
  name: 'end_batch_rows',
  text: `
    WITH ended AS (
      UPDATE batch_rows r SET state = e.state, code = e.code, data = NULL, updated_at = now()
      FROM jsonb_to_recordset($2::jsonb) AS e (number int, state text, code text)
      WHERE r.batch_id = $1 AND r.number = e.number AND r.state = 'staged'
      RETURNING r.state
    )
    UPDATE batches b SET
      rows_started = b.rows_started + (SELECT count(*) FROM ended WHERE state = 'started'),
      rows_existing = b.rows_existing + (SELECT count(*) FROM ended WHERE state = 'existing'),
      rows_refused = b.rows_refused + (SELECT count(*) FROM ended WHERE state = 'refused')
    WHERE b.id = $1`,
};

/** Writes down how rows ended, and empties them; those that have ended before stay as they are. */
export async function endRows(db: Database, batchId: string, ends: readonly RowEnd[]): Promise<void> {
  if (ends.length > 0) await run(db, end, [batchId, JSON.stringify(ends)]);
}

const selectStaged = {
  name: 'select_staged_batch_rows',
  text: `
    SELECT r.number, r.resource_id, r.request_hash FROM batch_rows r
    WHERE r.batch_id = $1 AND r.state = 'staged' AND r.number > $2 ORDER BY r.number LIMIT ${rowsPerStep}`,
};

/** A row that is still staged, without what it makes. */
export type NamedRow = Pick<StagedRow, 'number' | 'resourceId' | 'requestHash'>;

/** The next rows behind a number that are still staged. */
export async function findStagedRows(db: Database, batchId: string, after: number): Promise<NamedRow[]> {
  const rows = await run<{ number: number; resource_id: string; request_hash: string }>(db, selectStaged, [
    batchId,
    after,
  ]);
  return rows.map((row) => ({ number: row.number, resourceId: row.resource_id, requestHash: row.request_hash }));
}

const cancel = {
  name: 'cancel_batch_rows',
  text: `
    WITH next AS (
      SELECT number FROM batch_rows WHERE batch_id = $1 AND state = 'staged' ORDER BY number LIMIT ${rowsPerStep}
    ), canceled AS (
      UPDATE batch_rows r SET state = 'canceled', data = NULL, updated_at = now()
      FROM next WHERE r.batch_id = $1 AND r.number = next.number AND r.state = 'staged' RETURNING 1
    )
    UPDATE batches b SET rows_canceled = b.rows_canceled + (SELECT count(*) FROM canceled)
    WHERE b.id = $1 AND b.status = 'canceled' RETURNING (SELECT count(*)::int FROM canceled) AS count`,
};

/** Cancels some of the rows of a canceled batch that are still staged; returns how many. */
export async function cancelRows(db: Database, batchId: string): Promise<number> {
  const [row] = await run<{ count: number }>(db, cancel, [batchId]);
  return row?.count ?? 0;
}

/** A line of a batch's result. */
export interface ResultRow {
  readonly number: number;
  readonly row_key: string;
  readonly state: BatchRowState;
  readonly resource_id: string;
  /** Of what the row names, as it is now, whatever became of the row; null: it is not there. */
  readonly status: string | null;
  readonly code: string | null;
}

/** Lines of the result behind a number, in the order of the file. */
export async function findResultRows(
  db: Database,
  kind: BatchKind,
  batchId: string,
  page: { readonly after: number; readonly limit: number },
): Promise<ResultRow[]> {
  const statement = {
    name: `list_batch_results_${kind}`,
    text: `
      SELECT r.number, r.row_key, r.state, r.resource_id, m.status, r.code
      FROM batch_rows r JOIN batches b ON b.id = r.batch_id
      LEFT JOIN ${tables[kind]} m ON m.id = r.resource_id AND m.merchant_id = b.merchant_id
      WHERE r.batch_id = $1 AND r.number > $2 ORDER BY r.number LIMIT $3`,
  };
  return run<ResultRow>(db, statement, [batchId, page.after, page.limit]);
}
