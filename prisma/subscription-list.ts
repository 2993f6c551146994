import type { Dunning } from '../workflows/domain/billing/dunning.ts';
import type { PendingChange } from '../workflows/domain/billing/subscription.ts';
import { actEventIdOf, auditIdOf } from '../workflows/domain/ids.ts';
import type { SubscriptionStatus } from '../workflows/domain/subscription-status.ts';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { Page } from './page.ts';
import type { MerchantScope } from './payments.ts';

/** What the API shows of a subscription, as the row has it. Amounts are minor units. */
export interface SubscriptionRow {
  readonly id: string;
  readonly is_test: boolean;
  readonly request_hash: string;
  readonly correlation_id: string;
  readonly external_id: string;
  readonly customer_id: string;
  readonly plan_id: string;
  readonly plan_version: number;
  readonly status: SubscriptionStatus;
  readonly quantity: number;
  /** "month", "3 months". */
  readonly billing_cycle: string;
  readonly amount: string;
  readonly currency: string;
  readonly time_zone: string;
  readonly cycles_billed: number;
  readonly cycles_total: number | null;
  readonly trial_end: Date | null;
  readonly current_period_start: Date | null;
  readonly current_period_end: Date | null;
  readonly next_billing_date: Date | null;
  /** Without the card's token, which stays in the database. */
  readonly payment_method: {
    readonly type: string;
    readonly card_exp_month: number | null;
    readonly card_exp_year: number | null;
  };
  readonly cancel_at_period_end: boolean;
  readonly cancel_refund: 'none' | 'unused';
  readonly canceled_at: Date | null;
  readonly ended_at: Date | null;
  readonly paused_at: Date | null;
  readonly resumes_at: Date | null;
  readonly pending_change: PendingChange | null;
  readonly open_invoice_id: string | null;
  readonly dunning: Dunning | null;
  readonly last_outcome: string | null;
  readonly test_clock_id: string | null;
  /** What its clock shows; null: it goes by the real time. */
  readonly clock_now: Date | null;
  /** Whether a charge is on its way. */
  readonly is_charging: boolean;
  /** Whether something is due that was not done yet. */
  readonly is_due: boolean;
  readonly description: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Of `subscriptions s` with its clock `t`, if it has one. */
const columns = `
  s.id, s.is_test, s.request_hash, s.correlation_id, s.external_id, s.customer_id, s.plan_id, s.plan_version, s.status,
  s.quantity, s.billing_cycle, s.amount::text, s.currency, s.time_zone, s.cycles_billed, s.cycles_total, s.trial_end,
  s.current_period_start, s.current_period_end, s.next_billing_date, s.payment_method - 'card_token' AS payment_method,
  s.cancel_at_period_end, s.cancel_refund, s.canceled_at, s.ended_at, s.paused_at, s.resumes_at, s.pending_change, s.open_invoice_id,
  s.dunning, s.last_outcome, s.test_clock_id, t.now AS clock_now,
  s.charge_payment_id IS NOT NULL AS is_charging, COALESCE(s.due_at <= COALESCE(t.now, now()), false) AS is_due,
  s.description, s.metadata, s.created_at, s.updated_at`;

const select = {
  name: 'select_subscription_row',
  text: `
    SELECT ${columns} FROM subscriptions s LEFT JOIN test_clocks t ON t.id = s.test_clock_id
    WHERE s.merchant_id = $1 AND s.is_test = $2 AND s.id = $3`,
};

/** A subscription of this merchant in this mode, or null. */
export async function findSubscriptionRow(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  subscriptionId: string,
): Promise<SubscriptionRow | null> {
  const [row] = await run<SubscriptionRow>(db, select, [merchantId, isTest, subscriptionId]);
  return row ?? null;
}

/** Whether a wish for it was granted; the workflow does not grant it again. */
export async function wasWishGranted(db: Database, subscriptionId: string, wishId: string): Promise<boolean> {
  const id = auditIdOf(actEventIdOf(subscriptionId, wishId));
  return (await db.prisma.paymentAuditTrail.findUnique({ where: { id }, select: { id: true } })) !== null;
}

/** Which subscriptions; what is absent does not count. */
export interface SubscriptionFilters {
  readonly statuses?: readonly SubscriptionStatus[] | undefined;
  readonly customerId?: string | undefined;
  readonly planId?: string | undefined;
  readonly externalId?: string | undefined;
  /** Instants in ISO 8601: the first included, the last not. */
  readonly nextBillingFrom?: string | undefined;
  readonly nextBillingTo?: string | undefined;
  readonly createdFrom?: string | undefined;
  readonly createdTo?: string | undefined;
}

const conditions: Conditions<SubscriptionFilters> = {
  statuses: (mark) => `s.status = ANY(${mark}::text[])`,
  customerId: (mark) => `s.customer_id = ${mark}`,
  planId: (mark) => `s.plan_id = ${mark}`,
  externalId: (mark) => `s.external_id = ${mark}`,
  nextBillingFrom: (mark) => `s.next_billing_date >= ${mark}::timestamptz`,
  nextBillingTo: (mark) => `s.next_billing_date < ${mark}::timestamptz`,
  createdFrom: (mark) => `s.created_at >= ${mark}::timestamptz`,
  createdTo: (mark) => `s.created_at < ${mark}::timestamptz`,
};

/** Subscriptions of this merchant in this mode, newest first, those behind `after` only, at most `limit`. */
export async function findSubscriptions(
  db: Database,
  scope: MerchantScope,
  filters: SubscriptionFilters,
  page: Page,
): Promise<SubscriptionRow[]> {
  const own = [scope.merchantId, scope.isTest, page.limit, ...(page.after ?? [])];
  const where = filtered(conditions, filters, own.length);
  const behind = page.after === null ? '' : ' AND (s.created_at, s.id) < ($4::timestamptz, $5)';
  const statement = {
    name: `list_subscriptions_${page.after === null ? 'first' : 'next'}_${where.name}`,
    text: `
      SELECT ${columns} FROM subscriptions s LEFT JOIN test_clocks t ON t.id = s.test_clock_id
      WHERE s.merchant_id = $1 AND s.is_test = $2${behind}${where.sql}
      ORDER BY s.created_at DESC, s.id DESC LIMIT $3`,
  };
  return run<SubscriptionRow>(db, statement, [...own, ...where.values]);
}
