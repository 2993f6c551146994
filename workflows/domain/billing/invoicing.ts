import { chargeKeyOf, invoiceIdOf, paymentIdOf } from '../ids.ts';
import { formatMinor } from '../money.ts';
import { type Span, unusedPart } from './proration.ts';
import type { Invoice, InvoiceLine, InvoiceReason, PlanTerms, Subscription } from './subscription.ts';

/** What becomes of an invoice in a step; `event` null: nothing that anybody is told. */
export interface InvoiceChange {
  readonly kind: 'made' | 'changed';
  readonly invoice: Invoice;
  readonly event: 'open' | 'paid' | 'payment_failed' | 'uncollectible' | 'void' | null;
  /** The charge that the event is about, where the step has begun another one already. */
  readonly ended?: Pick<Invoice, 'paymentId' | 'attempts'>;
}

/** What an invoice asks for, before it is one. */
export interface InvoiceDraft {
  readonly reason: InvoiceReason;
  readonly cycle: number | null;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly periodStart: Date;
  readonly periodEnd: Date;
  readonly lines: readonly InvoiceLine[];
}

/** The invoice of a period that begins at `start`: the plan's price, and the sign-up fee where it is still owed. */
export function periodDraft(subscription: Subscription, plan: PlanTerms, start: Date, end: Date): InvoiceDraft {
  const amount = plan.amountMinor * BigInt(subscription.quantity);
  const price = line('plan', plan.name, subscription.quantity, amount, { start, end });
  const fees = subscription.owesSignUpFee ? [feeLine(plan)] : [];
  return draft('period', subscription.cyclesBilled + 1, plan.currency, { start, end }, [...fees, price]);
}

/** The invoice of a sign-up fee before the first period. */
export function signUpDraft(plan: PlanTerms, now: Date): InvoiceDraft {
  return draft('sign_up', null, plan.currency, { start: now, end: now }, [feeLine(plan)]);
}

/** A change of plan or quantity within the current period. */
interface ChangeWithin {
  readonly period: Span;
  readonly old: PlanTerms;
  readonly next: PlanTerms;
  readonly quantity: number;
  /** Whether the period stays; else a whole one of another length begins with the change. */
  readonly isSameLength: boolean;
  readonly end: Date;
  /** The paid invoices of the present, as `StepContext` has them. */
  readonly paid: readonly Invoice[];
}

/**
 * What a change asks for: the new price for the rest of the period, or for a whole one of another length, less the unused rest of the old
 * price as far as it was paid. `costMinor` says whether it costs more (above 0), less (below 0), or nothing: periods of the same length
 * are compared by their prices alone, so that nobody is asked for a period that was given away because it is to cost less.
 */
export function changeDraft(
  subscription: Subscription,
  { period, old, next, quantity, isSameLength, end, paid }: ChangeWithin,
  now: Date,
): { readonly costMinor: bigint; readonly draft: InvoiceDraft } {
  const unused = unusedPart(subscription.amountMinor, period, now);
  const credit = between0And(unused, leftOfPaid(paid, subscription, now));
  const price = next.amountMinor * BigInt(quantity);
  const asked = isSameLength ? unusedPart(price, period, now) : price;
  const credited = creditSpan(paid, subscription, period.end, now);
  const creditLine = line('proration_credit', `Unused: ${old.name}`, subscription.quantity, -credit, credited);
  const chargeLine = line('proration_charge', next.name, quantity, asked, { start: now, end });
  const lines = credit === 0n ? [chargeLine] : [creditLine, chargeLine];
  return {
    costMinor: asked - (isSameLength ? unused : credit),
    draft: draft('change', null, next.currency, { start: now, end }, lines),
  };
}

/** What a credit is for: what is unused, but for the first of it, as much as was given back by hand. */
function creditSpan(paid: readonly Invoice[], subscription: Subscription, periodEnd: Date, now: Date): Span {
  const end = creditEnd(paid, subscription, periodEnd, now);
  const whole = paid.map((invoice) => ({ ...invoice, refundableMinor: invoice.amountMinor }));
  const [left, unused] = [leftOfPaid(paid, subscription, now), leftOfPaid(whole, subscription, now)];
  if (left === unused) return { start: now, end };
  const restMs = (BigInt(end.getTime() - now.getTime()) * left) / unused;
  return { start: new Date(end.getTime() - Number(restMs)), end };
}

/** Until when a credit counts: until the period is over, or before, where what was paid ends before. */
function creditEnd(paid: readonly Invoice[], subscription: Subscription, end: Date, now: Date): Date {
  const last = paid.at(-1);
  const paidUntil = last?.lines.at(-1)?.period?.end;
  if (last === undefined || paidUntil === undefined) return end;
  const moved = new Date(Date.parse(paidUntil) + stoodStillSince(last, subscription));
  return now < moved && moved < end ? moved : end;
}

