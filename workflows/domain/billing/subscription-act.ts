import type { DueStep, ResumeAnchor, SubscriptionPaymentMethod } from './subscription.ts';

/** What people may want of a subscription. Instants are ISO 8601. */
export type SubscriptionWish =
  | { readonly kind: 'pause'; readonly resumesAt: string | null; readonly anchor: ResumeAnchor }
  /** `anchor` null: as it was said when it was paused. */
  | { readonly kind: 'resume'; readonly anchor: ResumeAnchor | null }
  | { readonly kind: 'cancel'; readonly when: 'now' | 'period_end'; readonly refund: 'none' | 'unused' }
  | ChangeWish
  | { readonly kind: 'retry_now' }
  | { readonly kind: 'skip' }
  | { readonly kind: 'move_date'; readonly to: string };

/** What is null stays as it is. */
export interface ChangeWish {
  readonly kind: 'change';
  readonly planId: string | null;
  /** Null: the current one, of another plan; the one that it has, of its own. */
  readonly planVersion: number | null;
  readonly quantity: number | null;
  readonly effective: 'now' | 'period_end' | null;
  readonly paymentMethod: SubscriptionPaymentMethod | null;
  readonly cancelAtPeriodEnd: boolean | null;
}

/** Whether another plan, version or quantity is wished for. */
export function isPlanWished({ planId, planVersion, quantity }: ChangeWish): boolean {
  return planId !== null || planVersion !== null || quantity !== null;
}

/** One step of a subscription's life: what is due, what has ended, or what somebody wants. */
export type SubscriptionStep =
  | { readonly kind: DueStep }
  | { readonly kind: 'settle_charge'; readonly paymentId: string }
  /** `isWhole` false: not all that is unused could be given back. */
  | { readonly kind: 'settle_refunds'; readonly isWhole: boolean }
  | SubscriptionWish;

/** Why an act was not done; each is a code of the API. */
export type SubscriptionActRefusal =
  | 'subscription_ended'
  | 'subscription_not_pausable'
  | 'subscription_not_paused'
  | 'invoice_open'
  | 'charge_in_progress'
  | 'nothing_to_retry'
  | 'change_refused'
  | 'plan_not_available';
