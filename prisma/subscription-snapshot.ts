import type { StepContext } from '../workflows/domain/billing/step-result.ts';
import {
  type ChargeEnd,
  type DueStep,
  dueOf,
  type Invoice,
  isOver,
  priceText,
  type RefundDue,
  type Subscription,
} from '../workflows/domain/billing/subscription.ts';
import { isPlanWished, type SubscriptionStep } from '../workflows/domain/billing/subscription-act.ts';
import { auditIdOf, chargeKeyOf, movementIdOf } from '../workflows/domain/ids.ts';
import { invariant } from '../workflows/domain/invariant.ts';
import { isFinal } from '../workflows/domain/payment-status.ts';
import type { PaymentRequest } from '../workflows/ports.ts';
import type { SubscriptionSnapshot, UnusedPart } from '../workflows/subscription-ports.ts';
import { type Database, run } from './database.ts';
import { readMerchantSettings } from './merchant-settings.ts';
import { paymentTermsOf } from './payment-terms.ts';
import {
  type InvoiceJson,
  invoiceJson,
  invoiceOf,
  type PlanTermsJson,
  planTermsJson,
  planTermsOf,
  type SubscriptionJson,
  subscriptionOf,
} from './subscription-row.ts';

const termsOfPlan = (condition: string) => `(
      SELECT ${planTermsJson} FROM plans p JOIN plan_versions v ON v.plan_id = p.id
      WHERE p.merchant_id = s.merchant_id AND p.is_test = s.is_test AND ${condition})`;

const load = {
  name: 'load_subscription',
  text: `
    SELECT to_jsonb(s) || jsonb_build_object('amount', s.amount::text) AS row,
      ${termsOfPlan('p.id = s.plan_id AND v.version = s.plan_version')} AS plan,
      CASE WHEN s.pending_change IS NOT NULL THEN
        ${termsOfPlan(`p.id = s.pending_change ->> 'planId' AND v.version = (s.pending_change ->> 'planVersion')::int`)}
      END AS pending_plan,
      CASE WHEN $5::boolean THEN
        ${termsOfPlan(`p.id = COALESCE($3, s.plan_id) AND v.version = COALESCE($4::int,
          CASE WHEN p.id = s.plan_id THEN s.plan_version ELSE p.version END)`)}
      END AS wished_plan,
      (SELECT ${invoiceJson} FROM invoices i WHERE i.id = s.open_invoice_id) AS open_invoice,
      CASE WHEN $6::boolean OR (s.cancel_refund = 'unused' AND s.charge_payment_id IS NOT NULL) THEN (
        SELECT jsonb_agg(${invoiceJson} ORDER BY i.number) FROM invoices i
        WHERE i.subscription_id = s.id AND i.status = 'paid' AND i.number >= COALESCE((
          SELECT max(p.number) FROM invoices p
          WHERE p.subscription_id = s.id AND p.status = 'paid' AND p.reason = 'period'), 0))
      END AS paid_invoices,
      (SELECT jsonb_build_object('status', y.status, 'failureCode', y.failure ->> 'code',
         'declineClass', y.failure ->> 'declineClass') FROM payments y WHERE y.id = s.charge_payment_id) AS charge,
      k.now AS clock_now, m.settings, m.status AS merchant_status,
      $7::text IS NOT NULL AND EXISTS (SELECT FROM payment_audit_trail t WHERE t.id = $7) AS is_done
    FROM subscriptions s
    JOIN merchants m ON m.id = s.merchant_id
    LEFT JOIN test_clocks k ON k.id = s.test_clock_id
    WHERE s.id = $1 AND s.merchant_id = $2`,
};

interface LoadedRow {
  readonly row: SubscriptionJson;
  readonly plan: PlanTermsJson;
  readonly pending_plan: PlanTermsJson | null;
  readonly wished_plan: PlanTermsJson | null;
  readonly open_invoice: InvoiceJson | null;
  readonly paid_invoices: readonly InvoiceJson[] | null;
  readonly charge: ChargeEnd | null;
  readonly clock_now: Date | null;
  readonly settings: unknown;
  readonly merchant_status: string;
  readonly is_done: boolean;
}

