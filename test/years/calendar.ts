/**
 * A calendar of its own, written from calendars on paper, for calculations that must share nothing with the product: neither its
 * code nor a library or a table of time zones.
 */
export type Zone = 'UTC' | 'Europe/Berlin' | 'America/New_York';

export type Unit = 'day' | 'week' | 'month' | 'year';

const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** The days, in March and in October or November, on which the clocks are changed. */
type ChangeDays = Readonly<Record<number, readonly [spring: number, autumn: number]>>;

/** The last Sundays of March and October. */
const berlin: ChangeDays = {
  2026: [29, 25],
  2027: [28, 31],
  2028: [26, 29],
  2029: [25, 28],
  2030: [31, 27],
  2031: [30, 26],
  2032: [28, 31],
  2033: [27, 30],
  2034: [26, 29],
};

/** The second Sunday of March and the first one of November. */
const newYork: ChangeDays = {
  2026: [8, 1],
  2027: [14, 7],
  2028: [12, 5],
  2029: [11, 4],
  2030: [10, 3],
  2031: [9, 2],
  2032: [14, 7],
  2033: [13, 6],
  2034: [12, 5],
};

const monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isLeap(year: number): boolean {
  return year % 400 === 0 || (year % 4 === 0 && year % 100 !== 0);
}

/** How many days a month has, counted from 1. */
function monthLength(year: number, month: number): number {
  return month === 2 && isLeap(year) ? 29 : (monthLengths[month - 1] ?? 0);
}

/** A day of the calendar. */
interface Day {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** Days from 1 January 1970. */
function dayNumber({ year, month, day }: Day): number {
  let days = day - 1;
  for (let each = 1970; each < year; each++) days += isLeap(each) ? 366 : 365;
  for (let each = 1; each < month; each++) days += monthLength(year, each);
  return days;
}

function dayOf(number: number): Day {
  let left = number;
  let year = 1970;
  while (left >= (isLeap(year) ? 366 : 365)) left -= isLeap(year++) ? 366 : 365;
  let month = 1;
  while (left >= monthLength(year, month)) left -= monthLength(year, month++);
  return { year, month, day: left + 1 };
}

/** The instant, in ms, at which the clocks of a zone without summer time, `offsetMs` ahead of UTC, show this hour of a day. */
function instantOf(day: Day, hour: number, offsetMs: number): number {
  return dayNumber(day) * dayMs + hour * hourMs - offsetMs;
}

/** How far a zone's clocks are ahead of UTC in winter, and from when to when they show an hour more. */
function rulesOf(zone: Zone, year: number): { readonly winterMs: number; readonly from: number; readonly to: number } {
  if (zone === 'UTC') return { winterMs: 0, from: 0, to: 0 };
  const [spring, autumn] = (zone === 'Europe/Berlin' ? berlin : newYork)[year] ?? [];
  if (spring === undefined || autumn === undefined) throw new Error(`${year} is not in the table of summer times`);
  if (zone === 'Europe/Berlin') {
    return {
      winterMs: hourMs,
      from: instantOf({ year, month: 3, day: spring }, 1, 0),
      to: instantOf({ year, month: 10, day: autumn }, 1, 0),
    };
  }
  const winterMs = -5 * hourMs;
  return {
    winterMs,
    from: instantOf({ year, month: 3, day: spring }, 2, winterMs),
    to: instantOf({ year, month: 11, day: autumn }, 2, winterMs + hourMs),
  };
}

/** How far the clocks of a zone are ahead of UTC at an instant, in ms. */
function offsetAt(zone: Zone, instant: number): number {
  const { winterMs, from, to } = rulesOf(zone, dayOf(Math.floor(instant / dayMs)).year);
  return instant >= from && instant < to ? winterMs + hourMs : winterMs;
}

/**
 * The instant at which the clocks of a zone show this time (in ms, as if they were UTC's). Of two the first; a time that they
 * skip counts on the clocks before the change, and so shows an hour later.
 */
function atClock(zone: Zone, shown: number): number {
  const { winterMs } = rulesOf(zone, dayOf(Math.floor(shown / dayMs)).year);
  const inSummer = shown - winterMs - hourMs;
  const inWinter = shown - winterMs;
  return offsetAt(zone, inSummer) === winterMs + hourMs && zone !== 'UTC' ? inSummer : inWinter;
}

/** The instant at which the clocks of a zone show so many units more than at `instant`: the same time of day. All in ms. */
export function later(zone: Zone, instant: number, unit: Unit, count: number): number {
  if (count === 0) return instant;
  const shown = instant + offsetAt(zone, instant);
  const number = Math.floor(shown / dayMs);
  const timeOfDay = shown - number * dayMs;
  if (unit === 'day' || unit === 'week') {
    return atClock(zone, (number + count * (unit === 'week' ? 7 : 1)) * dayMs + timeOfDay);
  }
  const { year, month, day } = dayOf(number);
  const months = year * 12 + (month - 1) + count * (unit === 'year' ? 12 : 1);
  const [newYear, newMonth] = [Math.floor(months / 12), (months % 12) + 1];
  const newDay = Math.min(day, monthLength(newYear, newMonth));
  return atClock(zone, dayNumber({ year: newYear, month: newMonth, day: newDay }) * dayMs + timeOfDay);
}

/** The day and the hour that the clocks of a zone show, for guards. */
export function shownAt(zone: Zone, instant: number): Day & { readonly hour: number } {
  const shown = instant + offsetAt(zone, instant);
  const number = Math.floor(shown / dayMs);
  return { ...dayOf(number), hour: Math.floor((shown - number * dayMs) / hourMs) };
}
