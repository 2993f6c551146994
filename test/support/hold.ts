import pg from 'pg';
import type { World } from './world.ts';

/** A transaction that stays open: a statement that needs what it holds waits for it, inside the database. */
export interface Hold {
  /** The statements that wait for it and began at most so long ago. */
  waiting(startedWithinMs?: number): Promise<string[]>;
  /** Closes the connections of those that wait, so that their statements never happened; then lets go. */
  letGoAlone(): Promise<void>;
  /** Rolls back: whoever waits goes on, also for a client that is dead. */
  letGo(): Promise<void>;
}

/** Runs a statement as the superuser and keeps its locks until `letGo`. */
async function hold(world: World, text: string, values: readonly unknown[]): Promise<Hold> {
  const client = new pg.Client(world.admin.options); // none of the pool's: a forgotten hold must not keep it from closing
  client.on('error', () => undefined);
  await client.connect();
  await client.query('BEGIN');
  await client.query('SET LOCAL session_replication_role = replica'); // no foreign keys: a row may come before its parent
  await client.query(text, [...values]);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const pid = rows[0]?.pid;

  const letGo = async () => {
    await client.query('ROLLBACK');
    await client.end();
  };
  return {
    async waiting(startedWithinMs = 3_600_000) {
      const found = await world.admin.query<{ query: string }>(
        `SELECT query FROM pg_stat_activity
         WHERE $1 = ANY(pg_blocking_pids(pid)) AND clock_timestamp() - query_start < $2 * interval '1 millisecond'`,
        [pid, startedWithinMs],
      );
      return found.rows.map((row) => row.query);
    },
    async letGoAlone() {
      await world.admin.query(
        'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))',
        [pid],
      );
      await letGo();
    },
    letGo,
  };
}

/** Holds the place of a payment's row, so that `accept` waits. */
export function holdAccept(world: World, payment: { id: string; key: string }): Promise<Hold> {
  return hold(
    world,
    `INSERT INTO payments (id, merchant_id, is_test, idempotency_key, request_hash, external_id, correlation_id, amount,
       currency, payment_method, card_token, route, expires_at, ask_until, created_at, updated_at)
     VALUES ($1, $2, true, $3, 'held', $1, 'held', 1, 'USD', 'credit_card', 'held', '{}', now(), now(), now(), now())`,
    [payment.id, world.merchant.id, payment.key],
  );
}

/** Holds the place of an attempt's row, a charge's or a movement's, so that the statement that writes `sent` waits. */
export function holdSent(
  world: World,
  payment: { id: string },
  attemptId: string,
  movementId: string | null = null,
): Promise<Hold> {
  return hold(
    world,
    `INSERT INTO attempts (id, merchant_id, is_test, payment_id, movement_id, operation, number, provider, state, sender,
       sent_at, send_before)
     VALUES ($1, $2, true, $3, $4, 'held', 1, 'easypay', 'sent', 'held', now(), now())`,
    [attemptId, world.merchant.id, payment.id, movementId],
  );
}

/** Locks a payment's row, so that every transition of it waits. */
export function holdRow(world: World, payment: { id: string }): Promise<Hold> {
  return hold(world, 'SELECT id FROM payments WHERE id = $1 FOR UPDATE', [payment.id]);
}

/** Locks a subscription's row, so that every step of it waits. */
export function holdSubscription(world: World, subscriptionId: string): Promise<Hold> {
  return hold(world, 'SELECT id FROM subscriptions WHERE id = $1 FOR UPDATE', [subscriptionId]);
}
