import { describe, expect, test } from 'vitest';
import { type DueStep, dueOf } from '../../../workflows/domain/billing/subscription.ts';
import type { SubscriptionStep } from '../../../workflows/domain/billing/subscription-act.ts';
import { aCard, aChange, aPlan, SubscriptionLife, wishes } from '../../support/subscription-life.ts';

const more = aPlan({ planId: 'pln_more', amountMinor: 6000n });
const less = aPlan({ planId: 'pln_less', amountMinor: 1000n });
const euros = aPlan({ planId: 'pln_euros', currency: 'EUR' });
const others = [more, less, euros];

const fresh = () => new SubscriptionLife({ others });
const billed = () => fresh().goOn();
const unpaidOnes = () => new SubscriptionLife({ others, dunning: { retryDays: [], finalAction: 'unpaid' } }).goOn();

/** Every way in which a subscription can stand, each with the clock at noon of a day in the middle of it. */
const standings = {
  trialing: () => new SubscriptionLife({ others, trialEnd: '2026-02-14T10:00:00Z' }),
  fresh,
  charging: billed,
  active: () => billed().paid(),
  last: () => new SubscriptionLife({ others, plan: aPlan({ cycles: 1 }) }).renewed(),
  past_due: () => billed().declined(),
  retrying: () => billed().declined().goOn(),
  paused: () => billed().paid().do(wishes.pause),
  owing: () => billed().declined().do(wishes.pause),
  stopping: () => billed().do(wishes.pause),
  unpaid: () => unpaidOnes().declined().goOn(),
  trying: () => unpaidOnes().declined().goOn().do(wishes.retryNow),
  canceled: () => billed().paid().do(wishes.cancelNow),
  canceling: () => billed().do(wishes.cancelNow),
  completed: () => new SubscriptionLife({ others, plan: aPlan({ cycles: 1 }) }).renewed().goOn(),
} as const;

type Standing = keyof typeof standings;
const names = Object.keys(standings) as Standing[];

/** What a step brings: the status after it, with `!` where a charge begins; `nothing`; or the code of a refusal. */
function outcomeOf(life: SubscriptionLife, step: SubscriptionStep): string {
  const before = life.subscription.chargePaymentId;
  const result = life.take(step);
  if (result.kind === 'refused') return result.code;
  if (result.kind === 'nothing') return 'nothing';
  const { status, chargePaymentId } = result.subscription;
  return chargePaymentId === null || chargePaymentId === before ? status : `${status}!`;
}

const moveDate = { kind: 'move_date', to: '2026-03-09T10:00:00Z' } as const;
const ended = 'subscription_ended';

