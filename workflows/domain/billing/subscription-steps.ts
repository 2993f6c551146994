import { invariant } from '../invariant.ts';
import { isEnded } from '../subscription-status.ts';
import { periodStart } from './calendar.ts';
import { dunningAfterDecline, dunningAtTry } from './dunning.ts';
import {
  charged,
  type InvoiceChange,
  issued,
  outcomeText,
  periodDraft,
  signUpDraft,
  stoodStillSince,
} from './invoicing.ts';
import { changed, closed, givingBack, nothing, type StepContext, type StepResult } from './step-result.ts';
import {
  type ChargeEnd,
  cardNoticeOf,
  type DueStep,
  dueOf,
  type Invoice,
  type PlanTerms,
  type Subscription,
  type SubscriptionPaymentMethod,
} from './subscription.ts';
import type { SubscriptionStep } from './subscription-act.ts';
import { canceled, changedPlan, runningStatus, withoutMissedPeriods } from './subscription-changes.ts';
import { grant, wentOn } from './subscription-wishes.ts';

/** A subscription to begin. */
export interface NewSubscription {
  readonly id: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly customerId: string;
  readonly quantity: number;
  readonly timeZone: string;
  readonly paymentMethod: SubscriptionPaymentMethod;
}

/** The rules of a subscription: what a step makes of its row. Pure; dates come from `calendar.ts`. */
export function applyStep(subscription: Subscription, step: SubscriptionStep, context: StepContext): StepResult {
  switch (step.kind) {
    case 'settle_charge':
      return settleCharge(subscription, step.paymentId, context);
    case 'settle_refunds':
      if (subscription.refundsDue.length === 0) return nothing;
      return changed({ ...subscription, refundsDue: [] }, step.isWhole ? 'refunded' : 'refund_failed');
    case 'bill_sign_up_fee':
    case 'open_period':
    case 'retry_charge':
    case 'end_dunning':
    case 'end_pause':
    case 'end_term':
    case 'complete':
    case 'notify_card':
      return isDue(subscription, step.kind, context.now) ? dueSteps[step.kind](subscription, context) : nothing;
    default:
      return grant(subscription, step, context);
  }
}

function isDue(subscription: Subscription, step: DueStep, now: Date): boolean {
  const due = dueOf(subscription);
  return due !== null && due.step === step && due.at <= now;
}

const dueSteps: Readonly<Record<DueStep, (subscription: Subscription, context: StepContext) => StepResult>> = {
  bill_sign_up_fee(subscription, { plan, now }) {
    const { subscription: billed, change } = issued(subscription, signUpDraft(plan, now), 'sign_up');
    return changed({ ...billed, owesSignUpFee: false }, 'renewed', [change]);
  },
  open_period: openPeriod,
  retry_charge(subscription, { openInvoice }) {
    const { dunning } = subscription;
    invariant(openInvoice !== null && dunning !== null, 'a retry is due without an open invoice');
    const { subscription: tried, change } = charged({ ...subscription, dunning: dunningAtTry(dunning) }, openInvoice);
    return changed(tried, 'retried', [change]);
  },
  end_dunning: endDunning,
  end_pause: (subscription, { now, openInvoice }) =>
    wentOn(subscription, subscription.resumeAnchor, subscription.resumesAt ?? now, openInvoice),
  end_term: (subscription, { now, openInvoice }) =>
    changed(canceled(subscription, now), 'canceled', openInvoice === null ? [] : [closed(openInvoice, 'void')]),
  complete: (subscription, { now }) =>
    changed({ ...subscription, status: 'completed', endedAt: now, cardNoticeAt: null }, 'completed'),
  notify_card: (subscription) => changed({ ...subscription, cardNoticeAt: null }, 'card_expiring'),
};

