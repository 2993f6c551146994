import type { StoredEvent } from '../workflows/domain/event.ts';
import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { MerchantScope } from './payments.ts';

/** Which events; what is absent does not count. */
export interface EventFilters {
  readonly type?: string | undefined;
  readonly objectId?: string | undefined;
}

const conditions: Conditions<EventFilters> = {
  type: (mark) => `e.type = ${mark}`,
  objectId: (mark) => `e.object_id = ${mark}`,
};

/** A place between two events: the writing transaction's id and the position, both as decimal digits. */
export type FeedPosition = readonly [transactionId: string, position: string];

/** Before every event. */
export const feedStart: FeedPosition = ['0', '0'];

/** An event with its own place in the feed. */
type FedEvent = StoredEvent & { readonly at: FeedPosition };

/**
 * `events`: those behind the given place, in order. `horizon`: a place behind all that there will ever be before it, so that
 * whoever has read everything goes on from there. `rewound`: the given place lies in the future, as after a restore: the
 * reader must begin again.
 */
export type FeedPage =
  | { readonly kind: 'page'; readonly events: readonly FedEvent[]; readonly horizon: FeedPosition }
  | { readonly kind: 'rewound' };

type FeedRow = { readonly horizon: string; readonly is_rewound: boolean } & (
  | { readonly id: null }
  | (StoredEvent & { readonly transaction_id: string; readonly position: string })
);

/**
 * Events of this merchant in this mode in the order in which their transactions began to write, at most `limit`. An event
 * shows when every transaction that began to write before its own has ended: none can then come to stand before it, so a
 * reader who goes on from where it was skips nothing, however late a transaction commits.
 */
export async function readFeed(
  db: Database,
  scope: MerchantScope,
  filters: EventFilters,
  page: { readonly after: FeedPosition; readonly limit: number },
): Promise<FeedPage> {
  const own = [scope.merchantId, scope.isTest, page.limit, ...page.after];
  const where = filtered(conditions, filters, own.length);
  const statement = {
    name: `read_feed_${where.name}`,
    text: `
      WITH now AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon)
      SELECT now.horizon, now.horizon < $4::text::xid8 AS is_rewound, e.*
      FROM now LEFT JOIN LATERAL (
        SELECT e.id, e.type, e.sequence, e.object_id, e.data, e.created_at, e.transaction_id, e.position
        FROM events e
        WHERE e.merchant_id = $1 AND e.is_test = $2 AND e.transaction_id < now.horizon
          AND (e.transaction_id, e.position) > ($4::text::xid8, $5::bigint)${where.sql}
        ORDER BY e.transaction_id, e.position LIMIT $3
      ) e ON true
      ORDER BY e.transaction_id, e.position`,
  };
  const rows = await run<FeedRow>(db, statement, [...own, ...where.values]);
  const [first] = rows;
  if (first === undefined || first.is_rewound) return { kind: 'rewound' };
  const events = rows.flatMap((row) => (row.id === null ? [] : [fed(row)]));
  return { kind: 'page', events, horizon: [first.horizon, '0'] };
}

function fed(row: Extract<FeedRow, { id: string }>): FedEvent {
  const { id, type, sequence, object_id, data, created_at, transaction_id, position } = row;
  return { id, type, sequence, object_id, data, created_at, at: [transaction_id, position] };
}
