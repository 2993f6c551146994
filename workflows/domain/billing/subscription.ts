import type { DeclineClass, PaymentFailureCode } from '../failure.ts';
import { formatMoney } from '../money.ts';
import type { PaymentStatus } from '../payment-status.ts';
import { type InvoiceStatus, isEnded, type SubscriptionStatus } from '../subscription-status.ts';
import { type BillingInterval, daysAfter, endOfMonth } from './calendar.ts';
import type { Dunning } from './dunning.ts';

/** What a subscription pays with. The expiry is what the merchant says of it; it brings the payer a notice in time. */
export interface SubscriptionPaymentMethod {
  readonly type: 'credit_card' | 'paypal';
  readonly cardToken: string;
  readonly expiry: { readonly year: number; readonly month: number } | null;
}

/** A version of a plan: what one unit costs per period. Amounts are minor units, as they are charged; no tax is added. */
export interface PlanTerms {
  readonly planId: string;
  readonly version: number;
  readonly name: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly interval: BillingInterval;
  readonly trialDays: number;
  readonly signUpFeeMinor: bigint;
  /** How many periods are billed; null: without end. */
  readonly cycles: number | null;
}

/** What a subscription will have instead: from the next period on, or (with an invoice) as soon as that is paid. */
export interface PendingChange {
  readonly planId: string;
  readonly planVersion: number;
  readonly quantity: number;
  readonly invoiceId: string | null;
  /** When it was asked for, in ISO 8601; a period of another length begins then. */
  readonly at: string;
  /** What was to come with the next period when this one was asked for: that stands again if nobody pays this one. */
  readonly before: PendingChange | null;
}

/** What is to be given back of an invoice that was paid. */
export interface RefundDue {
  readonly invoiceId: string;
  readonly paymentId: string;
  readonly amountMinor: string;
}

/** What is done by itself when its time has come. */
export type DueStep =
  | 'bill_sign_up_fee'
  | 'open_period'
  | 'retry_charge'
  | 'end_dunning'
  | 'end_pause'
  | 'end_term'
  | 'complete'
  | 'notify_card';

/** How the dates go on after a pause: on the calendar as if there had been none, or later by as long as it was. */
export type ResumeAnchor = 'keep' | 'shift';

/** A subscription as its rules know it. */
export interface Subscription {
  readonly id: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly customerId: string;
  readonly planId: string;
  readonly planVersion: number;
  readonly status: SubscriptionStatus;
  readonly quantity: number;
  readonly interval: BillingInterval;
  /** Of a period, for all of `quantity`, in minor units. */
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly timeZone: string;
  /** Period number n begins n whole intervals after it; `anchorIndex` is the number of the next one. */
  readonly anchor: Date;
  readonly anchorIndex: number;
  readonly cyclesBilled: number;
  readonly cyclesTotal: number | null;
  readonly trialEnd: Date | null;
  readonly currentPeriodStart: Date | null;
  readonly currentPeriodEnd: Date | null;
  /** When the next period begins and is billed; null: none will be. */
  readonly nextBillingDate: Date | null;
  readonly owesSignUpFee: boolean;
  readonly paymentMethod: SubscriptionPaymentMethod;
  /** It came while a charge by the one before was on its way, or in a pause with an open invoice: it is still to be tried. */
  readonly isPaymentMethodNew: boolean;
  readonly cardNoticeAt: Date | null;
  readonly pendingChange: PendingChange | null;
  readonly cancelAtPeriodEnd: boolean;
  readonly cancelRefund: 'none' | 'unused';
  readonly canceledAt: Date | null;
  readonly endedAt: Date | null;
  readonly pausedAt: Date | null;
  readonly resumesAt: Date | null;
  readonly resumeAnchor: ResumeAnchor;
  /** For how long time stood still in its life, in pauses with `shift` that are over. */
  readonly stoodStillMs: number;
  /** The one invoice that is asked for, and the payment for it that is on its way. */
  readonly openInvoiceId: string | null;
  readonly chargePaymentId: string | null;
  readonly refundsDue: readonly RefundDue[];
  readonly dunning: Dunning | null;
  /** How the last charge ended, for people. */
  readonly lastOutcome: string | null;
  readonly createdAt: Date;
}

/** What a line of an invoice is for. */
export type InvoiceLineKind = 'plan' | 'sign_up_fee' | 'proration_credit' | 'proration_charge';