/** A subscription with all that its next step may need. */
export interface LoadedSubscription extends LoadedRow {
  readonly subscription: Subscription;
  readonly context: StepContext;
  /** The versions of the invoices that it was loaded with, by id. */
  readonly invoiceVersions: ReadonlyMap<string, number>;
  /** Whether the plan that is wished for is there; true where none is. */
  readonly hasWishedPlan: boolean;
  /** Real time. */
  readonly realNow: Date;
}

/** What it is loaded for: `wish` is the step, if it is one that needs more than the row. */
export interface LoadFor {
  readonly now: string;
  readonly wish: { readonly id: string | null; readonly step: SubscriptionStep } | null;
  /** The event that the wish would bring: `is_done` says whether its entry in the audit trail is there, which idle wishes have too. */
  readonly wishEventId: string | null;
}

/** Where `hasWishedPlan` is false. */
export const planNotAvailable = {
  kind: 'refused',
  code: 'plan_not_available',
  detail: 'There is no such plan, or it is archived.',
} as const;

/** The subscription as it is now, or null. */
export async function loadSubscription(
  db: Database,
  { subscriptionId, merchantId }: { readonly subscriptionId: string; readonly merchantId: string },
  { now, wish, wishEventId }: LoadFor,
): Promise<LoadedSubscription | null> {
  const step = wish?.step ?? null;
  const change = step?.kind === 'change' && isPlanWished(step) ? step : null;
  const [loaded] = await run<LoadedRow>(db, load, [
    subscriptionId,
    merchantId,
    change?.planId ?? null,
    change?.planVersion ?? null,
    change !== null,
    step?.kind === 'cancel' || change !== null,
    wishEventId === null ? null : auditIdOf(wishEventId),
  ]);
  if (loaded === undefined) return null;
  const plan = planTermsOf(loaded.plan);
  const nextPlan = loaded.wished_plan ?? loaded.pending_plan;
  const realNow = new Date(now);
  const invoices = [...(loaded.open_invoice === null ? [] : [loaded.open_invoice]), ...(loaded.paid_invoices ?? [])];
  const isOther = loaded.wished_plan?.plan_id !== loaded.row.plan_id;
  return {
    ...loaded,
    realNow,
    invoiceVersions: new Map(invoices.map(({ id, version }) => [id, version])),
    hasWishedPlan:
      change === null || (loaded.wished_plan !== null && (!isOther || loaded.wished_plan.status === 'active')),
    subscription: subscriptionOf(loaded.row, plan),
    context: {
      now: loaded.clock_now ?? realNow,
      plan,
      nextPlan: nextPlan === null ? null : planTermsOf(nextPlan),
      openInvoice: loaded.open_invoice === null ? null : invoiceOf(loaded.open_invoice),
      paidInvoices: (loaded.paid_invoices ?? []).map(invoiceOf),
      chargeEnd: loaded.charge !== null && isFinal(loaded.charge.status) ? loaded.charge : null,
      dunning: dunningTermsOf(loaded.settings),
      wishId: wish?.id ?? null,
    },
  };
}

function dunningTermsOf(settings: unknown): StepContext['dunning'] {
  const { dunning } = readMerchantSettings(settings);
  return { retryDays: dunning.retry_days, graceDays: dunning.grace_days, finalAction: dunning.final_action };
}

/** So long a charge or a refund may be on its way until the sweep looks whether its workflow is there. */
const quietMs = 300_000;

/** The columns that say what is due: of the rules, and for the sweep. */
export function dueColumnsOf(subscription: Subscription, realNow: Date) {
  const due = dueOf(subscription);
  const isMoving = subscription.chargePaymentId !== null || subscription.refundsDue.length > 0;
  const wakeAt = isMoving ? new Date(realNow.getTime() + quietMs) : (due?.at ?? null);
  return { due_step: due?.step ?? null, due_at: due?.at ?? null, wake_at: wakeAt };
}

/** What charges somebody by itself. */
const chargingSteps: readonly string[] = ['bill_sign_up_fee', 'open_period', 'retry_charge'] satisfies DueStep[];

/** Whether a step has to wait: the merchant is suspended, and nobody is charged for it until it is active again. */
export function isHeldBack({ merchant_status }: LoadedSubscription, step: SubscriptionStep): boolean {
  return merchant_status !== 'active' && chargingSteps.includes(step.kind);
}

/** So long after a step that is held back it is looked again. */
const heldBackMs = 3_600_000;

