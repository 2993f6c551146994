import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BillingInterval,
  daysAfter,
  endOfMonth,
  firstPeriodFrom,
  type IntervalUnit,
  intervalUnits,
  isTimeZone,
  periodStart,
} from '../../../workflows/domain/billing/calendar.ts';

/** Period numbers with the beginnings that a calendar of that zone says. */
type Dates = Readonly<Record<number, string>>;
type Case = readonly [what: string, zone: string, every: `${number} ${IntervalUnit}`, anchor: string, dates: Dates];

// Each expected date was written from a calendar and the zone's own rules, with its offset, and checked with another program.
const monthEnds: readonly Case[] = [
  // biome-ignore format: a table
  ['the 31st in a common year', 'UTC', '1 month', '2026-01-31T00:00Z',
    { 1: '2026-02-28T00:00Z', 2: '2026-03-31T00:00Z', 3: '2026-04-30T00:00Z', 4: '2026-05-31T00:00Z', 5: '2026-06-30T00:00Z',
      6: '2026-07-31T00:00Z', 7: '2026-08-31T00:00Z', 8: '2026-09-30T00:00Z', 10: '2026-11-30T00:00Z', 11: '2026-12-31T00:00Z' }],
  [
    'the 31st in a leap year',
    'UTC',
    '1 month',
    '2028-01-31T00:00Z',
    { 1: '2028-02-29T00:00Z', 2: '2028-03-31T00:00Z' },
  ],
  [
    'the 30th in a common year',
    'UTC',
    '1 month',
    '2026-01-30T12:00Z',
    { 1: '2026-02-28T12:00Z', 2: '2026-03-30T12:00Z' },
  ],
  [
    'the 30th in a leap year',
    'UTC',
    '1 month',
    '2028-01-30T12:00Z',
    { 1: '2028-02-29T12:00Z', 2: '2028-03-30T12:00Z' },
  ],
  [
    'the 29th in a common year',
    'UTC',
    '1 month',
    '2027-01-29T12:00Z',
    { 1: '2027-02-28T12:00Z', 2: '2027-03-29T12:00Z' },
  ],
  [
    'the 29th in a leap year',
    'UTC',
    '1 month',
    '2028-01-29T12:00Z',
    { 1: '2028-02-29T12:00Z', 2: '2028-03-29T12:00Z' },
  ],
  ['the 28th never moves', 'UTC', '1 month', '2028-01-28T12:00Z', { 1: '2028-02-28T12:00Z', 2: '2028-03-28T12:00Z' }],
  [
    'the 28th of February is not the end of months',
    'UTC',
    '1 month',
    '2026-02-28T08:00Z',
    { 1: '2026-03-28T08:00Z', 12: '2027-02-28T08:00Z', 24: '2028-02-28T08:00Z' },
  ],
  [
    'the 29th of February, monthly',
    'UTC',
    '1 month',
    '2028-02-29T08:00Z',
    { 1: '2028-03-29T08:00Z', 11: '2029-01-29T08:00Z', 12: '2029-02-28T08:00Z', 13: '2029-03-29T08:00Z' },
  ],
  [
    'the 31st of a month of 31 before one of 30',
    'UTC',
    '1 month',
    '2026-08-31T23:59Z',
    { 1: '2026-09-30T23:59Z', 2: '2026-10-31T23:59Z' },
  ],
  [
    'the 31st over the turn of the year',
    'UTC',
    '1 month',
    '2026-12-31T23:59:59.999Z',
    { 1: '2027-01-31T23:59:59.999Z', 2: '2027-02-28T23:59:59.999Z' },
  ],
  [
    'two months from the 31st of December',
    'UTC',
    '2 month',
    '2026-12-31T00:00Z',
    {
      1: '2027-02-28T00:00Z',
      2: '2027-04-30T00:00Z',
      3: '2027-06-30T00:00Z',
      4: '2027-08-31T00:00Z',
      7: '2028-02-29T00:00Z',
    },
  ],
  [
    'a quarter from the 30th of November',
    'UTC',
    '3 month',
    '2026-11-30T06:00Z',
    {
      1: '2027-02-28T06:00Z',
      2: '2027-05-30T06:00Z',
      3: '2027-08-30T06:00Z',
      4: '2027-11-30T06:00Z',
      5: '2028-02-29T06:00Z',
    },
  ],
  [
    'a quarter from the 31st of January',
    'UTC',
    '3 month',
    '2026-01-31T06:00Z',
    { 1: '2026-04-30T06:00Z', 2: '2026-07-31T06:00Z', 3: '2026-10-31T06:00Z' },
  ],
  [
    'half a year from the 31st of August',
    'UTC',
    '6 month',
    '2027-08-31T06:00Z',
    { 1: '2028-02-29T06:00Z', 2: '2028-08-31T06:00Z', 3: '2029-02-28T06:00Z' },
  ],
  [
    'five months',
    'UTC',
    '5 month',
    '2026-03-31T06:00Z',
    { 1: '2026-08-31T06:00Z', 2: '2027-01-31T06:00Z', 3: '2027-06-30T06:00Z' },
  ],
  [
    'twelve months from the 29th of February',
    'UTC',
    '12 month',
    '2028-02-29T06:00Z',
    { 1: '2029-02-28T06:00Z', 4: '2032-02-29T06:00Z' },
  ],
  ['thirteen months', 'UTC', '13 month', '2026-01-31T06:00Z', { 1: '2027-02-28T06:00Z', 2: '2028-03-31T06:00Z' }],
  ['eighteen months', 'UTC', '18 month', '2026-08-31T06:00Z', { 1: '2028-02-29T06:00Z', 2: '2029-08-31T06:00Z' }],
  [
    'the day is that of the zone, not of UTC, to the east',
    'Asia/Tokyo',
    '1 month',
    '2026-01-31T01:00+09:00',
    { 1: '2026-02-28T01:00+09:00', 2: '2026-03-31T01:00+09:00' },
  ],
  [
    'the day is that of the zone, not of UTC, to the west',
    'America/Los_Angeles',
    '1 month',
    '2026-01-31T22:00-08:00',
    { 1: '2026-02-28T22:00-08:00', 2: '2026-03-31T22:00-07:00' },
  ],
  [
    'the 1st in the zone, the 31st in UTC',
    'Asia/Tokyo',
    '1 month',
    '2026-02-01T00:00+09:00',
    { 1: '2026-03-01T00:00+09:00', 2: '2026-04-01T00:00+09:00', 3: '2026-05-01T00:00+09:00' },
  ],
  ['the easternmost zone', 'Pacific/Kiritimati', '1 month', '2026-01-31T00:30+14:00', { 1: '2026-02-28T00:30+14:00' }],
  ['the westernmost zone', 'Etc/GMT+12', '1 month', '2026-01-31T23:30-12:00', { 1: '2026-02-28T23:30-12:00' }],
];

