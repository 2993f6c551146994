import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { feeOf, type RetryTerms, retryDelayOf } from '../../workflows/domain/terms.ts';
import { someTerms } from '../support/payment-request.ts';

const int64Max = 2n ** 63n - 1n;
const fee = (feeBasisPoints: number, feeFixedMinor: string) => someTerms({ feeBasisPoints, feeFixedMinor });
const retrying = (retry: RetryTerms | null) => someTerms({ retry });

describe('the fee', () => {
  test.each<[bigint, bigint, number, string]>([
    [0n, 0n, 290, '30'],
    [105n, 2_599n, 290, '30'], // 75.371 and 30
    [0n, 2_599n, 0, '0'],
    [30n, 2_599n, 0, '30'],
    [75n, 2_599n, 290, '0'],
    [2_599n, 2_599n, 10_000, '30'],
    [1n, 1n, 0, '30'],
    [29n, 29n, 0, '30'],
    [30n, 30n, 0, '30'],
    [30n, 31n, 0, '30'],
    [int64Max, int64Max, 10_000, '0'],
    [int64Max, int64Max, 10_000, int64Max.toString()],
    [922_337_203_685_477_581n, int64Max, 1_000, '0'],
  ])('is %i on %i captured, at %i basis points and %s', (expected, captured, basisPoints, fixed) => {
    expect(feeOf(captured, fee(basisPoints, fixed))).toBe(expected);
  });

  test.each<[bigint, bigint, number]>([
    [0n, 49n, 100],
    [1n, 50n, 100], // half a unit
    [1n, 149n, 100],
    [2n, 150n, 100],
    [1n, 5_000n, 1],
    [0n, 4_999n, 1],
  ])('rounds a share half up: %i on %i at %i basis points', (expected, captured, basisPoints) => {
    expect(feeOf(captured, fee(basisPoints, '0'))).toBe(expected);
  });

  // A failing property prints its seed and its smallest counterexample.
  test('is never negative, never more than was captured, and never falls as more is captured', () => {
    const amount = fc.bigInt({ min: 0n, max: int64Max });
    const fixed = fc.bigInt({ min: 0n, max: 10_000n });
    fc.assert(
      fc.property(amount, amount, fc.integer({ min: 0, max: 10_000 }), fixed, (one, other, basisPoints, part) => {
        const terms = fee(basisPoints, part.toString());
        const [less, more] = one < other ? [one, other] : [other, one];
        expect(feeOf(less, terms)).toBeGreaterThanOrEqual(0n);
        expect(feeOf(less, terms)).toBeLessThanOrEqual(less);
        expect(feeOf(more, terms)).toBeGreaterThanOrEqual(feeOf(less, terms));
      }),
    );
  });
});

describe('the wait before the next round', () => {
  const schedule: RetryTerms = { scheduleSeconds: [60, 3_600], attemptsMax: 4 };

  test.each<[number | null, number, RetryTerms | null]>([
    [null, 0, null],
    [60, 0, schedule],
    [3_600, 1, schedule],
    [3_600, 2, schedule], // the last one serves for all after it
    [null, 3, schedule],
    [null, 4, schedule],
    [null, 0, { scheduleSeconds: [60], attemptsMax: 1 }],
    [null, 0, { scheduleSeconds: [], attemptsMax: 3 }],
    [0, 0, { scheduleSeconds: [0], attemptsMax: 2 }],
  ])('is %j s after %i were declined, with %j', (expected, retriesMade, retry) => {
    expect(retryDelayOf(retrying(retry), retriesMade)).toBe(expected);
  });

  test('comes once less than there are rounds, whatever the schedule', () => {
    const schedules = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(schedules, fc.integer({ min: 1, max: 20 }), (scheduleSeconds, attemptsMax) => {
        const terms = retrying({ scheduleSeconds, attemptsMax });
        const waits = Array.from({ length: 25 }, (_, made) => retryDelayOf(terms, made));
        expect(waits.filter((wait) => wait !== null)).toHaveLength(attemptsMax - 1);
        expect(waits.slice(0, attemptsMax - 1)).not.toContain(null);
        for (const wait of waits.slice(0, attemptsMax - 1)) expect(scheduleSeconds).toContain(wait);
      }),
    );
  });
});
