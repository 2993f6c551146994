import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { periodStart } from '../../workflows/domain/billing/calendar.ts';
import { later } from './calendar.ts';

const instants = fc.integer({ min: Date.UTC(2026, 0, 2), max: Date.UTC(2030, 11, 31) });
const zones = fc.constantFrom('UTC' as const, 'Europe/Berlin' as const, 'America/New_York' as const);
const units = fc.constantFrom('day' as const, 'week' as const, 'month' as const, 'year' as const);
/** Around the changes of the clocks, where calendars err. */
const nearChanges = fc
  .tuple(
    fc.constantFrom(
      '2026-03-29T01:00Z',
      '2026-10-25T01:00Z',
      '2027-03-14T07:00Z',
      '2027-11-07T06:00Z',
      '2028-02-29T12:00Z',
    ),
    fc.integer({ min: -36 * 60, max: 36 * 60 }),
  )
  .map(([change, minutes]) => Date.parse(change) + minutes * 60_000);
const countsMax = { day: 1_000, week: 150, month: 36, year: 3 };

// A failing property prints its seed and its smallest counterexample.
test('the calendar of the simulated years, which was made by hand, and the product’s agree', () => {
  fc.assert(
    fc.property(fc.oneof(instants, nearChanges), zones, units, fc.nat(1_000), (instant, zone, unit, number) => {
      const count = number % countsMax[unit];
      const ours = new Date(later(zone, instant, unit, count)).toISOString();
      expect(ours).toBe(periodStart(new Date(instant), { unit, count: 1 }, count, zone).toISOString());
    }),
    { numRuns: 3_000 },
  );
});

test('the calendar of the simulated years refuses years that are not in its tables', () => {
  expect(() => later('Europe/Berlin', Date.UTC(2034, 0, 1), 'year', 2)).toThrow(/2036 is not in the table/);
});
