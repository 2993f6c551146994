import { type Database, run } from './database.ts';

/** Work that waits, over all merchants; ages in seconds, null where nothing waits. */
export interface Backlog {
  /** Deliveries that were not tried yet. */
  readonly deliveries: number;
  readonly oldestDeliverySeconds: number | null;
  /** Payments that are being worked on, or wait for an operator. */
  readonly payments: number;
  readonly oldestPaymentSeconds: number | null;
}

const select = {
  name: 'select_backlog',
  text: `
    SELECT d.count AS deliveries, d.seconds AS "oldestDeliverySeconds", p.count AS payments,
      p.seconds AS "oldestPaymentSeconds"
    FROM (
      SELECT count(*)::int, extract(epoch FROM clock_timestamp() - min(created_at))::int AS seconds
      FROM deliveries WHERE state = 'pending'
    ) d, (
      SELECT count(*)::int, extract(epoch FROM clock_timestamp() - min(created_at))::int AS seconds
      FROM payments WHERE status IN ('pending', 'unresolved')
    ) p`,
};

/** What waits at this moment. */
export async function readBacklog(db: Database): Promise<Backlog> {
  const [backlog] = await run<Backlog>(db, select, []);
  if (backlog === undefined) throw new Error('an aggregate without groups has one row');
  return backlog;
}
