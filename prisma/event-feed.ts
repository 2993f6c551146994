import type { StoredEvent } from '../workflows/domain/event.ts';
import type { Database } from './database.ts';
import { type Feed, type FeedPage, type FeedPosition, type Placed, readRows } from './feed.ts';
import type { MerchantScope } from './payments.ts';

/** Which events; what is absent does not count. */
export interface EventFilters {
  readonly type?: string | undefined;
  readonly objectId?: string | undefined;
}

const events: Feed<EventFilters> = {
  table: 'events',
  columns: 'e.id, e.type, e.sequence, e.object_id, e.data, e.created_at',
  conditions: {
    type: (mark) => `e.type = ${mark}`,
    objectId: (mark) => `e.object_id = ${mark}`,
  },
};

/** Events of this merchant in this mode in the order of the feed; see `readRows`. */
export async function readFeed(
  db: Database,
  scope: MerchantScope,
  filters: EventFilters,
  page: { readonly after: FeedPosition; readonly limit: number },
): Promise<FeedPage<StoredEvent & Placed>> {
  return readRows<StoredEvent, EventFilters>(db, events, scope, filters, page);
}
