import type { InvoiceLine, InvoiceReason } from '../workflows/domain/billing/subscription.ts';
import type { PaymentFailureCode } from '../workflows/domain/failure.ts';
import type { InvoiceStatus } from '../workflows/domain/subscription-status.ts';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { Page } from './page.ts';
import type { MerchantScope } from './payments.ts';

/** An invoice's row as the API shows it. Amounts and the number are strings; amounts are minor units. */
export interface InvoiceRow {
  readonly id: string;
  readonly number: string;
  readonly subscription_id: string;
  readonly customer_id: string;
  readonly reason: InvoiceReason;
  readonly cycle: number | null;
  readonly status: InvoiceStatus;
  readonly amount: string;
  readonly currency: string;
  readonly period_start: Date;
  readonly period_end: Date;
  readonly lines: readonly InvoiceLine[];
  readonly payment_id: string | null;
  readonly attempts: number;
  readonly next_attempt_at: Date | null;
  readonly failure_code: PaymentFailureCode | null;
  readonly refund_due_amount: string;
  readonly issued_at: Date;
  readonly paid_at: Date | null;
  readonly closed_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly is_test: boolean;
}

const columns = `
  i.id, i.number::text, i.subscription_id, i.customer_id, i.reason, i.cycle, i.status, i.amount::text, i.currency,
  i.period_start, i.period_end, i.lines, i.payment_id, i.attempts, i.next_attempt_at, i.failure_code,
  i.refund_due_amount::text, i.issued_at, i.paid_at, i.closed_at, i.created_at, i.updated_at, i.is_test`;

const select = {
  name: 'select_invoice',
  text: `SELECT ${columns} FROM invoices i WHERE i.merchant_id = $1 AND i.is_test = $2 AND i.id = $3`,
};

/** An invoice of this merchant in this mode, or null. */
export async function findInvoice(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  invoiceId: string,
): Promise<InvoiceRow | null> {
  const [row] = await run<InvoiceRow>(db, select, [merchantId, isTest, invoiceId]);
  return row ?? null;
}

/** An invoice with what its page shows besides: who sells and, as far as it is known today, who buys. */
export interface InvoicePageRow extends InvoiceRow {
  readonly merchant_name: string;
  /** Null: the customer is none of ours, has none, or was blanked. */
  readonly customer_name: string | null;
  readonly customer_email: string | null;
  /** Of the subscription: its dates are those of these clocks. */
  readonly time_zone: string;
}

const selectPage = {
  name: 'select_invoice_page',
  text: `
    SELECT ${columns}, m.name AS merchant_name, c.name AS customer_name, c.email AS customer_email, s.time_zone
    FROM invoices i
    JOIN merchants m ON m.id = i.merchant_id
    JOIN subscriptions s ON s.id = i.subscription_id
    LEFT JOIN customers c ON c.id = i.customer_id AND c.merchant_id = i.merchant_id AND c.is_test = i.is_test
    WHERE i.merchant_id = $1 AND i.is_test = $2 AND i.id = $3`,
};

/** The same for the page of an invoice. */
export async function findInvoicePage(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  invoiceId: string,
): Promise<InvoicePageRow | null> {
  const [row] = await run<InvoicePageRow>(db, selectPage, [merchantId, isTest, invoiceId]);
  return row ?? null;
}

/** Which invoices; what is absent does not count. */
export interface InvoiceFilters {
  readonly subscriptionId?: string | undefined;
  readonly customerId?: string | undefined;
  readonly statuses?: readonly InvoiceStatus[] | undefined;
  /** Instants in ISO 8601: the first included, the last not. */
  readonly createdFrom?: string | undefined;
  readonly createdTo?: string | undefined;
}

const conditions: Conditions<InvoiceFilters> = {
  subscriptionId: (mark) => `i.subscription_id = ${mark}`,
  customerId: (mark) => `i.customer_id = ${mark}`,
  statuses: (mark) => `i.status = ANY(${mark}::text[])`,
  createdFrom: (mark) => `i.created_at >= ${mark}::timestamptz`,
  createdTo: (mark) => `i.created_at < ${mark}::timestamptz`,
};

/** Invoices of this merchant in this mode, newest first, those behind `after` only, at most `limit`. */
export async function findInvoices(
  db: Database,
  scope: MerchantScope,
  filters: InvoiceFilters,
  page: Page,
): Promise<InvoiceRow[]> {
  const own = [scope.merchantId, scope.isTest, page.limit, ...(page.after ?? [])];
  const where = filtered(conditions, filters, own.length);
  const behind = page.after === null ? '' : ' AND (i.created_at, i.id) < ($4::timestamptz, $5)';
  const statement = {
    name: `list_invoices_${page.after === null ? 'first' : 'next'}_${where.name}`,
    text: `
      SELECT ${columns} FROM invoices i
      WHERE i.merchant_id = $1 AND i.is_test = $2${behind}${where.sql}
      ORDER BY i.created_at DESC, i.id DESC LIMIT $3`,
  };
  return run<InvoiceRow>(db, statement, [...own, ...where.values]);
}
