import { readdir, readFile } from 'node:fs/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { type MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';

const schemaUrl = new URL('./schema.prisma', import.meta.url);
const migrationsUrl = new URL('./migrations/', import.meta.url);
const everything = { externalTables: [], externalEnums: [] };

/**
 * Applies the migrations that the database does not have yet and returns their names. It does what
 * `prisma migrate deploy` does, with the same `_prisma_migrations` rows, but needs no engine program to be downloaded.
 * Running it twice, or twice at once, is safe. Throws the engine's error when a migration fails; the failed one is then
 * marked in `_prisma_migrations`, as with the CLI.
 */
export async function applyMigrations(ownerDatabaseUrl: string): Promise<string[]> {
  return withSchemaEngine(ownerDatabaseUrl, async (engine) => {
    const applied = await engine.applyMigrations({ migrationsList: await readMigrations(), filters: everything });
    return applied.appliedMigrationNames;
  });
}

/**
 * The SQL that makes in an empty database what `schema.prisma` says: what all migrations together are held against. The
 * database at the address is only connected to, because the engine cannot do without.
 */
export async function schemaScript(databaseUrl: string): Promise<string> {
  const content = await readFile(schemaUrl, 'utf8');
  return withSchemaEngine(databaseUrl, async (engine) => {
    const { stdout } = await engine.diff({
      from: { tag: 'empty' },
      to: { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content }] },
      script: true,
      exitCode: null,
      filters: everything,
    });
    if (stdout === null) throw new Error('The schema engine gave no script for prisma/schema.prisma.');
    return stdout;
  });
}

/** Lends out Prisma's schema engine (WebAssembly), connected to a database, and closes the connections afterwards. */
async function withSchemaEngine<T>(databaseUrl: string, work: (engine: SchemaEngine) => Promise<T>): Promise<T> {
  const schema = await readFile(schemaUrl, 'utf8');
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  const adapter = bindMigrationAwareSqlAdapterFactory(new WholeScriptPrismaPg(pool));
  try {
    const engine = await SchemaEngine.new({ datamodels: [['schema.prisma', schema]] }, () => undefined, adapter);
    return await work(engine).finally(() => engine.free());
  } finally {
    await pool.end();
  }
}

/**
 * Sends a migration to Postgres as one script, which Postgres runs in one transaction. The adapter's own way cuts it at
 * every semicolon, also inside a function's body.
 */
class WholeScriptPrismaPg extends PrismaPg {
  override async connect(): ReturnType<PrismaPg['connect']> {
    const adapter = await super.connect();
    adapter.executeScript = async (script) => {
      await adapter.underlyingDriver().query(script);
    };
    return adapter;
  }
}

async function readMigrations(): Promise<MigrationList> {
  const entries = await readdir(migrationsUrl, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const migrationDirectories = await Promise.all(
    names.toSorted().map(async (name) => {
      const value = await readFile(new URL(`${name}/migration.sql`, migrationsUrl), 'utf8');
      return { path: name, migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value } } };
    }),
  );
  const lockfile = { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' };
  return { baseDir: migrationsUrl.pathname, lockfile, shadowDbInitScript: '', migrationDirectories };
}