/** A line of an invoice, as its row has it: amounts are decimal strings of minor units, instants are ISO 8601. */
export interface InvoiceLine {
  readonly kind: InvoiceLineKind;
  readonly description: string;
  readonly quantity: number;
  readonly amountMinor: string;
  /** What it pays for; null: no span of time. */
  readonly period: { readonly start: string; readonly end: string } | null;
}

/** Why there is an invoice: a period, a fee before the first one, or a change of plan within one. */
export type InvoiceReason = 'period' | 'sign_up' | 'change';

/** An invoice as the rules know it. What it says never changes; how it stands does. */
export interface Invoice {
  readonly id: string;
  readonly reason: InvoiceReason;
  /** The number of the period, from 1; null: of none. */
  readonly cycle: number | null;
  readonly status: InvoiceStatus;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly periodStart: Date;
  readonly periodEnd: Date;
  readonly lines: readonly InvoiceLine[];
  /** For how long time had stood still for its subscription when it was issued: what it pays for is later by what came since. */
  readonly stoodStillMs: number;
  /** The last payment begun for it, and how many were. */
  readonly paymentId: string | null;
  readonly attempts: number;
  readonly nextAttemptAt: Date | null;
  readonly failureCode: PaymentFailureCode | null;
  readonly refundDueMinor: bigint;
  /** What is left of its last payment to be given back: what was captured, less all refunds that were made or are on their way. */
  readonly refundableMinor: bigint;
  readonly paidAt: Date | null;
}

/** How a charge ended. */
export interface ChargeEnd {
  readonly status: PaymentStatus;
  readonly failureCode: PaymentFailureCode | null;
  readonly declineClass: DeclineClass | null;
}

/** What is due next by itself, and when; null: nothing happens until somebody acts or a charge ends. */
export interface Due {
  readonly step: DueStep;
  readonly at: Date;
}

/** The earliest of all that is due; at the same instant, what comes first in this list. */
export function dueOf(subscription: Subscription): Due | null {
  if (isEnded(subscription.status) || subscription.chargePaymentId !== null) return null;
  const dues = [...mainDues(subscription), ...noticeDues(subscription)];
  return dues.reduce<Due | null>((first, due) => (first === null || due.at < first.at ? due : first), null);
}

function mainDues(subscription: Subscription): Due[] {
  const { status, dunning, openInvoiceId, resumesAt, nextBillingDate, currentPeriodEnd } = subscription;
  const term = subscription.cancelAtPeriodEnd ? at('end_term', nextBillingDate ?? currentPeriodEnd) : [];
  if (status === 'paused') return [...term, ...at('end_pause', resumesAt)];
  if (status === 'unpaid') return term;
  if (openInvoiceId !== null) {
    const ladder =
      dunning === null ? [] : [...at('retry_charge', dunning.nextTryAt), ...at('end_dunning', dunning.endsAt)];
    return [...term, ...ladder];
  }
  if (term.length > 0) return term;
  if (status === 'trialing' && subscription.owesSignUpFee) return at('bill_sign_up_fee', subscription.createdAt);
  return nextBillingDate === null ? at('complete', currentPeriodEnd) : at('open_period', nextBillingDate);
}

function at(step: DueStep, instant: Date | string | null): Due[] {
  return instant === null ? [] : [{ step, at: new Date(instant) }];
}

function noticeDues({ cardNoticeAt }: Subscription): Due[] {
  return cardNoticeAt === null ? [] : [{ step: 'notify_card', at: cardNoticeAt }];
}

/** Whether nothing more happens to it: its last period, charge and refund are over. */
export function isOver({ status, openInvoiceId, refundsDue }: Subscription): boolean {
  return isEnded(status) && openInvoiceId === null && refundsDue.length === 0;
}

const noticeDays = 30;

/** When to tell the payer that the card expires; null: nobody knows when it does. */
export function cardNoticeOf({ expiry }: SubscriptionPaymentMethod, timeZone: string, now: Date): Date | null {
  if (expiry === null) return null;
  const notice = daysAfter(endOfMonth(expiry.year, expiry.month), -noticeDays, timeZone);
  return notice > now ? notice : now;
}

/** A period's length for people: "month", "3 months". */
export function billingCycleText({ unit, count }: BillingInterval): string {
  return count === 1 ? unit : `${count} ${unit}s`;
}

/** A subscription's price for people: "25.99 USD every month". */
export function priceText({
  amountMinor,
  currency,
  interval,
}: Pick<Subscription, 'amountMinor' | 'currency' | 'interval'>) {
  return `${formatMoney({ amountMinor, currency })} every ${billingCycleText(interval)}`;
}