/** A subscription as it begins: its first period does now, or at the end of its trial where that is to come. */
export function begun(given: NewSubscription, plan: PlanTerms, trialEnd: Date | null, now: Date): Subscription {
  const isTrial = trialEnd !== null && trialEnd > now;
  const anchor = isTrial ? trialEnd : now;
  return {
    ...given,
    planId: plan.planId,
    planVersion: plan.version,
    status: isTrial ? 'trialing' : 'active',
    interval: plan.interval,
    amountMinor: plan.amountMinor * BigInt(given.quantity),
    currency: plan.currency,
    anchor,
    anchorIndex: 0,
    cyclesBilled: 0,
    cyclesTotal: plan.cycles,
    trialEnd: isTrial ? trialEnd : null,
    currentPeriodStart: null,
    currentPeriodEnd: null,
    nextBillingDate: anchor,
    owesSignUpFee: plan.signUpFeeMinor > 0n,
    isPaymentMethodNew: false,
    cardNoticeAt: cardNoticeOf(given.paymentMethod, given.timeZone, now),
    pendingChange: null,
    cancelAtPeriodEnd: false,
    cancelRefund: 'none',
    canceledAt: null,
    endedAt: null,
    pausedAt: null,
    resumesAt: null,
    resumeAnchor: 'keep',
    stoodStillMs: 0,
    openInvoiceId: null,
    chargePaymentId: null,
    refundsDue: [],
    dunning: null,
    lastOutcome: null,
    createdAt: now,
  };
}

/** The subscription in its next period, with that period's invoice; a change that waited for it counts from here. */
export function inNextPeriod(subscription: Subscription, { plan, nextPlan }: Pick<StepContext, 'plan' | 'nextPlan'>) {
  const { pendingChange, nextBillingDate: start } = subscription;
  invariant(start !== null, 'there is no next period');
  const isChange = pendingChange !== null && pendingChange.invoiceId === null && nextPlan !== null;
  const terms = isChange ? nextPlan : plan;
  const before = isChange ? changedPlan(subscription, nextPlan, pendingChange.quantity, start) : subscription;
  const index = before.anchorIndex + 1;
  const end = periodStart(before.anchor, before.interval, index, before.timeZone);
  const cyclesBilled = before.cyclesBilled + 1;
  const isLast = before.cyclesTotal !== null && cyclesBilled >= before.cyclesTotal;
  const draft = periodDraft(before, terms, start, end);
  const after: Subscription = {
    ...before,
    status: before.status === 'trialing' ? 'active' : before.status,
    pendingChange: isChange ? null : pendingChange,
    anchorIndex: index,
    cyclesBilled,
    currentPeriodStart: start,
    currentPeriodEnd: end,
    nextBillingDate: isLast ? null : end,
    owesSignUpFee: false,
  };
  return { subscription: after, draft };
}

function openPeriod(subscription: Subscription, context: StepContext): StepResult {
  const { subscription: renewed, draft } = inNextPeriod(subscription, context);
  const { subscription: billed, change } = issued(renewed, draft, renewed.cyclesBilled);
  return changed(billed, 'renewed', [change]);
}

function endDunning(subscription: Subscription, { now, openInvoice, dunning }: StepContext): StepResult {
  invariant(openInvoice !== null, 'dunning has an open invoice');
  const givenUp = { ...subscription, dunning: null, openInvoiceId: null };
  switch (dunning.finalAction) {
    case 'cancel':
      return changed(canceled(givenUp, now), 'canceled', [closed(openInvoice, 'uncollectible')]);
    case 'pause': {
      const paused = { ...givenUp, status: 'paused', pausedAt: now, resumesAt: null, resumeAnchor: 'keep' } as const;
      return changed(paused, 'paused', [closed(openInvoice, 'uncollectible')]);
    }
    case 'unpaid':
      return changed({ ...subscription, dunning: null, status: 'unpaid' }, 'unpaid');
  }
}