// biome-ignore format: a table
const years: readonly Case[] = [
  ['the 29th of February, yearly', 'UTC', '1 year', '2024-02-29T10:00Z', { 1: '2025-02-28T10:00Z', 2: '2026-02-28T10:00Z', 3: '2027-02-28T10:00Z', 4: '2028-02-29T10:00Z', 8: '2032-02-29T10:00Z' }],
  ['the 29th of February, every two years', 'UTC', '2 year', '2028-02-29T10:00Z', { 1: '2030-02-28T10:00Z', 2: '2032-02-29T10:00Z' }],
  ['the 29th of February, every three years', 'UTC', '3 year', '2028-02-29T10:00Z', { 1: '2031-02-28T10:00Z', 4: '2040-02-29T10:00Z' }],
  ['the 29th of February, every four years, over 2100', 'UTC', '4 year', '2092-02-29T10:00Z', { 1: '2096-02-29T10:00Z', 2: '2100-02-28T10:00Z', 3: '2104-02-29T10:00Z' }],
  ['2000 was a leap year', 'UTC', '1 year', '1996-02-29T10:00Z', { 4: '2000-02-29T10:00Z', 5: '2001-02-28T10:00Z' }],
  ['2100 is no leap year, monthly', 'UTC', '1 month', '2100-01-31T10:00Z', { 1: '2100-02-28T10:00Z', 2: '2100-03-31T10:00Z' }],
  ['2100 is no leap year, by days', 'UTC', '1 day', '2100-02-28T10:00Z', { 1: '2100-03-01T10:00Z' }],
  ['2400 is a leap year', 'UTC', '100 year', '2200-02-28T10:00Z', { 2: '2400-02-28T10:00Z' }],
  ['2400 has a 29th of February', 'UTC', '1 month', '2400-01-31T10:00Z', { 1: '2400-02-29T10:00Z' }],
  ['an ordinary day, yearly', 'UTC', '1 year', '2026-07-14T10:00Z', { 1: '2027-07-14T10:00Z', 10: '2036-07-14T10:00Z' }],
  ['a year over a change of the clocks of another date', 'America/New_York', '1 year', '2026-03-10T09:00-04:00', { 1: '2027-03-10T09:00-05:00', 2: '2028-03-10T09:00-05:00', 5: '2031-03-10T09:00-04:00' }],
  ['a year in Berlin, in October', 'Europe/Berlin', '1 year', '2026-10-28T09:00+01:00', { 1: '2027-10-28T09:00+02:00', 2: '2028-10-28T09:00+02:00', 3: '2029-10-28T09:00+01:00' }],
];

