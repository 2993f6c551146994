import { Temporal } from 'temporal-polyfill';

/** The units of which a period has a whole number. */
export const intervalUnits = ['day', 'week', 'month', 'year'] as const;

export type IntervalUnit = (typeof intervalUnits)[number];

/** How long a period is: `count` calendar units, never a number of seconds. */
export interface BillingInterval {
  readonly unit: IntervalUnit;
  readonly count: number;
}

/**
 * The instant at which period number `index` (from 0) after the anchor begins: the anchor's date and time of day on the clocks of
 * the time zone, moved by whole calendar units. Counted from the anchor, never from the period before: 31 January is followed by
 * 28 or 29 February and by 31 March. A day that a month lacks is its last one; a time of day that daylight saving skips is moved
 * on by what is skipped, and of one that comes twice the first counts. Period 0 begins at the anchor itself.
 *
 * Only activities and the API compute dates. Workflows read them from rows: a history does not depend on a table of time zones.
 */
export function periodStart(anchor: Date, interval: BillingInterval, index: number, timeZone: string): Date {
  return moved(anchor, { [`${interval.unit}s`]: interval.count * index }, timeZone);
}

/** The same time of day so many days later, or earlier, on the clocks of the time zone. */
export function daysAfter(instant: Date, days: number, timeZone: string): Date {
  return moved(instant, { days }, timeZone);
}

/** The number of the first period that begins at `instant` or after it, from `index` on. */
export function firstPeriodFrom(
  anchor: Date,
  interval: BillingInterval,
  index: number,
  timeZone: string,
  instant: Date,
): number {
  let low = index;
  if (periodStart(anchor, interval, low, timeZone) >= instant) return low;
  let high = low + 1;
  while (periodStart(anchor, interval, high, timeZone) < instant) high = low + (high - low) * 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (periodStart(anchor, interval, middle, timeZone) < instant) low = middle;
    else high = middle;
  }
  return high;
}

/** The instant at which a month is over that a card names as its last one; issuers go by their own clocks, so it is UTC here. */
export function endOfMonth(year: number, month: number): Date {
  return new Date(Date.UTC(year, month, 1));
}

/** Whether it is the name of a time zone that we know; offsets, and instants that name a zone, are none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][\w+/-]*$/.test(name)) return false;
  try {
    Temporal.Now.zonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

function moved(instant: Date, by: Temporal.DurationLike, timeZone: string): Date {
  const zoned = Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(timeZone);
  return new Date(zoned.add(by, { overflow: 'constrain' }).epochMilliseconds);
}
