import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { applyMigrations, schemaScript } from '../prisma/migrate.ts';
import { ensureDatabase, postgresProcess } from './dev/postgres.ts';
import { type SupervisedChild, supervise } from './dev/supervisor.ts';
import { freePort } from './free-port.ts';

/**
 * Holds the migrations against `prisma/schema.prisma`: a throw-away Postgres gets one database from each, and what Prisma's
 * language can say of both must be the same. Exits 1 with one line per difference.
 */
async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'check-schema-'));
  let server: SupervisedChild | null = null;
  try {
    const { spec, adminUrl } = await postgresProcess({
      dataDir: join(folder, 'postgres', 'data'),
      host: '127.0.0.1',
      port: await freePort(),
      superuserPassword: password,
      durable: false,
    });
    server = supervise(spec, { logPath: join(folder, 'postgres.log'), say: () => undefined });
    stopWithoutLeftovers(server);
    await server.ready;
    report(compare(await fromMigrations(adminUrl), await fromSchema(adminUrl)));
  } finally {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Guards nothing: the server listens on loopback for seconds and holds no data. */
const password = 'check-schema';

/** What stands in a database, by kind and name, e.g. `column payments.id` → `text NOT NULL`. */
type Catalog = ReadonlyMap<string, string>;

async function fromMigrations(adminUrl: string): Promise<Catalog> {
  const url = await emptyDatabase(adminUrl, 'from_migrations');
  await applyMigrations(url);
  return withClient(url, readCatalog);
}

async function fromSchema(adminUrl: string): Promise<Catalog> {
  const url = await emptyDatabase(adminUrl, 'from_schema');
  const script = await schemaScript(url);
  return withClient(url, async (client) => {
    await client.query(script);
    return readCatalog(client);
  });
}

async function emptyDatabase(adminUrl: string, database: string): Promise<string> {
  const passwords = { ownerPassword: password, applicationPassword: password };
  return (await ensureDatabase({ adminUrl, database, ...passwords })).migrationDatabaseUrl;
}

/**
 * What Prisma's language can say, and therefore must say. Everything else stands in the migrations alone, below their
 * marked line, and is not read here: checks, triggers, functions, grants; indexes with a condition, an expression or
 * included columns; and how the database makes the value of an identity or generated column.
 */
const catalogQuery = `
  WITH tables AS (
    SELECT oid, relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> '_prisma_migrations'
  ), columns AS (
    SELECT t.relname || '.' || a.attname AS name, a.attidentity, a.attgenerated,
      format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS definition,
      pg_get_expr(d.adbin, d.adrelid) AS value
    FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
  )
  SELECT 'table' AS kind, relname AS name, 'a table' AS definition FROM tables
  UNION ALL
  SELECT 'column', name, definition FROM columns
  UNION ALL
  SELECT 'default of', name, CASE WHEN attidentity <> '' OR value LIKE 'nextval(%' THEN 'counted' ELSE value END
  FROM columns WHERE attgenerated = '' AND (attidentity <> '' OR value IS NOT NULL)
  UNION ALL
  SELECT 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
  FROM tables t JOIN pg_index i ON i.indrelid = t.oid
  WHERE i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
  UNION ALL
  SELECT 'key', t.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
  FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('p', 'u', 'f')
  ORDER BY 2, 1`;

async function readCatalog(client: Client): Promise<Catalog> {
  const { rows } = await client.query<{ kind: string; name: string; definition: string }>(catalogQuery);
  return new Map(rows.map(({ kind, name, definition }) => [`${kind} ${name}`, definition]));
}

/** One line per difference. Throws when there was nothing to compare. */
function compare(made: Catalog, said: Catalog): string[] {
  if (made.size === 0 || said.size === 0) throw new Error('One of the two databases is empty: the check is broken.');
  const things = new Set([...said.keys(), ...made.keys()]);
  return [...things]
    .filter((thing) => made.get(thing) !== said.get(thing))
    .map((thing) => {
      const [inSchema, inMigrations] = [said.get(thing) ?? 'nothing', made.get(thing) ?? 'nothing'];
      return `${thing}\n    the schema says       ${inSchema}\n    the migrations make   ${inMigrations}`;
    });
}

function report(differences: readonly string[]): void {
  if (differences.length === 0) {
    process.stdout.write('schema: the migrations make what prisma/schema.prisma says\n');
    return;
  }
  process.stderr.write(`The migrations do not make what prisma/schema.prisma says:\n  ${differences.join('\n  ')}\n`);
  process.stderr.write('Add a migration, or correct the schema. Applied migrations are never changed.\n');
  process.exitCode = 1;
}

async function withClient<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The server lives in a process group of its own: an interrupted check must not leave it behind. */
function stopWithoutLeftovers(server: SupervisedChild): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      server.kill();
      process.exit(1);
    });
  }
}

await main();
// The engine has a timer of ten seconds left, which nobody waits for.
process.exit();
