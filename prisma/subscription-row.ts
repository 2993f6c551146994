import type { IntervalUnit } from '../workflows/domain/billing/calendar.ts';
import type { Dunning } from '../workflows/domain/billing/dunning.ts';
import {
  billingCycleText,
  type Invoice,
  type InvoiceLine,
  type InvoiceReason,
  type PendingChange,
  type PlanTerms,
  type RefundDue,
  type ResumeAnchor,
  type Subscription,
  type SubscriptionPaymentMethod,
} from '../workflows/domain/billing/subscription.ts';
import type { PaymentFailureCode } from '../workflows/domain/failure.ts';
import type { InvoiceStatus, SubscriptionStatus } from '../workflows/domain/subscription-status.ts';

/** A payment method as rows and the wire have it. */
export interface PaymentMethodJson {
  readonly type: 'credit_card' | 'paypal';
  readonly card_token: string;
  readonly card_exp_month: number | null;
  readonly card_exp_year: number | null;
}

/** A row of `subscriptions` as JSON: instants are texts, and the amount is one, because JSON's numbers are not exact. */
export interface SubscriptionJson {
  readonly id: string;
  readonly merchant_id: string;
  readonly is_test: boolean;
  readonly external_id: string;
  readonly correlation_id: string;
  readonly request_hash: string;
  readonly version: number;
  readonly customer_id: string;
  readonly plan_id: string;
  readonly plan_version: number;
  readonly status: SubscriptionStatus;
  readonly quantity: number;
  readonly amount: string;
  readonly currency: string;
  readonly time_zone: string;
  readonly anchor: string;
  readonly anchor_index: number;
  readonly cycles_billed: number;
  readonly cycles_total: number | null;
  readonly trial_end: string | null;
  readonly current_period_start: string | null;
  readonly current_period_end: string | null;
  readonly next_billing_date: string | null;
  readonly owes_sign_up_fee: boolean;
  readonly payment_method: PaymentMethodJson;
  readonly is_payment_method_new: boolean;
  readonly card_notice_at: string | null;
  readonly description: string | null;
  readonly pending_change: PendingChange | null;
  readonly cancel_at_period_end: boolean;
  readonly cancel_refund: 'none' | 'unused';
  readonly canceled_at: string | null;
  readonly ended_at: string | null;
  readonly paused_at: string | null;
  readonly resumes_at: string | null;
  readonly resume_anchor: ResumeAnchor;
  readonly stood_still_ms: number;
  readonly open_invoice_id: string | null;
  readonly charge_payment_id: string | null;
  readonly refunds_due: readonly RefundDue[];
  readonly dunning: Dunning | null;
  readonly last_outcome: string | null;
  readonly test_clock_id: string | null;
  readonly created_at: string;
}

/** The row as the rules know it; the length of its periods is its plan's. */
export function subscriptionOf(row: SubscriptionJson, plan: PlanTerms): Subscription {
  return {
    id: row.id,
    merchantId: row.merchant_id,
    isTest: row.is_test,
    customerId: row.customer_id,
    planId: row.plan_id,
    planVersion: row.plan_version,
    status: row.status,
    quantity: row.quantity,
    interval: plan.interval,
    amountMinor: BigInt(row.amount),
    currency: row.currency,
    timeZone: row.time_zone,
    anchor: new Date(row.anchor),
    anchorIndex: row.anchor_index,
    cyclesBilled: row.cycles_billed,
    cyclesTotal: row.cycles_total,
    trialEnd: instant(row.trial_end),
    currentPeriodStart: instant(row.current_period_start),
    currentPeriodEnd: instant(row.current_period_end),
    nextBillingDate: instant(row.next_billing_date),
    owesSignUpFee: row.owes_sign_up_fee,
    paymentMethod: paymentMethodOf(row.payment_method),
    isPaymentMethodNew: row.is_payment_method_new,
    cardNoticeAt: instant(row.card_notice_at),
    pendingChange: row.pending_change,
    cancelAtPeriodEnd: row.cancel_at_period_end,
    cancelRefund: row.cancel_refund,
    canceledAt: instant(row.canceled_at),
    endedAt: instant(row.ended_at),
    pausedAt: instant(row.paused_at),
    resumesAt: instant(row.resumes_at),
    resumeAnchor: row.resume_anchor,
    stoodStillMs: row.stood_still_ms,
    openInvoiceId: row.open_invoice_id,
    chargePaymentId: row.charge_payment_id,
    refundsDue: row.refunds_due,
    dunning: row.dunning,
    lastOutcome: row.last_outcome,
    createdAt: new Date(row.created_at),
  };
}

/** The columns that steps change. */
export const changingColumns = [
  'plan_id',
  'plan_version',
  'status',
  'quantity',
  'billing_cycle',
  'amount',
  'anchor',
  'anchor_index',
  'cycles_billed',
  'cycles_total',
  'trial_end',
  'current_period_start',
  'current_period_end',
  'next_billing_date',
  'owes_sign_up_fee',
  'payment_method',
  'is_payment_method_new',
  'card_notice_at',
  'pending_change',
  'cancel_at_period_end',
  'cancel_refund',
  'canceled_at',
  'ended_at',
  'paused_at',
  'resumes_at',
  'resume_anchor',
  'stood_still_ms',
  'open_invoice_id',
  'charge_payment_id',
  'refunds_due',
  'dunning',
  'last_outcome',
] as const;