// biome-ignore format: a table
const daysAndWeeks: readonly Case[] = [
  ['days into summer', 'Europe/Berlin', '1 day', '2026-03-28T09:00+01:00', { 1: '2026-03-29T09:00+02:00', 2: '2026-03-30T09:00+02:00' }],
  ['days into winter', 'Europe/Berlin', '1 day', '2026-10-24T09:00+02:00', { 1: '2026-10-25T09:00+01:00', 2: '2026-10-26T09:00+01:00' }],
  ['weeks into summer', 'Europe/Berlin', '1 week', '2026-03-23T00:00+01:00', { 1: '2026-03-30T00:00+02:00', 2: '2026-04-06T00:00+02:00' }],
  ['weeks into winter', 'Europe/Berlin', '1 week', '2026-10-19T00:00+02:00', { 1: '2026-10-26T00:00+01:00' }],
  ['weeks over both changes', 'Europe/Berlin', '1 week', '2026-03-02T18:30+01:00', { 4: '2026-03-30T18:30+02:00', 34: '2026-10-26T18:30+01:00', 52: '2027-03-01T18:30+01:00' }],
  ['days into summer', 'America/New_York', '1 day', '2026-03-07T00:00-05:00', { 1: '2026-03-08T00:00-05:00', 2: '2026-03-09T00:00-04:00' }],
  ['days into winter', 'America/New_York', '1 day', '2026-10-31T00:00-04:00', { 1: '2026-11-01T00:00-04:00', 2: '2026-11-02T00:00-05:00' }],
  ['two weeks', 'America/New_York', '2 week', '2026-02-27T17:00-05:00', { 1: '2026-03-13T17:00-04:00', 18: '2026-11-06T17:00-05:00' }],
  ['days over half an hour of summer time', 'Australia/Lord_Howe', '1 day', '2026-10-03T09:00+10:30', { 1: '2026-10-04T09:00+11:00' }],
  ['days over its end', 'Australia/Lord_Howe', '1 day', '2026-04-04T09:00+11:00', { 1: '2026-04-05T09:00+10:30' }],
  ['weeks south of the equator', 'Australia/Sydney', '1 week', '2026-03-30T12:00+11:00', { 1: '2026-04-06T12:00+10:00', 27: '2026-10-05T12:00+11:00' }],
  ['days by three quarters of an hour', 'Asia/Kathmandu', '1 day', '2026-12-31T23:50+05:45', { 1: '2027-01-01T23:50+05:45', 60: '2027-03-01T23:50+05:45' }],
  ['weeks on the Chatham Islands', 'Pacific/Chatham', '1 week', '2026-09-24T00:00+12:45', { 1: '2026-10-01T00:00+13:45' }],
  ['a summer time of two hours', 'Antarctica/Troll', '1 day', '2026-03-28T12:00+00:00', { 1: '2026-03-29T12:00+02:00' }],
  ['thirty days are no month', 'UTC', '30 day', '2026-01-31T00:00Z', { 1: '2026-03-02T00:00Z', 2: '2026-04-01T00:00Z' }],
  ['365 days over a leap day', 'UTC', '365 day', '2027-03-01T00:00Z', { 1: '2028-02-29T00:00Z', 2: '2029-02-28T00:00Z' }],
  ['ninety days', 'Europe/Berlin', '90 day', '2026-01-01T00:00+01:00', { 1: '2026-04-01T00:00+02:00', 4: '2026-12-27T00:00+01:00' }],
  ['52 weeks are no year', 'UTC', '52 week', '2026-01-01T00:00Z', { 1: '2026-12-31T00:00Z', 2: '2027-12-30T00:00Z' }],
  ['days over a leap day', 'UTC', '1 day', '2028-02-28T00:00Z', { 1: '2028-02-29T00:00Z', 2: '2028-03-01T00:00Z' }],
  ['no summer time, no change', 'Asia/Kolkata', '1 week', '2026-03-26T10:00+05:30', { 1: '2026-04-02T10:00+05:30', 31: '2026-10-29T10:00+05:30' }],
];

