import { ApplicationFailure } from '@temporalio/activity';
import { sqlStateOf } from '../prisma/database.ts';
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
  if (isDatabaseTrouble(error)) {
    const state = sqlStateOf(error) ?? codeOf(error) ?? 'connection';
    return ApplicationFailure.create({
      type: 'database_unavailable',
      message: `the database did not answer (${state})`,
      nextRetryDelay: backoffMs(attempt, { firstMs: 100, capMs: 5_000 }),
    });
  }
  return error;
}

function providerFailure(fault: ProviderFault, attempt: number): ApplicationFailure {
  const { kind, message } = fault;
  switch (kind) {
    case 'rejected':
    case 'unknown_outcome':
      return ApplicationFailure.create({ type: kind, message, nonRetryable: true });
    case 'unavailable':
      return ApplicationFailure.create({ type: kind, message, nextRetryDelay: backoffMs(attempt, quick) });
    case 'rate_limited': {
      const waitMs = Math.max(fault.retryAfterMs ?? 0, backoffMs(attempt, quick));
      // Also as a detail: workflows see no `nextRetryDelay`, and after a local try it is they who wait.
      return ApplicationFailure.create({ type: kind, message, nextRetryDelay: waitMs, details: [waitMs] });
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

/** Still unknown after asking: ask again later. */
export function stillUnknown(message: string, attempt: number): ApplicationFailure {
  const nextRetryDelay = backoffMs(attempt, { firstMs: 500, capMs: 60_000 });
  return ApplicationFailure.create({ type: 'unknown_outcome', message, nextRetryDelay });
}

/** The pause after sends that ended in doubt is not over: nothing was sent by this try. */
export function tooEarly(waitMs: number): ApplicationFailure {
  const message = 'pausing after charges whose outcome stayed unknown';
  return ApplicationFailure.create({ type: 'too_early', message, nextRetryDelay: waitMs });
}

/** Postgres' classes for trouble that passes: connections, resources, operators' interventions, locks and deadlocks. */
const passingClasses = new Set(['08', '53', '57', '58', '55', '40']);

function isDatabaseTrouble(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== null) return passingClasses.has(state.slice(0, 2));
  const code = codeOf(error);
  if (code !== null && /^(E[A-Z]+|P1\d{3}|P2024)$/.test(code)) return true;
  // node-postgres names its own time-outs and lost connections only by message.
  return error instanceof Error && /timeout|terminated|Connection/i.test(error.message);
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
