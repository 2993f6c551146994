import { z } from 'zod';
import { readFeed } from '../../prisma/event-feed.ts';
import { feedStart } from '../../prisma/feed.ts';
import { eventObjectOf, eventTypes } from '../../workflows/domain/event.ts';
import { pageQuery } from '../cursor.ts';
import { eventSchema } from '../event-object.ts';
import { feedCursorsOf, feedPageOf } from '../feed.ts';
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

const cursors = feedCursorsOf('events');

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
    return feedPageOf(feed, cursors, caller, asked, eventObjectOf);
  },
);
