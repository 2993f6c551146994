import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BillingInterval } from '../../../workflows/domain/billing/calendar.ts';
import { finalActions } from '../../../workflows/domain/billing/dunning.ts';
import { type Span, unusedPart } from '../../../workflows/domain/billing/proration.ts';
import type { StepChange } from '../../../workflows/domain/billing/step-result.ts';
import {
  type ChargeEnd,
  dueOf,
  type Invoice,
  type InvoiceLine,
  type Subscription,
} from '../../../workflows/domain/billing/subscription.ts';
import type { SubscriptionStep } from '../../../workflows/domain/billing/subscription-act.ts';
import { isSameLength } from '../../../workflows/domain/billing/subscription-changes.ts';
import { isEnded, subscriptionTransitions } from '../../../workflows/domain/subscription-status.ts';
import { aCard, aChange, aPlan, SubscriptionLife, wishes } from '../../support/subscription-life.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const start = '2026-01-31T10:00:00Z';

const plans = [
  aPlan({ amountMinor: 2599n, signUpFeeMinor: 501n }),
  aPlan({ version: 2, amountMinor: 2999n }),
  aPlan({ planId: 'pln_more', amountMinor: 4999n, cycles: 3 }),
  aPlan({ planId: 'pln_less', amountMinor: 7n }),
  aPlan({ planId: 'pln_yearly', amountMinor: 25_001n, interval: { unit: 'year', count: 1 } }),
  aPlan({ planId: 'pln_weekly', amountMinor: 799n, interval: { unit: 'week', count: 2 }, signUpFeeMinor: 99n }),
  aPlan({ planId: 'pln_daily', amountMinor: 9_007_199_254_740_993n, interval: { unit: 'day', count: 1 }, cycles: 40 }),
] as const;

const expiring = { ...aCard('tok_2'), expiry: { year: 2026, month: 4 } };

/** What happens next: time passes, a charge ends, or somebody wants something. */
type Act =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'go_on' }
  | { readonly kind: 'settle'; readonly end: ChargeEnd }
  | { readonly kind: 'ask'; readonly step: SubscriptionStep }
  | { readonly kind: 'ask_later'; readonly step: 'pause' | 'move_date'; readonly ms: number };

const charges = fc.constantFrom<ChargeEnd>(
  ...Array.from({ length: 6 }, (): ChargeEnd => ({ status: 'captured', failureCode: null, declineClass: null })),
  { status: 'partially_refunded', failureCode: null, declineClass: null },
  { status: 'failed', failureCode: 'insufficient_funds', declineClass: 'retry_same' },
  { status: 'failed', failureCode: 'provider_unavailable', declineClass: null },
  { status: 'failed', failureCode: 'lost_or_stolen_card', declineClass: 'never' },
  { status: 'canceled', failureCode: null, declineClass: null },
);

const changes = fc
  .record({
    plan: fc.option(fc.constantFrom(...plans)),
    quantity: fc.option(fc.integer({ min: 1, max: 4 })),
    effective: fc.constantFrom('now', 'period_end', null),
    paymentMethod: fc.constantFrom(null, null, aCard('tok_3'), expiring),
    cancelAtPeriodEnd: fc.constantFrom(null, false),
  })
  .map(({ plan, ...change }) =>
    aChange({ ...change, planId: plan?.planId ?? null, planVersion: plan?.version ?? null }),
  );

const acts = fc.oneof<fc.WeightedArbitrary<Act>[]>(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 60 * dayMs }).map((ms) => ({ kind: 'wait', ms })) },
  { weight: 15, arbitrary: fc.constant({ kind: 'go_on' }) },
  { weight: 15, arbitrary: charges.map((end) => ({ kind: 'settle', end })) },
  { weight: 3, arbitrary: changes.map((step) => ({ kind: 'ask', step })) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom<SubscriptionStep>(
        wishes.pause,
        { kind: 'resume', anchor: 'keep' },
        { kind: 'resume', anchor: 'shift' },
        wishes.resume,
        wishes.retryNow,
        wishes.skip,
        { kind: 'settle_refunds', isWhole: true },
        { kind: 'open_period' },
        { kind: 'end_dunning' },
      )
      .map((step) => ({ kind: 'ask', step })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'ask', step: wishes.cancelAtPeriodEnd }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('ask_later'),
      step: fc.constantFrom('pause', 'move_date'),
      ms: fc.integer({ min: 1, max: 50 * dayMs }),
    }),
  },
);

