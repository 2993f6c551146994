import { z } from 'zod';
import type { MerchantScope } from '../prisma/payments.ts';
import { Problem } from './errors.ts';
import { hashOfBody } from './request-hash.ts';
import type { PageEnd, RouteAnswer } from './route.ts';

const limitDefault = 20;
const limitMax = 100;

/** The parameters of every list: spread them into the route's `query`, a strict object. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^(?:[1-9]\d?|100)$/, `must be a whole number from 1 to ${limitMax}`)
    .transform(Number)
    .default(limitDefault)
    .meta({ type: 'integer', minimum: 1, maximum: limitMax, default: limitDefault, description: 'Elements per page' }),
  cursor: z
    .string()
    .min(1, 'must not be empty: leave it out for the first page')
    .max(1_000, 'must have at most 1000 characters')
    .optional()
    .describe('`next_cursor` of the page before, with the same filters; absent for the first page'),
};

/** What a list was asked for: `limit` and `cursor` do not count as filters. */
interface ListQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** The cursors of one list: each says where a page ended, for one merchant, in one mode, with the same filters. */
export interface Cursors<Position> {
  write(position: Position, scope: MerchantScope, query: ListQuery): string;
  /** The position in the query's cursor, null without one. Throws `validation_failed`, naming `cursor`, for any other text. */
  read(scope: MerchantScope, query: ListQuery): Position | null;
}

/** The scope of lists that are of no merchant, or of all of them, in both modes. */
export const everyMerchant: MerchantScope = { merchantId: '', isTest: false };

const version = 1;

/**
 * Makes the cursors of the list of this name. A position is what the list is ordered by; it is no secret and not trusted:
 * it is validated when it comes back, and only ever narrows what the caller may see anyway.
 */
export function cursorsOf<Position>(list: string, position: z.ZodType<Position>): Cursors<Position> {
  const schema = z.strictObject({ v: z.literal(version), of: z.string(), at: position });
  const listOf = (scope: MerchantScope, { limit: _limit, cursor: _cursor, ...filters }: ListQuery) =>
    hashOfBody([list, scope.merchantId, scope.isTest, filters]).slice(0, 16);
  return {
    write: (at, scope, query) =>
      Buffer.from(JSON.stringify({ v: version, of: listOf(scope, query), at })).toString('base64url'),
    read(scope, query) {
      if (query.cursor === undefined) return null;
      const found = schema.safeParse(parsed(query.cursor));
      if (!found.success) throw notACursor('is not a cursor of this list: send `next_cursor` of a page as it was');
      if (found.data.of === listOf(scope, query)) return found.data.at;
      throw notACursor('belongs to another list or other filters: repeat those of the page before, or leave it out');
    },
  };
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return null;
  }
}

function notACursor(detail: string): Problem {
  return new Problem('validation_failed', { errors: [{ parameter: 'cursor', detail }] });
}

/**
 * A page of a list. `rows` are one more than `limit`, where there are so many: the last one is not shown, it says that there
 * is more. `cursorAt` writes the cursor of the last row that is.
 */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  show: (row: Row) => unknown,
  cursorAt: (row: Row) => string,
): RouteAnswer & { readonly page: PageEnd } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit;
  return {
    status: 200,
    data: shown.map(show),
    page: { has_more: hasMore, next_cursor: hasMore && last !== undefined ? cursorAt(last) : null },
  };
}
