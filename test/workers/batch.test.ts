import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { BatchAct, KnownBatch } from '../../api/temporal/batch-client.ts';
import type { Batch } from '../../workers/batch-calls.ts';
import { createBatchProgress } from '../../workers/batch-progress.ts';
import { type ApiServer, startApi } from '../support/api-server.ts';
import { paymentFile, paymentHeader, paymentRow } from '../support/batch-call.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let api: ApiServer;
let apiKey: string;
const folder = mkdtempSync(join(tmpdir(), 'payments-batch-'));
const acts: BatchAct[] = [];
/** The engine of these tests ends every batch as soon as it is started. */
const endAtOnce = ({ batchId }: KnownBatch) =>
  database.admin.query(
    `UPDATE batches SET status = 'completed', finished_at = now(), rows_started = rows_total - 1, rows_refused = 1 WHERE id = $1`,
    [batchId],
  );
beforeAll(async () => {
  database = await startDatabase();
  const batches = {
    start: async (batch: KnownBatch) => {
      await endAtOnce(batch);
      return null;
    },
    act: async (_batch: KnownBatch, _key: string, act: BatchAct) => {
      acts.push(act);
      return { kind: 'stored' } as const;
    },
  };
  api = await startApi(database, {}, { batches });
});
afterAll(async () => {
  api?.close();
  rmSync(folder, { recursive: true, force: true });
  await database?.close();
});
beforeEach(async () => {
  apiKey = await api.keyFor(`mer_${randomUUID()}`);
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program to its end. */
function command(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const program = join(import.meta.dirname, '../../workers/batch.ts');
  const all = { ...process.env, API_URL: api.url, API_KEY: apiKey, DATA_DIR: folder, ...env };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], { env: all }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

function fileOf(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test('a file is started under its own name, followed to its end, and its result is written', async () => {
  const ended = await command(['start', 'payments', fileOf('november.csv', paymentFile(3)), '--rate', '5']);
  expect(ended.stdout).toContain('3 payments · reference november');
  expect(ended.code, 'one row was refused').toBe(3);
  const [id = ''] = /bat_[0-9a-z]{26}/.exec(ended.stdout) ?? [];
  const status = await command(['status', id]);
  expect(JSON.parse(status.stdout)).toMatchObject({
    id,
    reference: 'november',
    status: 'completed',
    rate_per_second: 5,
  });
  const result = await command(['result', id]);
  expect([result.code, result.stdout.split('\r\n')[0], result.stdout.split('\r\n').length]).toEqual([
    0,
    'number,key,state,resource_id,status,code',
    5,
  ]);
});

test('a dry run starts nothing and says how many rows are right', async () => {
  const { code, stdout } = await command(['start', 'payments', fileOf('dry.csv', paymentFile(12)), '--dry-run']);
  expect([code, stdout]).toEqual([0, '12 rows are right; nothing was started\n']);
});

test('a file with errors ends with 2, and the first of them are named with line and column', async () => {
  const rows = Array.from({ length: 30 }, (_, index) => `r${index},x,USD,credit_card,tok`).join('\n');
  const path = fileOf('wrong.csv', `${paymentHeader}\n${paymentRow('good')}\n${rows}\n`);
  const { code, stderr } = await command(['start', 'payments', path]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/batch_invalid: .*\n {2}line 3, column 4: amount /);
  expect(stderr).toContain('… and 10 more');
});

test('the same key is the same batch', async () => {
  const path = fileOf('again.csv', paymentFile(2));
  const args = ['start', 'payments', path, '--idempotency-key', 'k', '--no-wait'];
  const [first, second] = [await command(args), await command(args)];
  expect([first.code, second.stdout]).toEqual([0, first.stdout]);
});

test('a batch is paused, resumed, canceled and slowed down by command', async () => {
  acts.length = 0;
  const { stdout } = await command(['start', 'payments', fileOf('steered.csv', paymentFile(2)), '--no-wait']);
  const [id = ''] = /bat_[0-9a-z]{26}/.exec(stdout) ?? [];
  const standAs = (status: string) =>
    database.admin.query('UPDATE batches SET status = $2 WHERE id = $1', [id, status]);
  await standAs('running');
  await command(['pause', id, '--reason', 'lunch']);
  await command(['throttle', id, '7']);
  await command(['cancel', id]);
  await standAs('paused');
  await command(['resume', id]);
  expect(acts.map(({ kind }) => kind)).toEqual(['pause', 'throttle', 'cancel', 'resume']);
  expect(acts).toMatchObject([{ reason: 'lunch' }, { ratePerSecond: 7 }, {}, {}]);
  await standAs('completed');
  const late = await command(['pause', id]);
  expect([late.code, late.stderr]).toEqual([1, expect.stringContaining('batch_over')]);
});

test('who has no API, no key or the wrong file is told what to do', async () => {
  const path = fileOf('fine.csv', paymentFile(1));
  const unset = await command(['start', 'payments', path], { API_URL: undefined, API_KEY: undefined });
  expect([unset.code, unset.stderr]).toEqual([1, expect.stringContaining('set API_URL and API_KEY')]);
  const wrong = await command(['start', 'payments', path], { API_KEY: 'po_test_wrong' });
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('unauthorized')]);
  const missing = await command(['start', 'payments', join(folder, 'nowhere.csv')]);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('nowhere.csv')]);
  const rate = await command(['start', 'payments', path, '--rate', '0']);
  expect([rate.code, rate.stderr]).toEqual([1, expect.stringContaining('from 1 to 1000')]);
});

test('what npm start wrote down is the default', async () => {
  fileOf('dev.json', JSON.stringify({ api: api.url, api_key: apiKey }));
  const unset = { API_URL: undefined, API_KEY: undefined };
  expect((await command(['start', 'payments', fileOf('dev.csv', paymentFile(1)), '--dry-run'], unset)).code).toBe(0);
});

test('progress is a bar on a terminal, and plain lines now and then elsewhere', () => {
  const shown = (isTTY: boolean) => {
    const written: string[] = [];
    let now = 0;
    const progress = createBatchProgress({ isTTY, columns: 80, write: (text) => written.push(text) }, () => now);
    for (const [at, done] of [
      [0, 0],
      [2_000, 50],
      [6_000, 100],
    ] as const) {
      now = at;
      progress.show(aBatch(done));
    }
    progress.end();
    return written;
  };
  expect(shown(true)[1]).toBe(`\r\u001b[K[${'#'.repeat(15)}${'.'.repeat(15)}] 50 % · 50 of 100 · 25/s · running`);
  expect(shown(true).at(-1)).toBe('\n');
  expect(shown(false)).toEqual(['0 % · 0 of 100 · 0/s · running\n', '100 % · 100 of 100 · 17/s · running\n']);
});

function aBatch(done: number): Batch {
  const rows = { total: 100, staged: 100 - done, started: done, existing: 0, refused: 0, canceled: 0 };
  return {
    id: 'bat_1',
    reference: 'r',
    kind: 'payments',
    status: 'running',
    rows,
    rate_per_second: null,
    started_at: null,
    finished_at: null,
  };
}