/** At last it may be canceled, in the middle of whatever is going on, and then it is still asked for things. */
const stories = fc.record({
  plan: fc.constantFrom(...plans),
  trialDays: fc.constantFrom(0, 0, 5, 45),
  quantity: fc.integer({ min: 1, max: 3 }),
  finalAction: fc.constantFrom(...finalActions),
  retryDays: fc.constantFrom([1, 3, 5, 7], [2], []),
  before: fc.array(acts, { minLength: 20, maxLength: 80, size: 'max' }),
  end: fc.constantFrom(null, wishes.cancelNow, wishes.cancelWithRefund),
  after: fc.array(acts, { maxLength: 8 }),
});

/** The start of a period on the calendar, by days and months of UTC alone. */
function onCalendar(anchor: Date, { unit, count }: BillingInterval, index: number): number {
  const steps = count * index;
  if (unit === 'day' || unit === 'week') return anchor.getTime() + steps * (unit === 'day' ? 1 : 7) * dayMs;
  const months = anchor.getUTCMonth() + steps * (unit === 'month' ? 1 : 12);
  const first = new Date(anchor);
  first.setUTCMonth(months, 1);
  const daysOfMonth = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  return first.setUTCDate(Math.min(anchor.getUTCDate(), daysOfMonth));
}

const sum = (amounts: readonly (bigint | string)[]) =>
  amounts.reduce<bigint>((all, amount) => all + BigInt(amount), 0n);

/** A part of an invoice that pays for a span of time, or gives it back. */
interface PaidSpan extends Span {
  readonly amount: bigint;
}

function spanOf({ amountMinor, period }: InvoiceLine): PaidSpan[] {
  if (period === null) return [];
  return [{ amount: BigInt(amountMinor), start: new Date(period.start), end: new Date(period.end) }];
}

/** A life of which every step is held against what must always be true. */
class WatchedLife extends SubscriptionLife {
  readonly #payments = new Set<string>();
  /** What the invoices pay for and give back, each with its dates as they are now. */
  readonly #spans = new Map<string, readonly PaidSpan[]>();
  #canceledAsOf: Date | null = null;

  override take(step: SubscriptionStep, end: ChargeEnd | null = null) {
    const { subscription: before } = this;
    const paidBefore = this.made.filter(({ status }) => status === 'paid').length;
    const madeBefore = this.made.length;
    const asOf = this.#asOf();
    const left = this.#leftOfPaid(asOf);
    const result = super.take(step, end);
    if (result.kind !== 'changed') return result;
    if (step.kind === 'cancel' && step.when === 'now') this.#canceledAsOf = asOf;
    this.#requireRefunds();
    this.#moveSpans(before, step);
    this.#requireMove(before, step, result);
    this.#requireStanding();
    this.#requireDates(before, step);
    this.#requireInvoices(before, this.made.slice(madeBefore), left);
    for (const { id, lines } of this.made.slice(madeBefore)) this.#spans.set(id, lines.flatMap(spanOf));
    if (step.kind !== 'settle_charge')
      expect(this.made.filter(({ status }) => status === 'paid')).toHaveLength(paidBefore);
    return result;
  }

  /** All that is due by now, late as it may be; a charge that begins stops it. */
  catchUp(): void {
    for (let steps = 0; ; steps += 1) {
      const due = dueOf(this.subscription);
      if (due === null || due.at > this.now) return;
      expect(steps, 'steps at one instant').toBeLessThan(10);
      this.do({ kind: due.step });
    }
  }

