import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEFAULT_PORTS } from '../../workers/dev/ports.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { until } from '../support/until.ts';
import { freePorts } from '../support/world.ts';

interface Development {
  readonly api: string;
  readonly simulators: string;
  readonly api_key: string;
  readonly pids: Readonly<Record<string, number>>;
}

const dataDir = mkdtempSync(join(tmpdir(), 'start-'));
const portNames = Object.keys(DEFAULT_PORTS);
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const ports = await freePorts(portNames.length);
  const chosen = Object.fromEntries(portNames.map((name, index) => [name, String(ports[index])]));
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  env = { ...Object.fromEntries(inherited), DATA_DIR: dataDir, ...chosen };
});

/** One run of what `npm start` runs. */
class Start {
  output = '';
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(changes: NodeJS.ProcessEnv = {}) {
    const args = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../../workers/dev.ts')];
    this.process = spawn(process.execPath, args, { env: { ...env, ...changes } });
    this.process.stdout?.on('data', (bytes) => {
      this.output += String(bytes);
    });
    this.process.stderr?.on('data', (bytes) => {
      this.output += String(bytes);
    });
    this.ended = new Promise((resolve) => {
      this.process.once('exit', (code) => resolve(code));
    });
  }

  ready(): Promise<Development> {
    return until('everything is ready', () => {
      if (this.process.exitCode !== null) throw new Error(`npm start ended:\n${this.output}`);
      return this.output.includes('Ready after') ? development() : null;
    });
  }

  async interrupt(): Promise<number | null> {
    this.process.kill('SIGINT');
    return this.ended;
  }
}

function development(): Development {
  return JSON.parse(readFileSync(join(dataDir, 'dev.json'), 'utf8')) as Development;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

let running: Start | null = null;
afterAll(async () => {
  await running?.interrupt();
  rmSync(dataDir, { recursive: true, force: true });
});

test('one line starts everything; a second start and wrong settings say what to do', async () => {
  running = new Start();
  const { api, api_key: apiKey, pids } = await running.ready();
  expect(Object.keys(pids).toSorted()).toEqual(
    ['api', 'codec', 'postgres', 'simulators', 'supervisor', 'temporal', 'worker'].toSorted(),
  );
  const answer = await postPayment(api, aPayment(), { apiKey, key: 'first' });
  expect(answer.status).toBe(201);

  const second = new Start();
  expect(await second.ended).not.toBe(0);
  expect(second.output).toContain(String(pids['supervisor']));

  const wrong = new Start({ API_PORT: 'abc', CODEC_PORT: '99999' });
  expect(await wrong.ended).not.toBe(0);
  expect(wrong.output).toMatch(/API_PORT[\s\S]*CODEC_PORT/);
});

test.each(['api', 'worker', 'simulators', 'codec', 'temporal', 'postgres'])(
  '%s killed with -9 is back with its data, under a new pid',
  async (name) => {
    const before = development();
    const pid = before.pids[name];
    if (pid === undefined) throw new Error(`no pid of ${name}`);
    process.kill(pid, 'SIGKILL');
    const after = await until(`${name} has a new pid`, () => (development().pids[name] === pid ? null : development()));
    const { api, api_key: apiKey } = after;
    const answer = await until('payments go through again', async () => {
      const tried = await postPayment(api, aPayment(), { apiKey, key: `after-${name}` }).catch(() => null);
      return tried?.status === 201 ? tried : null;
    });
    expect(answer.payment.status).toBe('captured');
    const first = await postPayment(api, aPayment(), { apiKey, key: 'first' });
    expect(first.headers.get('idempotent-replayed')).toBe('true');
    const book = (await (await fetch(`${after.simulators}/bank/movements?after=0`)).json()) as {
      movements: { reference: string }[];
    };
    expect(book.movements.filter(({ reference }) => reference === first.payment.id)).toHaveLength(1);
    expect(book.movements.filter(({ reference }) => reference === answer.payment.id)).toHaveLength(1);
  },
);

test('a start after the supervisor was killed stops what it left behind, and keeps the data', async () => {
  const { pids } = development();
  running?.process.kill('SIGKILL');
  await running?.ended;
  running = new Start();
  const again = await running.ready();
  const old = Object.entries(pids).filter(([, pid]) => Object.values(again.pids).every((now) => now !== pid));
  expect(old.filter(([, pid]) => isAlive(pid))).toEqual([]);
  const first = await postPayment(again.api, aPayment(), { apiKey: again.api_key, key: 'first' });
  expect(first.headers.get('idempotent-replayed')).toBe('true');
});

test('an interrupt stops all of it, cleanly', async () => {
  const { pids } = development();
  expect(await running?.interrupt()).toBe(0);
  running = null;
  expect(Object.entries(pids).filter(([, pid]) => isAlive(pid))).toEqual([]);
});
