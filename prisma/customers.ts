import { isEnded, subscriptionStatuses } from '../workflows/domain/subscription-status.ts';
import { type ActBy, logAct } from './audit-logs.ts';
import { blankStagedRows } from './batch-rows.ts';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { Prisma } from './generated/client.ts';
import type { Page } from './page.ts';
import type { MerchantScope } from './payments.ts';
import { auditOutcomes } from './transitions.ts';

/** A customer as the row has it. Blanked: without contact data, for ever. */
export interface CustomerRow {
  readonly id: string;
  readonly is_test: boolean;
  readonly request_hash: string;
  readonly status: 'active' | 'blanked';
  readonly external_id: string | null;
  readonly email: string | null;
  readonly name: string | null;
  readonly phone: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly blanked_at: Date | null;
  readonly test_clock_id: string | null;
  /** What that clock shows; null: the customer goes by the real time. */
  readonly clock_now: Date | null;
}

const columns = `
  c.id, c.is_test, c.request_hash, c.status, c.external_id, c.email, c.name, c.phone, c.metadata, c.created_at, c.updated_at,
  c.blanked_at, c.test_clock_id, (SELECT t.now FROM test_clocks t WHERE t.id = c.test_clock_id) AS clock_now`;

/** A customer to make. */
export interface NewCustomer {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly externalId: string | null;
  readonly email: string | null;
  readonly name: string | null;
  readonly phone: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** For good; null: the customer goes by the real time. */
  readonly testClockId: string | null;
  /** ISO 8601. */
  readonly now: string;
}

/**
 * `existing`: this id has a row already, perhaps of another request. `external_id_taken`: nothing was stored, as another
 * customer of the merchant has the external id. `no_test_clock`: nor was it here, as the merchant has no such clock.
 */
export type MadeCustomer =
  | { readonly kind: 'made' | 'existing'; readonly customer: CustomerRow }
  | { readonly kind: 'external_id_taken' }
  | { readonly kind: 'no_test_clock' };

const insert = {
  name: 'insert_customer',
  text: `
    INSERT INTO customers AS c (
      id, merchant_id, is_test, idempotency_key, request_hash, external_id, email, name, phone, metadata, created_at, updated_at,
      test_clock_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, $11, $12)
    ON CONFLICT DO NOTHING RETURNING ${columns}`,
};

/** Makes a customer of this merchant in this mode, unless the id or the external id is there already. */
export async function makeCustomer(db: Database, scope: MerchantScope, customer: NewCustomer): Promise<MadeCustomer> {
  if (customer.testClockId !== null && !(await hasTestClock(db, scope, customer.testClockId)))
    return { kind: 'no_test_clock' };
  const [made] = await run<CustomerRow>(db, insert, [
    customer.id,
    scope.merchantId,
    scope.isTest,
    customer.idempotencyKey,
    customer.requestHash,
    customer.externalId,
    customer.email,
    customer.name,
    customer.phone,
    JSON.stringify(customer.metadata),
    customer.now,
    customer.testClockId,
  ]);
  if (made !== undefined) return { kind: 'made', customer: made };
  const existing = await findCustomer(db, scope, customer.id);
  return existing === null ? { kind: 'external_id_taken' } : { kind: 'existing', customer: existing };
}

/** Clocks are never taken away: what is there now is there when the customer is stored. */
async function hasTestClock(db: Database, { merchantId, isTest }: MerchantScope, clockId: string): Promise<boolean> {
  return (await db.prisma.testClock.count({ where: { id: clockId, merchantId, isTest } })) > 0;
}

const select = {
  name: 'select_customer',
  text: `SELECT ${columns} FROM customers c WHERE c.merchant_id = $1 AND c.is_test = $2 AND c.id = $3`,
};

/** A customer of this merchant in this mode, or null. */
export async function findCustomer(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  customerId: string,
): Promise<CustomerRow | null> {
  const [row] = await run<CustomerRow>(db, select, [merchantId, isTest, customerId]);
  return row ?? null;
}

const selectSome = {
  name: 'select_customers',
  text: `SELECT ${columns} FROM customers c WHERE c.merchant_id = $1 AND c.is_test = $2 AND c.id = ANY ($3)`,
};