  /** Now, or when a pause began in which time stands still, when everything goes on as it is. */
  #asOf(): Date {
    const { pausedAt, resumesAt, resumeAnchor } = this.subscription;
    const isOverdue = resumesAt !== null && resumesAt < this.now;
    const stoodStillMs = (isOverdue ? resumesAt : this.now).getTime() - (pausedAt ?? this.now).getTime();
    return pausedAt !== null && resumeAnchor === 'shift' ? new Date(this.now.getTime() - stoodStillMs) : this.now;
  }

  /** What is left of what was paid since the last period that was. */
  #leftOfPaid(asOf: Date): bigint {
    const paid = this.made.filter(({ status }) => status === 'paid');
    const first = paid.findLastIndex(({ reason }) => reason === 'period');
    const spans = paid.slice(Math.max(0, first)).flatMap(({ id }) => this.#spans.get(id) ?? []);
    const left = sum(spans.map(({ amount, ...span }) => unusedPart(amount, span, asOf)));
    return left < 0n ? 0n : left;
  }

  /** After a cancellation all that is left is given back, if that is wanted, as soon as no charge is on its way. */
  #requireRefunds(): void {
    const { cancelRefund, chargePaymentId } = this.subscription;
    const isWanted = cancelRefund === 'unused' && chargePaymentId === null;
    const expected = isWanted && this.#canceledAsOf !== null ? this.#leftOfPaid(this.#canceledAsOf) : 0n;
    expect(sum(this.made.map(({ refundDueMinor }) => refundDueMinor))).toBe(expected);
  }

  /** After a pause in which time stood still, all that was paid for comes as much later as the period does. */
  #moveSpans(before: Subscription, { kind }: SubscriptionStep): void {
    if (kind !== 'resume' && kind !== 'end_pause') return;
    const byMs = Number(this.subscription.currentPeriodStart) - Number(before.currentPeriodStart);
    const later = (instant: Date) => new Date(instant.getTime() + byMs);
    for (const [id, spans] of this.#spans) {
      this.#spans.set(
        id,
        spans.map((span) => ({ ...span, start: later(span.start), end: later(span.end) })),
      );
    }
  }

  #requireMove(before: Subscription, step: SubscriptionStep, { subscription: after, invoices }: StepChange): void {
    if (after.status !== before.status) expect(subscriptionTransitions[before.status]).toContain(after.status);
    if (isEnded(before.status)) {
      expect(['settle_charge', 'settle_refunds']).toContain(step.kind);
      expect(invoices.filter(({ kind }) => kind === 'made')).toEqual([]);
    }
    const { chargePaymentId: charge } = after;
    if (charge === null || charge === before.chargePaymentId) return;
    expect(this.#payments.has(charge), 'a payment of its own for each charge').toBe(false);
    this.#payments.add(charge);
    expect(before.chargePaymentId === null || step.kind === 'settle_charge').toBe(true);
    expect(after.status === 'paused' || isEnded(after.status)).toBe(false);
  }

  #requireStanding(): void {
    const { status, pausedAt, endedAt, chargePaymentId, openInvoiceId, dunning } = this.subscription;
    const open = this.made.filter((invoice) => invoice.status === 'open');
    expect(open.map(({ id }) => id)).toEqual(openInvoiceId === null ? [] : [openInvoiceId]);
    expect(pausedAt !== null).toBe(status === 'paused');
    expect(endedAt !== null).toBe(isEnded(status));
    if (chargePaymentId !== null) expect(open[0]?.paymentId).toBe(chargePaymentId);
    if (dunning !== null) expect(openInvoiceId).not.toBeNull();
    if (status === 'past_due' || status === 'unpaid') expect(openInvoiceId).not.toBeNull();
    if (status === 'active' || status === 'trialing') expect(open.length > 0 && chargePaymentId === null).toBe(false);
    if (dueOf(this.subscription) === null && chargePaymentId === null) {
      expect(['paused', 'unpaid', 'canceled', 'completed'], 'something is due of what runs').toContain(status);
    }
  }

  #requireDates(before: Subscription, step: SubscriptionStep): void {
    const { subscription: after } = this;
    const { nextBillingDate: next, anchor, anchorIndex, interval, currentPeriodStart, currentPeriodEnd } = after;
    if (next !== null) expect(next.getTime()).toBe(onCalendar(anchor, interval, anchorIndex));
    if (currentPeriodStart !== null && currentPeriodEnd !== null) {
      expect(currentPeriodEnd.getTime()).toBeGreaterThan(currentPeriodStart.getTime());
    }
    const isMoved = anchor.getTime() !== before.anchor.getTime() || !isSameLength(before, this.context(step).plan);
    const mayMove = ['move_date', 'resume', 'end_pause', 'change', 'settle_charge', 'open_period'];
    if (isMoved) expect(mayMove).toContain(step.kind);
    else expect(anchorIndex).toBeGreaterThanOrEqual(before.anchorIndex);
    if (step.kind !== 'open_period') return;
    expect(currentPeriodStart).toEqual(before.nextBillingDate);
    const from = isMoved ? before.nextBillingDate : before.anchor;
    expect(currentPeriodEnd?.getTime()).toBe(
      onCalendar(from ?? anchor, interval, isMoved ? 1 : before.anchorIndex + 1),
    );
  }

  #requireInvoices(before: Subscription, made: readonly Invoice[], left: bigint): void {
    const { subscription: after } = this;
    const periods = this.made.filter(({ reason }) => reason === 'period');
    expect(periods.map(({ cycle }) => cycle)).toEqual(
      Array.from({ length: after.cyclesBilled }, (_, index) => index + 1),
    );
    if (after.cyclesTotal !== null) expect(after.cyclesBilled).toBeLessThanOrEqual(after.cyclesTotal);
    for (const invoice of made) this.#requireAmount(before, invoice, left);
    for (const { refundDueMinor, amountMinor, status } of this.made) {
      expect(refundDueMinor >= 0n && refundDueMinor <= amountMinor).toBe(true);
      if (refundDueMinor > 0n) expect(status).toBe('paid');
    }
    const dueBack = sum(after.refundsDue.map(({ amountMinor }) => amountMinor));
    expect(dueBack <= sum(this.made.map(({ refundDueMinor }) => refundDueMinor))).toBe(true);
  }

  #requireAmount(before: Subscription, invoice: Invoice, left: bigint): void {
    const { reason, amountMinor, lines, periodStart, periodEnd } = invoice;
    const { subscription: after } = this;
    expect(amountMinor > 0n).toBe(true);
    expect(sum(lines.map((line) => line.amountMinor))).toBe(amountMinor);
    expect(periodEnd.getTime()).toBeGreaterThanOrEqual(periodStart.getTime());
    const { signUpFeeMinor } = this.context({ kind: 'settle_refunds', isWhole: true }).plan;
    const fee = before.owesSignUpFee && !after.owesSignUpFee ? signUpFeeMinor : 0n;
    if (reason === 'sign_up') expect(amountMinor).toBe(fee);
    if (reason === 'period') expect(amountMinor).toBe(after.amountMinor + fee);
    if (reason !== 'change') return;
    const credited = sum(lines.filter(({ kind }) => kind === 'proration_credit').map((line) => line.amountMinor));
    const [from, to] = [before.currentPeriodStart?.getTime() ?? 0, before.currentPeriodEnd?.getTime() ?? 0];
    const rest = BigInt(to - this.now.getTime());
    const unused = (2n * before.amountMinor * rest + BigInt(to - from)) / (2n * BigInt(to - from));
    expect(-credited).toBe(unused < left ? unused : left);
  }
}

