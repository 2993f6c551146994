import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Database, openDatabase } from '../../prisma/database.ts';
import { applyMigrations } from '../../prisma/migrate.ts';
import { ensureDatabase, postgresProcess } from '../../workers/dev/postgres.ts';
import { testProcess } from './test-process.ts';
import { freePorts } from './world.ts';

/** A Postgres of a test file's own, with the product's roles and migrations. */
export interface TestDatabase {
  /** The application's role, as the product's processes have it. */
  readonly db: Database;
  /** Its address. */
  readonly url: string;
  /** The superuser, who may look at everything; triggers and constraints hold for him too. */
  readonly admin: pg.Pool;
  /** Makes another database with the product's roles and nothing in it, and returns its owner's address. */
  anotherDatabase(name: string): Promise<string>;
  close(): Promise<void>;
}

/** Starts a throw-away Postgres and applies the migrations. Close it in `afterAll`. */
export async function startDatabase(): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'payments-db-'));
  const [port = 0] = await freePorts(1);
  const { spec, adminUrl } = await postgresProcess({
    dataDir: join(folder, 'postgres', 'data'),
    host: '127.0.0.1',
    port,
    superuserPassword: randomBytes(16).toString('hex'),
    durable: false,
  });
  const postgres = testProcess(spec, join(folder, 'postgres.log'));
  await postgres.start();
  const ensure = (database: string) =>
    ensureDatabase({ adminUrl, database, ownerPassword: 'owner', applicationPassword: 'app' });
  const urls = await ensure('payments');
  await applyMigrations(urls.migrationDatabaseUrl);
  const limits = { connectionsMax: 20, connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };
  const db = openDatabase({ url: urls.databaseUrl, ...limits }, () => undefined);
  const admin = new pg.Pool({ connectionString: adminUrl.replace(/\/postgres$/, '/payments'), max: 20 });
  admin.on('error', () => undefined);
  return {
    db,
    url: urls.databaseUrl,
    admin,
    anotherDatabase: async (name) => (await ensure(name)).migrationDatabaseUrl,
    async close() {
      await Promise.allSettled([db.close(), admin.end()]);
      await postgres.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
