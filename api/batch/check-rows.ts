import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { findMade, type StagedRow } from '../../prisma/batch-rows.ts';
import type { BatchError } from '../../prisma/batches.ts';
import type { Database } from '../../prisma/database.ts';
import type { BatchKind } from '../../workflows/domain/batch.ts';
import { batchRowKeyOf } from '../../workflows/domain/ids.ts';
import type { FieldError } from '../errors.ts';
import { fieldErrors } from '../middleware/validate.ts';
import type { Caller } from '../principal.ts';
import { hashOfBody } from '../request-hash.ts';
import type { KindRules, WellFormedRow } from './kinds.ts';
import type { FileRow } from './rows.ts';

/** So many rows a file may have. */
const rowsMax = 100_000;

/** So many rows are judged and staged at once; and after so long others have their turn in this process. */
const rowsPerChunk = 500;
const turnMs = 5;

/** So many errors are named, so many of one row at most; all are counted. */
const errorsMax = 1_000;
const errorsOfRowMax = 20;

/** Whose file it is, and as what its rows ask for what they make. */
export interface BatchAsking {
  readonly batchId: string;
  readonly kind: BatchKind;
  readonly reference: string;
  readonly caller: Caller;
  readonly origin: string;
  readonly receivedAt: Date;
}

/** What was found in a file so far. */
export interface Findings {
  rows: number;
  errorCount: number;
  readonly errors: BatchError[];
}

/** Nothing yet. */
export function noFindings(): Findings {
  return { rows: 0, errorCount: 0, errors: [] };
}

/** Adds errors: all count, the first ones are kept. */
export function addErrors(findings: Findings, errors: readonly BatchError[]): void {
  findings.errorCount += errors.length;
  findings.errors.push(...errors.slice(0, roomFor(findings)));
}

/** The same for errors of a row: only those that are kept are looked for in the file. */
function addErrorsOf(findings: Findings, row: FileRow, errors: readonly FieldError[]): void {
  findings.errorCount += errors.length;
  for (const { pointer = '', detail } of errors.slice(0, roomFor(findings)))
    findings.errors.push({ ...row.at(pointer), pointer, detail });
}

function roomFor({ errors }: Findings): number {
  return Math.max(0, Math.min(errorsOfRowMax, errorsMax - errors.length));
}

/** A row that can be read, with where it stands. */
interface Read<Fields> extends WellFormedRow<Fields> {
  readonly file: FileRow;
  readonly key: string;
}

/**
 * Judges the rows of a file, some at a time, and hands on those that may be staged. What is wrong goes to the findings; the file
 * is read to its end all the same. Of a row whose thing is there already only its own words are judged: it starts nothing.
 */
export async function* checkedRows<Fields>(
  db: Database,
  rules: KindRules<Fields>,
  rows: AsyncIterable<FileRow>,
  asking: BatchAsking,
  findings: Findings,
): AsyncGenerator<readonly StagedRow[]> {
  const keys = new Set<string>();
  let chunk: Read<Fields>[] = [];
  let turnEndsAt = performance.now() + turnMs;
  for await (const row of rows) {
    findings.rows += 1;
    if (findings.rows > rowsMax) {
      addErrors(findings, [{ line: row.line, column: 1, detail: `a file may have at most ${rowsMax} rows: split it` }]);
      return;
    }
    const read = row.body === null ? null : wellFormed(rules, row, row.body, asking, keys);
    if (read === null) addErrors(findings, row.errors);
    else if ('errors' in read) addErrorsOf(findings, row, read.errors);
    else chunk.push(read);
    if (performance.now() > turnEndsAt) {
      await turn();
      turnEndsAt = performance.now() + turnMs;
    }
    if (findings.rows % rowsPerChunk > 0) continue;
    yield await judged(db, rules, chunk, asking, findings);
    chunk = [];
  }
  yield await judged(db, rules, chunk, asking, findings);
  if (findings.rows === 0) addErrors(findings, [{ line: 1, column: 1, detail: 'the file has no rows' }]);
}

function wellFormed<Fields>(
  rules: KindRules<Fields>,
  file: FileRow,
  body: NonNullable<FileRow['body']>,
  asking: BatchAsking,
  keys: Set<string>,
): Read<Fields> | { readonly errors: readonly FieldError[] } {
  const result = rules.schema.safeParse(body);
  if (!result.success) return { errors: result.error.issues.flatMap(fieldErrors) };
  const { key, is_test: isTest, ...fields } = result.data;
  const { merchantId } = asking.caller;
  const errors: FieldError[] = [];
  if (isTest !== undefined && isTest !== asking.caller.isTest)
    errors.push({ pointer: '/is_test', detail: `must be ${asking.caller.isTest}, as the mode of the key or token` });
  const digest = createHash('sha256').update(key).digest('base64'); // of one length, however long keys are
  if (keys.has(digest))
    errors.push({ pointer: '/key', detail: 'is the key of an earlier row: each row needs its own' });
  keys.add(digest);
  if (errors.length > 0) return { errors };
  const idempotencyKey = batchRowKeyOf(asking.reference, key);
  const { key: _key, ...said } = body;
  return {
    file,
    key,
    // What the schema gives beside the members of every row.
    fields: fields as Fields,
    resourceId: rules.idOf({ merchantId, isTest: asking.caller.isTest, idempotencyKey }),
    asking: {
      idempotencyKey,
      requestHash: hashOfBody(said),
      correlationId: asking.batchId,
      actor: asking.caller.actor,
      origin: asking.origin,
      receivedAt: asking.receivedAt,
    },
  };
}

async function judged<Fields>(
  db: Database,
  rules: KindRules<Fields>,
  rows: readonly Read<Fields>[],
  { kind, caller }: BatchAsking,
  findings: Findings,
): Promise<readonly StagedRow[]> {
  const ids = rows.map(({ resourceId }) => resourceId);
  const made = await findMade(db, kind, caller.merchantId, ids);
  const fresh = rows.filter(({ resourceId }) => !made.has(resourceId));
  const verdicts = await rules.judge(db, caller, fresh);
  const dataOf = new Map<string, unknown>();
  for (const [index, { file, resourceId }] of fresh.entries()) {
    const verdict = verdicts[index];
    if (verdict?.ok === false) addErrorsOf(findings, file, verdict.errors);
    else dataOf.set(resourceId, verdict?.data);
  }
  return rows.map(({ file: { number }, key: rowKey, resourceId, asking: { requestHash } }) => ({
    number,
    rowKey,
    resourceId,
    requestHash,
    data: dataOf.get(resourceId) ?? null,
  }));
}
