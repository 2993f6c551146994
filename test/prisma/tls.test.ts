import { randomBytes } from 'node:crypto';
import { chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase, serviceLimits } from '../../prisma/database.ts';
import { listen } from '../../prisma/listener.ts';
import { applyMigrations } from '../../prisma/migrate.ts';
import { ensureDatabase, postgresProcess } from '../../workers/dev/postgres.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { type TestProcess, testProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { freePorts } from '../support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'payments-tls-'));
let postgres: TestProcess;
let ours: Certificates;
let others: Certificates;
let urls: Awaited<ReturnType<typeof ensureDatabase>>;
const open: Database[] = [];

beforeAll(async () => {
  ours = makeCertificates(join(folder, 'ours'), ['IP:127.0.0.1']);
  others = makeCertificates(join(folder, 'others'), ['IP:127.0.0.1']);
  const [port = 0] = await freePorts(1);
  const dataDir = join(folder, 'postgres', 'data');
  const superuserPassword = randomBytes(16).toString('hex');
  const { spec, adminUrl } = await postgresProcess({
    dataDir,
    host: '127.0.0.1',
    port,
    superuserPassword,
    durable: false,
  });
  const { uid, gid } = statSync(dataDir);
  for (const path of [folder, join(folder, 'ours'), ours.certificate, ours.key]) chownSync(path, uid, gid); // who Postgres runs as
  const tls = { ssl: 'on', ssl_cert_file: ours.certificate, ssl_key_file: ours.key };
  const args = [...spec.args, ...Object.entries(tls).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  postgres = testProcess({ ...spec, args }, join(folder, 'postgres.log'));
  await postgres.start();
  urls = await ensureDatabase({ adminUrl, database: 'payments', ownerPassword: 'owner', applicationPassword: 'app' });
});
afterAll(async () => {
  await Promise.allSettled(open.map((db) => db.close()));
  if (postgres?.isRunning) await postgres.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** The URL as an operator writes it who wants to know whom they talk to. */
const verified = (url: string, { authority }: Certificates) => `${url}?sslmode=verify-full&sslrootcert=${authority}`;

function openAt(url: string): Database {
  const db = openDatabase({ url, connectionsMax: 2, ...serviceLimits }, () => undefined);
  open.push(db);
  return db;
}

const isEncrypted = 'SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
const unknownAuthority = /self-signed certificate|unable to (verify|get local issuer)/;

describe('with sslmode=verify-full in the URL', () => {
  test('migrations, statements, Prisma and the listener go over TLS', async () => {
    expect(await applyMigrations(verified(urls.migrationDatabaseUrl, ours))).toContain('0001_payments');
    const db = openAt(verified(urls.databaseUrl, ours));
    expect((await db.pool.query(isEncrypted)).rows).toEqual([
      { ssl: true, version: expect.stringMatching(/^TLSv1\.[23]$/) },
    ]);
    expect(await db.prisma.merchant.count()).toBe(0);

    let isListening = false;
    const heard: string[] = [];
    const listener = listen(verified(urls.databaseUrl, ours), 'credentials', {
      heard: (payload) => heard.push(payload),
      listening: () => (isListening = true),
      lost: () => undefined,
    });
    try {
      await until('it listens', () => isListening);
      await db.pool.query(`SELECT pg_notify('credentials', 'api_key:k')`);
      await until('it heard', () => heard.length > 0);
      const { rows } = await db.pool.query<{ ssl: boolean }>(
        `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'credentials-listener'`,
      );
      expect(rows).toEqual([{ ssl: true }]);
    } finally {
      await listener.close();
    }
  });

  test('a server whose authority is another one is talked to by none of them', async () => {
    await expect(applyMigrations(verified(urls.migrationDatabaseUrl, others))).rejects.toThrow(unknownAuthority);
    const db = openAt(verified(urls.databaseUrl, others));
    await expect(db.pool.query('SELECT 1')).rejects.toThrow(unknownAuthority);
    await expect(db.prisma.merchant.count()).rejects.toThrow();
    const reasons: string[] = [];
    const listener = listen(verified(urls.databaseUrl, others), 'credentials', {
      heard: () => undefined,
      listening: () => reasons.push('it listens'),
      lost: ({ message }) => reasons.push(message),
    });
    try {
      await until('it says something', () => reasons.length > 0);
      expect(reasons[0]).toMatch(unknownAuthority);
    } finally {
      await listener.close();
    }
  });

  test('a server whose certificate is for another name is refused', async () => {
    const byName = verified(urls.databaseUrl.replace('127.0.0.1', 'localhost'), ours);
    await expect(openAt(byName).pool.query('SELECT 1')).rejects.toThrow(/does not match certificate's altnames/);
  });
});
