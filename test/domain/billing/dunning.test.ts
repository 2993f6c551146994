import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Dunning,
  type DunningTerms,
  dunningAfterDecline,
  dunningAtTry,
} from '../../../workflows/domain/billing/dunning.ts';

const ladder: DunningTerms = { retryDays: [1, 3, 5, 7], graceDays: 3, finalAction: 'cancel' };
const first = '2026-03-01T10:00:00.000Z';

/** A place on the ladder of an invoice that was declined at `first`. */
function place(step: number, nextTryAt: string | null, endsAt = '2026-03-11T10:00:00.000Z', since = first): Dunning {
  return { step, since, nextTryAt, endsAt };
}

describe('after a decline', () => {
  // biome-ignore format: a table
  test.each<[what: string, before: Dunning | null, now: string, isRetryable: boolean, after: Dunning]>([
    ['the first one begins the ladder', null, first, true, place(0, '2026-03-02T10:00:00.000Z')],
    ['of the first try', place(1, null), '2026-03-02T10:00:01Z', true, place(1, '2026-03-04T10:00:00.000Z')],
    ['of the second try', place(2, null), '2026-03-04T10:00:01Z', true, place(2, '2026-03-06T10:00:00.000Z')],
    ['of the third try', place(3, null), '2026-03-06T10:00:01Z', true, place(3, '2026-03-08T10:00:00.000Z')],
    ['of the last try, grace is left', place(4, null), '2026-03-08T10:00:01Z', true, place(4, null)],
    ['between tries, because somebody tried by hand', place(1, '2026-03-04T10:00:00.000Z'), '2026-03-03T00:00Z', true, place(1, '2026-03-04T10:00:00.000Z')],
    ['before the first try, by hand', place(0, '2026-03-02T10:00:00.000Z'), '2026-03-01T12:00Z', true, place(0, '2026-03-02T10:00:00.000Z')],
    ['whose try came late: what is over is passed by', place(1, null), '2026-03-05T00:00Z', true, place(2, '2026-03-06T10:00:00.000Z')],
    ['exactly when the next try is due: that one was it', place(1, null), '2026-03-04T10:00:00Z', true, place(2, '2026-03-06T10:00:00.000Z')],
    ['after all tries are over', place(1, null), '2026-03-09T00:00Z', true, place(4, null)],
    ['after the end: the end is now', place(1, null), '2026-05-01T00:00:00Z', true, place(4, null, '2026-05-01T00:00:00.000Z')],
    ['the issuer’s last word: no tries, the same end', null, first, false, place(0, null)],
    ['the issuer’s last word in the middle', place(2, null), '2026-03-04T10:00:01Z', false, place(2, null)],
    ['of another card that may pass: the ladder goes on', place(0, null), '2026-03-02T12:00Z', true, place(1, '2026-03-04T10:00:00.000Z')],
  ])('%s', (_, before, now, isRetryable, after) => {
    expect(dunningAfterDecline(before, isRetryable, ladder, 'UTC', new Date(now))).toEqual(after);
  });

  test('days are days of the zone: the clock reads the same after summer time began', () => {
    const { nextTryAt, endsAt } = dunningAfterDecline(
      null,
      true,
      ladder,
      'Europe/Berlin',
      new Date('2026-03-28T09:00+01:00'),
    );
    expect(nextTryAt).toBe(new Date('2026-03-29T09:00+02:00').toISOString());
    expect(endsAt).toBe(new Date('2026-04-07T09:00+02:00').toISOString());
  });

  test('without tries only the grace is left', () => {
    const after = dunningAfterDecline(null, true, { ...ladder, retryDays: [] }, 'UTC', new Date(first));
    expect(after).toEqual(place(0, null, '2026-03-04T10:00:00.000Z'));
  });

  test('without tries and grace the end is now', () => {
    const after = dunningAfterDecline(null, true, { ...ladder, retryDays: [], graceDays: 0 }, 'UTC', new Date(first));
    expect(after).toEqual(place(0, null, first));
  });

  test('a ladder that was made shorter meanwhile has been climbed', () => {
    const after = dunningAfterDecline(
      place(3, null),
      true,
      { ...ladder, retryDays: [1] },
      'UTC',
      new Date('2026-03-03T00:00Z'),
    );
    expect(after).toEqual(place(3, null, '2026-03-05T10:00:00.000Z'));
  });
});

test('a try that is under way is the next step, and none is due', () => {
  expect(dunningAtTry(place(1, '2026-03-04T10:00:00.000Z'))).toEqual(place(2, null));
});

describe('for any ladder', () => {
  const ladders = fc.record({
    retryDays: fc
      .uniqueArray(fc.integer({ min: 1, max: 90 }), { maxLength: 10 })
      .map((days) => days.toSorted((a, b) => a - b)),
    graceDays: fc.integer({ min: 0, max: 90 }),
    finalAction: fc.constant('cancel' as const),
  });
  const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe');
  const instants = fc.date({
    min: new Date('2026-01-01T00:00Z'),
    max: new Date('2030-01-01T00:00Z'),
    noInvalidDate: true,
  });
  const lateMs = fc.integer({ min: 1, max: 3_600_000 });

  // A failing property prints its seed and its smallest counterexample.
  test('each day of it is tried once, in order, and then it ends', () => {
    fc.assert(
      fc.property(ladders, zones, instants, lateMs, (terms, zone, begin, late) => {
        let dunning = dunningAfterDecline(null, true, terms, zone, begin);
        let tries = 0;
        while (dunning.nextTryAt !== null) {
          tries += 1;
          const due = new Date(dunning.nextTryAt);
          expect(due > begin && dunning.nextTryAt <= dunning.endsAt).toBe(true);
          dunning = dunningAfterDecline(dunningAtTry(dunning), true, terms, zone, new Date(due.getTime() + late));
          expect(dunning.step).toBe(tries);
        }
        expect(tries).toBe(terms.retryDays.length);
        expect(dunning.since).toBe(begin.toISOString());
      }),
    );
  });

  test('wherever and whenever a charge is declined, the next try is later, the end not before, and no step is taken back', () => {
    const steps = fc.integer({ min: 0, max: 10 });
    const laterMs = fc.integer({ min: 0, max: 200 * 86_400_000 });
    fc.assert(
      fc.property(
        ladders,
        zones,
        instants,
        steps,
        laterMs,
        fc.boolean(),
        (terms, zone, begin, step, later, isRetryable) => {
          const before = { ...dunningAfterDecline(null, true, terms, zone, begin), step };
          const now = new Date(begin.getTime() + later);
          const after = dunningAfterDecline(before, isRetryable, terms, zone, now);
          expect(after.since).toBe(before.since);
          expect(after.step).toBeGreaterThanOrEqual(step);
          expect(after.endsAt >= now.toISOString()).toBe(true);
          if (after.nextTryAt === null) return;
          expect(isRetryable && after.nextTryAt > now.toISOString() && after.nextTryAt <= after.endsAt).toBe(true);
        },
      ),
    );
  });
});
