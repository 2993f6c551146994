import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from './generated/client.ts';

/** One pool of connections with two faces: named SQL statements for the hot path, Prisma Client for everything else. */
export interface Database {
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  close(): Promise<void>;
}

/** Limits of a pool; each is there so that a sick database fails a call instead of hanging it. */
export interface DatabaseOptions {
  readonly url: string;
  readonly connectionsMax: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
}

/** Opens a pool; connections are made when they are needed, so a database that is down does not stop a process. */
export function openDatabase(options: DatabaseOptions, onIdleError: (error: Error) => void): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connectionsMax,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.statementTimeoutMs + 500,
    idle_in_transaction_session_timeout: options.statementTimeoutMs * 2,
    keepAlive: true,
  });
  pool.on('error', onIdleError); // without a listener a connection lost while idle would end the process
  const adapter = new PrismaPg(pool, { statementNameGenerator: (query) => statementName(query.sql) });
  const prisma = new PrismaClient({ adapter });
  return {
    pool,
    prisma,
    async close() {
      await prisma.$disconnect();
      if (!pool.ended) await pool.end();
    },
  };
}

/** A statement that Postgres parses once per connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Runs a named statement. Rows come back as the caller declares them: it owns the column list. */
export async function run<Row extends pg.QueryResultRow>(
  db: Database,
  statement: Statement,
  values: readonly unknown[],
): Promise<Row[]> {
  const result = await db.pool.query<Row>({ name: statement.name, text: statement.text, values: [...values] });
  return result.rows;
}

const names = new Map<string, string>();

/** Prisma's statements are few and repeat: number them in the order in which they first appear. */
function statementName(sql: string): string {
  let name = names.get(sql);
  if (name === undefined) {
    name = `prisma_${names.size}`;
    names.set(sql, name);
  }
  return name;
}

/** The SQLSTATE of a database error, or null for any other error. */
export function sqlStateOf(error: unknown): string | null {
  return error instanceof pg.DatabaseError && error.code !== undefined ? error.code : null;
}
