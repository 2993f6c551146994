import type { PaymentStatus } from '../workflows/domain/payment-status.ts';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { Page } from './page.ts';
import { type MerchantScope, type PaymentRow, paymentColumns } from './payments.ts';

/** Which payments; what is absent does not count. */
export interface PaymentFilters {
  readonly statuses?: readonly PaymentStatus[] | undefined;
  readonly currency?: string | undefined;
  readonly customerId?: string | undefined;
  /** Of payers whom the merchant gave no customer id. */
  readonly isGuest?: boolean | undefined;
  readonly subscriptionId?: string | undefined;
  readonly externalId?: string | undefined;
  readonly processor?: string | undefined;
  /** Instants in ISO 8601: the first included, the last not. */
  readonly createdFrom?: string | undefined;
  readonly createdTo?: string | undefined;
  /** Minor units, both included: they mean something only with a currency. */
  readonly amountMin?: bigint | undefined;
  readonly amountMax?: bigint | undefined;
}

const conditions: Conditions<PaymentFilters> = {
  statuses: (mark) => `p.status = ANY(${mark}::text[])`,
  currency: (mark) => `p.currency = ${mark}`,
  customerId: (mark) => `p.customer_id = ${mark}`,
  isGuest: (mark) => `(p.customer_id IS NULL) = ${mark}::boolean`,
  externalId: (mark) => `p.external_id = ${mark}`,
  processor: (mark) => `p.processor = ${mark}`,
  createdFrom: (mark) => `p.created_at >= ${mark}::timestamptz`,
  createdTo: (mark) => `p.created_at < ${mark}::timestamptz`,
  amountMin: (mark) => `p.amount >= ${mark}::bigint`,
  amountMax: (mark) => `p.amount <= ${mark}::bigint`,
  subscriptionId: (mark) => `p.subscription_id = ${mark}`,
};

/** Payments of this merchant in this mode, newest first, those behind `after` only, at most `limit`. */
export async function findPayments(
  db: Database,
  scope: MerchantScope,
  filters: PaymentFilters,
  page: Page,
): Promise<PaymentRow[]> {
  const own = [scope.merchantId, scope.isTest, page.limit, ...(page.after ?? [])];
  const where = filtered(conditions, filters, own.length);
  const behind = page.after === null ? '' : ' AND (p.created_at, p.id) < ($4::timestamptz, $5)';
  const statement = {
    name: `list_payments_${page.after === null ? 'first' : 'next'}_${where.name}`,
    text: `
      SELECT ${paymentColumns} FROM payments p
      WHERE p.merchant_id = $1 AND p.is_test = $2${behind}${where.sql}
      ORDER BY p.created_at DESC, p.id DESC LIMIT $3`,
  };
  return run<PaymentRow>(db, statement, [...own, ...where.values]);
}