function draft(
  reason: InvoiceReason,
  cycle: number | null,
  currency: string,
  { start, end }: Span,
  lines: readonly InvoiceLine[],
): InvoiceDraft {
  const amountMinor = lines.reduce((sum, { amountMinor: amount }) => sum + BigInt(amount), 0n);
  return { reason, cycle, amountMinor, currency, periodStart: start, periodEnd: end, lines };
}

function feeLine(plan: PlanTerms): InvoiceLine {
  return line('sign_up_fee', `Sign-up fee: ${plan.name}`, 1, plan.signUpFeeMinor, null);
}

function line(
  kind: InvoiceLine['kind'],
  description: string,
  quantity: number,
  amountMinor: bigint,
  period: Span | null,
): InvoiceLine {
  const span = period === null ? null : { start: period.start.toISOString(), end: period.end.toISOString() };
  return { kind, description, quantity, amountMinor: amountMinor.toString(), period: span };
}

/** Issues an invoice and begins its first charge. `what` tells one of the subscription's invoices from the others. */
export function issued(subscription: Subscription, from: InvoiceDraft, what: number | string): Charged {
  const invoice: Invoice = {
    ...from,
    id: invoiceIdOf(subscription.id, what),
    status: 'open',
    stoodStillMs: subscription.stoodStillMs,
    paymentId: null,
    attempts: 0,
    nextAttemptAt: null,
    failureCode: null,
    refundDueMinor: 0n,
    refundableMinor: 0n,
    paidAt: null,
  };
  const charge = charged({ ...subscription, openInvoiceId: invoice.id }, invoice);
  return { ...charge, change: { kind: 'made', invoice: charge.change.invoice, event: 'open' } };
}

interface Charged {
  readonly subscription: Subscription;
  readonly change: InvoiceChange;
}

/** Begins the next charge of an open invoice, with the payment method that the subscription has now. */
export function charged(subscription: Subscription, invoice: Invoice): Charged {
  const { merchantId, isTest } = subscription;
  const attempts = invoice.attempts + 1;
  const paymentId = paymentIdOf({ merchantId, isTest, idempotencyKey: chargeKeyOf(invoice.id, attempts) });
  return {
    subscription: { ...subscription, chargePaymentId: paymentId, isPaymentMethodNew: false },
    change: { kind: 'changed', invoice: { ...invoice, attempts, paymentId, nextAttemptAt: null }, event: null },
  };
}

/**
 * The invoices of which something is to be given back, with how much. What a change gave back for a span of time is not given back
 * again, though it stands on another invoice than what was paid for it: the sum of all lines counts, and the last ones pay it first.
 * What was due back before is so once: only what was paid after it counts.
 */
export function withRefunds(paid: readonly Invoice[], subscription: Subscription, now: Date): Invoice[] {
  const since = paid.slice(paid.findLastIndex(({ refundDueMinor }) => refundDueMinor > 0n) + 1);
  let left = leftOfPaid(since, subscription, now);
  return since.toReversed().flatMap((invoice) => {
    const refundDueMinor = between0And(invoice.refundableMinor, left);
    left -= refundDueMinor;
    return refundDueMinor === 0n ? [] : [{ ...invoice, refundDueMinor }];
  });
}

/** What a cancellation gives back: what is unused of paid invoices, as far as their payments were not given back by hand. */
function leftOfPaid(paid: readonly Invoice[], subscription: Subscription, now: Date): bigint {
  const unused = paid.reduce((sum, invoice) => sum + unusedOf(invoice, subscription, now), 0n);
  return between0And(
    paid.reduce((sum, { refundableMinor }) => sum + refundableMinor, 0n),
    unused,
  );
}

/**
 * All that it pays for is later by as long as time stood still since: its lines keep the dates that they were issued with. Of what it
 * asked for, no more is unused than is covered, by money that is left or by what it credited: what was given back by hand was used first.
 */
function unusedOf(invoice: Invoice, subscription: Subscription, now: Date): bigint {
  const at = new Date(now.getTime() - stoodStillSince(invoice, subscription));
  let [asked, credited, covered] = [0n, 0n, invoice.refundableMinor];
  for (const { period, amountMinor } of invoice.lines) {
    const amount = BigInt(amountMinor);
    const unused =
      period === null ? 0n : unusedPart(amount, { start: new Date(period.start), end: new Date(period.end) }, at);
    if (amount > 0n) asked += unused;
    else {
      credited += unused;
      covered -= amount;
    }
  }
  return (asked < covered ? asked : covered) + credited;
}

/** For how long time has stood still for the subscription since the invoice was issued, in ms. */
export function stoodStillSince(invoice: Invoice, subscription: Subscription): number {
  return subscription.stoodStillMs - invoice.stoodStillMs;
}

function between0And(most: bigint, amount: bigint): bigint {
  if (amount < 0n) return 0n;
  return amount < most ? amount : most;
}

/** How a charge of an invoice ended, for people. */
export function outcomeText({ amountMinor, currency }: Invoice, ended: string): string {
  return `${formatMinor(amountMinor, currency)} ${currency}: ${ended}`;
}
