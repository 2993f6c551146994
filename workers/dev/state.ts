import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readTextIfPresent, writeJsonAtomically } from './files.ts';
import { HelpfulError } from './message.ts';
import { processIdentity } from './process-identity.ts';

/** Where things lie in the data folder. */
export function dataPaths(dataDir: string) {
  return {
    secrets: join(dataDir, 'secrets.json'),
    /** What other programs read: addresses, keys and pids of the running installation. There while it runs. */
    dev: join(dataDir, 'dev.json'),
    /** Who runs here, so that the next start can find what a killed one left behind. */
    supervisor: join(dataDir, 'supervisor.json'),
    logs: join(dataDir, 'logs'),
    postgres: join(dataDir, 'postgres'),
    temporalDatabase: join(dataDir, 'temporal', 'temporal.db'),
    simulators: join(dataDir, 'simulators'),
  };
}

const secretsSchema = z.object({
  payload_codec_keys: z.string(),
  api_key_pepper: z.string(),
  stored_secrets_keys: z.string(),
  token_signing_keys: z.string(),
  easypay_api_key: z.string(),
  easypay_webhook_secret: z.string(),
  paypal_client_secret: z.string(),
  paypal_webhook_id: z.string(),
  postgres_password: z.string(),
  owner_password: z.string(),
  application_password: z.string(),
  demo_api_key: z.string().nullable(),
  demo_operator_key: z.string().nullable(),
});

/** What this installation must remember and nobody else may know. */
export type Secrets = z.infer<typeof secretsSchema>;

/**
 * The secrets of this installation: made once, kept in `secrets.json` for its owner's eyes alone (mode 0600). Those that a
 * file of an earlier version lacks are made now.
 */
export function loadSecrets(dataDir: string): Secrets {
  const path = dataPaths(dataDir).secrets;
  const text = readTextIfPresent(path);
  const known = text === null ? {} : parseOrExplain(z.looseObject({}), text, path);
  const secrets = parseOrExplain(secretsSchema, JSON.stringify({ ...newSecrets(), ...known }), path);
  saveSecrets(dataDir, secrets);
  return secrets;
}

function newSecrets(): Secrets {
  return {
    payload_codec_keys: `dev:${randomBytes(32).toString('base64')}`,
    api_key_pepper: randomBytes(32).toString('base64'),
    stored_secrets_keys: `dev:${randomBytes(32).toString('base64')}`,
    token_signing_keys: `dev:${randomBytes(32).toString('base64')}`,
    easypay_api_key: randomBytes(24).toString('hex'),
    easypay_webhook_secret: randomBytes(32).toString('hex'),
    paypal_client_secret: randomBytes(24).toString('hex'),
    paypal_webhook_id: `WH-${randomBytes(12).toString('hex')}`,
    postgres_password: randomBytes(24).toString('hex'),
    owner_password: randomBytes(24).toString('hex'),
    application_password: randomBytes(24).toString('hex'),
    demo_api_key: null,
    demo_operator_key: null,
  };
}

/** Replaces the remembered secrets. */
export function saveSecrets(dataDir: string, secrets: Secrets): void {
  writeJsonAtomically(dataPaths(dataDir).secrets, secrets);
}

const devSchema = z.object({
  api: z.string(),
  docs: z.string(),
  /** Null when Temporal runs elsewhere. */
  temporal_ui: z.string().nullable(),
  temporal_address: z.string(),
  simulators: z.string(),
  database_url: z.string(),
  migration_database_url: z.string(),
  merchant_id: z.string(),
  api_key: z.string(),
  operator_key: z.string(),
  /** By program, and `supervisor`; of their newest run. */
  pids: z.record(z.string(), z.number()),
});

/** The content of `dev.json`, on which tests and tools rely. */
export type DevFile = z.infer<typeof devSchema>;

/** Publishes `dev.json`. */
export function writeDevFile(dataDir: string, content: DevFile): void {
  writeJsonAtomically(dataPaths(dataDir).dev, content);
}

/** What `dev.json` says; null before everything is ready. */
export function readDevFile(dataDir: string): DevFile | null {
  const path = dataPaths(dataDir).dev;
  const text = readTextIfPresent(path);
  return text === null ? null : parseOrExplain(devSchema, text, path);
}

const processSchema = z.object({ pid: z.number().int().positive(), identity: z.string() });
const supervisorSchema = processSchema.extend({ children: z.record(z.string(), processSchema) });

/** A process that was ours when it was written down. Its pid may be a stranger's by now: compare the identity. */
export type KnownProcess = z.infer<typeof processSchema>;

/** The supervisor of a data folder and the programs it started. */
export type SupervisorFile = z.infer<typeof supervisorSchema>;

/** Who ran or runs in this data folder; null when nobody did, or it ended cleanly. */
export function readSupervisorFile(dataDir: string): SupervisorFile | null {
  const path = dataPaths(dataDir).supervisor;
  const text = readTextIfPresent(path);
  return text === null ? null : parseOrExplain(supervisorSchema, text, path);
}

/** True while the process that was written down still lives. */
export function isAlive(known: KnownProcess): boolean {
  return processIdentity(known.pid) === known.identity;
}

/**
 * Takes the data folder for this process, and makes it. False when another process took it in the same moment; a
 * record of a dead supervisor must be dropped first (`releaseDataDir`).
 */
export function takeDataDir(dataDir: string): boolean {
  // Others may pass through (Postgres may run as a user of its own) but not list; each file inside guards itself.
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  const path = dataPaths(dataDir).supervisor;
  const unfinished = `${path}.${process.pid}.tmp`;
  writeFileSync(unfinished, JSON.stringify({ ...describeProcess(process.pid), children: {} }), { mode: 0o600 });
  try {
    linkSync(unfinished, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** Writes down the programs that run now, so that the next start can find them if this one is killed. */
export function recordChildren(dataDir: string, children: Record<string, KnownProcess>): void {
  writeJsonAtomically(dataPaths(dataDir).supervisor, { ...describeProcess(process.pid), children });
}

/** Says that nothing runs in this data folder any more. */
export function releaseDataDir(dataDir: string): void {
  rmSync(dataPaths(dataDir).dev, { force: true });
  rmSync(dataPaths(dataDir).supervisor, { force: true });
}

/** A process as it can be found again. One that has just died gets an identity that nothing matches. */
export function describeProcess(pid: number): KnownProcess {
  return { pid, identity: processIdentity(pid) ?? 'gone' };
}

function parseOrExplain<Output>(schema: z.ZodType<Output>, text: string, path: string): Output {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new HelpfulError(
      `${path} is not what this program wrote there. Put the right file back, or start anew with \`npm run reset\`.`,
      { cause },
    );
  }
}
