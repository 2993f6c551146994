import { randomUUID } from 'node:crypto';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { Prisma } from './generated/client.ts';
import type { Page } from './page.ts';

/** One call of the API, as the log keeps it. Texts and data have passed an allow-list: no secret, mail or name is in them. */
export interface LoggedCall {
  readonly correlationId: string;
  readonly action: string;
  readonly resourceType: string | null;
  readonly resourceId: string | null;
  readonly merchantId: string | null;
  readonly isTest: boolean | null;
  /** The actor; null: nobody was known. */
  readonly userId: string | null;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  readonly requestData: Readonly<Record<string, unknown>>;
  readonly responseData: Readonly<Record<string, unknown>>;
  readonly statusCode: number | null;
  readonly durationMs: number;
  readonly createdAt: Date;
}

/** Who does something, by which request or command, and when. */
export interface ActBy {
  readonly actor: string;
  readonly correlationId: string;
  readonly at: Date;
}

/** The same where who does it is the one whom the thing belongs to: read with the thing. */
export type ActByOwner = Omit<ActBy, 'actor'>;

/** Something that changed who may do what. */
export interface AdministrativeAct extends ActBy {
  /** `thing.done`: `api_key.revoked`, `user.invited`. */
  readonly action: string;
  readonly resourceType: 'api_key' | 'operator_key' | 'user' | 'merchant' | 'customer' | 'session';
  readonly resourceId: string;
  readonly merchantId: string | null;
  readonly isTest: boolean | null;
  /** What changed, in the wire's words: names of permissions, roles, states and numbers; nothing that names a person. */
  readonly changes: Readonly<Record<string, unknown>>;
}

/** What the product does by itself. */
export function bySystem(at: Date): ActBy {
  return { actor: 'system', correlationId: randomUUID(), at };
}

const atCommandLine = 'cli';

/** What somebody does with `npm run admin`. */
export function byCommand(at: Date): ActBy {
  return { actor: atCommandLine, correlationId: randomUUID(), at };
}

/** Writes an act down, in the transaction that does it. */
export async function logAct(tx: Prisma.TransactionClient, act: AdministrativeAct): Promise<void> {
  await tx.auditLog.create({
    data: {
      id: `log_${randomUUID()}`,
      correlationId: act.correlationId,
      serviceName: act.actor === atCommandLine ? 'admin' : 'api',
      action: act.action,
      resourceType: act.resourceType,
      resourceId: act.resourceId,
      merchantId: act.merchantId,
      isTest: act.isTest,
      userId: act.actor,
      requestData: { ...act.changes } as Prisma.InputJsonObject,
      createdAt: act.at,
    },
  });
}

/** A call with the id of its row, so that writing it twice stores it once. */
export interface StoredCall extends LoggedCall {
  readonly id: string;
}

const storeAll = {
  name: 'store_calls',
  text: `
    INSERT INTO audit_logs (
      id, correlation_id, service_name, action, resource_type, resource_id, merchant_id, is_test, user_id, ip_address,
      user_agent, request_data, response_data, status_code, duration_ms, created_at)
    SELECT c.id, c.correlation_id, 'api', c.action, c.resource_type, c.resource_id, c.merchant_id, c.is_test, c.user_id,
      c.ip_address, c.user_agent, c.request_data, c.response_data, c.status_code, c.duration_ms, c.created_at
    FROM jsonb_to_recordset($1::jsonb) AS c (
      id text, correlation_id text, action text, resource_type text, resource_id text, merchant_id text, is_test boolean,
      user_id text, ip_address inet, user_agent text, request_data jsonb, response_data jsonb, status_code integer,
      duration_ms integer, created_at timestamptz)
    ON CONFLICT DO NOTHING`,
};

/** Writes calls down in one statement; those that are there already stay as they are. */
export async function storeCalls(db: Database, calls: readonly StoredCall[]): Promise<void> {
  const rows = calls.map((call) => ({
    id: call.id,
    correlation_id: call.correlationId,
    action: call.action,
    resource_type: call.resourceType,
    resource_id: call.resourceId,
    merchant_id: call.merchantId,
    is_test: call.isTest,
    user_id: call.userId,
    ip_address: call.ipAddress,
    user_agent: call.userAgent,
    request_data: call.requestData,
    response_data: call.responseData,
    status_code: call.statusCode,
    duration_ms: call.durationMs,
    created_at: call.createdAt.toISOString(),
  }));
  await run(db, storeAll, [JSON.stringify(rows)]);
}

/** A row of the log: a call, or an administrative act. */
export interface AuditLogRow {
  readonly id: string;
  readonly correlation_id: string;
  readonly service_name: string;
  readonly action: string;
  readonly resource_type: string | null;
  readonly resource_id: string | null;
  readonly merchant_id: string | null;
  readonly is_test: boolean | null;
  readonly user_id: string | null;
  readonly ip_address: string | null;
  readonly user_agent: string | null;
  readonly request_data: Readonly<Record<string, unknown>>;
  readonly response_data: Readonly<Record<string, unknown>>;
  readonly status_code: number | null;
  readonly duration_ms: number | null;
  readonly created_at: Date;
}

const columns = `
  a.id, a.correlation_id, a.service_name, a.action, a.resource_type, a.resource_id, a.merchant_id, a.is_test, a.user_id,
  host(a.ip_address) AS ip_address, a.user_agent, a.request_data, a.response_data, a.status_code, a.duration_ms,
  a.created_at`;

/** Which rows; what is absent does not count. */
export interface AuditLogFilters {
  readonly merchantId?: string | undefined;
  readonly userId?: string | undefined;
  readonly action?: string | undefined;
  readonly resourceType?: string | undefined;
  readonly resourceId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly statusCode?: number | undefined;
  /** ISO 8601: from then on. */
  readonly createdFrom?: string | undefined;
  /** ISO 8601: before then. */
  readonly createdTo?: string | undefined;
}

const conditions: Conditions<AuditLogFilters> = {
  merchantId: (mark) => `a.merchant_id = ${mark}`,
  userId: (mark) => `a.user_id = ${mark}`,
  action: (mark) => `a.action = ${mark}`,
  resourceType: (mark) => `a.resource_type = ${mark}`,
  resourceId: (mark) => `a.resource_id = ${mark}`,
  correlationId: (mark) => `a.correlation_id = ${mark}`,
  statusCode: (mark) => `a.status_code = ${mark}`,
  createdFrom: (mark) => `a.created_at >= ${mark}::timestamptz`,
  createdTo: (mark) => `a.created_at < ${mark}::timestamptz`,
};

/** Rows of every merchant and of none, newest first, those behind `after` only, at most `limit`. */
export async function findAuditLogs(db: Database, filters: AuditLogFilters, page: Page): Promise<AuditLogRow[]> {
  const own = [page.limit, ...(page.after ?? [])];
  const where = filtered(conditions, filters, own.length);
  const behind = page.after === null ? 'true' : '(a.created_at, a.id) < ($2::timestamptz, $3)';
  const statement = {
    name: `list_audit_logs_${page.after === null ? 'first' : 'next'}_${where.name}`,
    text: `
      SELECT ${columns} FROM audit_logs a
      WHERE ${behind}${where.sql} ORDER BY a.created_at DESC, a.id DESC LIMIT $1`,
  };
  return run<AuditLogRow>(db, statement, [...own, ...where.values]);
}
