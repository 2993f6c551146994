import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, escapeLiteral } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresProcess } from '../../workers/dev/postgres.ts';
import { httpReady, outputReady, type Readiness } from '../../workers/dev/readiness.ts';
import { type ChildSpec, type SupervisedChild, supervise } from '../../workers/dev/supervisor.ts';
import { findTemporalProgram, temporalProcess } from '../../workers/dev/temporal-server.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { bankAt } from '../support/bank.ts';
import { type ComposeService, composePath, environmentOf, readCompose, readEnvFile } from '../support/compose.ts';
import { freePorts } from '../support/world.ts';

/*
 * What docker-compose.yml would run, run without containers: the same commands with the environment that the file gives
 * and nothing else, the same script for the databases. Only hosts and ports are others.
 */

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const host = '127.0.0.1';
const services = readCompose();
const folder = mkdtempSync(join(tmpdir(), 'compose-commands-'));
const { PATH, HOME } = process.env;

const children: SupervisedChild[] = [];
const kill = () => children.forEach((child) => child.kill());
process.on('exit', kill);

let secrets: Record<string, string>;
let local: Localizer;

beforeAll(async () => {
  execFileSync('sh', [join(root, 'deploy/make-env.sh'), join(folder, 'env')], { stdio: 'pipe' });
  secrets = readEnvFile(join(folder, 'env'));
  local = localizer(await freePorts(24));
  await Promise.all([startPostgres(), startTemporal()]);
  await run('npm', commandOf('migrate'), { cwd: root, env: environment('migrate') });
  await Promise.all([
    start(product('simulators', healthOf('simulators'))),
    start(product('codec', healthOf('codec'))),
    start(product('worker', outputReady('"worker ready"'))),
    start(product('api', healthOf('api'))),
  ]);
});
afterAll(async () => {
  for (const child of children.toReversed()) await child.stop();
  process.off('exit', kill);
  rmSync(folder, { recursive: true, force: true });
});

describe('the processes of docker-compose.yml', () => {
  test('charge a payment of a merchant who was made with the commands in its head', async () => {
    const [createMerchant = '', createApiKey = ''] = documentedCommands();
    const { id } = await admin<{ id: string }>(createMerchant);
    const { api_key: apiKey } = await admin<{ api_key: string }>(createApiKey.replace('mer_…', id));

    const answer = await postPayment(`http://${host}:${local.port('api', '3000')}`, aPayment(), { apiKey });
    expect(answer.status, answer.text).toBe(201);
    expect(answer.payment.status).toBe('captured');
    const bank = bankAt(`http://${host}:${local.port('simulators', '4010')}`);
    expect(await bank.movements(answer.payment.id)).toHaveLength(1);
  });

  test('are well by the checks of their containers', async () => {
    for (const name of ['api', 'worker', 'codec', 'simulators']) {
      const [, command = '', ...args] = local.check(name);
      await expect(run(command, args, { cwd: root, env: { PATH } }), name).resolves.toBeDefined();
    }
    const [, command = '', script = ''] = local.check('api');
    const nobody = `http://${host}:${local.port('nobody', '1')}`;
    await expect(run(command, [script, nobody], { cwd: root, env: { PATH } })).rejects.toMatchObject({ code: 1 });
  });

  test('end cleanly when their container is stopped', async () => {
    for (const name of ['api', 'worker']) {
      await children.find((child) => child.name === name)?.stop();
      expect(readFileSync(join(folder, `${name}.log`), 'utf8')).toContain(`${name} stopped`);
    }
  });
});

/** Brings the file's addresses here: each port of each service has a free port of this machine. */
interface Localizer {
  port(service: string, port: string): number;
  environment(service: string, environment: Record<string, string>): Record<string, string>;
  /** The command by which the service's container is watched. */
  check(service: string): string[];
}

