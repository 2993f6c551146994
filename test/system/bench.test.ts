import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { aimsOf } from '../../bench/findings.ts';
import { readOptions } from '../../bench/options.ts';
import { withReport } from '../../bench/report.ts';
import type { Round, Row } from '../../bench/rounds.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

test('the benchmark measures payments whose webhooks arrive, refunds, what a key costs, and reads of many payments, and judges its aims', async () => {
  const args = [
    '--disable-warning=ExperimentalWarning',
    'bench/main.ts',
    '--quick',
    '--only',
    'webhook,void,refund,batch,known,read',
  ];
  const { stdout } = await run(process.execPath, args, { cwd: root });
  const kinds = [...stdout.matchAll(/^\| (\d+) +\| (\S+) +\| \d+\.\d \(/gm)].map(
    ([, clients, kind]) => `${kind} ${clients}`,
  );
  const access = ['open 1', 'known 1', 'open 24', 'known 24'];
  const batches = ['floor 24', 'payment 4', 'beside 4'];
  const payments = ['floor 1', 'webhook 1', 'floor 24', 'webhook 24'];
  expect(kinds).toEqual([...payments, 'floor 1', 'void 1', 'refund 1', ...batches, ...access, 'read 24']);
  expect(stdout).toMatch(/### Reads, with 3,000 payments stored/);
  for (const aim of [
    'with one webhook delivered',
    'one void alone',
    'one refund alone',
    'subscriptions started by a batch',
    'a request with a key',
    'reads by id',
  ])
    expect(stdout).toMatch(new RegExp(`^\\| ${aim}.*(?:met|\\*\\*not met\\*\\*)`, 'm'));
});

test('payments are held against those of another version, round by round, and against nothing where there is none', () => {
  const ours = aRow('payment', [50, 40, 60]);
  expect(aimsOf([aRow('82cdbf6', [50, 50, 50]), ours])).toEqual([
    {
      aim: 'payments, 24 clients: at least 0.9 × the rate of 82cdbf6',
      measured: '1.00 (0.80 to 1.20 round by round)',
      isMet: true,
    },
  ]);
  expect(aimsOf([aRow('82cdbf6', [60, 60, 60]), ours])).toEqual([expect.objectContaining({ isMet: false })]);
  expect(aimsOf([ours])).toEqual([]);
});

test('a comparison measures nothing else unless that is named, and the page gets what is whole', () => {
  const compared = readOptions(['--against', 'v1', '--write-docs']);
  expect([compared.against, compared.wants('payment'), compared.writes]).toEqual(['v1', false, ['against']]);
  const both = readOptions(['--against', 'v1', '--only', 'payment,capture,void,refund', '--write-docs']);
  expect([both.wants('payment'), both.wants('mail'), both.writes]).toEqual([true, false, ['movements', 'against']]);
  expect(readOptions(['--write-docs']).writes).toEqual(['payments', 'movements', 'batches', 'access', 'stored']);
  expect(() => readOptions(['--only', 'refund', '--write-docs'])).toThrow('whole chapters');
  expect(() => readOptions(['--quick', '--write-docs'])).toThrow('whole chapters');
});

test('the page in docs/ has a place for the report, and keeps what stands around it and what is not new', () => {
  const page = readFileSync(join(root, 'docs/benchmark.md'), 'utf8');
  const filled = withReport(page, {
    payments: 'one',
    movements: 'two',
    batches: 'files',
    access: 'three',
    stored: 'four',
    against: 'five',
  });
  expect(filled).toMatch(
    /one\n\n<!-- movements -->\n\ntwo\n\n<!-- batches -->\n\nfiles\n\n<!-- access -->\n\nthree\n\n<!-- stored -->\n\nfour\n\n<!-- against -->\n\nfive\n\n/,
  );
  expect(filled.length).toBeLessThan(page.length);
  expect(withReport(filled, { movements: 'another' })).toBe(filled.replace('\n\ntwo\n\n', '\n\nanother\n\n'));
  for (const heading of page.match(/^## .*$/gm) ?? []) expect(filled).toContain(heading);
});

/** What the comparison found at 24 clients, with nothing but rates. */
function aRow(kind: string, rates: readonly number[]): Row {
  const rounds = rates.map(
    (rate): Round => ({ requests: 1, seconds: 1, p50Ms: 1, p95Ms: 1, p99Ms: 1, rate, drainMs: 0, cpu: null }),
  );
  const [median] = rounds;
  if (median === undefined) throw new Error('a row needs rounds, the median first');
  return { part: 'against', kind, clients: 24, stored: 0, median, worst: median, rounds };
}