function settleCharge(subscription: Subscription, paymentId: string, context: StepContext): StepResult {
  const { chargeEnd, openInvoice } = context;
  if (subscription.chargePaymentId !== paymentId || chargeEnd === null) return nothing;
  invariant(openInvoice !== null, 'a charge has an open invoice');
  const settled = { ...subscription, chargePaymentId: null };
  const isPaid = chargeEnd.status !== 'failed' && chargeEnd.status !== 'canceled';
  return isPaid ? paid(settled, openInvoice, context) : declined(settled, openInvoice, chargeEnd, context);
}

function paid(subscription: Subscription, invoice: Invoice, { now, nextPlan, paidInvoices }: StepContext): StepResult {
  const { pendingChange, status } = subscription;
  const settled: Subscription = {
    ...subscription,
    openInvoiceId: null,
    dunning: null,
    isPaymentMethodNew: false,
    lastOutcome: outcomeText(invoice, 'paid'),
  };
  const paidInvoice: Invoice = { ...invoice, status: 'paid', paidAt: now, failureCode: null };
  const invoices: InvoiceChange[] = [{ kind: 'changed', invoice: paidInvoice, event: 'paid' }];
  if (isEnded(status)) {
    const paidNow = invoice.reason === 'period' ? [paidInvoice] : [...paidInvoices, paidInvoice];
    const { subscription: over, invoices: changes } = givingBack(
      { ...settled, pendingChange: null },
      paidNow,
      invoices,
    );
    return changed(over, 'paid', changes);
  }
  const isChange = pendingChange?.invoiceId === invoice.id && nextPlan !== null;
  const after = isChange ? inChange(settled, nextPlan, invoice) : settled;
  if (status === 'unpaid') {
    const current = withoutMissedPeriods(after, now);
    return changed({ ...current, status: runningStatus(current, now) }, 'paid', invoices);
  }
  return changed(status === 'past_due' ? { ...after, status: runningStatus(after, now) } : after, 'paid', invoices);
}

/** With the change that was paid for; what it begins is later too by as long as time stood still since. */
function inChange(subscription: Subscription, plan: PlanTerms, invoice: Invoice): Subscription {
  const { pendingChange } = subscription;
  invariant(pendingChange !== null, 'the change that was paid for is gone');
  const at = new Date(Date.parse(pendingChange.at) + stoodStillSince(invoice, subscription));
  const after = changedPlan(subscription, plan, pendingChange.quantity, at);
  return { ...after, pendingChange: null };
}

function declined(subscription: Subscription, before: Invoice, end: ChargeEnd, context: StepContext): StepResult {
  const { status, pendingChange } = subscription;
  const lastOutcome = outcomeText(before, end.failureCode ?? 'failed');
  const settled = { ...subscription, lastOutcome };
  const invoice = { ...before, failureCode: end.failureCode };
  if (isEnded(status) || before.reason === 'change') {
    const restored = pendingChange?.before ?? null;
    const dropped = { ...settled, openInvoiceId: null, pendingChange: restored, isPaymentMethodNew: false };
    const { subscription: over, invoices } = givingBack(dropped, context.paidInvoices, [closed(invoice, 'void')]);
    return changed(over, 'declined', invoices);
  }
  if (subscription.isPaymentMethodNew && status !== 'paused') {
    const { subscription: tried, change } = charged(settled, invoice);
    return changed(tried, 'retried', [{ ...change, event: 'payment_failed', ended: invoice }]);
  }
  if (status === 'unpaid') return changed(settled, 'declined', [failed(invoice, null)]);
  const { dunning: terms, now } = context;
  const isRetryable = end.declineClass !== 'never';
  const dunning = dunningAfterDecline(settled.dunning, isRetryable, terms, settled.timeZone, now);
  const fallen = status === 'trialing' || status === 'active' ? 'past_due' : status;
  return changed({ ...settled, dunning, status: fallen }, 'declined', [failed(invoice, dunning.nextTryAt)]);
}

function failed(invoice: Invoice, nextTryAt: string | null): InvoiceChange {
  const nextAttemptAt = nextTryAt === null ? null : new Date(nextTryAt);
  return { kind: 'changed', invoice: { ...invoice, nextAttemptAt }, event: 'payment_failed' };
}