// biome-ignore format: a table
const skippedTimes: readonly Case[] = [
  ['half past two is skipped for a day', 'Europe/Berlin', '1 day', '2026-03-28T02:30+01:00', { 1: '2026-03-29T03:30+02:00', 2: '2026-03-30T02:30+02:00' }],
  ['two o’clock sharp is skipped', 'Europe/Berlin', '1 week', '2026-03-22T02:00+01:00', { 1: '2026-03-29T03:00+02:00', 2: '2026-04-05T02:00+02:00' }],
  ['three o’clock is not skipped', 'Europe/Berlin', '1 week', '2026-03-22T03:00+01:00', { 1: '2026-03-29T03:00+02:00' }],
  ['a month onto the skipped hour', 'Europe/Berlin', '1 month', '2026-01-29T02:15+01:00', { 1: '2026-02-28T02:15+01:00', 2: '2026-03-29T03:15+02:00', 3: '2026-04-29T02:15+02:00' }],
  ['a year onto the skipped hour', 'Europe/Berlin', '1 year', '2025-03-29T02:15+01:00', { 1: '2026-03-29T03:15+02:00', 2: '2027-03-29T02:15+02:00' }],
  ['half past one is skipped in London', 'Europe/London', '1 day', '2026-03-28T01:30+00:00', { 1: '2026-03-29T02:30+01:00', 2: '2026-03-30T01:30+01:00' }],
  ['half past two is skipped in New York', 'America/New_York', '1 month', '2026-02-08T02:30-05:00', { 1: '2026-03-08T03:30-04:00', 2: '2026-04-08T02:30-04:00' }],
  ['half an hour is skipped', 'Australia/Lord_Howe', '1 day', '2026-10-03T02:15+10:30', { 1: '2026-10-04T02:45+11:00', 2: '2026-10-05T02:15+11:00' }],
  ['two hours are skipped', 'Antarctica/Troll', '1 day', '2026-03-28T01:30+00:00', { 1: '2026-03-29T03:30+02:00', 2: '2026-03-30T01:30+02:00' }],
  ['midnight does not exist in São Paulo', 'America/Sao_Paulo', '1 day', '2018-11-03T00:00-03:00', { 1: '2018-11-04T01:00-02:00', 2: '2018-11-05T00:00-02:00' }],
  ['midnight does not exist in Cairo', 'Africa/Cairo', '1 day', '2024-04-25T00:00+02:00', { 1: '2024-04-26T01:00+03:00', 2: '2024-04-27T00:00+03:00' }],
  ['midnight does not exist in Beirut', 'Asia/Beirut', '1 week', '2026-03-22T00:00+02:00', { 1: '2026-03-29T01:00+03:00', 2: '2026-04-05T00:00+03:00' }],
  ['midnight does not exist in Havana', 'America/Havana', '1 month', '2026-02-08T00:00-05:00', { 1: '2026-03-08T01:00-04:00', 2: '2026-04-08T00:00-04:00' }],
  ['midnight does not exist in Santiago', 'America/Santiago', '1 week', '2024-09-01T00:00-04:00', { 1: '2024-09-08T01:00-03:00', 2: '2024-09-15T00:00-03:00' }],
  ['a quarter of an hour was skipped for good', 'Asia/Kathmandu', '1 day', '1985-12-31T00:05+05:30', { 1: '1986-01-01T00:20+05:45', 2: '1986-01-02T00:05+05:45' }],
  ['half an hour was skipped for good', 'America/Caracas', '1 day', '2016-04-30T02:45-04:30', { 1: '2016-05-01T03:15-04:00', 2: '2016-05-02T02:45-04:00' }],
  ['a whole day was skipped', 'Pacific/Apia', '1 day', '2011-12-29T12:00-10:00', { 1: '2011-12-31T12:00+14:00', 2: '2011-12-31T12:00+14:00', 3: '2012-01-01T12:00+14:00' }],
  ['the months around the skipped day', 'Pacific/Apia', '1 month', '2011-10-30T12:00-10:00', { 1: '2011-11-30T12:00-10:00', 2: '2011-12-31T12:00+14:00', 3: '2012-01-30T12:00+14:00' }],
  ['the weeks around the skipped day', 'Pacific/Apia', '1 week', '2011-12-24T09:00-10:00', { 1: '2011-12-31T09:00+14:00', 2: '2012-01-07T09:00+14:00' }],
];

