import { z } from 'zod';
import { type FeedPosition, feedStart, readFeed } from '../../prisma/event-feed.ts';
import { eventObjectOf, eventTypes } from '../../workflows/domain/event.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { Problem } from '../errors.ts';
import { eventSchema } from '../event-object.ts';
import { merchantRoute } from '../route.ts';
import { text } from '../text.ts';

const query = z.strictObject({
  ...pageQuery,
  cursor: pageQuery.cursor.describe(
    '`next_cursor` of the page before, with the same filters; absent to begin at the first event',
  ),
  type: z
    .enum(eventTypes, `must be one of ${eventTypes.join(', ')}`)
    .optional()
    .describe('e.g. `payment.captured`'),
  object_id: text(100).optional().describe('Events of one object, e.g. a payment’s id'),
});

/** As wide as Postgres' xid8 and bigint. */
const counter = (max: bigint) => z.string().refine((digits) => /^\d{1,20}$/.test(digits) && BigInt(digits) <= max);

const cursors = cursorsOf<FeedPosition>('events', z.tuple([counter(2n ** 64n - 1n), counter(2n ** 63n - 1n)]));

/** `GET /api/v1/events`. */
export const listEvents = merchantRoute(
  {
    operationId: 'listEvents',
    method: 'get',
    path: '/api/v1/events',
    summary: 'Read events in order',
    description:
      'Oldest first. `next_cursor` is always there, also on the last page: keep it and ask again with it later, and you read ' +
      'every event, none skipped. Events of one object come by `sequence`; an event may show some moments after it happened. ' +
      'After a restore of the database a cursor may be refused: begin again, and know events by their `id`.',
    permission: 'events:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of events', schema: eventSchema } },
    problems: [],
  },
  async (deps, request, caller) => {
    const { query: asked } = request;
    const after = cursors.read(caller, asked) ?? feedStart;
    const filters = { type: asked.type, objectId: asked.object_id };
    const feed = await readFeed(deps.db, caller, filters, { after, limit: asked.limit + 1 });
    if (feed.kind === 'rewound') throw rewound();
    const cursorAt = (at: FeedPosition) => cursors.write(at, caller, asked);
    const answer = pageOf(feed.events, asked.limit, eventObjectOf, (event) => cursorAt(event.at));
    const { has_more, next_cursor } = answer.page;
    return { ...answer, page: { has_more, next_cursor: next_cursor ?? cursorAt(feed.horizon) } };
  },
);

function rewound(): Problem {
  const detail = 'is from before the database was restored: begin again without it, and know events by their `id`';
  return new Problem('validation_failed', { errors: [{ parameter: 'cursor', detail }] });
}
