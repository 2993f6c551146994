import { invariant } from '../invariant.ts';
import { amountMinorMax } from '../money.ts';
import { isEnded } from '../subscription-status.ts';
import { periodStart } from './calendar.ts';
import { changeDraft, charged, type InvoiceChange, type InvoiceDraft, issued } from './invoicing.ts';
import { changed, closed, givingBack, nothing, refused, type StepContext, type StepResult } from './step-result.ts';
import {
  cardNoticeOf,
  type Invoice,
  type PendingChange,
  type PlanTerms,
  type ResumeAnchor,
  type Subscription,
} from './subscription.ts';
import { type ChangeWish, isPlanWished, type SubscriptionWish } from './subscription-act.ts';
import {
  canceled,
  changedPlan,
  isSameLength,
  resumed,
  runningStatus,
  withoutMissedPeriods,
} from './subscription-changes.ts';

type Wish<Kind extends SubscriptionWish['kind']> = Extract<SubscriptionWish, { kind: Kind }>;

/** What a wish makes of a subscription, or why it is not granted. */
export function grant(subscription: Subscription, wish: SubscriptionWish, context: StepContext): StepResult {
  if (isEnded(subscription.status)) return refused('subscription_ended', `The subscription is ${subscription.status}.`);
  switch (wish.kind) {
    case 'pause':
      return pause(subscription, wish, context);
    case 'resume':
      return resume(subscription, wish, context);
    case 'cancel':
      return wish.when === 'now' ? cancelNow(subscription, wish, context) : cancelAtPeriodEnd(subscription);
    case 'change':
      return change(subscription, wish, context);
    case 'retry_now':
      return retryNow(subscription, context);
    case 'skip':
      return skip(subscription, context);
    case 'move_date':
      return moveDate(subscription, new Date(wish.to), context);
  }
}

function pause(subscription: Subscription, { resumesAt, anchor }: Wish<'pause'>, { now }: StepContext): StepResult {
  const { status } = subscription;
  if (status === 'paused' || status === 'unpaid') {
    return refused('subscription_not_pausable', `The subscription is ${status}.`);
  }
  const until = resumesAt === null ? null : new Date(resumesAt);
  if (until !== null && until <= now) {
    return refused('subscription_not_pausable', 'It would be resumed in the past: choose a later `resumes_at`.');
  }
  const paused = { status: 'paused', pausedAt: now, resumesAt: until, resumeAnchor: anchor } as const;
  return changed({ ...subscription, ...paused }, 'paused');
}

function resume(subscription: Subscription, { anchor }: Wish<'resume'>, { now, openInvoice }: StepContext): StepResult {
  if (subscription.status !== 'paused') {
    return refused('subscription_not_paused', `The subscription is ${subscription.status}.`);
  }
  return wentOn(subscription, anchor ?? subscription.resumeAnchor, now, openInvoice);
}

/** Goes on after a pause that ended at `at`. A payment method that came in the pause pays what is owed at once. */
export function wentOn(
  subscription: Subscription,
  anchor: ResumeAnchor,
  at: Date,
  openInvoice: Invoice | null,
): StepResult {
  const running = resumed(subscription, anchor, at);
  if (!running.isPaymentMethodNew || openInvoice === null || running.chargePaymentId !== null)
    return changed(running, 'changed');
  const { subscription: tried, change: invoice } = charged(running, openInvoice);
  return changed(tried, 'changed', [invoice]);
}

function cancelNow(subscription: Subscription, { refund }: Wish<'cancel'>, context: StepContext): StepResult {
  const { now, openInvoice, paidInvoices } = context;
  const ended = { ...canceled(subscription, now), cancelAtPeriodEnd: false, cancelRefund: refund };
  const isChargeOnItsWay = subscription.chargePaymentId !== null;
  const given: InvoiceChange[] = openInvoice === null || isChargeOnItsWay ? [] : [closed(openInvoice, 'void')];
  const { subscription: after, invoices } = givingBack(ended, paidInvoices, given);
  return changed(after, 'canceled', invoices);
}

function cancelAtPeriodEnd(subscription: Subscription): StepResult {
  if (subscription.cancelAtPeriodEnd) return nothing;
  return changed({ ...subscription, cancelAtPeriodEnd: true, cancelRefund: 'none' }, 'changed');
}

