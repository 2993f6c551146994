export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

export type Weekday = (typeof weekdays)[number];

/** When something may be done, by the clock on the wall of a time zone: in storage as on the wire. */
export interface AllowedHours {
  /** A name of the IANA database: `Europe/Berlin`. */
  readonly time_zone: string;
  /** The days on which a window opens. */
  readonly weekdays: readonly Weekday[];
  /** `HH:MM`, from 00:00 to 23:59; that minute is allowed. */
  readonly from: string;
  /** `HH:MM`, to 24:00; that minute is not allowed any more. Before `from`: a window over midnight, of the day it opens on. */
  readonly to: string;
}

/**
 * Whether the clock stands in a window. What the clock skips when summer begins is never asked for; an hour that comes twice when
 * summer ends counts both times.
 */
export function isAllowedAt({ time_zone, weekdays: days, from, to }: AllowedHours, instant: Date): boolean {
  const { weekday, minute } = wallClock(time_zone, instant);
  const [opens, closes] = [minuteOf(from), minuteOf(to)];
  const opensOn = (day: Weekday) => days.includes(day) && minute >= opens;
  if (opens < closes) return opensOn(weekday) && minute < closes;
  return opensOn(weekday) || (days.includes(dayBefore(weekday)) && minute < closes);
}

/** Whether this is the name of a time zone; an offset such as `+01:00` is none, as it knows no summer. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

function wallClock(timeZone: string, instant: Date): { weekday: Weekday; minute: number } {
  const parts = formatOf(timeZone).formatToParts(instant);
  const partOf = (type: string) => parts.find((part) => part.type === type)?.value ?? '';
  const weekday = weekdays.find((day) => day === partOf('weekday').toLowerCase());
  if (weekday === undefined) throw new Error('the calendar has a day of no name: check the ICU data of this Node');
  return { weekday, minute: Number(partOf('hour')) * 60 + Number(partOf('minute')) };
}

const formatsMax = 1_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** Making one is slow, and zones are few; but names count with every spelling, so the memory is bounded. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const clock = { weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    format = new Intl.DateTimeFormat('en-US', { ...clock, timeZone });
    if (formats.size >= formatsMax) formats.clear();
    formats.set(timeZone, format);
  }
  return format;
}

function dayBefore(weekday: Weekday): Weekday {
  return weekdays.at(weekdays.indexOf(weekday) - 1) ?? weekday;
}

function minuteOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
}
