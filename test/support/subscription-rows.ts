import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { base32 } from '../../workflows/domain/ids.ts';

const anId = (prefix: string) => `${prefix}_${base32(randomBytes(17), 130)}`;

type Columns = Readonly<Record<string, unknown>>;

/** A database whose owner puts rows where the product would write them. */
interface Admin {
  readonly admin: pg.Pool;
}

async function insert({ admin }: Admin, table: string, row: Columns): Promise<void> {
  const names = Object.keys(row);
  const marks = names.map((_, index) => `$${index + 1}`);
  await admin.query(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${marks.join(', ')})`, Object.values(row));
}

const since = new Date('2026-01-31T10:00:00Z');
const until = new Date('2026-02-28T10:00:00Z');

/** A plan of 25.99 USD every month, straight from SQL; the merchant must exist. Returns its id. */
export async function insertPlan(database: Admin, columns: Columns = {}): Promise<string> {
  const { merchant_id = 'mer_1', is_test = true } = columns;
  const id = anId('pln');
  const now = new Date();
  const of = { merchant_id, is_test, idempotency_key: id, request_hash: 'h' };
  await insert(database, 'plans', { ...of, id, name: 'Tea', created_at: now, updated_at: now, ...columns });
  const length = { interval_unit: 'month', interval_count: 1, created_at: now };
  await insert(database, 'plan_versions', { plan_id: id, version: 1, amount: 2599, currency: 'USD', ...length });
  return id;
}

/**
 * A subscription to a plan of its own, 25.99 USD every month, straight from SQL: nothing is due of it, and nobody looks after
 * it. The merchant must exist. Returns its id.
 */
export async function insertSubscription(database: Admin, columns: Columns = {}): Promise<string> {
  const { merchant_id = 'mer_1', is_test = true } = columns;
  const of = { merchant_id, is_test };
  const id = anId('sub');
  const now = new Date();
  await insert(database, 'subscriptions', {
    ...of,
    id,
    request_hash: 'h',
    created_at: now,
    updated_at: now,
    idempotency_key: id,
    external_id: id,
    correlation_id: 'c',
    customer_id: 'customer-1',
    plan_id: columns['plan_id'] ?? (await insertPlan(database, of)),
    plan_version: 1,
    billing_cycle: 'month',
    amount: 2599,
    currency: 'USD',
    anchor: since,
    payment_method: { type: 'credit_card', card_token: 'tok', card_exp_month: null, card_exp_year: null },
    ...columns,
  });
  return id;
}

/** What an invoice of a test has beside its columns. */
interface InvoiceColumns extends Columns {
  readonly subscription_id?: string;
  /** How it ended, where it did. */
  readonly status?: 'open' | 'paid' | 'uncollectible' | 'void';
}

/** An invoice with the next number, of a subscription of its own unless one is named, straight from SQL. Returns its id. */
export async function insertInvoice(database: Admin, columns: InvoiceColumns = {}): Promise<string> {
  const { merchant_id = 'mer_1', is_test = true, customer_id = 'customer-1', status = 'open', ...given } = columns;
  const of = { merchant_id, is_test, customer_id };
  const id = anId('inv');
  const now = new Date();
  const { rows } = await database.admin.query<{ number: string }>(
    `INSERT INTO invoice_counters AS c (merchant_id, is_test, last_number) VALUES ($1, $2, 1)
     ON CONFLICT (merchant_id, is_test) DO UPDATE SET last_number = c.last_number + 1 RETURNING last_number AS number`,
    [merchant_id, is_test],
  );
  const period = { start: since.toISOString(), end: until.toISOString() };
  await insert(database, 'invoices', {
    ...of,
    id,
    number: rows[0]?.number,
    subscription_id: given.subscription_id ?? (await insertSubscription(database, of)),
    reason: 'period',
    cycle: 1,
    amount: 2599,
    currency: 'USD',
    period_start: since,
    period_end: until,
    lines: JSON.stringify([{ kind: 'plan', description: 'Tea', quantity: 1, amountMinor: '2599', period }]),
    issued_at: now,
    created_at: now,
    updated_at: now,
    ...given,
  });
  if (status !== 'open') await closeInvoice(database, id, status);
  return id;
}

/** Ends an invoice. */
export async function closeInvoice({ admin }: Admin, id: string, status: string): Promise<void> {
  await admin.query(
    `UPDATE invoices SET status = $2, version = version + 1, closed_at = now(), paid_at = CASE WHEN $2 = 'paid' THEN now() END
     WHERE id = $1`,
    [id, status],
  );
}

/** An event of an invoice or of a subscription as it is now; the database queues its deliveries. Returns the event's id. */
export async function insertSubscriptionEvent({ admin }: Admin, type: string, objectId: string): Promise<string> {
  const id = anId('evt');
  const [table, data] = type.startsWith('invoice.')
    ? ['invoices', 'invoice_event_data']
    : ['subscriptions', 'subscription_event_data'];
  await admin.query(
    `INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, correlation_id, created_at)
     SELECT $1, o.merchant_id, o.is_test, $2, o.id, COALESCE((SELECT max(sequence) FROM events WHERE object_id = o.id), 0) + 1,
       ${data}(o), 'req_1', now() FROM ${table} o WHERE o.id = $3`,
    [id, type, objectId],
  );
  return id;
}
