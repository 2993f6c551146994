import { ApplicationFailure } from '@temporalio/activity';
import type { DeclineCode } from '../../workflows/domain/failure.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import type { ChargeOutcome, FaultKind, ProviderResponse } from '../../workflows/domain/outcome.ts';
import type { FakeMovement } from './fake-movements.ts';
import type { FakePayment } from './fake-payment.ts';
import { type Step, stepOf } from './script.ts';

/** What providers, and the database, do in one call: the steps of scripts. */

const response: ProviderResponse = {
  transactionId: 'ch_1',
  responseCode: '00',
  responseMessage: 'Approved',
  card: { brand: 'visa', lastFour: '4242' },
};

/** What is being sent, as far as a fault changes its attempt. */
export interface Sendable {
  /** The open attempt certainly did not happen. */
  freeAttempt(): void;
  /** This send of the open attempt certainly did not happen: it is free, or as doubtful as it was before. */
  releaseAttempt(): void;
  /** The provider wants to see the attempt that was sent last no sooner than then. */
  postpone(delayMs: number): void;
}

export const approves = () => ({ kind: 'approved', response }) as const;
export const decidesLater = () => ({ kind: 'pending', response }) as const;
export const namesAnotherAmount = () =>
  ({ kind: 'mismatched', response, reported: { amountMinor: '2600', currency: 'USD' } }) as const;
export const nothingHappened = () => ({ kind: 'nothing_happened' }) as const;
export const allowsRepeat = () => ({ kind: 'repeat' }) as const;
export const declines = (declineCode: DeclineCode) => () => ({ kind: 'declined', declineCode, response }) as const;
/** The payer must act first. */
export const wantsThePayer = () =>
  ({ kind: 'requires_action', response, redirectUrl: 'http://127.0.0.1/challenge/secret' }) as const;

/** A fault of the provider, with the delay that it asks for or the activity names. The last two kinds leave the attempt open. */
export function fault(kind: FaultKind, nextRetryDelayMs = 30) {
  return (sent: Sendable): never => {
    const isOpen = kind === 'unknown_outcome' || kind === 'rejected';
    if (kind === 'rate_limited') sent.postpone(nextRetryDelayMs);
    if (!isOpen) sent.releaseAttempt();
    throw ApplicationFailure.create({
      type: kind,
      message: `the provider: ${kind}`,
      nonRetryable: isOpen,
      nextRetryDelay: nextRetryDelayMs,
    });
  };
}

export const outcomeUnknown = fault('unknown_outcome');

/** The provider did not confirm what it must make before the charge, which was not sent. */
export function unprepared(sent: Sendable): never {
  sent.freeAttempt();
  throw ApplicationFailure.create({ type: 'unprepared', message: 'not prepared yet', nextRetryDelay: 30 });
}

/** The provider refuses what comes before the charge as wrong. */
export function rejectsPreparation(sent: Sendable): never {
  sent.freeAttempt();
  throw ApplicationFailure.create({ type: 'rejected', message: 'the provider: rejected', nonRetryable: true });
}

/** What each candidate does, by its number: its own list, used up send by send. */
export function perCandidate(steps: Readonly<Record<number, readonly Step<ChargeOutcome>[]>>) {
  return (fake: FakePayment): ChargeOutcome | Promise<ChargeOutcome> => {
    const number = fake.sent.at(-1) ?? 0;
    const count = fake.sent.filter((each) => each === number).length - 1;
    return (stepOf(steps[number], count) ?? approves)(fake);
  };
}

/** What the provider does with captures, voids and refunds: each kind's own list, used up call by call. */
export function perKind<Answer>(
  steps: Readonly<Partial<Record<MovementKind, readonly Step<Answer, FakeMovement>[]>>>,
): Step<Answer, FakeMovement> {
  const counts = new Map<MovementKind, number>();
  return (movement) => {
    const { kind } = movement.row;
    const count = counts.get(kind) ?? 0;
    counts.set(kind, count + 1);
    const step = stepOf(steps[kind], count);
    if (step === undefined) throw new Error(`the test has no step for a ${kind}`);
    return step(movement);
  };
}

/** The provider refuses a repeat as wrong, which says nothing about the first send. */
export function rejectsRepeat(): never {
  throw ApplicationFailure.create({ type: 'rejected_in_doubt', message: 'the provider: rejected', nonRetryable: true });
}

/** Asked, and the provider cannot say yet. */
export function stillUnknown(nextRetryDelayMs = 30) {
  return (): never => {
    throw ApplicationFailure.create({
      type: 'unknown_outcome',
      message: 'not known yet',
      nextRetryDelay: nextRetryDelayMs,
    });
  };
}

export function databaseAway(): never {
  throw ApplicationFailure.create({
    type: 'database_unavailable',
    message: 'the database is away',
    nextRetryDelay: 20,
  });
}

export function breaksInvariant(): never {
  throw ApplicationFailure.create({ type: 'broken_invariant', message: 'a rule is broken', nonRetryable: true });
}
