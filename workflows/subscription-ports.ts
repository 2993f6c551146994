import type { DueStep, SubscriptionPaymentMethod } from './domain/billing/subscription.ts';
import type { SubscriptionActRefusal, SubscriptionStep } from './domain/billing/subscription-act.ts';
import type { SubscriptionStatus } from './domain/subscription-status.ts';
import type { MovementRequest, PaymentRequest } from './ports.ts';

/** What subscriptions' workflows ask of the world; amounts are strings of minor units and instants ISO 8601. */
export interface SubscriptionPorts {
  acceptSubscription(input: AcceptSubscription): Promise<SubscriptionAcceptance>;
  stepSubscription(input: SubscriptionStepInput): Promise<SubscriptionStepAnswer>;
  /** Waits, a few minutes at most, until the row of a payment says how its charge ended. */
  awaitPayment(input: {
    readonly merchantId: string;
    readonly paymentId: string;
  }): Promise<{ readonly isDecided: boolean }>;
}

/** A merchant's request for a subscription, as it was validated at the API or in a batch. */
export interface SubscriptionRequest {
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly externalId: string | null;
  readonly correlationId: string;
  readonly actor: string;
  readonly origin: string;
  readonly customerId: string;
  readonly planId: string;
  readonly planVersion: number;
  readonly quantity: number;
  readonly timeZone: string;
  /** The first billing date; null: when the plan's trial is over, or at once without one. */
  readonly startsAt: string | null;
  /** Instead of the plan's; null: the plan's. */
  readonly trialDays: number | null;
  readonly paymentMethod: SubscriptionPaymentMethod;
  readonly description: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the first step of a workflow is given: with `request` its row is made, unless it is there. */
export interface AcceptSubscription {
  readonly subscriptionId: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  /** Absent when the workflow is started again for a row that exists. */
  readonly request?: SubscriptionRequest;
  readonly now: string;
}

/** `accepted`: the row is committed. `refused`: nothing is stored. */
export type SubscriptionAcceptance =
  | { readonly kind: 'accepted'; readonly subscription: SubscriptionSnapshot }
  | { readonly kind: 'refused'; readonly code: SubscriptionRefusal };

/** Why a subscription was not accepted; each is a code of the API. */
export type SubscriptionRefusal =
  | 'external_id_taken'
  | 'idempotency_key_reused'
  | 'not_found'
  | 'plan_not_available'
  | 'customer_not_available';

/** The row of a subscription as its workflow needs it. The payment method stays in the database. */
export interface SubscriptionSnapshot {
  readonly id: string;
  readonly requestHash: string;
  readonly correlationId: string;
  readonly status: SubscriptionStatus;
  readonly version: number;
  /** The time of its test clock; null: it goes by the real one. */
  readonly clockNow: string | null;
  readonly due: { readonly step: DueStep; readonly at: string } | null;
  /** The payment that is on its way; started with this request it is the same payment, however often. */
  readonly charge: { readonly paymentId: string; readonly request: PaymentRequest } | null;
  readonly refunds: readonly UnusedPart[];
  readonly isOver: boolean;
  /** For the board: "25.99 USD every month". */
  readonly price: string;
  readonly externalId: string;
  readonly customerId: string;
  readonly cyclesBilled: number;
  readonly cyclesTotal: number | null;
  readonly currentPeriod: { readonly start: string; readonly end: string } | null;
  readonly nextBillingDate: string | null;
  readonly lastOutcome: string | null;
  readonly dunning: string | null;
}

/** A refund of what is unused of an invoice. */
export interface UnusedPart {
  readonly refundId: string;
  readonly paymentId: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly request: MovementRequest;
}

/** One step of a subscription, on the row as it is when the step is taken. */
export interface SubscriptionStepInput {
  readonly subscriptionId: string;
  readonly merchantId: string;
  /** Null: only read the row. */
  readonly step: SubscriptionStep | null;
  /** Of the row that the step was decided on; null for wishes, which fit any row. */
  readonly fromVersion: number | null;
  /** Of a wish: what is done under it is not done again. */
  readonly wishId: string | null;
  /** Of the update that brought a wish; null for steps that no update brought. */
  readonly updateId: string | null;
  readonly actor: string;
  readonly origin: string;
  /** Of people's acts, for the audit trail. */
  readonly reason: string | null;
  /** Real time; where the subscription has a test clock, that one's counts for its rules. */
  readonly now: string;
}

/** `stepped`: the row as it is now, whether this step changed it or it had moved on. `refused`: nothing was changed. */
export type SubscriptionStepAnswer =
  | { readonly kind: 'stepped'; readonly subscription: SubscriptionSnapshot }
  | {
      readonly kind: 'refused';
      readonly code: SubscriptionActRefusal;
      readonly detail: string;
      readonly subscription: SubscriptionSnapshot;
    };
