import { describe, expect, test } from 'vitest';
import {
  type AllowedHours,
  isAllowedAt,
  isTimeZone,
  type Weekday,
  weekdays,
} from '../../workflows/domain/allowed-hours.ts';

const workdays: readonly Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri'];

function hours(window: string, days: readonly Weekday[] = weekdays, time_zone = 'UTC'): AllowedHours {
  const [from = '', to = ''] = window.split('-');
  return { time_zone, weekdays: days, from, to };
}

const berlin = (window: string, days?: readonly Weekday[]) => hours(window, days, 'Europe/Berlin');
const newYork = (window: string, days?: readonly Weekday[]) => hours(window, days, 'America/New_York');

describe('a window of hours', () => {
  // 2026-01-05 is a Monday.
  test.each<[string, AllowedHours, string, boolean]>([
    ['opens with its first minute', hours('08:00-18:00'), '2026-01-05T08:00:00.000Z', true],
    ['is shut the moment before', hours('08:00-18:00'), '2026-01-05T07:59:59.999Z', false],
    ['is open to its last moment', hours('08:00-18:00'), '2026-01-05T17:59:59.999Z', true],
    ['is shut at the minute it ends with', hours('08:00-18:00'), '2026-01-05T18:00:00.000Z', false],
    ['may be the whole day: its begin', hours('00:00-24:00'), '2026-01-05T00:00:00.000Z', true],
    ['may be the whole day: its end', hours('00:00-24:00'), '2026-01-05T23:59:59.999Z', true],
    ['is open on its days', hours('08:00-18:00', workdays), '2026-01-09T12:00:00Z', true],
    ['is shut on others', hours('08:00-18:00', workdays), '2026-01-10T12:00:00Z', false],
    ['is shut on all but one', hours('00:00-24:00', ['sun']), '2026-01-12T00:00:00Z', false],
    ['over midnight is open in the evening', hours('22:00-06:00', ['fri']), '2026-01-09T22:00:00Z', true],
    ['over midnight is open in the next morning', hours('22:00-06:00', ['fri']), '2026-01-10T05:59:59Z', true],
    ['over midnight is shut when it ends', hours('22:00-06:00', ['fri']), '2026-01-10T06:00:00Z', false],
    ['over midnight is shut in the next evening', hours('22:00-06:00', ['fri']), '2026-01-10T22:00:00Z', false],
    ['over midnight is shut in the morning of its day', hours('22:00-06:00', ['fri']), '2026-01-09T05:00:00Z', false],
    ['over midnight is shut at noon', hours('22:00-06:00'), '2026-01-09T12:00:00Z', false],
    ['over midnight on Sunday ends on Monday', hours('22:00-06:00', ['sun']), '2026-01-05T03:00:00Z', true],
    ['to midnight sharp ends there', hours('20:00-00:00', ['mon']), '2026-01-05T23:59:59Z', true],
    ['to midnight sharp has no next day', hours('20:00-00:00', ['mon']), '2026-01-06T00:00:00Z', false],
    ['is told by the clock of its zone', berlin('08:00-18:00'), '2026-01-05T07:00:00Z', true],
    ['is told by the clock of its zone, not by UTC', berlin('08:00-18:00'), '2026-01-05T17:30:00Z', false],
    ['has the weekday of its zone', newYork('00:00-24:00', ['sun']), '2026-01-05T04:59:59Z', true],
    ['has the weekday of its zone, not of UTC', newYork('00:00-24:00', ['mon']), '2026-01-05T04:59:59Z', false],
    ['knows zones of half hours', hours('08:00-09:00', weekdays, 'Asia/Kolkata'), '2026-01-05T02:30:00Z', true],
    [
      'knows zones beyond the date line',
      hours('00:00-24:00', ['tue'], 'Pacific/Kiritimati'),
      '2026-01-05T10:00:00Z',
      true,
    ],

    // Berlin, 29 March 2026 (a Sunday): 01:59:59 is followed by 03:00.
    ['that begins in the skipped hour is shut before it', berlin('02:30-04:00'), '2026-03-29T00:59:59Z', false],
    ['that begins in the skipped hour opens right after it', berlin('02:30-04:00'), '2026-03-29T01:00:00Z', true],
    ['that ends in the skipped hour is open up to it', berlin('00:30-02:30'), '2026-03-29T00:59:59Z', true],
    ['that ends in the skipped hour is shut after it', berlin('00:30-02:30'), '2026-03-29T01:00:00Z', false],
    ['within the skipped hour never opens: before', berlin('02:10-02:50'), '2026-03-29T00:59:59Z', false],
    ['within the skipped hour never opens: after', berlin('02:10-02:50'), '2026-03-29T01:00:00Z', false],
    ['follows summer time', berlin('08:00-18:00'), '2026-03-29T06:00:00Z', true],
    ['follows summer time at its end too', berlin('08:00-18:00'), '2026-03-29T16:00:00Z', false],
    ['of Saturday night ends an hour of ours earlier', berlin('22:00-06:00', ['sat']), '2026-03-29T04:00:00Z', false],

    // New York, 1 November 2026 (a Sunday): 01:59:59 EDT is followed by 01:00 EST.
    ['is open in an hour that comes twice', newYork('01:00-02:00'), '2026-11-01T05:30:00Z', true],
    ['is open in its second coming', newYork('01:00-02:00'), '2026-11-01T06:30:00Z', true],
    ['is shut when that is over', newYork('01:00-02:00'), '2026-11-01T07:00:00Z', false],
    ['that ends within such an hour ends', newYork('00:00-01:30'), '2026-11-01T05:30:00Z', false],
    ['that ends within such an hour opens once more', newYork('00:00-01:30'), '2026-11-01T06:29:59Z', true],
    ['is shut again after that', newYork('00:00-01:30'), '2026-11-01T06:30:00Z', false],
    ['follows winter time', newYork('09:00-17:00'), '2026-11-01T14:00:00Z', true],
    ['follows winter time, and is shut an hour before', newYork('09:00-17:00'), '2026-11-01T13:59:59Z', false],

    // New York, 8 March 2026: 01:59:59 EST is followed by 03:00 EDT.
    ['skips in the other zone too', newYork('02:00-03:00'), '2026-03-08T07:00:00Z', false],
    ['opens after the gap in the other zone too', newYork('02:00-03:01'), '2026-03-08T07:00:30Z', true],
  ])('%s', (_promise, window, instant, isAllowed) => {
    expect(isAllowedAt(window, new Date(instant))).toBe(isAllowed);
  });
});