// biome-ignore format: a table
const repeatedTimes: readonly Case[] = [
  ['half past two comes twice', 'Europe/Berlin', '1 day', '2026-10-24T02:30+02:00', { 1: '2026-10-25T02:30+02:00', 2: '2026-10-26T02:30+01:00' }],
  ['two o’clock sharp comes twice', 'Europe/Berlin', '1 month', '2026-09-25T02:00+02:00', { 1: '2026-10-25T02:00+02:00', 2: '2026-11-25T02:00+01:00' }],
  ['three o’clock comes once', 'Europe/Berlin', '1 month', '2026-09-25T03:00+02:00', { 1: '2026-10-25T03:00+01:00' }],
  ['begun at the second half past two', 'Europe/Berlin', '1 day', '2026-10-25T02:30+01:00', { 0: '2026-10-25T02:30+01:00', 1: '2026-10-26T02:30+01:00' }],
  ['begun at the first half past two', 'Europe/Berlin', '1 day', '2026-10-25T02:30+02:00', { 0: '2026-10-25T02:30+02:00', 1: '2026-10-26T02:30+01:00' }],
  ['half past one comes twice in New York', 'America/New_York', '1 week', '2026-10-25T01:30-04:00', { 1: '2026-11-01T01:30-04:00', 2: '2026-11-08T01:30-05:00' }],
  ['a quarter to two comes twice', 'Australia/Lord_Howe', '1 day', '2026-04-04T01:45+11:00', { 1: '2026-04-05T01:45+11:00', 2: '2026-04-06T01:45+10:30' }],
  ['the hour before midnight comes twice', 'America/Sao_Paulo', '1 day', '2019-02-15T23:30-02:00', { 1: '2019-02-16T23:30-02:00', 2: '2019-02-17T23:30-03:00' }],
  ['the first hour comes twice in Havana', 'America/Havana', '1 day', '2026-10-31T00:30-04:00', { 1: '2026-11-01T00:30-04:00', 2: '2026-11-02T00:30-05:00' }],
  ['two hours come twice', 'Antarctica/Troll', '1 day', '2026-10-24T01:30+02:00', { 1: '2026-10-25T01:30+02:00', 2: '2026-10-26T01:30+00:00' }],
  ['a year onto the time that comes twice', 'Europe/Berlin', '1 year', '2025-10-25T02:30+02:00', { 1: '2026-10-25T02:30+02:00', 2: '2027-10-25T02:30+02:00' }],
];

