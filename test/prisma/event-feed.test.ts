import { afterAll, beforeAll, expect, test } from 'vitest';
import { readFeed } from '../../prisma/event-feed.ts';
import { feedStart } from '../../prisma/feed.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: 'mer_1', name: 'Merchant' });
});
afterAll(() => database?.close());

/** What was read of each index of `events`, by the database's own statistics, which come a little late. */
async function readOf(): Promise<Map<string, number>> {
  await database.db.pool.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await database.admin.query<{ name: string; read: number }>(
    `SELECT indexrelname AS name, idx_tup_read::int AS read FROM pg_stat_user_indexes WHERE relname = 'events'`,
  );
  return new Map(rows.map(({ name, read }) => [name, read]));
}

test('a feed of a rare type reads that type alone, however many other events there are', async () => {
  const rare = 'payment.unresolved';
  await database.admin.query(
    `INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, created_at)
     SELECT 'evt_' || n, 'mer_1', true, CASE WHEN n IN (100, 19000) THEN $1 ELSE 'payment.captured' END, 'pay_' || n, 1,
       '{}', now()
     FROM generate_series(1, 20000) n`,
    [rare],
  );
  await database.admin.query('VACUUM ANALYZE events');
  const before = await readOf();
  const scope = { merchantId: 'mer_1', isTest: true };
  const page = await readFeed(database.db, scope, { type: rare }, { after: feedStart, limit: 100 });
  expect(page.kind === 'page' && page.rows.map(({ id }) => id)).toEqual(['evt_100', 'evt_19000']);
  const index = 'events_merchant_id_is_test_type_transaction_id_position_idx';
  const growth = await until('the statistics know of it', async () => {
    const now = await readOf();
    const all = new Map([...now].map(([name, read]) => [name, read - (before.get(name) ?? 0)]));
    return [...all.values()].some((read) => read > 0) ? all : null;
  });
  expect(Object.fromEntries([...growth].filter(([, read]) => read > 0))).toEqual({ [index]: 2 });
});
