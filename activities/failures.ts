import { ApplicationFailure } from '@temporalio/activity';
import { isDatabaseAway, sqlStateOf } from '../prisma/database.ts';
import { BrokenInvariant } from '../workflows/domain/invariant.ts';
import { ProviderFault } from './providers/provider.ts';

/**
 * The one place where faults become Temporal failures. The `type` is stable: workflows and operators read it. Messages
 * are ours, never a provider's or a payer's words.
 *
 * `attempt` counts from one; with it the delay before the next try grows exponentially, with jitter, to a cap.
 */
export function toTemporalFailure(error: unknown, attempt: number): unknown {
  if (error instanceof ApplicationFailure) return error;
  if (error instanceof ProviderFault) return providerFailure(error, attempt);
  if (error instanceof BrokenInvariant) {
    return ApplicationFailure.create({ type: 'broken_invariant', message: error.message, nonRetryable: true });
  }
  if (isDatabaseAway(error)) {
    const state = sqlStateOf(error) ?? codeOf(error) ?? 'connection';
    return ApplicationFailure.create({
      type: 'database_unavailable',
      message: `the database did not answer (${state})`,
      nextRetryDelay: backoffMs(attempt, { firstMs: 100, capMs: 5_000 }),
    });
  }
  if (isOurMistake(error)) {
    const message = `the database refused a statement of ours (${sqlStateOf(error)}): see the log, then deploy a fix`;
    return ApplicationFailure.create({ type: 'broken_invariant', message, nonRetryable: true });
  }
  return error;
}

/** SQLSTATE classes for values, rows or statements that are wrong in themselves: repeating one changes nothing. */
const mistakenClasses = new Set(['22', '23', '42']);

function isOurMistake(error: unknown): boolean {
  return mistakenClasses.has(sqlStateOf(error)?.slice(0, 2) ?? '');
}

function providerFailure(fault: ProviderFault, attempt: number): ApplicationFailure {
  const { kind, message } = fault;
  switch (kind) {
    case 'rejected':
    case 'unknown_outcome':
      return ApplicationFailure.create({ type: kind, message, nonRetryable: true });
    case 'unavailable':
    case 'rate_limited': {
      const waitMs = waitFor(fault, attempt);
      // A wait that the provider asked for also as a detail: workflows see no `nextRetryDelay`, and after a local try it is
      // they who wait.
      const details = fault.retryAfterMs === null ? [] : [waitMs];
      return ApplicationFailure.create({ type: kind, message, nextRetryDelay: waitMs, details });
    }
    case 'misconfigured':
      return ApplicationFailure.create({ type: kind, message, nextRetryDelay: backoffMs(attempt, slow) });
  }
}

interface Backoff {
  readonly firstMs: number;
  readonly capMs: number;
}

const quick: Backoff = { firstMs: 500, capMs: 60_000 };
/** Nothing changes until a person acts, who can also say `retryNow`. */
const slow: Backoff = { firstMs: 5_000, capMs: 120_000 };

/** `first × 2^(attempt − 1)` up to a cap, then a random part of its upper half, so that a crowd spreads out. */
export function backoffMs(attempt: number, { firstMs, capMs }: Backoff, random: () => number = Math.random): number {
  const full = Math.min(capMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(full / 2 + (full / 2) * random());
}

/** However long a provider asks us to wait, a payment is not left alone for longer than this. */
const waitAskedMaxMs = 600_000;

/** The backoff, or the wait that the provider asked for where that is longer. */
function waitFor({ retryAfterMs }: { readonly retryAfterMs: number | null }, attempt: number): number {
  return Math.max(Math.min(retryAfterMs ?? 0, waitAskedMaxMs), backoffMs(attempt, quick));
}

/** Still unknown after asking: ask again later, and no sooner than the provider asked for. */
export function stillUnknown(message: string, attempt: number, retryAfterMs: number | null = null): ApplicationFailure {
  const nextRetryDelay = waitFor({ retryAfterMs }, attempt);
  return ApplicationFailure.create({ type: 'unknown_outcome', message, nextRetryDelay });
}

/** A charge that may not be sent now: it pauses after unknown outcomes, or has expired. This try sent nothing. */
export function notNow(waitMs: number): ApplicationFailure {
  const message = 'not to be sent now: pausing after unknown outcomes, or expired';
  return ApplicationFailure.create({ type: 'not_now', message, nextRetryDelay: waitMs });
}

/** The provider refused a repeat as wrong, which says nothing about an earlier send of the same key. */
export function rejectedInDoubt(fault: ProviderFault): ApplicationFailure {
  const message = `${fault.message}; an earlier send may have arrived`;
  return ApplicationFailure.create({ type: 'rejected_in_doubt', message, nonRetryable: true });
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
