import type { SearchAttributePair } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import { type OperatorAct, paymentTaskQueue } from './contract.ts';
import type { ResumeAnchor, SubscriptionPaymentMethod } from './domain/billing/subscription.ts';
import { formatMoney } from './domain/money.ts';
import type { SubscriptionRefusal, SubscriptionRequest } from './subscription-ports.ts';

/** The name as histories store it: part of the public API. */
export const subscriptionWorkflowType = 'subscriptionWorkflow';

/** Starts or resumes a subscription. Without `request` the row must exist: it holds all that the workflow needs. */
export interface SubscriptionWorkflowInput {
  readonly subscriptionId: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly request?: SubscriptionRequest;
}

/** How a subscription's workflow ended. Callers read the row; this is for operators. */
export type SubscriptionWorkflowResult = { readonly status: string } | { readonly refused: SubscriptionRefusal };

/** What a waiting API call learns: that there is something to read in the database, or why there never will be. */
export type AwaitedSubscription =
  | { readonly kind: 'stored' }
  | { readonly kind: 'refused'; readonly code: SubscriptionRefusal };

/** An act that a repeat must not do twice carries a key; people who leave it out act anew each time. */
export interface SubscriptionAct extends OperatorAct {
  readonly key?: string;
}

/** Pauses what is trialing, active or past due. */
export interface PauseAct extends SubscriptionAct {
  /** ISO 8601; absent: until somebody resumes it. */
  readonly resumesAt?: string;
  /** Absent: `keep`. */
  readonly anchor?: ResumeAnchor;
}

/** Ends a pause. */
export interface ResumeAct extends SubscriptionAct {
  /** Absent: as the pause said. */
  readonly anchor?: ResumeAnchor;
}

/** Ends it for good. */
export interface CancelAct extends SubscriptionAct {
  /** Absent: `now`. */
  readonly when?: 'now' | 'period_end';
  /** Whether the unused part of the period is given back; absent: `none`. */
  readonly refund?: 'none' | 'unused';
}

/** Changes what is given; the rest stays. */
export interface ChangeAct extends SubscriptionAct {
  readonly planId?: string;
  /** Absent: the plan's current one. */
  readonly planVersion?: number;
  readonly quantity?: number;
  /** Absent: `now` where that costs more, else `period_end`. */
  readonly effective?: 'now' | 'period_end';
  readonly paymentMethod?: SubscriptionPaymentMethod;
  /** False: it goes on after this period after all. */
  readonly cancelAtPeriodEnd?: boolean;
}

/** Moves the next billing date. */
export interface MoveDateAct extends SubscriptionAct {
  /** ISO 8601, later than now. */
  readonly to: string;
}

/** What an act answers when it is done; the row has the rest. */
export interface SubscriptionActed {
  readonly status: string;
  readonly nextBillingDate: string | null;
}

/** Waits until the subscription's row is committed, or until no charge of it is on its way. */
export const awaitSubscription = defineUpdate<
  AwaitedSubscription,
  [{ readonly requestHash: string; readonly until: 'accepted' | 'outcome' }]
>('awaitSubscription');
/** No period begins and nothing is charged until it is resumed; a charge that is on its way comes to its end. */
export const pauseSubscription = defineUpdate<SubscriptionActed, [PauseAct]>('pauseSubscription');
/** Ends its pause: what was owed is owed again. */
export const resumeSubscription = defineUpdate<SubscriptionActed, [ResumeAct]>('resumeSubscription');
/** Ends it, now or with the current period. */
export const cancelSubscription = defineUpdate<SubscriptionActed, [CancelAct]>('cancelSubscription');
/** Another plan, quantity or payment method, or it goes on after this period after all. */
export const changeSubscription = defineUpdate<SubscriptionActed, [ChangeAct]>('changeSubscription');
/** Charges the open invoice now. */
export const retrySubscription = defineUpdate<SubscriptionActed, [SubscriptionAct]>('retrySubscription');
/** Gives up the open invoice, or the next period where none is open: it is not billed. */
export const skipPeriod = defineUpdate<SubscriptionActed, [SubscriptionAct]>('skipPeriod');
/** Bills the next period at another instant, and counts all later ones from there. */
export const moveBillingDate = defineUpdate<SubscriptionActed, [MoveDateAct]>('moveBillingDate');
/** Its test clock was advanced: look what is due. */
export const clockMoved = defineSignal('clockMoved');
/** What the workflow knows and does now. */
export const getSubscription = defineQuery<SubscriptionView>('getSubscription');

/** What the query answers; status and version are null until its row is there. */
export interface SubscriptionView {
  readonly subscriptionId: string;
  readonly status: string | null;
  readonly doing: string;
  readonly version: number | null;
}

/** Of renewals: nobody waits for them, so they give way to what somebody waits for. Temporal's default is 3. */
export const backgroundPriority = 4;
/** Of batches, what they start, and test clocks: it comes last, and merchants take turns. */
export const batchPriority = (merchantId: string) => ({ priorityKey: 5, fairnessKey: merchantId }) as const;

/** What operators read in Temporal's lists: "25.99 USD every month · order-17". */
export function subscriptionSummary(subscription: {
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly billingCycle: string;
  readonly externalId: string;
}): string {
  return `${formatMoney(subscription)} every ${subscription.billingCycle} · ${subscription.externalId}`;
}

/** The options under which every process starts a subscription's workflow. */
export function subscriptionStartOptions(subscription: {
  readonly subscriptionId: string;
  readonly merchantId: string;
  readonly summary: string;
}) {
  return {
    workflowId: subscription.subscriptionId,
    taskQueue: paymentTaskQueue,
    workflowTaskTimeout: '5 seconds',
    staticSummary: subscription.summary,
    typedSearchAttributes: [
      { key: { name: 'SubscriptionId', type: 'KEYWORD' }, value: subscription.subscriptionId },
      { key: { name: 'MerchantId', type: 'KEYWORD' }, value: subscription.merchantId },
    ] satisfies SearchAttributePair[],
  } as const;
}
