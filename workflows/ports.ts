import type { DeclineCode, PaymentFailure } from './domain/failure.ts';
import type { CaptureMethod, MovementKind, MovementState } from './domain/movement.ts';
import type { ChargeOutcome } from './domain/outcome.ts';
import type { PaymentStatus } from './domain/payment-status.ts';
import type { Route, RoutingRules } from './domain/routing.ts';
import type { PaymentTerms } from './domain/terms.ts';

/**
 * What workflows ask of the world. `activities/` keeps these promises; tests of workflows put fakes in their place.
 * Amounts are decimal strings of minor units and instants are ISO 8601, because both cross Temporal as JSON.
 */
export interface PaymentPorts {
  acceptPayment(input: AcceptPayment): Promise<Acceptance>;
  chargePayment(input: ChargeAttempt): Promise<ChargeAnswer>;
  askProvider(input: AskProvider): Promise<AskAnswer>;
  recordTransition(input: Transition): Promise<TransitionAnswer>;
  openMovement(input: OpenMovement): Promise<OpenedMovement>;
  sendMovement(input: SendMovement): Promise<SentMovement>;
  askMovement(input: AskMovement): Promise<AskAnswer>;
  settleMovement(input: MovementStep): Promise<MovementStepAnswer>;
  /** Looks at what the provider says now of something that is settled; opens a discrepancy where it contradicts. */
  reconcile(input: Reconcile): Promise<Reconciled>;
}

/** What the scheduled sweep asks of the world. Each returns how many rows it looked at and how many workflows it started. */
export interface SweepPorts {
  /** Starts a workflow for every open payment that has none. */
  resumePayments(input: { readonly ageMinSeconds: number }): Promise<SweepTally>;
  /** The same for every open refund. */
  resumeRefunds(input: { readonly ageMinSeconds: number }): Promise<SweepTally>;
  /** The same for every subscription for which something was due and not done. */
  resumeSubscriptions(input: { readonly ageMinSeconds: number }): Promise<SweepTally>;
  /** The same for every batch whose rows may still be started. */
  resumeBatches(input: { readonly ageMinSeconds: number }): Promise<SweepTally>;
  /** Hands every provider's event that nobody has looked at to the workflow that it is for. */
  resumeProviderEvents(input: { readonly ageMinSeconds: number }): Promise<SweepTally>;
}

export interface SweepTally {
  readonly checked: number;
  readonly resumed: number;
}

/** What the scheduled cleanup asks of the world. */
export interface CleanupPorts {
  /** Removes what has expired, so much of it at most as a pass may take. */
  cleanUp(): Promise<CleanupTally>;
}

/** How many rows of each kind were removed. */
export interface CleanupTally {
  readonly refreshTokens: number;
  readonly sessions: number;
  readonly nonces: number;
  readonly loginAddresses: number;
  readonly loginThrottles: number;
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
  /** Of a subscription's charge both are the subscription's own, and the token is empty here, like e-mail address and name. */
  readonly paymentMethod: string;
  readonly cardToken: string;
  readonly customerId: string | null;
  readonly customerEmail: string | null;
  readonly customerName: string | null;
  readonly description: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** When the request came in; the time to try counts from here, and the time to ask after it from its end. */
  readonly receivedAt: string;
  /** The merchant's rules and terms as they were then. */
  readonly routing: RoutingRules;
  readonly terms: PaymentTerms;
  readonly captureMethod: CaptureMethod;
  /** Where the payer's browser goes in the end. */
  readonly returnUrl: string | null;
  /** What it is to pay, where a subscription makes it. */
  readonly subscriptionId?: string;
  readonly invoiceId?: string;
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
  readonly captureMethod: CaptureMethod;
  readonly terms: PaymentTerms;
  readonly authorizedMinor: string;
  readonly capturedMinor: string;
  readonly voidedMinor: string;
  readonly refundedMinor: string;
  /** Until when the payer may act, and until when a reservation may be captured. */
  readonly actionExpiresAt: string | null;
  readonly captureBefore: string | null;
  /** Rounds that were declined and followed by another one; and when the next one begins. */
  readonly retriesMade: number;
  readonly retryAt: string | null;
  /** The capture or void that is open or unresolved. */
  readonly openMovement: MovementSnapshot | null;
  /** How many voids were begun while something could still be voided. */
  readonly voids: number;
}

