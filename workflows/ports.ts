import type { DeclineCode, PaymentFailure } from './domain/failure.ts';
import type { ChargeOutcome, FinalOutcome } from './domain/outcome.ts';
import type { PaymentStatus } from './domain/payment-status.ts';
import type { Route, RoutingRules } from './domain/routing.ts';

/**
 * What workflows ask of the world. `activities/` keeps these promises; tests of workflows put fakes in their place.
 * Amounts are decimal strings of minor units and instants are ISO 8601, because both cross Temporal as JSON.
 */
export interface PaymentPorts {
  acceptPayment(input: AcceptPayment): Promise<Acceptance>;
  chargePayment(input: ChargeAttempt): Promise<ChargeAnswer>;
  askProvider(input: AskProvider): Promise<AskAnswer>;
  recordTransition(input: Transition): Promise<TransitionAnswer>;
}

/** What the scheduled sweep asks of the world. */
export interface SweepPorts {
  /** Starts a workflow for every open payment that has none; returns how many rows it looked at and how many it started. */
  resumePayments(input: { readonly ageMinSeconds: number }): Promise<{ checked: number; resumed: number }>;
}

/** A merchant's request to be paid, as it was validated at the API. */
export interface PaymentRequest {
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly externalId: string | null;
  readonly correlationId: string;
  /** Who asked, as the audit trail will name it, e.g. `api_key:…`, and from which address. */
  readonly actor: string;
  readonly origin: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly purpose: string;
  readonly paymentMethod: string;
  readonly cardToken: string;
  readonly customerId: string | null;
  readonly customerEmail: string | null;
  readonly customerName: string | null;
  readonly description: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** When the request came in; the time to try counts from here, and the time to ask after it from its end. */
  readonly receivedAt: string;
  readonly expiresAfterSeconds: number;
  readonly askForSeconds: number;
  /** The merchant's rules as they were then. */
  readonly routing: RoutingRules;
}

/** The row of a payment as its workflow needs it. The card token stays in the database. */
export interface PaymentSnapshot {
  readonly id: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly externalId: string;
  readonly requestHash: string;
  readonly correlationId: string;
  readonly status: PaymentStatus;
  readonly version: number;
  readonly amountMinor: string;
  readonly currency: string;
  readonly processor: string | null;
  readonly openAttemptId: string | null;
  readonly route: Route;
  /** The charges that were begun, by number. */
  readonly attempts: readonly AttemptSnapshot[];
  readonly failure: PaymentFailure | null;
  readonly expiresAt: string;
  readonly askUntil: string;
  /** When payer and merchant were told that it takes longer. */
  readonly delayedAt: string | null;
}

/** A business attempt as its row says; the states stand in `prisma/attempts.ts`. */
export interface AttemptSnapshot {
  readonly id: string;
  readonly number: number;
  readonly provider: string;
  readonly state: string;
  readonly declineCode: DeclineCode | null;
}

export interface AcceptPayment {
  readonly paymentId: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  /** Absent when the workflow is started again for a row that exists. */
  readonly request?: PaymentRequest;
  readonly now: string;
}

/** `accepted`: the row is committed. `refused`: nothing is stored. */
export type Acceptance =
  | { readonly kind: 'accepted'; readonly payment: PaymentSnapshot }
  | { readonly kind: 'refused'; readonly code: PaymentRefusal };

/** Why a payment was not accepted; each is a code of the API. */
export type PaymentRefusal = 'external_id_taken' | 'idempotency_key_reused' | 'not_found';

/** A provider that may charge the payment. Its number, and so its key there, is its place in the route, from 1. */
export interface Candidate {
  readonly attemptNumber: number;
  readonly provider: string;
}

/** One business attempt at one provider. */
interface AttemptReference extends Candidate {
  readonly paymentId: string;
  readonly merchantId: string;
}

export interface ChargeAttempt {
  readonly paymentId: string;
  readonly merchantId: string;
  /** Tried in this order: the next one only when certainly nothing happened at the one before. */
  readonly candidates: readonly Candidate[];
  /** An operator asked for it: the pauses after doubts and as providers asked for are left out. */
  readonly isUrgent: boolean;
}

/**
 * What came of sending a charge. Other faults than `rejected` are failures whose type says what is known.
 * `rejected`: the provider refused our request as wrong; certainly not charged. Null: it refused what comes before the
 * charge, so that no attempt is open.
 * `moved_on`: nothing was sent, because the row says that this charge is no longer wanted.
 */
export type ChargeAnswer =
  | { readonly kind: 'answered'; readonly by: Candidate; readonly outcome: ChargeOutcome }
  | { readonly kind: 'rejected'; readonly by: Candidate; readonly openAttemptId: string | null }
  | { readonly kind: 'moved_on' };

export interface AskProvider extends AttemptReference {
  /** Whether the same key may be sent again where the provider honors keys and does not know this one. */
  readonly mayRepeat: boolean;
}

/**
 * What the provider knows of an attempt. Not knowing yet is a failure of type `unknown_outcome`, to be retried.
 * `nothing_happened`: proven, the attempt is free to be sent or given up. `repeat`: still unknown, but the same key may
 * be sent again.
 */
export type AskAnswer = FinalOutcome | { readonly kind: 'nothing_happened' } | { readonly kind: 'repeat' };

/** How an attempt ended, for its row. */
export interface AttemptEnd {
  readonly attemptId: string;
  readonly state: 'approved' | 'declined' | 'rejected' | 'mismatched' | 'unanswered';
  readonly outcome: FinalOutcome | null;
}

/** One step of a payment's life, written in one statement with its event, audit entry and alerts. */
export interface Transition {
  readonly paymentId: string;
  readonly merchantId: string;
  /** The version that the decision was made on; another one in the row means that the payment moved on. */
  readonly fromVersion: number;
  readonly fromStatus: PaymentStatus;
  readonly toStatus: PaymentStatus;
  readonly eventType: string;
  /** The attempt that this step expects to be open (null: none), and whether it stays open. */
  readonly openAttemptId: string | null;
  readonly keepsAttemptOpen: boolean;
  readonly attemptEnd: AttemptEnd | null;
  readonly provider: string | null;
  readonly failure: PaymentFailure | null;
  readonly alert: 'payment_unresolved' | null;
  readonly actor: string;
  readonly action: string;
  readonly details: Readonly<Record<string, string>>;
  readonly now: string;
}

/**
 * - `done`: this call wrote it. `already_mine`: the same decision was written before.
 * - `moved_on`: the row is not what the decision was made on; decide again from `payment`.
 * - `illegal`: the move is not in the table: a broken invariant.
 */
export type TransitionAnswer =
  | { readonly kind: 'done' | 'already_mine' | 'moved_on'; readonly payment: PaymentSnapshot }
  | { readonly kind: 'illegal'; readonly reason: string };
