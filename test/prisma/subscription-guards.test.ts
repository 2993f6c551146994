import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sqlStateOf } from '../../prisma/database.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import {
  invoiceStatuses,
  isEnded,
  type SubscriptionStatus,
  subscriptionStatuses,
  subscriptionTransitions,
} from '../../workflows/domain/subscription-status.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { closeInvoice, insertInvoice, insertSubscription } from '../support/subscription-rows.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of ['mer_1', 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

const guardRefused = 'PMT01';
const checkViolation = '23514';
const uniqueViolation = '23505';

/** Which SQLSTATE refuses a statement; null: it was done. */
async function refusalOf(sql: string, values: unknown[] = []): Promise<string | null> {
  return stateOf(database.admin.query(sql, values));
}

async function stateOf(done: Promise<unknown>): Promise<string | null> {
  try {
    await done;
    return null;
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === null) throw error;
    return state;
  }
}

/** What a row has beside its status, for it to be one that may stand. */
const standing = (status: SubscriptionStatus) =>
  `status = '${status}', paused_at = ${status === 'paused' ? 'now()' : 'NULL'}, ended_at = ${isEnded(status) ? 'now()' : 'NULL'}`;

/** A subscription that stands in any status: put there with the guard asleep, for this statement alone. */
async function subscriptionIn(status: SubscriptionStatus): Promise<string> {
  const id = await insertSubscription(database);
  const client = await database.admin.connect();
  try {
    await client.query('BEGIN');
    await client.query('SET LOCAL session_replication_role = replica');
    await client.query(`UPDATE subscriptions SET ${standing(status)} WHERE id = $1`, [id]);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
  return id;
}

const pairs = subscriptionStatuses.flatMap((from) =>
  subscriptionStatuses.map((to): [SubscriptionStatus, SubscriptionStatus] => [from, to]),
);

describe('the table of moves', () => {
  test('is the same in the database as in the domain', async () => {
    const { rows } = await database.admin.query<{ move: string }>(
      `SELECT from_status || ' ' || to_status AS move FROM subscription_transitions`,
    );
    const declared = pairs
      .filter(([from, to]) => subscriptionTransitions[from].includes(to))
      .map((pair) => pair.join(' '));
    expect(rows.map(({ move }) => move).toSorted()).toEqual(declared.toSorted());
  });

  test.each(pairs)('the database lets a subscription go from %s to %s only if it is a move', async (from, to) => {
    const id = await subscriptionIn(from);
    const refusal = await refusalOf(`UPDATE subscriptions SET ${standing(to)}, version = version + 1 WHERE id = $1`, [
      id,
    ]);
    expect(refusal).toBe(from === to || subscriptionTransitions[from].includes(to) ? null : guardRefused);
  });
});

describe('the guard of subscriptions', () => {
  test.each([
    ['id', 'sub_other'],
    ['merchant_id', 'mer_2'],
    ['is_test', false],
    ['idempotency_key', 'other'],
    ['request_hash', 'other'],
    ['external_id', 'other'],
    ['customer_id', 'other'],
    ['currency', 'EUR'],
    ['test_clock_id', 'clk_other'],
    ['created_at', '2020-01-01'],
  ])('refuses to change %s', async (column, value) => {
    const id = await insertSubscription(database);
    const sql = `UPDATE subscriptions SET ${column} = $2, version = 2 WHERE id = $1`;
    expect(await refusalOf(sql, [id, value])).toBe(guardRefused);
  });

  test('refuses a version that falls or jumps, and a move without a new one', async () => {
    const id = await insertSubscription(database);
    const sql = 'UPDATE subscriptions SET version = $2 WHERE id = $1';
    expect(await refusalOf(sql, [id, 3])).toBe(guardRefused);
    expect(await refusalOf(sql, [id, 0])).toBe(guardRefused);
    expect(await refusalOf(`UPDATE subscriptions SET status = 'past_due' WHERE id = $1`, [id])).toBe(guardRefused);
    expect(await refusalOf(sql, [id, 2])).toBeNull();
    expect(await refusalOf(`UPDATE subscriptions SET description = 'x' WHERE id = $1`, [id])).toBeNull();
  });

  test.each([
    ['another status', { status: 'past_due' }],
    ['another version', { version: 2 }],
    ['something billed', { cycles_billed: 1 }],
  ])('refuses a new one with %s', async (_, columns) => {
    expect(await stateOf(insertSubscription(database, columns))).toBe(guardRefused);
  });

  test.each([
    ['a price of nothing', 'amount = 0'],
    ['none of it', 'quantity = 0'],
    ['more than a million', 'quantity = 1000001'],
    ['a charge without an invoice', `charge_payment_id = 'pay_1'`],
    ['a pause that nobody began', `status = 'paused'`],
    ['a pause of one that runs', 'paused_at = now()'],
    ['an end that never came', `status = 'canceled'`],
    ['an end of one that runs', 'ended_at = now()'],
    ['a refund of another kind', `cancel_refund = 'all'`],
  ])('refuses %s', async (_, changes) => {
    const id = await insertSubscription(database);
    const sql = `UPDATE subscriptions SET ${changes}, version = version + 1 WHERE id = $1`;
    expect(await refusalOf(sql, [id])).toBe(checkViolation);
  });

  test('refuses a test clock in the live mode', async () => {
    expect(await stateOf(insertSubscription(database, { is_test: false, test_clock_id: 'clk_1' }))).toBe(
      checkViolation,
    );
  });

  test.each(['idempotency_key', 'external_id'])('%s is taken once per merchant and mode', async (column) => {
    const value = `taken-${column}`;
    await insertSubscription(database, { [column]: value });
    expect(await stateOf(insertSubscription(database, { [column]: value }))).toBe(uniqueViolation);
    for (const other of [{ is_test: false }, { merchant_id: 'mer_2' }])
      expect(await stateOf(insertSubscription(database, { ...other, [column]: value }))).toBeNull();
  });
});

describe('the guard of invoices', () => {
  test.each([
    ['id', 'inv_other'],
    ['merchant_id', 'mer_2'],
    ['is_test', false],
    ['number', 1_000_000],
    ['subscription_id', 'sub_other'],
    ['customer_id', 'other'],
    ['reason', 'change'],
    ['stood_still_ms', 1],
    ['cycle', 7],
    ['amount', 1],
    ['currency', 'EUR'],
    ['period_start', '2020-01-01'],
    ['period_end', '2040-01-01'],
    ['lines', '[]'],
    ['issued_at', '2020-01-01'],
  ])('refuses to change %s', async (column, value) => {
    const id = await insertInvoice(database);
    const sql = `UPDATE invoices SET ${column} = $2, version = 2 WHERE id = $1`;
    expect(await refusalOf(sql, [id, value])).toBe(guardRefused);
  });

  const ends = invoiceStatuses.filter((status) => status !== 'open');
  const moves = ends.flatMap((from) => invoiceStatuses.filter((to) => to !== from).map((to) => [from, to] as const));
  test.each(moves)('one that is %s is never %s', async (from, to) => {
    const id = await insertInvoice(database);
    await closeInvoice(database, id, from);
    expect(await stateOf(closeInvoice(database, id, to))).toBe(guardRefused);
  });

  test('refuses a version that falls or jumps, and another status without a new one', async () => {
    const id = await insertInvoice(database);
    const sql = 'UPDATE invoices SET version = $2 WHERE id = $1';
    expect(await refusalOf(sql, [id, 3])).toBe(guardRefused);
    expect(await refusalOf(sql, [id, 0])).toBe(guardRefused);
    expect(await refusalOf(`UPDATE invoices SET status = 'paid' WHERE id = $1`, [id])).toBe(guardRefused);
    expect(await refusalOf('UPDATE invoices SET attempts = 2 WHERE id = $1', [id])).toBeNull();
  });

  test.each([
    ['a refund of more than there was to pay', 'refund_due_amount = 2600'],
    ['a refund below nothing', 'refund_due_amount = -1'],
    ['fewer charges than none', 'attempts = -1'],
    ['a status that does not exist', `status = 'sent', version = 2`],
  ])('refuses %s', async (_, changes) => {
    const id = await insertInvoice(database);
    expect(await refusalOf(`UPDATE invoices SET ${changes} WHERE id = $1`, [id])).toBe(checkViolation);
  });

  test('a new one is open, and asks for something', async () => {
    expect(await stateOf(insertInvoice(database, { amount: 0 }))).toBe(checkViolation);
    expect(await stateOf(insertInvoice(database, { cycle: null }))).toBe(checkViolation);
    expect(await stateOf(insertInvoice(database, { period_end: new Date('2026-01-01') }))).toBe(checkViolation);
    expect(await stateOf(insertInvoice(database, { version: 2 }))).toBe(guardRefused);
  });

  test('one of a subscription is open at a time, and one is made for a period', async () => {
    const subscription_id = await insertSubscription(database);
    const first = await insertInvoice(database, { subscription_id });
    expect(await stateOf(insertInvoice(database, { subscription_id, cycle: 2 }))).toBe(uniqueViolation);
    await closeInvoice(database, first, 'paid');
    expect(await stateOf(insertInvoice(database, { subscription_id, cycle: 1 }))).toBe(uniqueViolation);
    expect(await stateOf(insertInvoice(database, { subscription_id, cycle: 2 }))).toBeNull();
  });
});

describe("the application's role", () => {
  test.each([
    'DELETE FROM subscriptions',
    'DELETE FROM invoices',
    'DELETE FROM invoice_counters',
    'DELETE FROM plans',
    'DELETE FROM plan_versions',
    'UPDATE plan_versions SET amount = 1',
    'TRUNCATE subscriptions CASCADE',
    `INSERT INTO subscription_transitions VALUES ('canceled', 'active')`,
    'ALTER TABLE subscriptions DISABLE TRIGGER guard_subscription',
    'DROP TRIGGER guard_invoice ON invoices',
  ])('may not %s', async (sql) => {
    expect(await stateOf(database.db.pool.query(sql))).toBe('42501');
  });
});
