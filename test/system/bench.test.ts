import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { withReport } from '../../bench/report.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

test('the benchmark measures payments whose webhooks arrive, and reads of many payments, and judges its aims', async () => {
  const args = ['--disable-warning=ExperimentalWarning', 'bench/main.ts', '--quick', '--only', 'webhook,read'];
  const { stdout } = await run(process.execPath, args, { cwd: root });
  const kinds = [...stdout.matchAll(/^\| (\d+) +\| (\S+) +\| \d+\.\d \(/gm)].map(
    ([, clients, kind]) => `${kind} ${clients}`,
  );
  expect(kinds).toEqual(['floor 1', 'webhook 1', 'floor 24', 'webhook 24', 'read 24']);
  expect(stdout).toMatch(/### Reads, with 3,000 payments stored/);
  expect(stdout).toMatch(/with one webhook delivered.*(?:met|\*\*not met\*\*)/);
  expect(stdout).toMatch(/reads by id.*(?:met|\*\*not met\*\*)/);
});

test('the page in docs/ has a place for the report, and keeps what stands around it', () => {
  const page = readFileSync(join(root, 'docs/benchmark.md'), 'utf8');
  const filled = withReport(page, 'one');
  expect(filled).toContain('\n\none\n\n');
  expect(filled.length).toBeLessThan(page.length);
  expect(withReport(filled, 'another')).toBe(filled.replace('\n\none\n\n', '\n\nanother\n\n'));
  for (const heading of page.match(/^## .*$/gm) ?? []) expect(filled).toContain(heading);
});