test('every minute of a week is in exactly one of a window and its complement', () => {
  const day = hours('08:00-18:00', weekdays, 'Europe/Berlin');
  const night = hours('18:00-08:00', weekdays, 'Europe/Berlin');
  for (let minute = 0; minute < 14 * 24 * 60; minute++) {
    const instant = new Date(Date.UTC(2026, 2, 22) + minute * 60_000); // with the day on which summer begins
    if (isAllowedAt(day, instant) === isAllowedAt(night, instant)) expect(instant.toISOString()).toBe('in one of them');
  }
});

test('a zone with a thousand spellings is remembered without end by nobody', () => {
  const names = Array.from({ length: 2_100 }, (_, index) =>
    Array.from('europe/berlin', (letter, bit) => ((index >> bit) & 1 ? letter.toUpperCase() : letter)).join(''),
  );
  expect(names.filter(isTimeZone)).toHaveLength(names.length);
  expect(isAllowedAt(berlin('08:00-18:00'), new Date('2026-01-05T07:00:00Z'))).toBe(true);
});

describe('a time zone', () => {
  test.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5', 'Asia/Kolkata'])(
    '%s is one',
    (name) => {
      expect(isTimeZone(name)).toBe(true);
    },
  );

  test.each([
    '',
    'Mars/Olympus',
    '+01:00',
    '-05:00',
    'Europe/Berlin ',
    'Europe',
    'local',
    'Europe/Berlin\n',
    '../etc/passwd',
  ])('%j is none', (name) => {
    expect(isTimeZone(name)).toBe(false);
  });
});
