import { daysAfter } from './calendar.ts';

/** What becomes of a subscription whose invoice nobody paid. */
export const finalActions = ['cancel', 'unpaid', 'pause'] as const;

export type FinalAction = (typeof finalActions)[number];

/** A merchant's ladder for charges that were declined. */
export interface DunningTerms {
  /** When to try again, in days after the first decline, rising. */
  readonly retryDays: readonly number[];
  /** Days after the ladder's last one until the final action. */
  readonly graceDays: number;
  readonly finalAction: FinalAction;
}

/** Where an unpaid invoice stands on the ladder. Instants are ISO 8601, as the subscription's row has them. */
export interface Dunning {
  /** How many of the ladder's tries were begun or passed by. */
  readonly step: number;
  /** When the first charge was declined: all days count from then. */
  readonly since: string;
  /** The next try; null: none, because one is under way, the ladder is climbed, or the decline is final for this card. */
  readonly nextTryAt: string | null;
  /** When the final action is due. */
  readonly endsAt: string;
}

/**
 * The place on the ladder after a charge was declined at `now`. Tries whose day is over, because nothing ran then, are passed by.
 * A decline that is the issuer's last word on the card leaves the time until the final action for another payment method.
 */
export function dunningAfterDecline(
  before: Dunning | null,
  isRetryable: boolean,
  { retryDays, graceDays }: DunningTerms,
  timeZone: string,
  now: Date,
): Dunning {
  const since = before === null ? now : new Date(before.since);
  const dayOf = (step: number) => {
    const day = retryDays[step];
    return day === undefined ? null : daysAfter(since, day, timeZone);
  };
  let step = before?.step ?? 0;
  let next = dayOf(step);
  while (next !== null && next <= now) {
    step += 1;
    next = dayOf(step);
  }
  const endsAt = daysAfter(since, (retryDays.at(-1) ?? 0) + graceDays, timeZone);
  return {
    step,
    since: since.toISOString(),
    nextTryAt: isRetryable && next !== null ? next.toISOString() : null,
    endsAt: (endsAt > now ? endsAt : now).toISOString(),
  };
}

/** The same place with the next of its tries under way. */
export function dunningAtTry(dunning: Dunning): Dunning {
  return { ...dunning, step: dunning.step + 1, nextTryAt: null };
}

/** The same place with all its instants moved. */
export function dunningLater(dunning: Dunning, later: (instant: Date) => Date): Dunning {
  const moved = (instant: string) => later(new Date(instant)).toISOString();
  const { since, nextTryAt, endsAt } = dunning;
  return {
    ...dunning,
    since: moved(since),
    nextTryAt: nextTryAt === null ? null : moved(nextTryAt),
    endsAt: moved(endsAt),
  };
}
