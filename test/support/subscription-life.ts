import type { DunningTerms } from '../../workflows/domain/billing/dunning.ts';
import type { StepContext, StepResult } from '../../workflows/domain/billing/step-result.ts';
import {
  type ChargeEnd,
  dueOf,
  type Invoice,
  type PlanTerms,
  type Subscription,
  type SubscriptionPaymentMethod,
} from '../../workflows/domain/billing/subscription.ts';
import {
  type ChangeWish,
  isPlanWished,
  type SubscriptionStep,
  type SubscriptionWish,
} from '../../workflows/domain/billing/subscription-act.ts';
import { previewChange } from '../../workflows/domain/billing/subscription-preview.ts';
import { applyStep, begun } from '../../workflows/domain/billing/subscription-steps.ts';
import { type DeclineCode, declineClasses } from '../../workflows/domain/failure.ts';
import { subscriptionIdOf } from '../../workflows/domain/ids.ts';

/** A plan: 30.00 USD every month, without trial, fee or end, unless the test wants otherwise. */
export function aPlan(terms: Partial<PlanTerms> = {}): PlanTerms {
  return {
    planId: 'pln_tea',
    version: 1,
    name: 'Tea',
    amountMinor: 3000n,
    currency: 'USD',
    interval: { unit: 'month', count: 1 },
    trialDays: 0,
    signUpFeeMinor: 0n,
    cycles: null,
    ...terms,
  };
}

/** A card that nobody has said the expiry of. */
export function aCard(cardToken: string): SubscriptionPaymentMethod {
  return { type: 'credit_card', cardToken, expiry: null };
}

/** A wish for a change, of which all but what is named stays as it is. */
export function aChange(wish: Partial<Omit<ChangeWish, 'kind'>>): ChangeWish {
  const unchanged = { planId: null, planVersion: null, quantity: null, effective: null } as const;
  return { kind: 'change', ...unchanged, paymentMethod: null, cancelAtPeriodEnd: null, ...wish };
}

export const wishes = {
  pause: { kind: 'pause', resumesAt: null, anchor: 'keep' },
  resume: { kind: 'resume', anchor: null },
  cancelNow: { kind: 'cancel', when: 'now', refund: 'none' },
  cancelWithRefund: { kind: 'cancel', when: 'now', refund: 'unused' },
  cancelAtPeriodEnd: { kind: 'cancel', when: 'period_end', refund: 'none' },
  retryNow: { kind: 'retry_now' },
  skip: { kind: 'skip' },
} as const satisfies Readonly<Record<string, SubscriptionWish>>;

interface Beginning {
  readonly plan?: PlanTerms;
  /** Plans that it may change to. */
  readonly others?: readonly PlanTerms[];
  readonly now?: string;
  readonly trialEnd?: string;
  readonly timeZone?: string;
  readonly quantity?: number;
  readonly paymentMethod?: SubscriptionPaymentMethod;
  readonly dunning?: Partial<DunningTerms>;
}

/** A subscription that lives by the rules alone, with a clock that goes when the test says so. */
export class SubscriptionLife {
  subscription: Subscription;
  now: Date;
  readonly invoices = new Map<string, Invoice>();
  /** What happened, in the words of events: the status where it changed. */
  readonly events: string[] = [];
  readonly invoiceEvents: string[] = [];
  readonly #plans: readonly PlanTerms[];
  readonly #dunning: DunningTerms;
  /** What was refunded by hand of the payments of invoices. */
  readonly #refunded = new Map<string, bigint>();
  #wishes = 0;

  constructor({ plan = aPlan(), others = [], now = '2026-01-31T10:00:00Z', trialEnd, ...given }: Beginning = {}) {
    this.now = new Date(now);
    this.#plans = [plan, ...others];
    this.#dunning = { retryDays: [1, 3, 5, 7], graceDays: 3, finalAction: 'cancel', ...given.dunning };
    const merchant = { merchantId: 'mer_1', isTest: true };
    const { quantity = 1, timeZone = 'UTC', paymentMethod = aCard('tok_1') } = given;
    const id = subscriptionIdOf({ ...merchant, idempotencyKey: 'life' });
    const subscription = { id, ...merchant, customerId: 'customer-1', quantity, timeZone, paymentMethod };
    this.subscription = begun(subscription, plan, trialEnd === undefined ? null : new Date(trialEnd), this.now);
  }

  /** The invoices in the order in which they were made. */
  get made(): readonly Invoice[] {
    return [...this.invoices.values()];
  }

  get lastInvoice(): Invoice {
    const last = this.made.at(-1);
    if (last === undefined) throw new Error('there is no invoice yet');
    return last;
  }

