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

/** The limits of processes that serve payments: below the time-outs of the activities and requests that wait for them. */
export const serviceLimits = { connectTimeoutMs: 2_000, statementTimeoutMs: 3_000 };

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

/** Classes of SQLSTATE for trouble that passes: connections, resources, operators' interventions, locks and deadlocks. */
const passingClasses = new Set(['08', '53', '57', '58', '55', '40']);

/** What the system says of a name that is not found, a host without a route, and a connection that is refused or lost. */
const unreachableCode =
  /^(ENOTFOUND|EAI_[A-Z]+|ECONN(REFUSED|RESET|ABORTED)|ETIMEDOUT|E(HOST|NET)(UNREACH|DOWN)|EADDRNOTAVAIL|EPIPE|ENOENT|EMFILE)$/;

/** Prisma's own: it could not connect, its pool gave no connection in time, or no transaction could be begun. */
const prismaCode = /^(P1\d{3}|P2024|P2028)$/;

/** Whether the database did not answer, or refused for a reason that passes, as opposed to refusing what it was told. */
export function isDatabaseAway(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== null) return passingClasses.has(state.slice(0, 2));
  if (!(error instanceof Error)) return false;
  // A name with several addresses fails with an error whose code says why, and whose message is empty.
  const code = 'code' in error ? String(error.code) : '';
  if (unreachableCode.test(code) || prismaCode.test(code)) return true;
  // node-postgres names its own time-outs and lost connections only by message.
  return error.name === 'PrismaClientInitializationError' || /timeout|terminated|connection/i.test(error.message);
}

/** The SQLSTATE of a database error, or null for any other error. */
export function sqlStateOf(error: unknown): string | null {
  return error instanceof pg.DatabaseError && error.code !== undefined ? error.code : null;
}