function localizer(free: number[]): Localizer {
  const taken = new Map<string, number>();
  const port = (service: string, number: string) => {
    const key = `${service}:${number}`;
    const found = taken.get(key) ?? free.pop();
    if (found === undefined) throw new Error('docker-compose.yml names more ports than this test has');
    taken.set(key, found);
    return found;
  };
  const bring = (service: string, name: string, value: string) => {
    if (name.endsWith('_PORT')) return String(port(service, value));
    if (value === '0.0.0.0') return host;
    if (value === '/data') return join(folder, service);
    return value.replaceAll(/\b([a-z-]+):(\d+)\b/g, (whole, target: string, number: string) =>
      target in services ? `${host}:${port(target, number)}` : whole,
    );
  };
  return {
    port,
    environment: (service, given) =>
      Object.fromEntries(Object.entries(given).map(([name, value]) => [name, bring(service, name, value)])),
    check: (service) =>
      (serviceNamed(service).healthcheck?.test ?? []).map((word) =>
        word.replace(/127\.0\.0\.1:(\d+)/, (_whole, number: string) => `${host}:${port(service, number)}`),
      ),
  };
}

/** What a service's container gets from the file; a PATH and a home it has anyway, and NODE_ENV from the image. */
function environment(name: string): Record<string, string | undefined> {
  const given = environmentOf(serviceNamed(name), secrets);
  return { PATH, HOME, NODE_ENV: 'production', ...local.environment(name, given) };
}

function serviceNamed(name: string): ComposeService {
  const service = services[name];
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return service;
}

/** The arguments that npm gets. */
const commandOf = (name: string) => serviceNamed(name).command.slice(1);

function product(name: string, ready: Readiness): ChildSpec {
  return { name, command: 'npm', args: commandOf(name), env: environment(name), ready, stopTimeoutMs: 20_000 };
}

function healthOf(name: string): Readiness {
  return httpReady(local.check(name).at(-1) ?? '');
}

async function start(spec: ChildSpec): Promise<void> {
  const child = supervise(spec, { logPath: join(folder, `${spec.name}.log`), say: () => undefined });
  children.push(child);
  await child.ready;
}

/** An empty server, and what its container does with it when its volume is empty. */
async function startPostgres(): Promise<void> {
  const { spec, adminUrl } = await postgresProcess({
    dataDir: join(folder, 'postgres', 'data'),
    host,
    port: local.port('postgres', '5432'),
    superuserPassword: secrets['POSTGRES_PASSWORD'] ?? '',
    durable: false,
  });
  await start(spec);
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    for (const statement of databaseStatements()) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** `deploy/databases.sql` as psql would send it: statement by statement, with its variables filled in. */
function databaseStatements(): string[] {
  const script = readFileSync(join(root, 'deploy/databases.sql'), 'utf8');
  const given = environmentOf(serviceNamed('postgres'), secrets);
  const variables = new Map(
    [...script.matchAll(/^\\getenv (\w+) (\w+)$/gm)].map(([, variable = '', name = '']) => [variable, given[name]]),
  );
  return script
    .replaceAll(/^(?:\\|--).*$/gm, '')
    .replaceAll(/:'(\w+)'/g, (_whole, variable: string) => escapeLiteral(variables.get(variable) ?? ''))
    .split(';')
    .filter((statement) => statement.trim() !== '');
}

/** A server whose namespace has nothing of the product's in it, as `temporal-namespace` leaves it. */
async function startTemporal(): Promise<void> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
  const source = await findTemporalProgram({ dataDir: join(folder, 'programs'), env, say: () => undefined });
  if (source.kind !== 'program') throw new Error('tests start their own Temporal server');
  await start(
    await temporalProcess(source.path, {
      ip: host,
      port: local.port('temporal', '7233'),
      uiPort: null,
      dbFilename: join(folder, 'temporal', 'temporal.db'),
      searchAttributes: {},
    }),
  );
}

/** What the head of the compose file tells to run in the API's container, in its order. */
function documentedCommands(): string[] {
  const lines = readFileSync(composePath, 'utf8').matchAll(/^# +docker compose exec api (.+?)(?: +# .*)?$/gm);
  return [...lines].map(([, command = '']) => command);
}

async function admin<T>(command: string): Promise<T> {
  const { stdout } = await run('sh', ['-c', command], { cwd: root, env: environment('api') });
  return JSON.parse(stdout) as T;
}