function play(life: WatchedLife, act: Act): void {
  const { chargePaymentId: paymentId } = life.subscription;
  switch (act.kind) {
    case 'wait':
      life.at(new Date(life.now.getTime() + act.ms));
      return;
    case 'go_on': {
      const due = dueOf(life.subscription);
      if (due !== null && due.at > life.now) life.at(due.at);
      return life.catchUp();
    }
    case 'settle':
      if (paymentId !== null) life.do({ kind: 'settle_charge', paymentId }, act.end);
      return;
    case 'ask':
      life.take(act.step);
      return;
    case 'ask_later': {
      const at = new Date(life.now.getTime() + act.ms).toISOString();
      life.take(
        act.step === 'pause' ? { ...wishes.pause, resumesAt: at, anchor: 'shift' } : { kind: 'move_date', to: at },
      );
    }
  }
}

// A failing property prints its seed and its smallest counterexample.
test('whatever happens, in whatever order: nothing is billed twice, left out, or wrongly, and it always goes on', () => {
  fc.assert(
    fc.property(stories, ({ plan, trialDays, quantity, finalAction, retryDays, before, end, after }) => {
      const trialEnd = new Date(Date.parse(start) + trialDays * dayMs).toISOString();
      const dunning = { finalAction, retryDays };
      const life = new WatchedLife({ plan, others: plans, now: start, trialEnd, quantity, dunning });
      for (const act of before) play(life, act);
      const paid = sum(life.made.filter(({ status }) => status === 'paid').map(({ amountMinor }) => amountMinor));
      if (end !== null) life.take(end);
      expect(sum(life.made.map(({ refundDueMinor }) => refundDueMinor)) <= paid).toBe(true);
      for (const act of after) play(life, act);
      if (end === null) return;
      if (life.subscription.chargePaymentId !== null) play(life, { kind: 'settle', end: paidEnd });
      life.take({ kind: 'settle_refunds', isWhole: true });
      expect(life.subscription).toMatchObject({ openInvoiceId: null, chargePaymentId: null, refundsDue: [] });
      expect(dueOf(life.subscription)).toBeNull();
    }),
    { numRuns: 300 },
  );
});

const paidEnd: ChargeEnd = { status: 'captured', failureCode: null, declineClass: null };