// biome-ignore format: a table
const farAway: readonly Case[] = [
  ['ten thousand days', 'UTC', '1 day', '2026-01-01T00:00Z', { 10000: '2053-05-19T00:00Z' }],
  ['ten thousand weeks', 'UTC', '1 week', '2026-01-01T00:00Z', { 10000: '2217-08-28T00:00Z' }],
  ['ten thousand months', 'UTC', '1 month', '2026-01-31T00:00Z', { 1200: '2126-01-31T00:00Z', 10000: '2859-05-31T00:00Z' }],
  ['a hundred years', 'Europe/Berlin', '1 year', '2026-01-15T08:00+01:00', { 100: '2126-01-15T08:00+01:00' }],
  ['thirty years of months', 'America/New_York', '1 month', '2026-01-31T08:00-05:00', { 1: '2026-02-28T08:00-05:00', 359: '2055-12-31T08:00-05:00', 361: '2056-02-29T08:00-05:00' }],
  ['the longest period', 'UTC', '366 year', '2028-02-29T00:00Z', { 1: '2394-02-28T00:00Z', 2: '2760-02-29T00:00Z' }],
];

const cases = [...monthEnds, ...years, ...daysAndWeeks, ...skippedTimes, ...repeatedTimes, ...farAway];

describe('periodStart', () => {
  test.each(cases)('%s (%s, every %s from %s)', (_, zone, every, anchor, dates) => {
    const began = (index: string) =>
      periodStart(new Date(anchor), intervalOf(every), Number(index), zone).toISOString();
    const expected = Object.entries(dates).map(([index, date]) => [index, new Date(date).toISOString()]);
    expect(Object.keys(dates).map((index) => [index, began(index)])).toEqual(expected);
  });

  test('the table has what it says: cases, zones, and every unit', () => {
    expect(cases.length).toBeGreaterThanOrEqual(70);
    expect(new Set(cases.map(([, zone]) => zone)).size).toBeGreaterThanOrEqual(20);
    expect(new Set(cases.map(([, , every]) => intervalOf(every).unit))).toEqual(new Set(intervalUnits));
  });
});

function intervalOf(every: string): BillingInterval {
  const [count, name] = every.split(' ');
  const unit = intervalUnits.find((known) => known === name);
  if (unit === undefined) throw new Error(`${name} is no unit`);
  return { unit, count: Number(count) };
}

describe('for any anchor, interval and zone', () => {
  const zones = fc.constantFrom(...new Set(cases.map(([, zone]) => zone).filter((zone) => zone !== 'Pacific/Apia')));
  const anchors = fc.date({
    min: new Date('2020-01-01T00:00Z'),
    max: new Date('2060-01-01T00:00Z'),
    noInvalidDate: true,
  });
  const intervals = fc.record({ unit: fc.constantFrom(...intervalUnits), count: fc.integer({ min: 1, max: 36 }) });
  const indexes = fc.integer({ min: 0, max: 2_000 });

  // A failing property prints its seed and its smallest counterexample.
  test('period 0 begins at the anchor', () => {
    fc.assert(
      fc.property(anchors, intervals, zones, (anchor, interval, zone) => {
        expect(periodStart(anchor, interval, 0, zone)).toEqual(anchor);
      }),
    );
  });

  test('each period begins after the one before', () => {
    fc.assert(
      fc.property(anchors, intervals, indexes, zones, (anchor, interval, index, zone) => {
        const start = periodStart(anchor, interval, index, zone).getTime();
        expect(periodStart(anchor, interval, index + 1, zone).getTime()).toBeGreaterThan(start);
      }),
    );
  });

  test('the dates of n times as long a period are every nth date of the short one', () => {
    fc.assert(
      fc.property(anchors, intervals, indexes, zones, (anchor, { unit, count }, index, zone) => {
        const long = periodStart(anchor, { unit, count }, index, zone);
        expect(long).toEqual(periodStart(anchor, { unit, count: 1 }, index * count, zone));
      }),
    );
  });

  test('seven days are a week and twelve months a year', () => {
    fc.assert(
      fc.property(anchors, indexes, zones, (anchor, index, zone) => {
        const at = (unit: IntervalUnit, count: number) => periodStart(anchor, { unit, count }, index, zone);
        expect(at('week', 1)).toEqual(at('day', 7));
        expect(at('year', 1)).toEqual(at('month', 12));
        expect(at('day', 1)).toEqual(daysAfter(anchor, index, zone));
      }),
    );
  });

  test('in UTC a day has 24 hours', () => {
    fc.assert(
      fc.property(anchors, indexes, (anchor, index) => {
        const start = periodStart(anchor, { unit: 'day', count: 1 }, index, 'UTC');
        expect(start.getTime() - anchor.getTime()).toBe(index * 86_400_000);
      }),
    );
  });

  test('firstPeriodFrom is the smallest number whose period does not begin before the instant', () => {
    fc.assert(
      fc.property(anchors, intervals, indexes, zones, anchors, (anchor, interval, from, zone, instant) => {
        const first = firstPeriodFrom(anchor, interval, from, zone, instant);
        expect(first).toBeGreaterThanOrEqual(from);
        expect(periodStart(anchor, interval, first, zone).getTime() >= instant.getTime()).toBe(true);
        if (first > from) expect(periodStart(anchor, interval, first - 1, zone) < instant).toBe(true);
      }),
    );
  });

  test('firstPeriodFrom a period’s own beginning is that period, and a millisecond later the next one', () => {
    fc.assert(
      fc.property(anchors, intervals, indexes, zones, (anchor, interval, index, zone) => {
        const start = periodStart(anchor, interval, index, zone);
        expect(firstPeriodFrom(anchor, interval, 0, zone, start)).toBe(index);
        expect(firstPeriodFrom(anchor, interval, 0, zone, new Date(start.getTime() + 1))).toBe(index + 1);
      }),
    );
  });
});