/** Those of the customers with these ids that this merchant has in this mode, by id. */
export async function findCustomersById(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  ids: readonly string[],
): Promise<ReadonlyMap<string, CustomerRow>> {
  const rows = ids.length === 0 ? [] : await run<CustomerRow>(db, selectSome, [merchantId, isTest, ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** Which customers; what is absent does not count. */
export interface CustomerFilters {
  readonly status?: CustomerRow['status'] | undefined;
  readonly externalId?: string | undefined;
  /** The very address. */
  readonly email?: string | undefined;
}

const conditions: Conditions<CustomerFilters> = {
  status: (mark) => `c.status = ${mark}`,
  externalId: (mark) => `c.external_id = ${mark}`,
  email: (mark) => `c.email = ${mark}`,
};

/** Customers of this merchant in this mode, newest first, those behind `after` only, at most `limit`. */
export async function findCustomers(
  db: Database,
  scope: MerchantScope,
  filters: CustomerFilters,
  page: Page,
): Promise<CustomerRow[]> {
  const own = [scope.merchantId, scope.isTest, page.limit, ...(page.after ?? [])];
  const where = filtered(conditions, filters, own.length);
  const behind = page.after === null ? '' : ' AND (c.created_at, c.id) < ($4::timestamptz, $5)';
  const statement = {
    name: `list_customers_${page.after === null ? 'first' : 'next'}_${where.name}`,
    text: `
      SELECT ${columns} FROM customers c
      WHERE c.merchant_id = $1 AND c.is_test = $2${behind}${where.sql}
      ORDER BY c.created_at DESC, c.id DESC LIMIT $3`,
  };
  return run<CustomerRow>(db, statement, [...own, ...where.values]);
}

/** What can be changed of a customer. An absent member stays as it is, null removes it. */
export interface CustomerChanges {
  readonly email?: string | null | undefined;
  readonly name?: string | null | undefined;
  readonly phone?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, string>> | null | undefined;
}

/** `old` takes the row's lock first, so that what is compared is what is changed, and a blanked row is seen as one. */
const update = {
  name: 'update_customer',
  text: `
    WITH old AS (
      SELECT * FROM customers WHERE merchant_id = $1 AND is_test = $2 AND id = $3 FOR NO KEY UPDATE
    ), new AS (
      SELECT
        CASE WHEN 'email' = ANY($4::text[]) THEN $5 ELSE email END AS email,
        CASE WHEN 'name' = ANY($4) THEN $6 ELSE name END AS name,
        CASE WHEN 'phone' = ANY($4) THEN $7 ELSE phone END AS phone,
        CASE WHEN 'metadata' = ANY($4) THEN $8::jsonb ELSE metadata END AS metadata
      FROM old WHERE status = 'active'
    ), c AS (
      UPDATE customers SET
        email = new.email, name = new.name, phone = new.phone, metadata = new.metadata,
        updated_at = greatest(customers.updated_at, $9::timestamptz)
      FROM old, new
      WHERE customers.id = old.id
        AND (new.email, new.name, new.phone, new.metadata) IS DISTINCT FROM (old.email, old.name, old.phone, old.metadata)
      RETURNING customers.*
    )
    SELECT ${columns} FROM c
    UNION ALL
    SELECT ${columns} FROM old c WHERE NOT EXISTS (SELECT FROM c)`,
};

/**
 * Writes the changes. The same ones again change nothing, and none changes a blanked customer: it is returned as it is. Null:
 * there is none.
 */
export async function changeCustomer(
  db: Database,
  scope: MerchantScope,
  customerId: string,
  changes: CustomerChanges,
  now: string,
): Promise<CustomerRow | null> {
  const [row] = await run<CustomerRow>(db, update, [
    scope.merchantId,
    scope.isTest,
    customerId,
    Object.keys(changes),
    changes.email ?? null,
    changes.name ?? null,
    changes.phone ?? null,
    JSON.stringify(changes.metadata ?? {}),
    now,
  ]);
  return row ?? null;
}

/** Who has a customer blanked, with the client's address. */
type BlankedBy = ActBy & { readonly origin: string };

/** Of one customer's payments at a time: a statement must end within its time-out. */
const paymentsPerStep = 1_000;
const blankTimeoutMs = 60_000;

/**
 * Removes a customer's contact data and metadata, and the e-mail address and name on all of its payments, whatever their
 * state, and on rows of batches that wait, in one transaction: with an entry in the audit trail of each payment that had any, and one in the log. Again, it
 * changes nothing, but for payments that were given a name or an address since. Returns the row as it is then; null: there
 * is none; `has_subscriptions`: nothing is removed, as one of its subscriptions goes on.
 */
export async function blankCustomer(
  db: Database,
  scope: MerchantScope,
  customerId: string,
  by: BlankedBy,
): Promise<CustomerRow | 'has_subscriptions' | null> {
  const { merchantId, isTest } = scope;
  const { actor, correlationId, at } = by;
  const blanked = await db.prisma.$transaction(
    async (tx) => {
      // The lock that new payments and subscriptions of this customer wait for: what was stored before is seen below, and nothing after.
      const rows = await tx.$queryRaw<{ status: string }[]>`
        SELECT status FROM customers
        WHERE merchant_id = ${merchantId} AND is_test = ${isTest} AND id = ${customerId} FOR NO KEY UPDATE`;
      const [found] = rows;
      if (found === undefined) return null;
      const isNew = found.status === 'active';
      if (isNew && (await hasSubscriptions(tx, scope, customerId))) return 'has_subscriptions';
      if (isNew) {
        // The request's hash goes with what it was made of: whoever reads it could confirm a guess.
        await tx.$executeRaw`
          UPDATE customers SET status = 'blanked', email = NULL, name = NULL, phone = NULL, metadata = '{}',
            request_hash = 'blanked', blanked_at = ${at}, updated_at = greatest(updated_at, ${at}) WHERE id = ${customerId}`;
      }
      await blankStagedRows(tx, scope, customerId);
      const payments = await blankPayments(tx, scope, customerId, by);
      if (isNew || payments > 0) {
        const about = { action: 'customer.blanked', resourceType: 'customer', resourceId: customerId } as const;
        await logAct(tx, { ...about, actor, correlationId, at, merchantId, isTest, changes: { payments } });
      }
      return 'blanked';
    },
    { timeout: blankTimeoutMs },
  );
  return blanked === 'blanked' ? findCustomer(db, scope, customerId) : blanked;
}

/** Whether one of the customer's subscriptions has not ended. */
async function hasSubscriptions(
  tx: Prisma.TransactionClient,
  { merchantId, isTest }: MerchantScope,
  customerId: string,
): Promise<boolean> {
  const ended = subscriptionStatuses.filter(isEnded);
  const where = { merchantId, isTest, customerId, status: { notIn: ended } };
  return (await tx.subscription.findFirst({ where, select: { id: true } })) !== null;
}

/** How many of the customer's payments had an e-mail address or a name. */
async function blankPayments(
  tx: Prisma.TransactionClient,
  { merchantId, isTest }: MerchantScope,
  customerId: string,
  { actor, origin, correlationId, at }: BlankedBy,
): Promise<number> {
  const outcomes = JSON.stringify(auditOutcomes);
  let blanked = 0;
  for (let step = 1; step > 0; blanked += step) {
    step = await tx.$executeRaw`
      WITH old AS (
        SELECT id, array_remove(ARRAY[
          CASE WHEN customer_email IS NOT NULL THEN 'customer_email' END,
          CASE WHEN customer_name IS NOT NULL THEN 'customer_name' END], NULL) AS fields
        FROM payments
        WHERE merchant_id = ${merchantId} AND is_test = ${isTest} AND customer_id = ${customerId}
          AND (customer_email IS NOT NULL OR customer_name IS NOT NULL)
        LIMIT ${paymentsPerStep} FOR NO KEY UPDATE
      ), p AS (
        UPDATE payments SET customer_email = NULL, customer_name = NULL, updated_at = greatest(payments.updated_at, ${at}::timestamptz)
        FROM old WHERE payments.id = old.id
        RETURNING payments.*, old.fields
      )
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, processor, correlation_id, details, created_at)
      SELECT 'aud_' || replace(gen_random_uuid()::text, '-', ''), NULL, p.merchant_id, p.is_test, p.id, p.id, ${actor}::text,
        ${origin}::text, 'blank_customer', p.status, p.status, ${outcomes}::jsonb ->> p.status, p.amount, p.currency, p.processor,
        ${correlationId}::text, jsonb_build_object('fields', p.fields), ${at}::timestamptz FROM p`;
  }
  return blanked;
}