function retryNow(subscription: Subscription, { openInvoice }: StepContext): StepResult {
  const { status, chargePaymentId } = subscription;
  if (chargePaymentId !== null) return refused('charge_in_progress', 'A charge is on its way.');
  if (openInvoice === null) return refused('nothing_to_retry', 'No invoice is open.');
  if (status === 'paused') return refused('nothing_to_retry', 'The subscription is paused: resume it first.');
  const { subscription: tried, change: invoice } = charged(subscription, openInvoice);
  return changed(tried, 'retried', [invoice]);
}

function skip(subscription: Subscription, { now, openInvoice }: StepContext): StepResult {
  const { chargePaymentId, status, nextBillingDate, anchor, interval, anchorIndex, timeZone } = subscription;
  if (chargePaymentId !== null) return refused('charge_in_progress', 'A charge is on its way.');
  if (openInvoice !== null) {
    const free = { ...subscription, openInvoiceId: null, dunning: null };
    const current = status === 'unpaid' ? withoutMissedPeriods(free, now) : free;
    const settled = status === 'paused' ? free : { ...current, status: runningStatus(current, now) };
    return changed(settled, 'changed', [closed(openInvoice, 'void')]);
  }
  if (nextBillingDate === null) return refused('change_refused', 'No further period will be billed.');
  const next = periodStart(anchor, interval, anchorIndex + 1, timeZone);
  const currentPeriodEnd = subscription.currentPeriodEnd === null ? null : next;
  return changed({ ...subscription, anchorIndex: anchorIndex + 1, nextBillingDate: next, currentPeriodEnd }, 'changed');
}

function moveDate(subscription: Subscription, to: Date, { now, openInvoice }: StepContext): StepResult {
  const { nextBillingDate, currentPeriodEnd, trialEnd, status } = subscription;
  if (openInvoice !== null) return refused('invoice_open', 'An invoice is open.');
  if (nextBillingDate === null) return refused('change_refused', 'No further period will be billed.');
  if (to <= now) return refused('change_refused', 'The date is over: choose a later one.');
  const ends = {
    currentPeriodEnd: currentPeriodEnd === null ? null : to,
    trialEnd: status === 'trialing' ? to : trialEnd,
  };
  return changed({ ...subscription, ...ends, anchor: to, anchorIndex: 0, nextBillingDate: to }, 'changed');
}

function change(subscription: Subscription, wish: ChangeWish, context: StepContext): StepResult {
  const prepared = withPaymentMethod(subscription, wish, context.now);
  if (!isPlanWished(wish)) return pursued(prepared, subscription, context);
  const judged = judgeChange(subscription, wish, context);
  if (judged.kind === 'refused') return judged;
  switch (judged.effective) {
    case 'period_end':
      return changed({ ...prepared, pendingChange: pendingOf(judged, context) }, 'changed');
    case 'free':
      return changed(freely(prepared, judged, context), 'changed');
    case 'now': {
      invariant(context.wishId !== null, 'a wish has an id');
      const { subscription: billed, change: invoice } = issued(prepared, judged.draft, context.wishId);
      const paidBy = { invoiceId: invoice.invoice.id, before: subscription.pendingChange };
      return changed({ ...billed, pendingChange: { ...pendingOf(judged, context), ...paidBy } }, 'changed', [invoice]);
    }
  }
}

/** With the new payment method, and without the end of the term where that is taken back. */
function withPaymentMethod(subscription: Subscription, wish: ChangeWish, now: Date): Subscription {
  const { paymentMethod, cancelAtPeriodEnd: isToEnd } = wish;
  const kept =
    isToEnd === false && subscription.cancelAtPeriodEnd ? { ...subscription, cancelAtPeriodEnd: false } : subscription;
  if (paymentMethod === null) return kept;
  return {
    ...kept,
    paymentMethod,
    isPaymentMethodNew: kept.chargePaymentId !== null || (kept.status === 'paused' && kept.openInvoiceId !== null),
    cardNoticeAt: cardNoticeOf(paymentMethod, kept.timeZone, now),
  };
}

