import { type Database, run } from './database.ts';
import { type Conditions, filtered } from './filters.ts';
import type { MerchantScope } from './payments.ts';

/** A place between two rows: the writing transaction's id and the position, both as decimal digits. */
export type FeedPosition = readonly [transactionId: string, position: string];

/** Before every row. */
export const feedStart: FeedPosition = ['0', '0'];

/** A table of merchants' rows that is only ever added to, with `transaction_id` and `position` in an index of each merchant's. */
export interface Feed<Filters> {
  readonly table: string;
  /** What is read of a row, which is called `e`, besides its place. */
  readonly columns: string;
  readonly conditions: Conditions<Filters>;
}

/**
 * `rows`: those behind the given place, in order. `horizon`: a place behind all that there will ever be before it, so that
 * whoever has read everything goes on from there. `rewound`: the given place lies in the future, as after a restore: the
 * reader must begin again.
 */
export type FeedPage<Row> =
  | { readonly kind: 'page'; readonly rows: readonly Row[]; readonly horizon: FeedPosition }
  | { readonly kind: 'rewound' };

/** What every row of a feed has: its own place. */
export interface Placed {
  readonly transaction_id: string;
  readonly position: string;
}

type ReadRow<Row> = { readonly horizon: string; readonly is_rewound: boolean } & (
  | { readonly transaction_id: null }
  | (Row & Placed)
);

/**
 * Rows of this merchant in this mode in the order in which their transactions began to write, at most `limit`. A row shows
 * when every transaction that began to write before its own has ended: none can then come to stand before it, so a reader
 * who goes on from where it was skips nothing, however late a transaction commits.
 */
export async function readRows<Row, Filters extends object>(
  db: Database,
  { table, columns, conditions }: Feed<Filters>,
  scope: MerchantScope,
  filters: Filters,
  page: { readonly after: FeedPosition; readonly limit: number },
): Promise<FeedPage<Row & Placed>> {
  const own = [scope.merchantId, scope.isTest, page.limit, ...page.after];
  const where = filtered(conditions, filters, own.length);
  const statement = {
    name: `read_${table}_${where.name}`,
    text: `
      WITH now AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon)
      SELECT now.horizon, now.horizon < $4::text::xid8 AS is_rewound, e.*
      FROM now LEFT JOIN LATERAL (
        SELECT ${columns}, e.transaction_id, e.position
        FROM ${table} e
        WHERE e.merchant_id = $1 AND e.is_test = $2 AND e.transaction_id < now.horizon
          AND (e.transaction_id, e.position) > ($4::text::xid8, $5::bigint)${where.sql}
        ORDER BY e.transaction_id, e.position LIMIT $3
      ) e ON true
      ORDER BY e.transaction_id, e.position`,
  };
  const read = await run<ReadRow<Row>>(db, statement, [...own, ...where.values]);
  const [first] = read;
  if (first === undefined || first.is_rewound) return { kind: 'rewound' };
  const rows = read.flatMap((row) => (row.transaction_id === null ? [] : [row]));
  return { kind: 'page', rows, horizon: [first.horizon, '0'] };
}
