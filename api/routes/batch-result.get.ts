import { z } from 'zod';
import { findResultRows, type ResultRow } from '../../prisma/batch-rows.ts';
import type { BatchRow } from '../../prisma/batches.ts';
import type { Database } from '../../prisma/database.ts';
import { beginsAsFormula } from '../batch/csv-rows.ts';
import { requireBatch } from '../batch-object.ts';
import { Problem } from '../errors.ts';
import { merchantRoute } from '../route.ts';

/** So many lines are in memory at a time. */
const linesPerPiece = 1_000;

/** `GET /api/v1/batches/{id}/result`. */
export const getBatchResult = merchantRoute(
  {
    operationId: 'getBatchResult',
    method: 'get',
    path: '/api/v1/batches/{id}/result',
    summary: 'Read what became of every row',
    description:
      'A CSV file with one line per row of the file: `number, key, state, resource_id, status, code`. The state is of the row, the ' +
      'status that of the subscription or payment as it is now. `code` says why a row was refused. Can be read while the batch runs.',
    permission: 'batches:read',
    envelope: 'csv',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The file', schema: z.string() } },
    problems: ['not_found', 'batch_not_started'],
  },
  async (deps, { params }, caller) => {
    const batch = await requireBatch(deps, caller, params.id);
    if (batch.started_at === null) throw new Problem('batch_not_started');
    const headers = { 'Content-Disposition': `attachment; filename="${batch.id}.csv"`, 'Cache-Control': 'no-store' };
    return { status: 200, headers, data: lines(deps.db, batch) };
  },
);

async function* lines(db: Database, { id, kind }: BatchRow): AsyncGenerator<string> {
  yield 'number,key,state,resource_id,status,code\r\n';
  for (let after = 0; ; ) {
    const rows = await findResultRows(db, kind, id, { after, limit: linesPerPiece });
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(lineOf).join('');
    after = last.number;
  }
}

function lineOf({ number, row_key, state, resource_id, status, code }: ResultRow): string {
  return `${[String(number), row_key, state, resource_id, status ?? '', code ?? ''].map(cell).join(',')}\r\n`;
}

/** As RFC 4180 has it. Keys that spreadsheets would run are refused when they come; whatever slipped by is made text here. */
function cell(text: string): string {
  const safe = beginsAsFormula(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
