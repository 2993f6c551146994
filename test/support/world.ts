import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { keyPermissions } from '../../api/permissions.ts';
import { storeApiKey } from '../../prisma/api-keys.ts';
import { bySystem } from '../../prisma/audit-logs.ts';
import { type Database, openDatabase } from '../../prisma/database.ts';
import type { MerchantSettings } from '../../prisma/merchant-settings.ts';
import { changeMerchantSettings, createMerchant } from '../../prisma/merchants.ts';
import { applyMigrations } from '../../prisma/migrate.ts';
import { makeOperatorKey } from '../../prisma/operator-keys.ts';
import { makeKey } from '../../runtime/api-key.ts';
import { createDataConverter } from '../../runtime/temporal.ts';
import { ensureDatabase, postgresProcess } from '../../workers/dev/postgres.ts';
import { httpReady, outputReady } from '../../workers/dev/readiness.ts';
import type { ChildSpec } from '../../workers/dev/supervisor.ts';
import { findTemporalProgram, temporalProcess } from '../../workers/dev/temporal-server.ts';
import { workflowBundlePath } from '../../workers/workflow-bundle.ts';
import { searchAttributes } from '../../workflows/contract.ts';
import { type Bank, bankAt } from './bank.ts';
import { type TestProcess, testProcess } from './test-process.ts';

const host = '127.0.0.1';

/** A merchant of a test with its keys. */
export interface TestMerchant {
  readonly id: string;
  readonly testKey: string;
  readonly liveKey: string;
}

/** The whole product on free ports with data of its own: real processes that the test may kill. */
export interface World {
  readonly apiUrl: string;
  readonly temporalAddress: string;
  /** The Temporal CLI that started the server. */
  readonly temporalProgram: string;
  readonly bank: Bank;
  readonly merchant: TestMerchant;
  /** The application's role. */
  readonly db: Database;
  /** The superuser, for looking behind and for holding locks. */
  readonly admin: pg.Pool;
  readonly temporal: Client;
  readonly postgres: TestProcess;
  readonly temporalServer: TestProcess;
  readonly simulators: TestProcess;
  readonly worker: TestProcess;
  readonly api: TestProcess;
  /** Another worker process, not started yet. */
  anotherWorker(): TestProcess;
  /** Another API process, not started yet, with the same settings at an address of its own. */
  anotherApi(): Promise<{ readonly url: string; readonly process: TestProcess }>;
  /** A key of the platform's operators. */
  readonly operatorKey: string;
  createMerchant(settings?: Partial<MerchantSettings>): Promise<TestMerchant>;
  /** EasyPay's face, for a test that puts something between. */
  readonly easypayUrl: string;
  /** What EasyPay signs its events with, for a test that makes one of its own. */
  readonly easypayWebhookSecret: string;
  /** Where the simulators' webhook receiver listens; what it received is at `outside('/inbox')`. */
  readonly inboxUrl: string;
  /** Asks the simulators' control port, e.g. for `/mailbox?after=0`; a body is JSON. */
  outside<T>(path: string, init?: RequestInit): Promise<T>;
  /** Everything that any process printed. */
  logs(): string;
  close(): Promise<void>;
}

