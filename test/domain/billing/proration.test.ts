import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unusedPart } from '../../../workflows/domain/billing/proration.ts';

const june = { start: new Date('2026-06-01T00:00Z'), end: new Date('2026-07-01T00:00Z') };

describe('the unused part', () => {
  // biome-ignore format: a table
  test.each<[what: string, amount: bigint, now: string, unused: bigint]>([
    ['all of it at the beginning', 3000n, '2026-06-01T00:00Z', 3000n],
    ['all of it before the beginning', 3000n, '2026-05-01T00:00Z', 3000n],
    ['a day less', 3000n, '2026-06-02T00:00Z', 2900n],
    ['half of it', 3000n, '2026-06-16T00:00Z', 1500n],
    ['a day of it', 3000n, '2026-06-30T00:00Z', 100n],
    ['none at the end', 3000n, '2026-07-01T00:00Z', 0n],
    ['none after the end', 3000n, '2027-01-01T00:00Z', 0n],
    ['a millisecond of it rounds to none', 3000n, '2026-06-30T23:59:59.999Z', 0n],
    ['all but a millisecond rounds to all', 3000n, '2026-06-01T00:00:00.001Z', 3000n],
    ['half a unit is rounded away from zero', 1n, '2026-06-16T00:00Z', 1n],
    ['a little less than half a unit is none', 1n, '2026-06-16T00:00:00.001Z', 0n],
    ['a third', 100n, '2026-06-21T00:00Z', 33n],
    ['two thirds', 100n, '2026-06-11T00:00Z', 67n],
    ['half of an odd amount', 2599n, '2026-06-16T00:00Z', 1300n],
    ['half of a debt', -2599n, '2026-06-16T00:00Z', -1300n],
    ['of nothing', 0n, '2026-06-16T00:00Z', 0n],
    ['half of the largest amount', 9223372036854775807n, '2026-06-16T00:00Z', 4611686018427387904n],
    ['all of the largest amount', 9223372036854775807n, '2026-06-01T00:00Z', 9223372036854775807n],
  ])('%s: of %i at %s it is %i', (_, amount, now, unused) => {
    expect(unusedPart(amount, june, new Date(now))).toBe(unused);
  });

  test('a day of summer time has 23 hours, and counts as such', () => {
    const spring = { start: new Date('2026-03-28T00:00+01:00'), end: new Date('2026-03-30T00:00+02:00') };
    expect(unusedPart(4700n, spring, new Date('2026-03-29T00:00+01:00'))).toBe(2300n);
  });

  test('of no time at all is none', () => {
    const moment = { start: june.start, end: june.start };
    expect(unusedPart(3000n, moment, june.start)).toBe(0n);
  });
});

describe('for any amount, span and moment', () => {
  const amounts = fc.oneof(fc.bigInt({ min: 1n, max: 9223372036854775807n }), fc.bigInt({ min: 1n, max: 10_000n }));
  const spans = fc
    .record({
      startMs: fc.integer({ min: 0, max: 4e12 }),
      lengthMs: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 4e11 })),
    })
    .map(({ startMs, lengthMs }) => ({ start: new Date(startMs), end: new Date(startMs + lengthMs) }));
  const parts = fc.double({ min: -0.2, max: 1.2, noNaN: true });
  const momentOf = ({ start, end }: { start: Date; end: Date }, part: number) =>
    new Date(start.getTime() + Math.round((end.getTime() - start.getTime()) * part));

  // A failing property prints its seed and its smallest counterexample.
  test('what is used and what is unused are between nothing and the amount, and sum to it', () => {
    fc.assert(
      fc.property(amounts, spans, parts, (amount, span, part) => {
        const unused = unusedPart(amount, span, momentOf(span, part));
        const used = amount - unused;
        expect(unused >= 0n && used >= 0n).toBe(true);
        expect(used + unused).toBe(amount);
      }),
    );
  });

  test('it is the exact fraction, rounded by half a minor unit at most', () => {
    fc.assert(
      fc.property(amounts, spans, parts, (amount, span, part) => {
        const now = momentOf(span, part);
        const whole = BigInt(span.end.getTime() - span.start.getTime());
        const left = BigInt(Math.min(Math.max(span.end.getTime() - now.getTime(), 0), Number(whole)));
        // |unused - amount × left / whole| <= 1/2, without division.
        const error = unusedPart(amount, span, now) * whole - amount * left;
        expect(2n * (error < 0n ? -error : error) <= whole).toBe(true);
        if (2n * error === -whole) throw new Error('half a unit was rounded towards zero');
      }),
    );
  });

  test('it never grows with time', () => {
    fc.assert(
      fc.property(amounts, spans, parts, parts, (amount, span, one, other) => {
        const [earlier, later] = [one, other].toSorted((a, b) => a - b).map((part) => momentOf(span, part));
        if (earlier === undefined || later === undefined) throw new Error('there are two');
        expect(unusedPart(amount, span, earlier) >= unusedPart(amount, span, later)).toBe(true);
      }),
    );
  });

  test('a debt is the mirror image of what is owed', () => {
    fc.assert(
      fc.property(amounts, spans, parts, (amount, span, part) => {
        const now = momentOf(span, part);
        expect(unusedPart(-amount, span, now)).toBe(-unusedPart(amount, span, now));
      }),
    );
  });
});
