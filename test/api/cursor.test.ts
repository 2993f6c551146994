import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { cursorsOf, pageOf } from '../../api/cursor.ts';
import { Problem } from '../../api/errors.ts';

const scope = { merchantId: 'mer_1', isTest: true };
const query = { limit: 20, currency: 'USD' };
const cursors = cursorsOf<readonly [string, number]>('payments', z.tuple([z.string(), z.int()]));
const cursor = cursors.write(['2026-01-31T00:00:00.000Z', 7], scope, query);
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decoded = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as Record<string, unknown>;

/** What a cursor is refused with: the parameter that is named. */
function refusal(read: () => unknown): unknown {
  try {
    return { accepted: read() };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return [error.code, error.errors.map(({ parameter }) => parameter)];
  }
}

describe('a cursor', () => {
  test('brings back the position that it was made of', () => {
    expect(cursors.read(scope, { ...query, cursor })).toEqual(['2026-01-31T00:00:00.000Z', 7]);
    expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
  });

  test('is none without the parameter', () => {
    expect(cursors.read(scope, query)).toBeNull();
  });

  test('may go on with another limit', () => {
    expect(cursors.read(scope, { ...query, limit: 5, cursor })).not.toBeNull();
  });

  test.each<[string, string]>([
    ['no base64url at all', '%%%'],
    ['cut', cursor.slice(0, -4)],
    ['no JSON', Buffer.from('x').toString('base64url')],
    ['null', encoded(null)],
    ['an array', encoded([])],
    ['of another version', encoded({ ...decoded, v: 2 })],
    ['with a position of another shape', encoded({ ...decoded, at: [7, 'x'] })],
    ['without a position', encoded({ ...decoded, at: undefined })],
    ['with something more', encoded({ ...decoded, more: 1 })],
    ['of a list that it does not name', encoded({ ...decoded, of: 'x' })],
  ])('is refused, naming the parameter, when it is %s', (_name, broken) => {
    expect(refusal(() => cursors.read(scope, { ...query, cursor: broken }))).toEqual(['validation_failed', ['cursor']]);
  });

  test.each<[string, () => unknown]>([
    ['filters', () => cursors.read(scope, { ...query, currency: 'EUR', cursor } as typeof query)],
    ['merchant', () => cursors.read({ ...scope, merchantId: 'mer_2' }, { ...query, cursor })],
    ['mode', () => cursors.read({ ...scope, isTest: false }, { ...query, cursor })],
    ['list', () => cursorsOf('events', z.tuple([z.string(), z.int()])).read(scope, { ...query, cursor })],
  ])('is refused with another %s', (_name, read) => {
    expect(refusal(read)).toEqual(['validation_failed', ['cursor']]);
  });
});

describe('a page', () => {
  const page = (rows: number[], limit: number) => pageOf(rows, limit, (row) => row * 10, String);

  test('shows at most the limit, and goes on behind the last that it shows', () => {
    expect(page([1, 2, 3], 2)).toEqual({ status: 200, data: [10, 20], page: { has_more: true, next_cursor: '2' } });
  });

  test('is the last one when there is not one row more', () => {
    expect(page([1, 2], 2)).toEqual({ status: 200, data: [10, 20], page: { has_more: false, next_cursor: null } });
    expect(page([], 2).page).toEqual({ has_more: false, next_cursor: null });
  });
});