/** What is due next; what is held back, later than now. */
function nextOf(loaded: LoadedSubscription) {
  const due = dueOf(loaded.subscription);
  const { now } = loaded.context;
  if (due === null || due.at > now || !isHeldBack(loaded, { kind: due.step })) return due;
  return { ...due, at: new Date(now.getTime() + heldBackMs) };
}

/** The subscription as its workflow needs it. */
export function snapshotOf(loaded: LoadedSubscription): SubscriptionSnapshot {
  const { row, subscription, clock_now } = loaded;
  const due = nextOf(loaded);
  const { currentPeriodStart: start, currentPeriodEnd: end, dunning } = subscription;
  return {
    id: row.id,
    requestHash: row.request_hash,
    correlationId: row.correlation_id,
    status: subscription.status,
    version: row.version,
    clockNow: clock_now?.toISOString() ?? null,
    due: due === null ? null : { step: due.step, at: due.at.toISOString() },
    charge: chargeOf(loaded),
    refunds: subscription.refundsDue.map((refund) => refundOf(refund, row)),
    isOver: isOver(subscription),
    price: priceText(subscription),
    externalId: row.external_id,
    customerId: row.customer_id,
    cyclesBilled: subscription.cyclesBilled,
    cyclesTotal: subscription.cyclesTotal,
    currentPeriod: start === null || end === null ? null : { start: start.toISOString(), end: end.toISOString() },
    nextBillingDate: subscription.nextBillingDate?.toISOString() ?? null,
    lastOutcome: subscription.lastOutcome,
    dunning: dunning === null ? null : dunningText(dunning),
  };
}

function dunningText({ step, nextTryAt, endsAt }: NonNullable<Subscription['dunning']>): string {
  return `${step} made, ${nextTryAt === null ? 'no further one' : `next at ${nextTryAt}`}, final action at ${endsAt}`;
}

function chargeOf(loaded: LoadedSubscription): SubscriptionSnapshot['charge'] {
  const { subscription, context, row } = loaded;
  const { chargePaymentId: paymentId, paymentMethod } = subscription;
  const { openInvoice: invoice } = context;
  if (paymentId === null) return null;
  invariant(invoice !== null, 'a charge has an open invoice');
  const settings = readMerchantSettings(loaded.settings);
  const request: PaymentRequest = {
    idempotencyKey: chargeKeyOf(invoice.id, invoice.attempts),
    requestHash: paymentId, // whatever is known of it now: it is the same payment
    externalId: null,
    correlationId: row.correlation_id,
    actor: `subscription:${row.id}`,
    origin: 'workflow',
    amountMinor: invoice.amountMinor.toString(),
    currency: invoice.currency,
    purpose: 'subscription',
    paymentMethod: paymentMethod.type,
    cardToken: '', // it and the payer's contact are read where the payment is accepted, and stand in no history
    customerId: row.customer_id,
    customerEmail: null,
    customerName: null,
    description: row.description,
    metadata: {},
    receivedAt: loaded.realNow.toISOString(),
    routing: settings.routing,
    terms: paymentTermsOf(settings, invoice.currency, null),
    captureMethod: 'automatic',
    returnUrl: null,
    subscriptionId: row.id,
    invoiceId: invoice.id,
  };
  return { paymentId, request };
}

function refundOf({ invoiceId, paymentId, amountMinor }: RefundDue, row: SubscriptionJson): UnusedPart {
  const idempotencyKey = `§${invoiceId}:unused`;
  return {
    refundId: movementIdOf('refund', paymentId, idempotencyKey),
    paymentId,
    amountMinor,
    currency: row.currency,
    request: {
      idempotencyKey,
      requestHash: `${invoiceId}:${amountMinor}`,
      correlationId: row.correlation_id,
      actor: `subscription:${row.id}`,
      origin: 'workflow',
      reason: 'the unused part of a canceled subscription',
      amountMinor,
      captureId: null,
    },
  };
}

/** The same subscription after a step, without reading it again. */
export function afterStep(
  loaded: LoadedSubscription,
  subscription: Subscription,
  openInvoice: Invoice | null,
  version: number,
): LoadedSubscription {
  return {
    ...loaded,
    row: { ...loaded.row, version },
    subscription,
    context: { ...loaded.context, openInvoice, chargeEnd: null },
  };
}
