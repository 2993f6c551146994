import { readFileSync } from 'node:fs';
import { callApi } from '../support/api-call.ts';
import { type Batch, paymentHeader, postBatch, type Upload } from '../support/batch-call.ts';
import type { TestProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import type { World } from '../support/world.ts';

/** Rows of a file, made while it is sent: it never stands in memory as a whole. */
function paymentRows(count: number): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const rowsPerChunk = 500;
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      const lines = next === 0 ? [paymentHeader] : [];
      for (const end = Math.min(count, next + rowsPerChunk); next < end; next++)
        lines.push(`row-${next + 1},${amountOf(next + 1)},USD,credit_card,tok_visa_4242`);
      controller.enqueue(encoder.encode(`${lines.join('\n')}\n`));
      if (next >= count) controller.close();
    },
  });
}

/** Of the row of this number, in dollars: its neighbors have others. */
function amountOf(number: number): string {
  return `${(number % 997) + 1}.${String(number % 100).padStart(2, '0')}`;
}

/** Sends a file of so many payments; throws what the API refuses. */
export async function sendRows(world: World, count: number, upload: Upload): Promise<Batch> {
  const answer = await postBatch(world.apiUrl, world.merchant.testKey, paymentRows(count), upload);
  if (answer.status >= 300) throw new Error(`the file of ${count} rows was refused: ${JSON.stringify(answer.body)}`);
  return answer.body.data;
}

/** The batch as it is now; null while the API is down. */
async function readBatch(world: World, id: string): Promise<Batch | null> {
  const answer = await callApi<{ data: Batch }>(world.apiUrl, world.merchant.testKey, {
    path: `/api/v1/batches/${id}`,
  }).catch(() => null);
  return answer?.status === 200 ? answer.body.data : null;
}

/** Waits until a batch says what is waited for. */
export function untilBatch(
  world: World,
  id: string,
  what: string,
  is: (batch: Batch) => boolean,
  withinMs: number,
): Promise<Batch> {
  return until(
    what,
    async () => {
      const batch = await readBatch(world, id);
      return batch !== null && is(batch) ? batch : null;
    },
    { withinMs, everyMs: 200 },
  );
}

/** Rows that have come to their end. */
export function doneOf({ rows }: Batch): number {
  return rows.total - rows.staged;
}

/** What a process holds in memory at this moment, in MB; 0: it has just ended. */
export function memoryOf(process: TestProcess): number {
  if (!process.isRunning) return 0;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${process.pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes ?? 0) / 1024;
}

/** Watches a process's memory until the end of some work; returns its most, in MB, and what it was before. */
export async function peakMemory(
  process: TestProcess,
  work: () => Promise<unknown>,
): Promise<{ before: number; peak: number }> {
  const before = memoryOf(process);
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, memoryOf(process));
  }, 50);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return { before, peak };
}

/** What is wrong where every row of a reference must have made one payment that was charged once, and every answer says so. */
export async function shortcomingsOf(world: World, batch: Batch, count: number): Promise<string[]> {
  const found: string[] = [];
  const expectCount = (what: string, is: number, expected: number) => {
    if (is !== expected) found.push(`${what}: ${is} instead of ${expected}`);
  };
  const { rows: payments } = await world.admin.query<{ id: string; status: string; amount: string; key: string }>(
    `SELECT p.id, p.status, p.amount::text, r.row_key AS key FROM batch_rows r JOIN payments p ON p.id = r.resource_id WHERE r.batch_id = $1`,
    [batch.id],
  );
  expectCount('payments of rows', new Set(payments.map(({ id }) => id)).size, count);
  expectCount('payments of their own amounts', payments.filter(isAsSent).length, count);
  expectCount('captured payments', payments.filter(({ status }) => status === 'captured').length, count);
  const own = new Set(payments.map(({ id }) => id));
  const charged = (await world.bank.movements()).filter(
    ({ kind, reference }) => kind === 'charge' && own.has(reference),
  );
  expectCount('charges in the bank’s book', charged.length, count);
  expectCount('payments charged', new Set(charged.map(({ reference }) => reference)).size, count);
  const result = await fetch(`${world.apiUrl}/api/v1/batches/${batch.id}/result`, {
    headers: { authorization: `Bearer ${world.merchant.testKey}` },
  });
  const lines = (await result.text()).trimEnd().split('\r\n').slice(1);
  expectCount('lines of the result', lines.filter((line) => /,pay_[0-9a-z]{26},captured,$/.test(line)).length, count);
  return found;
}

function isAsSent({ key, amount }: { readonly key: string; readonly amount: string }): boolean {
  return amount === amountOf(Number(key.replace('row-', ''))).replace('.', '');
}