/** A new payment method pays what is owed at once. */
function pursued(prepared: Subscription, before: Subscription, { openInvoice }: StepContext): StepResult {
  if (prepared === before) return nothing;
  const isOwing = prepared.status === 'past_due' || prepared.status === 'unpaid';
  const isNew = prepared.paymentMethod !== before.paymentMethod;
  if (!isNew || !isOwing || openInvoice === null || prepared.chargePaymentId !== null)
    return changed(prepared, 'changed');
  const { subscription: tried, change: invoice } = charged(prepared, openInvoice);
  return changed(tried, 'changed', [invoice]);
}

/** A change that may be made, and when: `free`: at once, at no cost. */
export type JudgedChange = { readonly plan: PlanTerms; readonly quantity: number } & (
  | { readonly kind: 'change'; readonly effective: 'period_end' | 'free' }
  | { readonly kind: 'change'; readonly effective: 'now'; readonly draft: InvoiceDraft }
);

/** When a change of plan or quantity counts and what it costs, or why it may not be made. */
export function judgeChange(
  subscription: Subscription,
  wish: ChangeWish,
  { plan, nextPlan, paidInvoices: paid, now }: StepContext,
): JudgedChange | Extract<StepResult, { kind: 'refused' }> {
  const next = nextPlan ?? plan;
  const quantity = wish.quantity ?? subscription.quantity;
  const refusal = refusalOf(subscription, next, quantity);
  if (refusal !== null) return refusal;
  const { currentPeriodStart: start, currentPeriodEnd: end, nextBillingDate } = subscription;
  const terms = { kind: 'change', plan: next, quantity } as const;
  if (start === null || end === null) return { ...terms, effective: 'free' };
  const isOver = end <= now;
  if (wish.effective === 'period_end' || isOver) return atPeriodEnd(nextBillingDate, terms);
  const isSame = isSameLength(subscription, next);
  const nextEnd = isSame ? end : periodStart(now, next.interval, 1, subscription.timeZone);
  const within = { period: { start, end }, old: plan, next, quantity, isSameLength: isSame, end: nextEnd, paid };
  const { costMinor, draft } = changeDraft(subscription, within, now);
  if (costMinor > 0n) return { ...terms, effective: 'now', draft };
  if (costMinor === 0n && isSame) return { ...terms, effective: 'free' };
  if (wish.effective === null) return atPeriodEnd(nextBillingDate, terms);
  const detail =
    'It would not cost more: it can begin with the next period. Say `period_end`, or leave `effective` out.';
  return { kind: 'refused', code: 'change_refused', detail };
}

type Terms = { readonly kind: 'change'; readonly plan: PlanTerms; readonly quantity: number };

function atPeriodEnd(nextBillingDate: Date | null, terms: Terms): ReturnType<typeof judgeChange> {
  if (nextBillingDate !== null) return { ...terms, effective: 'period_end' };
  return { kind: 'refused', code: 'change_refused', detail: 'No further period will be billed.' };
}

function refusalOf(
  subscription: Subscription,
  next: PlanTerms,
  quantity: number,
): Extract<StepResult, { kind: 'refused' }> | null {
  const { status, openInvoiceId, currency } = subscription;
  const because = (detail: string) => ({ kind: 'refused', code: 'change_refused', detail }) as const;
  if (openInvoiceId !== null) return { kind: 'refused', code: 'invoice_open', detail: 'An invoice is open.' };
  if (status === 'paused') return because('The subscription is paused: resume it first.');
  if (next.currency !== currency) return because('The plan is in another currency: make a new subscription.');
  if (next.amountMinor * BigInt(quantity) > amountMinorMax) return because('So many would cost too much.');
  return null;
}

/** The change as it is to come with the next period. */
export function pendingOf({ plan, quantity }: JudgedChange, { now }: StepContext): PendingChange {
  const { planId, version: planVersion } = plan;
  return { planId, planVersion, quantity, invoiceId: null, at: now.toISOString(), before: null };
}

/** Changed at once: during a trial, or where neither the period's length nor what is owed for it changes. */
function freely(subscription: Subscription, { plan, quantity }: JudgedChange, { now }: StepContext): Subscription {
  return { ...changedPlan(subscription, plan, quantity, now), pendingChange: null };
}
