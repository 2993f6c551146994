import type { Resolution } from './contract.ts';
import { failureOf, type PaymentFailureCode } from './domain/failure.ts';
import type { FinalOutcome } from './domain/outcome.ts';
import type { MovementSnapshot, MovementStep } from './ports.ts';

/** What to write next of a movement, with what the statement needs beside the row itself. */
export type MovementDecision = Pick<
  MovementStep,
  'toState' | 'openAttemptId' | 'keepsAttemptOpen' | 'attemptEnd' | 'failure' | 'actor' | 'action' | 'details'
>;

function bySystem({ openAttemptId }: MovementSnapshot, action: string) {
  return {
    actor: 'system',
    action,
    openAttemptId,
    keepsAttemptOpen: false,
    attemptEnd: null,
    failure: null,
    details: {},
  };
}

/**
 * The provider answered. An answer about another amount leaves the attempt open until a person decides; after a decline of
 * what had to succeed, one decides too.
 */
export function answered(
  row: MovementSnapshot,
  outcome: FinalOutcome,
  attemptId: string,
  mustSucceed: boolean,
): MovementDecision {
  const base = { ...bySystem(row, row.kind), openAttemptId: attemptId };
  switch (outcome.kind) {
    case 'approved':
      return { ...base, toState: 'succeeded', attemptEnd: { attemptId, state: 'approved', outcome } };
    case 'declined':
      return {
        ...base,
        toState: stateWithout(row, mustSucceed),
        attemptEnd: { attemptId, state: 'declined', outcome },
        failure: failureOf(outcome.declineCode),
      };
    case 'mismatched':
      return {
        ...base,
        toState: 'unresolved',
        keepsAttemptOpen: true,
        attemptEnd: { attemptId, state: 'mismatched', outcome },
        failure: failureOf('amount_mismatch'),
      };
  }
}

/**
 * Certainly nothing happened, and nothing more is tried. Where it had to succeed, as when a reservation is given back whose
 * time is over, a person decides what is next.
 */
export function gaveUp(row: MovementSnapshot, code: PaymentFailureCode, mustSucceed: boolean): MovementDecision {
  const { openAttemptId } = row;
  return {
    ...bySystem(row, 'give_up'),
    toState: stateWithout(row, mustSucceed),
    attemptEnd: openAttemptId === null ? null : { attemptId: openAttemptId, state: 'rejected', outcome: null },
    failure: failureOf(code),
  };
}

/** What a movement is that certainly did not happen. */
function stateWithout({ state }: MovementSnapshot, mustSucceed: boolean): 'unresolved' | 'failed' {
  return mustSucceed && state === 'pending' ? 'unresolved' : 'failed';
}

/** Nobody said what came of it before `ask_until`: a person decides. */
export function unanswered(row: MovementSnapshot, attemptId: string): MovementDecision {
  return {
    ...bySystem(row, 'give_up_asking'),
    toState: 'unresolved',
    keepsAttemptOpen: true,
    attemptEnd: { attemptId, state: 'unanswered', outcome: null },
    failure: failureOf('outcome_unknown'),
  };
}

/** A person found out. */
export function resolved(row: MovementSnapshot, { actor, reason, evidence, outcome }: Resolution): MovementDecision {
  const happened = outcome !== 'failed';
  const { openAttemptId } = row;
  return {
    ...bySystem(row, 'resolve'),
    actor,
    toState: happened ? 'succeeded' : 'failed',
    attemptEnd:
      openAttemptId === null
        ? null
        : { attemptId: openAttemptId, state: happened ? 'approved' : 'declined', outcome: null },
    failure: happened ? null : failureOf('resolved_not_moved'),
    details: { reason, evidence },
  };
}