/** What the rules decided, in the words of those columns. */
export function columnsOf(subscription: Subscription): Record<(typeof changingColumns)[number], unknown> {
  return {
    plan_id: subscription.planId,
    plan_version: subscription.planVersion,
    status: subscription.status,
    quantity: subscription.quantity,
    billing_cycle: billingCycleText(subscription.interval),
    amount: subscription.amountMinor.toString(),
    anchor: subscription.anchor,
    anchor_index: subscription.anchorIndex,
    cycles_billed: subscription.cyclesBilled,
    cycles_total: subscription.cyclesTotal,
    trial_end: subscription.trialEnd,
    current_period_start: subscription.currentPeriodStart,
    current_period_end: subscription.currentPeriodEnd,
    next_billing_date: subscription.nextBillingDate,
    owes_sign_up_fee: subscription.owesSignUpFee,
    payment_method: paymentMethodJson(subscription.paymentMethod),
    is_payment_method_new: subscription.isPaymentMethodNew,
    card_notice_at: subscription.cardNoticeAt,
    pending_change: subscription.pendingChange,
    cancel_at_period_end: subscription.cancelAtPeriodEnd,
    cancel_refund: subscription.cancelRefund,
    canceled_at: subscription.canceledAt,
    ended_at: subscription.endedAt,
    paused_at: subscription.pausedAt,
    resumes_at: subscription.resumesAt,
    resume_anchor: subscription.resumeAnchor,
    stood_still_ms: subscription.stoodStillMs,
    open_invoice_id: subscription.openInvoiceId,
    charge_payment_id: subscription.chargePaymentId,
    refunds_due: subscription.refundsDue,
    dunning: subscription.dunning,
    last_outcome: subscription.lastOutcome,
  };
}

function paymentMethodOf({
  type,
  card_token: cardToken,
  card_exp_month: month,
  card_exp_year: year,
}: PaymentMethodJson) {
  const expiry = month === null || year === null ? null : { year, month };
  return { type, cardToken, expiry } satisfies SubscriptionPaymentMethod;
}

function paymentMethodJson({ type, cardToken, expiry }: SubscriptionPaymentMethod): PaymentMethodJson {
  return {
    type,
    card_token: cardToken,
    card_exp_month: expiry?.month ?? null,
    card_exp_year: expiry?.year ?? null,
  };
}

/** A version of a plan as JSON, with the plan's name and status; amounts are texts. */
export interface PlanTermsJson {
  readonly plan_id: string;
  readonly version: number;
  readonly name: string;
  readonly status: 'active' | 'archived';
  readonly amount: string;
  readonly currency: string;
  readonly interval_unit: IntervalUnit;
  readonly interval_count: number;
  readonly trial_days: number;
  readonly sign_up_fee: string;
  readonly cycles: number | null;
}

/** SQL for a `PlanTermsJson` of a version `v` and its plan `p`. */
export const planTermsJson = `
  jsonb_build_object('plan_id', v.plan_id, 'version', v.version, 'name', p.name, 'status', p.status,
    'amount', v.amount::text, 'currency', v.currency, 'interval_unit', v.interval_unit,
    'interval_count', v.interval_count, 'trial_days', v.trial_days, 'sign_up_fee', v.sign_up_fee::text, 'cycles', v.cycles)`;

/** The same as the rules know it. */
export function planTermsOf(row: PlanTermsJson): PlanTerms {
  return {
    planId: row.plan_id,
    version: row.version,
    name: row.name,
    amountMinor: BigInt(row.amount),
    currency: row.currency,
    interval: { unit: row.interval_unit, count: row.interval_count },
    trialDays: row.trial_days,
    signUpFeeMinor: BigInt(row.sign_up_fee),
    cycles: row.cycles,
  };
}

/** A row of `invoices` as JSON; amounts are texts. */
export interface InvoiceJson {
  readonly id: string;
  readonly version: number;
  readonly reason: InvoiceReason;
  readonly cycle: number | null;
  readonly status: InvoiceStatus;
  readonly amount: string;
  readonly currency: string;
  readonly period_start: string;
  readonly period_end: string;
  readonly lines: readonly InvoiceLine[];
  readonly stood_still_ms: number;
  readonly payment_id: string | null;
  readonly attempts: number;
  readonly next_attempt_at: string | null;
  readonly failure_code: PaymentFailureCode | null;
  readonly refund_due_amount: string;
  readonly refundable_amount: string;
  readonly paid_at: string | null;
}

/** SQL for an `InvoiceJson` of a row `i`. */
export const invoiceJson = `
  (to_jsonb(i) || jsonb_build_object('amount', i.amount::text, 'refund_due_amount', i.refund_due_amount::text,
    'refundable_amount', COALESCE((SELECT y.captured_amount - y.refund_reserved_amount FROM payments y WHERE y.id = i.payment_id), 0)::text))`;

/** The same as the rules know it. */
export function invoiceOf(row: InvoiceJson): Invoice {
  return {
    id: row.id,
    reason: row.reason,
    cycle: row.cycle,
    status: row.status,
    amountMinor: BigInt(row.amount),
    currency: row.currency,
    periodStart: new Date(row.period_start),
    periodEnd: new Date(row.period_end),
    lines: row.lines,
    stoodStillMs: row.stood_still_ms,
    paymentId: row.payment_id,
    attempts: row.attempts,
    nextAttemptAt: instant(row.next_attempt_at),
    failureCode: row.failure_code,
    refundDueMinor: BigInt(row.refund_due_amount),
    refundableMinor: BigInt(row.refundable_amount),
    paidAt: instant(row.paid_at),
  };
}

function instant(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
