import type { OperatorAct, Resolution } from './contract.ts';
import { type DeclineCode, failureOf, type PaymentFailure } from './domain/failure.ts';
import type { CaptureMethod } from './domain/movement.ts';
import type { ChargeOutcome, FinalOutcome } from './domain/outcome.ts';
import type { PaymentStatus } from './domain/payment-status.ts';
import type { AttemptEnd, Candidate, Transition } from './ports.ts';

/** What to write next, with everything that the transition's statement needs beside the row itself. */
export interface Decision {
  readonly to: PaymentStatus;
  /** The event's type where it is not the new status: something happened, and the status stays. */
  readonly eventType: string | null;
  readonly action: string;
  readonly actor: string;
  readonly provider: string | null;
  /** The attempt that must be open for this decision to hold; null: none may be. */
  readonly openAttemptId: string | null;
  readonly keepsAttemptOpen: boolean;
  readonly attemptEnd: AttemptEnd | null;
  readonly failure: PaymentFailure | null;
  readonly redirectUrl: string | null;
  readonly retryAt: string | null;
  readonly alert: Transition['alert'];
  readonly details: Readonly<Record<string, string>>;
}

const system: Omit<Decision, 'to' | 'action'> = {
  eventType: null,
  actor: 'system',
  provider: null,
  openAttemptId: null,
  keepsAttemptOpen: false,
  attemptEnd: null,
  failure: null,
  redirectUrl: null,
  retryAt: null,
  alert: null,
  details: {},
};

/** The provider answered. An answer about another amount leaves the attempt open until a person decides. */
export function answered(
  outcome: Exclude<ChargeOutcome, { kind: 'pending' }>,
  provider: string,
  attemptId: string,
  captureMethod: CaptureMethod,
): Decision {
  const base = { ...system, provider, openAttemptId: attemptId, action: 'charge' };
  switch (outcome.kind) {
    case 'approved':
      return { ...base, to: chargedStatus(captureMethod), attemptEnd: { attemptId, state: 'approved', outcome } };
    case 'requires_action':
      return {
        ...base,
        to: 'requires_action',
        keepsAttemptOpen: true,
        attemptEnd: { attemptId, state: 'requires_action', outcome },
        redirectUrl: outcome.redirectUrl,
      };
    case 'declined':
      return {
        ...base,
        to: 'failed',
        attemptEnd: { attemptId, state: 'declined', outcome },
        failure: failureOf(outcome.declineCode),
      };
    case 'mismatched':
      return {
        ...base,
        to: 'unresolved',
        keepsAttemptOpen: true,
        attemptEnd: { attemptId, state: 'mismatched', outcome },
        failure: failureOf('amount_mismatch'),
        alert: 'payment_unresolved',
      };
  }
}

/** What a payment is once its charge was approved. */
function chargedStatus(captureMethod: CaptureMethod): 'authorized' | 'captured' {
  return captureMethod === 'manual' ? 'authorized' : 'captured';
}

/** Declined for a reason that may pass, and the merchant wants another round later. */
export function retryScheduled(
  decline: { readonly provider: string; readonly code: DeclineCode },
  retryAt: string,
  ended: { readonly attemptId: string; readonly outcome: FinalOutcome } | null,
): Decision {
  const { provider, code } = decline;
  return {
    ...system,
    to: 'pending',
    eventType: 'payment.retry_scheduled',
    action: 'schedule_retry',
    provider,
    openAttemptId: ended?.attemptId ?? null,
    attemptEnd: ended === null ? null : { ...ended, state: 'declined' },
    failure: failureOf(code),
    retryAt,
    details: { declined_by: provider, code, retry_at: retryAt },
  };
}

/** After a person was to decide, the provider has proven after all that nothing happened. */
export function foundNothing(): Decision {
  return { ...system, to: 'failed', action: 'find_nothing', failure: failureOf('provider_unavailable') };
}

/** The provider declined, and the reason may not hold elsewhere: the attempt is over, and the next candidate's turn. */
export function rerouted(
  outcome: FinalOutcome & { kind: 'declined' },
  provider: string,
  attemptId: string,
  next: Candidate,
): Decision {
  return {
    ...system,
    to: 'pending',
    eventType: 'payment.rerouted',
    action: 'reroute',
    provider,
    openAttemptId: attemptId,
    attemptEnd: { attemptId, state: 'declined', outcome },
    details: { declined_by: provider, code: outcome.declineCode, next: next.provider },
  };
}

/** Declined by one provider, and no other one could take it: the decline stands. */
export function exhausted(provider: string, declineCode: DeclineCode): Decision {
  return { ...system, to: 'failed', action: 'charge', provider, failure: failureOf(declineCode) };
}

/** No provider of the merchant's takes such a payment. */
export function unroutable(): Decision {
  return { ...system, to: 'failed', action: 'route', failure: failureOf('no_eligible_provider') };
}

/** It takes longer than payer and merchant expect: told once, and nothing else changes. */
export function delayed(openAttemptId: string | null): Decision {
  return {
    ...system,
    to: 'pending',
    eventType: 'payment.delayed',
    action: 'delay',
    openAttemptId,
    keepsAttemptOpen: true,
  };
}

/** The provider refused our request as wrong: certainly not charged. */
export function rejected(provider: string, openAttemptId: string | null): Decision {
  return {
    ...system,
    to: 'failed',
    action: 'charge',
    provider,
    openAttemptId,
    attemptEnd: openAttemptId === null ? null : { attemptId: openAttemptId, state: 'rejected', outcome: null },
    failure: failureOf('provider_rejected'),
  };
}

/** No provider took the charge before `expires_at`, and none is in doubt. */
export function expired(): Decision {
  return { ...system, to: 'failed', action: 'expire', failure: failureOf('provider_unavailable') };
}

/** Withdrawn before anything was sent, or after it was proven that nothing happened. */
export function canceled(act: OperatorAct): Decision {
  const isMerchant = act.actor.startsWith('api_key:'); // what merchants write may name a person
  const details = isMerchant ? {} : { reason: act.reason };
  return { ...system, to: 'canceled', action: 'cancel', actor: act.actor, details };
}

/** Nobody said what came of the charge before `ask_until`: a person decides. */
export function unanswered(provider: string, attemptId: string): Decision {
  return {
    ...system,
    to: 'unresolved',
    action: 'give_up_asking',
    provider,
    openAttemptId: attemptId,
    keepsAttemptOpen: true,
    attemptEnd: { attemptId, state: 'unanswered', outcome: null },
    failure: failureOf('outcome_unknown'),
    alert: 'payment_unresolved',
  };
}

/** A person found out. */
export function resolved(
  { actor, reason, evidence, outcome }: Resolution,
  provider: string | null,
  openAttemptId: string | null,
  captureMethod: CaptureMethod,
): Decision {
  const isCharged = outcome !== 'failed';
  const state = isCharged ? 'approved' : 'declined';
  return {
    ...system,
    to: isCharged ? chargedStatus(captureMethod) : 'failed',
    action: 'resolve',
    actor,
    provider,
    openAttemptId,
    attemptEnd: openAttemptId === null ? null : { attemptId: openAttemptId, state, outcome: null },
    failure: isCharged ? null : failureOf('resolved_not_charged'),
    details: { reason, evidence },
  };
}
