import { z } from 'zod';
import type { FeedPage, FeedPosition, Placed } from '../prisma/feed.ts';
import type { MerchantScope } from '../prisma/payments.ts';
import { type Cursors, cursorsOf, pageOf } from './cursor.ts';
import { Problem } from './errors.ts';
import type { RouteAnswer } from './route.ts';

/** As wide as Postgres' xid8 and bigint. */
const counter = (max: bigint) => z.string().refine((digits) => /^\d{1,20}$/.test(digits) && BigInt(digits) <= max);

/** The cursors of a list that is read like the events' feed: oldest first, and to be asked for more again and again. */
export function feedCursorsOf(list: string): Cursors<FeedPosition> {
  return cursorsOf(list, z.tuple([counter(2n ** 64n - 1n), counter(2n ** 63n - 1n)]));
}

/**
 * A page of such a list, whose `next_cursor` is always there. Throws `validation_failed` for a cursor from before a restore
 * of the database.
 */
export function feedPageOf<Row extends Placed>(
  feed: FeedPage<Row>,
  cursors: Cursors<FeedPosition>,
  scope: MerchantScope,
  asked: { readonly limit: number },
  show: (row: Row) => unknown,
): RouteAnswer {
  if (feed.kind === 'rewound') throw rewound();
  const cursorAt = (at: FeedPosition) => cursors.write(at, scope, asked);
  const answer = pageOf(feed.rows, asked.limit, show, (row) => cursorAt([row.transaction_id, row.position]));
  const { has_more, next_cursor } = answer.page;
  return { ...answer, page: { has_more, next_cursor: next_cursor ?? cursorAt(feed.horizon) } };
}

function rewound(): Problem {
  const detail = 'is from before the database was restored: begin again without it, and know what you read by its `id`';
  return new Problem('validation_failed', { errors: [{ parameter: 'cursor', detail }] });
}