/** What a test may want otherwise. */
export interface WorldOptions {
  /** Crash-safe Postgres, for tests that kill it. */
  readonly durable?: boolean;
  /** Environment that the API and the workers get on top. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a world; every process is ready when it returns. Close it in `afterAll`. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'payments-'));
  const log = (name: string) => join(folder, `${name}.log`);
  const secrets = {
    codecKey: randomBytes(32),
    pepper: randomBytes(32).toString('hex'),
    easypay: { EASYPAY_API_KEY: 'easypay-test-key', EASYPAY_WEBHOOK_SECRET: randomBytes(32).toString('hex') },
    paypal: {
      PAYPAL_CLIENT_ID: 'paypal-test-client',
      PAYPAL_CLIENT_SECRET: 'paypal-test-secret',
      PAYPAL_WEBHOOK_ID: 'WH-TEST',
    },
  };
  const [apiPort = 0] = await freePorts(1);
  const apiUrl = `http://${host}:${apiPort}`;
  const events = {
    EASYPAY_WEBHOOK_URL: `${apiUrl}/api/v1/webhooks/easypay/main`,
    PAYPAL_WEBHOOK_URL: `${apiUrl}/api/v1/webhooks/paypal/main`,
  };
  const ground = await startGround(folder, log, { ...secrets.easypay, ...secrets.paypal, ...events }, options);
  const env = {
    DATABASE_URL: ground.databaseUrl,
    TEMPORAL_ADDRESS: ground.temporalAddress,
    PAYLOAD_CODEC_KEYS: `test:${secrets.codecKey.toString('base64')}`,
    API_KEY_PEPPER: secrets.pepper,
    TOKEN_SIGNING_KEYS: `test:${randomBytes(32).toString('base64')}`,
    ADDRESS_LIMIT_PER_MINUTE: '1000000', // everything comes from one address here
    WRONG_SECRET_LIMIT_PER_MINUTE: '1000000',
    API_PORT: String(apiPort),
    EASYPAY_URL: ground.easypayUrl,
    ...secrets.easypay,
    PAYPAL_URL: ground.paypalUrl,
    ...secrets.paypal,
    PUBLIC_API_URL: apiUrl,
    SMTP_URL: ground.smtpUrl,
    STORED_SECRETS_KEYS: `test:${randomBytes(32).toString('base64')}`,
    WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
    ...options.env,
  };
  const workerSpec = ourProcess('worker', 'workers/worker.ts', outputReady('"worker ready"'), env);
  const worker = testProcess(workerSpec, log('worker'));
  const api = testProcess(ourProcess('api', 'api/main.ts', httpReady(`${apiUrl}/health/ready`), env), log('api'));
  await Promise.all([worker.start(), api.start()]);

  const limits = { connectionsMax: 10, connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };
  const db = openDatabase({ url: ground.databaseUrl, ...limits }, () => undefined);
  const admin = new pg.Pool({ connectionString: ground.adminUrl.replace(/\/postgres$/, '/payments'), max: 20 });
  admin.on('error', () => undefined);
  const connection = await Connection.connect({ address: ground.temporalAddress });
  const dataConverter = createDataConverter(new Map([['test', secrets.codecKey]]));
  const processes = [api, worker, ground.simulators, ground.temporalServer, ground.postgres];

  return {
    ...ground,
    apiUrl,
    easypayWebhookSecret: secrets.easypay.EASYPAY_WEBHOOK_SECRET,
    bank: bankAt(ground.simulatorsUrl),
    operatorKey: await operatorKeyOf(db, secrets.pepper),
    merchant: await makeMerchant(db, secrets.pepper, {}),
    db,
    admin,
    temporal: new Client({ connection, dataConverter }),
    worker,
    api,
    anotherWorker() {
      const another = testProcess({ ...workerSpec, name: 'another worker' }, log(`worker-${processes.length}`));
      processes.unshift(another);
      return another;
    },
    async anotherApi() {
      const [port = 0] = await freePorts(1);
      const url = `http://${host}:${port}`;
      const spec = ourProcess('another api', 'api/main.ts', httpReady(`${url}/health/ready`), {
        ...env,
        API_PORT: String(port),
      });
      const another = testProcess(spec, log(`api-${processes.length}`));
      processes.unshift(another);
      return { url, process: another };
    },
    createMerchant: (settings = {}) => makeMerchant(db, secrets.pepper, settings),
    async outside<T>(path: string, init: RequestInit = {}) {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${ground.simulatorsUrl}${path}`, { ...init, headers });
      if (!response.ok) throw new Error(`${path} answered ${response.status}`);
      return (await response.json()) as T;
    },
    logs: () => processes.map((process) => process.output()).join('\n'),
    async close() {
      await Promise.allSettled([connection.close(), db.close(), admin.end()]);
      for (const process of processes) if (process.isRunning) await process.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What the product stands on: Postgres with the schema, Temporal, and the outside world. */
async function startGround(
  folder: string,
  log: (name: string) => string,
  accounts: NodeJS.ProcessEnv,
  options: WorldOptions,
) {
  const [postgresPort = 0, temporalPort = 0, controlPort = 0, easypayPort = 0, ...others] = await freePorts(8);
  const [paypalPort = 0, smtpPort = 0, smsPort = 0, inboxPort = 0] = others;
  const { spec: postgresSpec, adminUrl } = await postgresProcess({
    dataDir: join(folder, 'postgres', 'data'),
    host,
    port: postgresPort,
    superuserPassword: randomBytes(16).toString('hex'),
    durable: options.durable ?? false,
  });
  const temporalProgram = await findProgram(folder);
  const temporalSpec = await temporalProcess(temporalProgram, {
    ip: host,
    port: temporalPort,
    uiPort: null,
    dbFilename: join(folder, 'temporal', 'temporal.db'),
    searchAttributes,
  });
  const simulatorsUrl = `http://${host}:${controlPort}`;
  const simulatorsSpec = ourProcess('simulators', 'simulators/main.ts', httpReady(`${simulatorsUrl}/health`), {
    SIMULATORS_HOST: host,
    SIMULATORS_PORT: String(controlPort),
    EASYPAY_FACE_PORT: String(easypayPort),
    PAYPAL_FACE_PORT: String(paypalPort),
    SMTP_FACE_PORT: String(smtpPort),
    SMS_FACE_PORT: String(smsPort),
    INBOX_FACE_PORT: String(inboxPort),
    SIMULATORS_DATA_DIR: join(folder, 'simulators'),
    ...accounts,
  });
  const postgres = testProcess(postgresSpec, log('postgres'));
  const temporalServer = testProcess(temporalSpec, log('temporal'));
  const simulators = testProcess(simulatorsSpec, log('simulators'));
  await Promise.all([postgres.start(), temporalServer.start(), simulators.start(), workflowBundlePath()]);
  const passwords = { ownerPassword: 'owner', applicationPassword: 'app' };
  const urls = await ensureDatabase({ adminUrl, database: 'payments', ...passwords });
  await applyMigrations(urls.migrationDatabaseUrl);
  return {
    postgres,
    temporalServer,
    simulators,
    temporalProgram,
    adminUrl,
    databaseUrl: urls.databaseUrl,
    temporalAddress: `${host}:${temporalPort}`,
    easypayUrl: `http://${host}:${easypayPort}`,
    paypalUrl: `http://${host}:${paypalPort}`,
    smtpUrl: `smtp://${host}:${smtpPort}`,
    inboxUrl: `http://${host}:${inboxPort}`,
    simulatorsUrl,
  };
}

async function findProgram(folder: string): Promise<string> {
  const dataDir = join(folder, 'programs');
  const source = await findTemporalProgram({ dataDir, env: withoutTemporalAddress(), say: () => undefined });
  if (source.kind !== 'program') throw new Error('tests start their own Temporal server');
  return source.path;
}

/** Tests that are not about the choice have one provider: a fault there must not be made up for elsewhere. */
const onlyEasypay = { rules: [], default: ['easypay'] };

async function makeMerchant(db: Database, pepper: string, settings: Partial<MerchantSettings>): Promise<TestMerchant> {
  const { id } = await createMerchant(db, { id: `mer_${randomBytes(8).toString('hex')}`, name: 'Test merchant' });
  await changeMerchantSettings(db, id, { routing: onlyEasypay, ...settings });
  const keyOf = async (isTest: boolean) => {
    const key = makeKey(isTest ? 'test' : 'live', pepper);
    await storeApiKey(db, id, { ...key, name: 'key', isTest, permissions: keyPermissions, isUnlimited: true });
    return key.text;
  };
  return { id, testKey: await keyOf(true), liveKey: await keyOf(false) };
}

async function operatorKeyOf(db: Database, pepper: string): Promise<string> {
  const key = makeKey('operator', pepper);
  await makeOperatorKey(db, { ...key, name: 'operator', permissions: null }, bySystem(new Date()));
  return key.text;
}

function ourProcess(name: string, file: string, ready: ChildSpec['ready'], env: NodeJS.ProcessEnv): ChildSpec {
  return {
    name,
    command: process.execPath,
    args: [join(import.meta.dirname, '../..', file)],
    env: { ...withoutTemporalAddress(), LOG_LEVEL: 'info', ...env },
    ready,
    stopTimeoutMs: 15_000,
  };
}

/** A test's processes know only the test's own Temporal server. */
function withoutTemporalAddress(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

/** Below the range from which the system takes the ports of outgoing connections: nobody gets ours by accident. */
const portMin = 12_000;
const portMax = 32_000;
const given = new Set<number>();

/** Ports that are free now, each once. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(portMin, portMax);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