test('firstPeriodFrom names the first of periods that begin together, where a day was skipped', () => {
  const anchor = new Date('2011-12-29T12:00-10:00');
  const both = new Date('2011-12-31T12:00+14:00');
  expect(firstPeriodFrom(anchor, { unit: 'day', count: 1 }, 0, 'Pacific/Apia', both)).toBe(1);
});

test.each([
  ['2026-03-30T09:00+02:00', -2, 'Europe/Berlin', '2026-03-28T09:00+01:00'],
  ['2026-03-30T02:30+02:00', -1, 'Europe/Berlin', '2026-03-29T03:30+02:00'],
  ['2026-10-25T02:30+01:00', 0, 'Europe/Berlin', '2026-10-25T02:30+01:00'],
  ['2028-03-01T00:00Z', -30, 'UTC', '2028-01-31T00:00Z'],
  ['2026-11-03T08:00-05:00', -7, 'America/New_York', '2026-10-27T08:00-04:00'],
])('daysAfter %s, %i days on the clocks of %s, is %s', (instant, days, zone, expected) => {
  expect(daysAfter(new Date(instant), days, zone)).toEqual(new Date(expected));
});

test.each([
  [2026, 1, '2026-02-01T00:00Z'],
  [2026, 12, '2027-01-01T00:00Z'],
  [2028, 2, '2028-03-01T00:00Z'],
  [2100, 2, '2100-03-01T00:00Z'],
])('the month %i-%i is over at %s', (year, month, expected) => {
  expect(endOfMonth(year, month)).toEqual(new Date(expected));
});

describe('isTimeZone', () => {
  test.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+12', 'Asia/Katmandu'])(
    'knows %s',
    (name) => {
      expect(isTimeZone(name)).toBe(true);
    },
  );

  test.each([
    '',
    ' ',
    'Berlin',
    'Europe/Berlin ',
    'Europe/Nowhere',
    '+02:00',
    '-0500',
    'Z',
    '2026-01-01T00:00Z',
    '2026-01-01T00:00+01:00',
    '2026-01-01T00:00+01:00[Europe/Berlin]',
    '2026-01-01T00:00[Europe/Berlin]',
    'UTC[u-ca=iso8601]',
    'Europe/Berlin\u0000',
    'constructor',
  ])('refuses %j', (name) => {
    expect(isTimeZone(name)).toBe(false);
  });
});
