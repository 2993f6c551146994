import { type Database, run } from './database.ts';

/** Work that waits, over all merchants; ages in seconds, null where nothing waits. */
export interface Backlog {
  /** Deliveries that nobody has told yet, or is about to. */
  readonly deliveries: number;
  /**
   * Of those that were never tried and are in nobody's hands, for receivers that nothing is being retried for: behind a
   * receiver that is away its deliveries wait for it, not for us.
   */
  readonly oldestDueDeliverySeconds: number | null;
  /** Payments that are being worked on, or wait for an operator. */
  readonly payments: number;
  readonly oldestPaymentSeconds: number | null;
  /**
   * Subscriptions for which something was due a minute ago, and is not begun: a workflow is gone, stuck, or far behind. Those of
   * suspended merchants wait.
   */
  readonly overdueSubscriptions: number;
  readonly oldestOverdueSubscriptionSeconds: number | null;
}

const select = {
  name: 'select_backlog',
  text: `
    SELECT d.count AS deliveries, d.seconds AS "oldestDueDeliverySeconds", p.count AS payments,
      p.seconds AS "oldestPaymentSeconds", s.count AS "overdueSubscriptions",
      s.seconds AS "oldestOverdueSubscriptionSeconds"
    FROM (
      SELECT count(*)::int, extract(epoch FROM clock_timestamp() - min(created_at) FILTER (
        WHERE tries = 0 AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
          AND receiver NOT IN (SELECT receiver FROM deliveries WHERE state = 'retrying')))::int AS seconds
      FROM deliveries WHERE state = 'pending'
    ) d, (
      SELECT count(*)::int, extract(epoch FROM clock_timestamp() - min(created_at))::int AS seconds
      FROM payments WHERE status IN ('pending', 'unresolved')
    ) p, (
      SELECT count(*)::int, extract(epoch FROM clock_timestamp() - min(due_at))::int AS seconds
      FROM subscriptions
      WHERE due_at < clock_timestamp() - interval '1 minute' AND test_clock_id IS NULL AND charge_payment_id IS NULL
        AND EXISTS (SELECT FROM merchants m WHERE m.id = merchant_id AND m.status = 'active')
    ) s`,
};

/** What waits at this moment. It counts every row that waits: ask seldom. */
export async function readBacklog(db: Database): Promise<Backlog> {
  const [backlog] = await run<Backlog>(db, select, []);
  if (backlog === undefined) throw new Error('an aggregate without groups has one row');
  return backlog;
}