  /** What the rules are told for a step, as the database finds it. */
  context(step: SubscriptionStep, chargeEnd: ChargeEnd | null = null): StepContext {
    const { subscription, now } = this;
    const { pendingChange: pending, openInvoiceId } = subscription;
    const isOfPaid = step.kind === 'cancel' || isPlanChange(step) || subscription.cancelRefund === 'unused';
    const pendingPlan = pending === null ? null : this.#plan(pending.planId, pending.planVersion);
    return {
      now,
      plan: this.#plan(subscription.planId, subscription.planVersion),
      nextPlan: isPlanChange(step) ? this.#wishedPlan(step) : pendingPlan,
      openInvoice: openInvoiceId === null ? null : this.#asLoaded(this.#invoice(openInvoiceId), chargeEnd),
      paidInvoices: isOfPaid ? this.#paidNow() : [],
      chargeEnd,
      dunning: this.#dunning,
      wishId: `wish-${this.#wishes}`,
    };
  }

  /** Takes a step, and keeps what it brings. */
  take(step: SubscriptionStep, chargeEnd: ChargeEnd | null = null): StepResult {
    this.#wishes += 1;
    const result = applyStep(this.subscription, step, this.context(step, chargeEnd));
    if (result.kind !== 'changed') return result;
    const isMove = result.subscription.status !== this.subscription.status;
    this.events.push(isMove ? result.subscription.status : result.event);
    this.subscription = result.subscription;
    for (const { invoice, event } of result.invoices) {
      this.invoices.set(invoice.id, invoice);
      if (event !== null) this.invoiceEvents.push(`${invoice.reason} ${invoice.cycle ?? '-'} ${event}`);
    }
    return result;
  }

  /** Takes a step that must bring a change. */
  do(step: SubscriptionStep, chargeEnd: ChargeEnd | null = null): this {
    const result = this.take(step, chargeEnd);
    if (result.kind === 'changed') return this;
    throw new Error(`${step.kind}: ${result.kind === 'refused' ? `${result.code}: ${result.detail}` : result.kind}`);
  }

  /** The merchant refunds so much of an invoice's payment, beside all rules. */
  refundedByHand({ id }: Invoice, amountMinor: bigint): this {
    this.#refunded.set(id, amountMinor);
    return this;
  }

  preview(wish: ChangeWish): ReturnType<typeof previewChange> {
    return previewChange(this.subscription, wish, this.context(wish));
  }

  at(instant: string | Date): this {
    this.now = new Date(instant);
    return this;
  }

  /** Does what is due next, at its time; or now, where that is over. */
  goOn(): this {
    const due = dueOf(this.subscription);
    if (due === null) throw new Error('nothing is due');
    if (due.at > this.now) this.now = due.at;
    return this.do({ kind: due.step });
  }

  /** The charge that is on its way succeeds. */
  paid(): this {
    return this.#settle({ status: 'captured', failureCode: null, declineClass: null });
  }

  declined(code: DeclineCode = 'insufficient_funds'): this {
    return this.#settle({ status: 'failed', failureCode: code, declineClass: declineClasses[code] });
  }

  /** Bills the next period and has it paid. */
  renewed(times = 1): this {
    for (let time = 0; time < times; time++) this.goOn().paid();
    return this;
  }

  /** Goes down the ladder, declined at every step, until its final action is done. */
  givenUp(): this {
    while (dueOf(this.subscription)?.step === 'retry_charge') this.goOn().declined();
    return this.goOn();
  }

  #settle(end: ChargeEnd): this {
    const { chargePaymentId: paymentId } = this.subscription;
    if (paymentId === null) throw new Error('no charge is on its way');
    return this.do({ kind: 'settle_charge', paymentId }, end);
  }

  #paidNow(): Invoice[] {
    const last = this.made.findLastIndex(({ status, reason }) => status === 'paid' && reason === 'period');
    const paid = this.made.slice(Math.max(0, last)).filter(({ status }) => status === 'paid');
    return paid.map((invoice) => this.#asLoaded(invoice, null));
  }

  /** With what is left of its payment. */
  #asLoaded(invoice: Invoice, chargeEnd: ChargeEnd | null): Invoice {
    const isCaptured =
      invoice.status === 'paid' || (chargeEnd !== null && !['failed', 'canceled'].includes(chargeEnd.status));
    const refundableMinor = isCaptured ? invoice.amountMinor - (this.#refunded.get(invoice.id) ?? 0n) : 0n;
    return { ...invoice, refundableMinor };
  }

  #wishedPlan({ planId, planVersion }: ChangeWish): PlanTerms {
    const { subscription } = this;
    const isOwn = planId === null || planId === subscription.planId;
    return this.#plan(planId ?? subscription.planId, planVersion ?? (isOwn ? subscription.planVersion : null));
  }

  #plan(planId: string, version: number | null): PlanTerms {
    const plan = this.#plans.findLast((one) => one.planId === planId && (version === null || one.version === version));
    if (plan === undefined) throw new Error(`there is no plan ${planId}`);
    return plan;
  }

  #invoice(id: string): Invoice {
    const invoice = this.invoices.get(id);
    if (invoice === undefined) throw new Error('there is no such invoice');
    return invoice;
  }
}

function isPlanChange(step: SubscriptionStep): step is ChangeWish {
  return step.kind === 'change' && isPlanWished(step);
}
