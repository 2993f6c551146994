import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_PORTS } from '../../workers/dev/ports.ts';
import { until } from '../support/until.ts';
import { freePorts } from '../support/world.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

let folder: string;
let started: ChildProcess;
let output = '';
const portOf = new Map<string, string>();

/** A newcomer's machine: the files alone, and an environment that knows nothing of other servers. */
const environment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(TEMPORAL_|npm_)/.test(name))),
  ...Object.fromEntries(portOf),
});

/** What the README says, on ports that are free here. */
const here = (text: string) =>
  Object.entries(DEFAULT_PORTS).reduce(
    (changed, [name, port]) => changed.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${portOf.get(name)}`),
    text,
  );

beforeAll(async () => {
  const ports = await freePorts(Object.keys(DEFAULT_PORTS).length);
  for (const [index, name] of Object.keys(DEFAULT_PORTS).entries()) portOf.set(name, String(ports[index]));
  folder = mkdtempSync(join(tmpdir(), 'newcomer-'));
  const { stdout } = await run('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root });
  for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
    cpSync(join(root, file), join(folder, file), { recursive: true });
  }
}, 60_000);

afterAll(async () => {
  if (started?.exitCode === null) {
    started.kill('SIGINT');
    await once(started, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

describe('a stranger who follows the README', () => {
  test('installs and starts everything with its first two commands', async () => {
    const [install, start] = (blocks[0] ?? '').trim().split('\n');
    expect([install, start]).toEqual(['npm ci', 'npm start']);
    await run('npm', ['ci', '--prefer-offline'], { cwd: folder, env: environment(), maxBuffer: 2 ** 24 });
    started = spawn('npm', ['start'], { cwd: folder, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [started.stdout, started.stderr]) stream?.on('data', (part) => (output += String(part)));
    await until('everything is ready', () => output.includes('Ready after') || started.exitCode !== null, {
      withinMs: 120_000,
    });
    expect(output).toContain('Ready after');
  }, 240_000);

  test('sees every further command work, in the order in which they stand', async () => {
    const commands = blocks.slice(1).join('\n').replaceAll('curl -sS', 'curl -sS --fail-with-body --max-time 60');
    expect(commands.match(/curl/g)?.length).toBeGreaterThan(8);
    const script = ['set -euxo pipefail', here(commands)].join('\n');
    const { stdout, stderr } = await run('bash', ['-c', script], {
      cwd: folder,
      env: environment(),
      maxBuffer: 2 ** 24,
    });
    const said = stdout + stderr;
    expect(said).toContain('"status":"captured"');
    expect(said, 'the demo').toContain('charged once.');
    expect(said, 'the second provider').toContain('"processor":"paypal"');
    expect(said, 'the secret of the webhook').toContain('whsec_');
    expect(said, 'the first periods').toContain('"period_start":"2028-03-31T09:00:00.000Z"');
    expect(said, 'the same file again').toContain('"existing": 50');
    expect(said, 'the mail').toContain('payer@example.com');
  }, 180_000);

  test('finds every page that it names', async () => {
    const pages = [...readme.matchAll(/<(http:\/\/127\.0\.0\.1[^>]*)>/g)].map((match) => here(match[1] ?? ''));
    expect(pages.length).toBeGreaterThan(1);
    for (const page of pages) expect((await fetch(page)).status, page).toBe(200);
  });
});