// biome-ignore format: a table
const table: readonly (readonly [wish: string, step: SubscriptionStep, outcomes: Readonly<Record<Exclude<Standing, 'canceled' | 'canceling' | 'completed'>, string>>])[] = [
  ['pause', wishes.pause, {
    trialing: 'paused', fresh: 'paused', charging: 'paused', active: 'paused', last: 'paused', past_due: 'paused', retrying: 'paused',
    paused: 'subscription_not_pausable', owing: 'subscription_not_pausable', stopping: 'subscription_not_pausable',
    unpaid: 'subscription_not_pausable', trying: 'subscription_not_pausable' }],
  ['resume', wishes.resume, {
    trialing: 'subscription_not_paused', fresh: 'subscription_not_paused', charging: 'subscription_not_paused',
    active: 'subscription_not_paused', last: 'subscription_not_paused', past_due: 'subscription_not_paused',
    retrying: 'subscription_not_paused', paused: 'active', owing: 'past_due', stopping: 'active',
    unpaid: 'subscription_not_paused', trying: 'subscription_not_paused' }],
  ['cancel now', wishes.cancelNow, {
    trialing: 'canceled', fresh: 'canceled', charging: 'canceled', active: 'canceled', last: 'canceled', past_due: 'canceled',
    retrying: 'canceled', paused: 'canceled', owing: 'canceled', stopping: 'canceled', unpaid: 'canceled', trying: 'canceled' }],
  ['cancel with a refund', wishes.cancelWithRefund, {
    trialing: 'canceled', fresh: 'canceled', charging: 'canceled', active: 'canceled', last: 'canceled', past_due: 'canceled',
    retrying: 'canceled', paused: 'canceled', owing: 'canceled', stopping: 'canceled', unpaid: 'canceled', trying: 'canceled' }],
  ['cancel at the end of the period', wishes.cancelAtPeriodEnd, {
    trialing: 'trialing', fresh: 'active', charging: 'active', active: 'active', last: 'active', past_due: 'past_due',
    retrying: 'past_due', paused: 'paused', owing: 'paused', stopping: 'paused', unpaid: 'unpaid', trying: 'unpaid' }],
  ['go on after all', aChange({ cancelAtPeriodEnd: false }), {
    trialing: 'nothing', fresh: 'nothing', charging: 'nothing', active: 'nothing', last: 'nothing', past_due: 'nothing',
    retrying: 'nothing', paused: 'nothing', owing: 'nothing', stopping: 'nothing', unpaid: 'nothing', trying: 'nothing' }],
  ['a plan that costs more', aChange({ planId: more.planId }), {
    trialing: 'trialing', fresh: 'active', charging: 'invoice_open', active: 'active!', last: 'active!', past_due: 'invoice_open',
    retrying: 'invoice_open', paused: 'change_refused', owing: 'invoice_open', stopping: 'invoice_open', unpaid: 'invoice_open',
    trying: 'invoice_open' }],
  ['a plan that costs less', aChange({ planId: less.planId }), {
    trialing: 'trialing', fresh: 'active', charging: 'invoice_open', active: 'active', last: 'change_refused', past_due: 'invoice_open',
    retrying: 'invoice_open', paused: 'change_refused', owing: 'invoice_open', stopping: 'invoice_open', unpaid: 'invoice_open',
    trying: 'invoice_open' }],
  ['a plan that costs less, now', aChange({ planId: less.planId, effective: 'now' }), {
    trialing: 'trialing', fresh: 'active', charging: 'invoice_open', active: 'change_refused', last: 'change_refused',
    past_due: 'invoice_open', retrying: 'invoice_open', paused: 'change_refused', owing: 'invoice_open', stopping: 'invoice_open',
    unpaid: 'invoice_open', trying: 'invoice_open' }],
  ['a plan that costs more, later', aChange({ planId: more.planId, effective: 'period_end' }), {
    trialing: 'trialing', fresh: 'active', charging: 'invoice_open', active: 'active', last: 'change_refused', past_due: 'invoice_open',
    retrying: 'invoice_open', paused: 'change_refused', owing: 'invoice_open', stopping: 'invoice_open', unpaid: 'invoice_open',
    trying: 'invoice_open' }],
  ['a plan in another currency', aChange({ planId: euros.planId }), {
    trialing: 'change_refused', fresh: 'change_refused', charging: 'invoice_open', active: 'change_refused', last: 'change_refused',
    past_due: 'invoice_open', retrying: 'invoice_open', paused: 'change_refused', owing: 'invoice_open', stopping: 'invoice_open',
    unpaid: 'invoice_open', trying: 'invoice_open' }],
  ['more of them', aChange({ quantity: 3 }), {
    trialing: 'trialing', fresh: 'active', charging: 'invoice_open', active: 'active!', last: 'active!', past_due: 'invoice_open',
    retrying: 'invoice_open', paused: 'change_refused', owing: 'invoice_open', stopping: 'invoice_open', unpaid: 'invoice_open',
    trying: 'invoice_open' }],
  ['another card', aChange({ paymentMethod: aCard('tok_2') }), {
    trialing: 'trialing', fresh: 'active', charging: 'active', active: 'active', last: 'active', past_due: 'past_due!',
    retrying: 'past_due', paused: 'paused', owing: 'paused', stopping: 'paused', unpaid: 'unpaid!', trying: 'unpaid' }],
  ['retry now', wishes.retryNow, {
    trialing: 'nothing_to_retry', fresh: 'nothing_to_retry', charging: 'charge_in_progress', active: 'nothing_to_retry',
    last: 'nothing_to_retry', past_due: 'past_due!', retrying: 'charge_in_progress', paused: 'nothing_to_retry',
    owing: 'nothing_to_retry', stopping: 'charge_in_progress', unpaid: 'unpaid!', trying: 'charge_in_progress' }],
  ['skip', wishes.skip, {
    trialing: 'trialing', fresh: 'active', charging: 'charge_in_progress', active: 'active', last: 'change_refused', past_due: 'active',
    retrying: 'charge_in_progress', paused: 'paused', owing: 'paused', stopping: 'charge_in_progress', unpaid: 'active',
    trying: 'charge_in_progress' }],
  ['move the date', moveDate, {
    trialing: 'trialing', fresh: 'active', charging: 'invoice_open', active: 'active', last: 'change_refused', past_due: 'invoice_open',
    retrying: 'invoice_open', paused: 'paused', owing: 'invoice_open', stopping: 'invoice_open', unpaid: 'invoice_open',
    trying: 'invoice_open' }],
];

