import { expect, test } from 'vitest';
import { retryAfterMsOf } from '../../workflows/domain/retry-after.ts';

const now = Date.parse('2026-11-21T12:00:00Z');

test.each<[string | string[] | undefined, number | null]>([
  ['0', 0],
  ['120', 120_000],
  ['999999999', 999_999_999_000],
  ['Sat, 21 Nov 2026 12:01:30 GMT', 90_000],
  ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
  [undefined, null],
  ['', null],
  ['soon', null],
  ['1e3', null],
  ['-', null],
  ['9999999999', null],
  [['1', '2'], null],
])('a wait of %j is %j ms', (value, waitMs) => {
  expect(retryAfterMsOf(value, now)).toBe(waitMs);
});
