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
  if (error instanceof DoubtRemains) return providerFailure(error.fault, attempt);
  if (error instanceof RoundFailed) return roundFailure(error, attempt);
  if (error instanceof NotNow) {
    return ApplicationFailure.create({ type: 'not_now', message: error.message, nextRetryDelay: error.waitMs });
  }
  if (error instanceof Unprepared) {
    const nextRetryDelay = backoffMs(attempt, quick);
    return ApplicationFailure.create({ type: 'unprepared', message: error.message, nextRetryDelay });
  }
  if (error instanceof RejectedInDoubt) {
    return ApplicationFailure.create({ type: 'rejected_in_doubt', message: error.message, nonRetryable: true });
  }
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
    case 'rate_limited':
      return ApplicationFailure.create({ type: kind, message, nextRetryDelay: waitFor(fault, attempt) });
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
export const waitAskedMaxMs = 600_000;

/** The backoff, or the wait that the provider asked for where that is longer. */
function waitFor({ retryAfterMs }: { readonly retryAfterMs: number | null }, attempt: number): number {
  return Math.max(Math.min(retryAfterMs ?? 0, waitAskedMaxMs), backoffMs(attempt, quick));
}

/** Still unknown after asking: ask again later, and no sooner than the provider asked for. */
export function stillUnknown(message: string, attempt: number, retryAfterMs: number | null = null): ApplicationFailure {
  const nextRetryDelay = waitFor({ retryAfterMs }, attempt);
  return ApplicationFailure.create({ type: 'unknown_outcome', message, nextRetryDelay });
}

/** A round ends as its most hopeful candidate does: whose wait is the shortest. */
function roundFailure({ failures }: RoundFailed, attempt: number): unknown {
  const ends = failures.map(({ provider, error }) => ({ provider, failure: toTemporalFailure(error, attempt) }));
  const known = ends.flatMap(({ provider, failure }) =>
    failure instanceof ApplicationFailure ? [{ provider, failure }] : [],
  );
  const waitOf = (failure: ApplicationFailure) => msOf(failure.nextRetryDelay);
  const soonest = known.toSorted((one, other) => waitOf(one.failure) - waitOf(other.failure))[0];
  if (soonest === undefined) return ends[0]?.failure;
  const message = known.map(({ provider, failure }) => `${provider}: ${failure.message}`).join('; ');
  const { type, nextRetryDelay } = soonest.failure;
  return ApplicationFailure.create({ type: type ?? null, message, ...(nextRetryDelay && { nextRetryDelay }) });
}

function msOf(delay: ApplicationFailure['nextRetryDelay']): number {
  return typeof delay === 'number' ? delay : 0;
}

/** No candidate took the charge, and certainly nothing happened at any of them. */
export class RoundFailed extends Error {
  override readonly name = 'RoundFailed';
  readonly failures: readonly { readonly provider: string; readonly error: unknown }[];

  constructor(failures: readonly { readonly provider: string; readonly error: unknown }[]) {
    super('no provider took the charge in this round');
    this.failures = failures;
  }
}

/** This try sent nothing: the attempt pauses after unknown outcomes or as its provider asked, or has expired. */
export class NotNow extends Error {
  override readonly name = 'NotNow';
  readonly waitMs: number;

  constructor(waitMs: number) {
    super('not to be sent now: pausing after unknown outcomes or as the provider asked, or expired');
    this.waitMs = waitMs;
  }
}

/**
 * The provider did not confirm what it must make before the charge. It is asked again, with the same key, before any other,
 * until that has been in vain often enough.
 */
export class Unprepared extends Error {
  override readonly name = 'Unprepared';
  readonly isInVain: boolean;

  constructor(cause: ProviderFault, isInVain: boolean) {
    super(`not prepared yet: ${cause.message}`, { cause });
    this.isInVain = isInVain;
  }
}

/** This send certainly did not arrive, but an earlier one of the same key may have: nobody else may be tried. */
export class DoubtRemains extends Error {
  override readonly name = 'DoubtRemains';
  readonly fault: ProviderFault;

  constructor(fault: ProviderFault) {
    super(fault.message, { cause: fault });
    this.fault = fault;
  }
}

/** The provider refused a repeat as wrong, which says nothing about an earlier send of the same key. */
export class RejectedInDoubt extends Error {
  override readonly name = 'RejectedInDoubt';

  constructor(fault: ProviderFault) {
    super(`${fault.message}; an earlier send may have arrived`, { cause: fault });
  }
}

/** Whether an error says that certainly no money moved and nothing is under way, so that another provider may be tried. */
export function isCertainlyNothing(error: unknown): boolean {
  if (error instanceof NotNow) return true;
  if (error instanceof Unprepared) return error.isInVain;
  return error instanceof ProviderFault && ['unavailable', 'rate_limited', 'misconfigured'].includes(error.kind);
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