describe.each(table)('the wish: %s', (_, step, outcomes) => {
  test.each(names)('where it is %s', (name) => {
    const isEnded = name === 'canceled' || name === 'canceling' || name === 'completed';
    const life = standings[name]();
    const before = { subscription: life.subscription, invoices: life.made };
    const outcome = outcomeOf(life, step);
    expect(outcome).toBe(isEnded ? ended : outcomes[name]);
    const isChange = /^(trialing|active|past_due|paused|canceled|unpaid)!?$/.test(outcome);
    if (!isChange) expect({ subscription: life.subscription, invoices: life.made }).toEqual(before);
  });
});

/** What is due by itself, sooner or later. */
const dues: Readonly<Record<Standing, DueStep | null>> = {
  trialing: 'open_period',
  fresh: 'open_period',
  charging: null,
  active: 'open_period',
  last: 'complete',
  past_due: 'retry_charge',
  retrying: null,
  paused: null,
  owing: null,
  stopping: null,
  unpaid: null,
  trying: null,
  canceled: null,
  canceling: null,
  completed: null,
};

const dueSteps: readonly DueStep[] = [
  'bill_sign_up_fee',
  'open_period',
  'retry_charge',
  'end_dunning',
  'end_pause',
  'end_term',
  'complete',
  'notify_card',
];

describe('what is due', () => {
  test.each(names)('of one that is %s', (name) => {
    expect(dueOf(standings[name]().subscription)?.step ?? null).toBe(dues[name]);
  });

  test.each(names.flatMap((name) => dueSteps.map((step): [DueStep, Standing] => [step, name])))(
    '%s does nothing before its time, and nothing at all unless it is due, where it is %s',
    (step, name) => {
      const life = standings[name]();
      const due = dueOf(life.subscription);
      if (due !== null && due.at > life.now) expect(outcomeOf(life, { kind: step })).toBe('nothing');
      life.at('2036-01-01T00:00:00Z');
      expect(outcomeOf(life, { kind: step }) === 'nothing').toBe(step !== dues[name]);
    },
  );

  test.each(names)('a charge that is not on its way, or has not ended, settles nothing where it is %s', (name) => {
    const life = standings[name]();
    const { chargePaymentId } = life.subscription;
    const isPaid = { status: 'captured', failureCode: null, declineClass: null } as const;
    expect(life.take({ kind: 'settle_charge', paymentId: 'pay_other' }, isPaid).kind).toBe('nothing');
    expect(life.take({ kind: 'settle_charge', paymentId: chargePaymentId ?? 'pay_none' }).kind).toBe('nothing');
    expect(life.take({ kind: 'settle_refunds', isWhole: true }).kind).toBe('nothing');
  });
});