/** The row of a capture, void or refund as workflows need it. */
export interface MovementSnapshot {
  readonly id: string;
  readonly kind: MovementKind;
  readonly paymentId: string;
  readonly merchantId: string;
  readonly requestHash: string;
  readonly state: MovementState;
  readonly version: number;
  readonly amountMinor: string;
  readonly currency: string;
  readonly provider: string;
  readonly openAttemptId: string | null;
  /** What its one attempt's row says; null before it was begun. */
  readonly attemptState: string | null;
  readonly failure: PaymentFailure | null;
  readonly expiresAt: string;
  readonly askUntil: string;
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
export type AskAnswer =
  | Exclude<ChargeOutcome, { kind: 'pending' }>
  | { readonly kind: 'nothing_happened' }
  | { readonly kind: 'repeat' };

/** How an attempt ended, for its row. */
export interface AttemptEnd {
  readonly attemptId: string;
  readonly state: 'approved' | 'declined' | 'rejected' | 'mismatched' | 'unanswered' | 'requires_action';
  readonly outcome: Exclude<ChargeOutcome, { kind: 'pending' }> | null;
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
  /** Where the payer must act; null: nowhere. */
  readonly redirectUrl: string | null;
  /** When the next round begins; null: none is waited for. */
  readonly retryAt: string | null;
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

/** A capture, void or refund as somebody asked for it. */
export interface MovementRequest {
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly correlationId: string;
  readonly actor: string;
  readonly origin: string;
  readonly reason: string | null;
  /** Null: all that is left. */
  readonly amountMinor: string | null;
  /** Of a refund: the capture to pay back, where somebody named one. */
  readonly captureId: string | null;
}

export interface OpenMovement {
  readonly movementId: string;
  readonly kind: MovementKind;
  readonly paymentId: string;
  readonly merchantId: string;
  /** Absent when a refund's workflow is started again for a row that exists. */
  readonly request?: MovementRequest;
  readonly now: string;
}

/**
 * `opened`: its row is committed, and a refund's amount reserved; or the row that this id already has. `refused`: nothing is
 * stored. The payment is as it is then.
 */
export type OpenedMovement =
  | { readonly kind: 'opened'; readonly movement: MovementSnapshot }
  | { readonly kind: 'refused'; readonly code: MovementRefusal };

/** Why a movement was not begun; each is a code of the API. */
export type MovementRefusal =
  | 'not_found'
  | 'idempotency_key_reused'
  | 'payment_not_capturable'
  | 'payment_not_cancelable'
  | 'payment_not_refundable'
  | 'movement_in_progress'
  | 'amount_exceeds_capturable'
  | 'too_many_captures'
  | 'amount_exceeds_refundable'
  | 'refund_spans_captures';

interface MovementReference {
  readonly movementId: string;
  readonly paymentId: string;
  readonly merchantId: string;
}

export interface SendMovement extends MovementReference {
  readonly kind: MovementKind;
  readonly provider: string;
  readonly isUrgent: boolean;
}

/** What came of sending a movement, in the words of `ChargeAnswer`. */
export type SentMovement =
  | { readonly kind: 'answered'; readonly outcome: ChargeOutcome }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'moved_on' };

export interface AskMovement extends MovementReference {
  readonly kind: MovementKind;
  readonly provider: string;
  readonly mayRepeat: boolean;
}

/** One step of a movement's life, with all that follows from it for the payment and the ledger, in one statement. */
export interface MovementStep extends MovementReference {
  readonly kind: MovementKind;
  readonly fromVersion: number;
  readonly fromState: MovementState;
  readonly toState: Exclude<MovementState, 'pending'>;
  /** The attempt that this step expects to be open (null: none), and whether it stays open. */
  readonly openAttemptId: string | null;
  readonly keepsAttemptOpen: boolean;
  readonly attemptEnd: AttemptEnd | null;
  readonly failure: PaymentFailure | null;
  readonly actor: string;
  readonly action: string;
  readonly details: Readonly<Record<string, string>>;
  readonly now: string;
}

/**
 * In the words of `TransitionAnswer`. The payment stands there where this call ended a capture or void of it: so it is then.
 */
export type MovementStepAnswer =
  | { readonly kind: 'done'; readonly movement: MovementSnapshot; readonly payment?: PaymentSnapshot }
  | { readonly kind: 'already_mine' | 'moved_on'; readonly movement: MovementSnapshot }
  | { readonly kind: 'illegal'; readonly reason: string };

/** Something settled that a provider spoke of again. */
export interface Reconcile {
  readonly merchantId: string;
  readonly paymentId: string;
  /** The ids of the rows of the provider's events that are done with by this; none: nobody asked but an operator. */
  readonly providerEventIds: readonly string[];
  readonly now: string;
}

export interface Reconciled {
  /** How many attempts were looked up, and how many discrepancies there are now. */
  readonly lookedUp: number;
  readonly discrepancies: number;
}
