import { removeRows, stageRows } from '../../prisma/batch-rows.ts';
import { type BatchError, type BatchRow, endReceivingBatch } from '../../prisma/batches.ts';
import type { Database } from '../../prisma/database.ts';
import { Problem } from '../errors.ts';
import type { SpooledFile } from '../spooled-file.ts';
import { addErrors, type BatchAsking, checkedRows, type Findings, noFindings } from './check-rows.ts';
import { csvRows, WrongHeader } from './csv-rows.ts';
import { fileText, UnreadableFile } from './file-text.ts';
import { type KindRules, kindRules } from './kinds.ts';
import { ndjsonRows } from './ndjson-rows.ts';
import { CardNumberInFile } from './rows.ts';

/** What came of reading a file, and `updated_at` of the batch as this reader wrote it last. */
interface Reading {
  readonly findings: Findings;
  readonly held: Date;
  readonly holdsCard: boolean;
}

/**
 * Reads the file of a batch that this process has claimed, to its end, and stages its rows if all of them are right and it is no
 * dry run; otherwise no row of it is left. Returns the batch as it is then; null: another process has taken it over. Throws
 * `card_number_refused`.
 */
export async function receiveBatch(
  db: Database,
  batch: BatchRow,
  file: SpooledFile,
  asking: BatchAsking,
): Promise<BatchRow | null> {
  const emptied = await removeRows(db, batch.id, batch.updated_at); // of a reader that died
  if (emptied === null) return null;
  const reading = await (batch.kind === 'payments'
    ? readRows(db, kindRules.payments, batch, emptied, file, asking)
    : readRows(db, kindRules.subscriptions, batch, emptied, file, asking));
  if (reading === null) return null;
  const { rows: rowsTotal, errorCount, errors } = reading.findings;
  const held = errorCount > 0 ? await removeRows(db, batch.id, reading.held) : reading.held;
  if (held === null) return null;
  const status = errorCount > 0 ? 'invalid' : batch.is_dry_run ? 'validated' : 'running';
  const ended = await endReceivingBatch(db, batch.id, held, { status, rowsTotal, errorCount, errors });
  if (reading.holdsCard) throw new Problem('card_number_refused', { errors });
  return ended;
}

async function readRows<Fields>(
  db: Database,
  rules: KindRules<Fields>,
  batch: BatchRow,
  since: Date,
  file: SpooledFile,
  asking: BatchAsking,
): Promise<Reading | null> {
  const findings = noFindings();
  let held = since;
  try {
    const text = fileText(file.read());
    const rows = file.format === 'csv' ? csvRows(text, rules.columns) : ndjsonRows(text);
    for await (const staged of checkedRows(db, rules, rows, asking, findings)) {
      const mayStart = findings.errorCount === 0 && !batch.is_dry_run;
      const now = await stageRows(db, batch.id, held, mayStart ? staged : []);
      if (now === null) return null;
      held = now;
    }
    return { findings, held, holdsCard: false };
  } catch (error) {
    if (error instanceof CardNumberInFile) {
      const { line, column, message: detail } = error;
      return {
        findings: { rows: findings.rows, errorCount: 1, errors: [{ line, column, detail }] },
        held,
        holdsCard: true,
      };
    }
    addErrors(findings, errorsOf(error));
    return { findings, held, holdsCard: false };
  }
}

/** What an error says that is about the file; throws any other. */
function errorsOf(error: unknown): readonly BatchError[] {
  if (error instanceof WrongHeader) return error.errors;
  if (error instanceof UnreadableFile) return [{ line: error.line, column: error.column, detail: error.message }];
  throw error;
}
