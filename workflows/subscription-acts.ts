import type { UpdateDefinition } from '@temporalio/common';
import type { SubscriptionWish } from './domain/billing/subscription-act.ts';
import { requireAct } from './guards.ts';
import {
  type CancelAct,
  type ChangeAct,
  cancelSubscription,
  changeSubscription,
  type MoveDateAct,
  moveBillingDate,
  type PauseAct,
  pauseSubscription,
  type ResumeAct,
  resumeSubscription,
  retrySubscription,
  type SubscriptionAct,
  type SubscriptionActed,
  skipPeriod,
} from './subscription-contract.ts';
import { requireChange, requireInstant, requireOneOf } from './subscription-guards.ts';

/** Something that people may ask of a subscription. */
export interface Act<Asked extends SubscriptionAct> {
  /** What a key of the caller is remembered under: part of the wish's id. */
  readonly name: string;
  readonly update: UpdateDefinition<SubscriptionActed, [Asked]>;
  /** Refuses what cannot be read, whatever state the subscription is in. */
  readonly check: (asked: Asked) => void;
  /** What is wished for, with everything said that the caller left to us. */
  readonly wish: (asked: Asked) => SubscriptionWish;
}

/** Each of them: how it is read, and what it asks of the rules. */
export const subscriptionActs = {
  pause: act<PauseAct>({
    name: 'pause',
    update: pauseSubscription,
    check({ resumesAt, anchor }) {
      requireInstant('resumesAt', resumesAt);
      requireOneOf('anchor', anchor, ['keep', 'shift']);
    },
    wish: ({ resumesAt, anchor }) => ({ kind: 'pause', resumesAt: resumesAt ?? null, anchor: anchor ?? 'keep' }),
  }),
  resume: act<ResumeAct>({
    name: 'resume',
    update: resumeSubscription,
    check: ({ anchor }) => requireOneOf('anchor', anchor, ['keep', 'shift']),
    wish: ({ anchor }) => ({ kind: 'resume', anchor: anchor ?? null }),
  }),
  cancel: act<CancelAct>({
    name: 'cancel',
    update: cancelSubscription,
    check({ when, refund }) {
      requireOneOf('when', when, ['now', 'period_end']);
      requireOneOf('refund', refund, ['none', 'unused']);
    },
    wish: ({ when, refund }) => ({ kind: 'cancel', when: when ?? 'now', refund: refund ?? 'none' }),
  }),
  change: act<ChangeAct>({
    name: 'change',
    update: changeSubscription,
    check: requireChange,
    wish: (asked) => ({
      kind: 'change',
      planId: asked.planId ?? null,
      planVersion: asked.planVersion ?? null,
      quantity: asked.quantity ?? null,
      effective: asked.effective ?? null,
      paymentMethod: asked.paymentMethod ?? null,
      cancelAtPeriodEnd: asked.cancelAtPeriodEnd ?? null,
    }),
  }),
  retry: act<SubscriptionAct>({
    name: 'retry',
    update: retrySubscription,
    wish: () => ({ kind: 'retry_now' }),
  }),
  skip: act<SubscriptionAct>({ name: 'skip', update: skipPeriod, wish: () => ({ kind: 'skip' }) }),
  moveDate: act<MoveDateAct>({
    name: 'move_date',
    update: moveBillingDate,
    check: ({ to }) => requireInstant('to', to, 'needed'),
    wish: ({ to }) => ({ kind: 'move_date', to }),
  }),
};

/** Every act says who acts and why, whatever else it says. */
function act<Asked extends SubscriptionAct>({
  check,
  ...rest
}: Omit<Act<Asked>, 'check'> & Partial<Pick<Act<Asked>, 'check'>>): Act<Asked> {
  return {
    ...rest,
    check(asked) {
      requireAct(asked);
      check?.(asked);
    },
  };
}
