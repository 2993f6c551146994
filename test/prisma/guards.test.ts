import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sqlStateOf } from '../../prisma/database.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { applyMigrations } from '../../prisma/migrate.ts';
import { acceptPayment } from '../../prisma/payments.ts';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { canMove, type PaymentStatus, paymentStatuses } from '../../workflows/domain/payment-status.ts';
import type { PaymentRequest } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { aPaymentRequest } from '../support/payment-request.ts';
import { insertPendingPayment } from '../support/payment-row.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of ['mer_1', 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

const guardRefused = 'PMT01';
const uniqueViolation = '23505';
const checkViolation = '23514';
const insufficientPrivilege = '42501';

/** Runs SQL as the superuser, or as the application, and says which SQLSTATE refused it; null: it was done. */
async function refusalOf(sql: string, values: unknown[] = [], pool: pg.Pool = database.admin): Promise<string | null> {
  try {
    await pool.query(sql, values);
    return null;
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === null) throw error;
    return state;
  }
}

const insertPayment = (columns: Record<string, unknown> = {}) => insertPendingPayment(database, columns);

/** A payment that stands in any status: put there with the guard asleep, for this statement alone. */
async function paymentIn(status: PaymentStatus): Promise<string> {
  const id = await insertPayment();
  const client = await database.admin.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL session_replication_role = replica`);
    await client.query('UPDATE payments SET status = $2 WHERE id = $1', [id, status]);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
  return id;
}

const pairs = paymentStatuses.flatMap((from) =>
  paymentStatuses.map((to): [PaymentStatus, PaymentStatus] => [from, to]),
);

describe('the table of moves', () => {
  test('is the same in the database as in the domain', async () => {
    const { rows } = await database.admin.query<{ move: string }>(
      `SELECT from_status || ' ' || to_status AS move FROM payment_transitions`,
    );
    const declared = pairs.filter(([from, to]) => canMove(from, to)).map((pair) => pair.join(' '));
    expect(rows.map((row) => row.move).toSorted()).toEqual(declared.toSorted());
  });

  test.each(pairs)('the database lets a payment go from %s to %s only if it is a move', async (from, to) => {
    const id = await paymentIn(from);
    const refusal = await refusalOf('UPDATE payments SET status = $2, version = version + 1 WHERE id = $1', [id, to]);
    const isStaying = from === to;
    expect(refusal).toBe(isStaying || canMove(from, to) ? null : guardRefused);
  });

  test('a status that does not exist is refused', async () => {
    const id = await insertPayment();
    expect(await refusalOf(`UPDATE payments SET status = 'paid', version = 2 WHERE id = $1`, [id])).toBe(guardRefused);
  });
});

describe('the guard of payments', () => {
  test.each([0, 1, 3, 5, -1])('refuses a move that takes the version from 1 to %i', async (version) => {
    const id = await insertPayment();
    expect(await refusalOf(`UPDATE payments SET status = 'captured', version = $2 WHERE id = $1`, [id, version])).toBe(
      guardRefused,
    );
  });

  test('refuses a version that falls or jumps, also without a move', async () => {
    const id = await insertPayment();
    expect(await refusalOf('UPDATE payments SET version = 2 WHERE id = $1', [id])).toBeNull();
    expect(await refusalOf('UPDATE payments SET version = 1 WHERE id = $1', [id])).toBe(guardRefused);
    expect(await refusalOf('UPDATE payments SET version = 4 WHERE id = $1', [id])).toBe(guardRefused);
    expect(await refusalOf('UPDATE payments SET description = $2 WHERE id = $1', [id, 'x'])).toBeNull();
  });

  test.each([
    ['id', 'pay_other'],
    ['merchant_id', 'mer_2'],
    ['is_test', false],
    ['idempotency_key', 'other'],
    ['request_hash', 'other'],
    ['external_id', 'other'],
    ['amount', 2600],
    ['currency', 'EUR'],
    ['created_at', '2020-01-01'],
    ['route', JSON.stringify({ rule: null, reason: 'test', candidates: ['paypal', 'easypay'], ineligible: [] })],
    ['route', null],
    ['capture_method', 'manual'],
    ['terms', '{}'],
    ['return_url', 'https://shop.example/'],
    ['return_token', '00000000-0000-4000-8000-000000000000'],
  ])('refuses to change %s', async (column, value) => {
    const id = await insertPayment();
    expect(await refusalOf(`UPDATE payments SET ${column} = $2, version = 2 WHERE id = $1`, [id, value])).toBe(
      guardRefused,
    );
  });

  test.each([
    ['another status', { status: 'captured' }],
    ['another version', { version: 2 }],
    ['money that moved', { authorized_amount: 2599 }],
    ['an open attempt', { open_attempt_id: 'att' }],
    ['an open movement', { open_movement_id: 'cap' }],
  ])('refuses a new payment with %s', async (_name, columns) => {
    await expect(insertPayment(columns)).rejects.toMatchObject({ code: guardRefused });
  });

  test.each([
    ['amount', { amount: 0 }],
    ['amount', { amount: -1 }],
    ['currency', { currency: 'usd' }],
    ['currency', { currency: 'US' }],
    ['way to capture', { capture_method: 'later' }],
  ])('refuses a new payment with a bad %s', async (_name, columns) => {
    await expect(insertPayment(columns)).rejects.toMatchObject({ code: checkViolation });
  });

  test.each([
    ['more captured than authorized', 'authorized_amount = 100, captured_amount = 101'],
    ['more authorized than asked', 'authorized_amount = 2600'],
    [
      'more refunded than captured',
      'authorized_amount = 100, captured_amount = 100, refund_reserved_amount = 101, refunded_amount = 101',
    ],
    [
      'more reserved for refunds than captured',
      'authorized_amount = 100, captured_amount = 100, refund_reserved_amount = 101',
    ],
    ['a refund without a reservation', 'authorized_amount = 100, captured_amount = 100, refunded_amount = 1'],
    ['more captured and voided than authorized', 'authorized_amount = 100, captured_amount = 60, voided_amount = 41'],
    ['less than nothing reserved for refunds', 'refund_reserved_amount = -1'],
    ['a fee that is more than was captured', 'authorized_amount = 9, captured_amount = 9, fee_amount = 10'],
    ['a fee below nothing', 'fee_amount = -1'],
    ['fewer rounds than none', 'retries_made = -1'],
    ['money captured by a payment that failed', `authorized_amount = 1, captured_amount = 1, status = 'failed'`],
    [
      'money captured by a payment that was canceled',
      `authorized_amount = 1, captured_amount = 1, status = 'canceled'`,
    ],
  ])('refuses %s', async (_name, changes) => {
    const id = await insertPayment();
    const sql = `UPDATE payments SET version = 2, ${changes} WHERE id = $1`;
    expect(await refusalOf(sql, [id])).toBe(checkViolation);
  });

  test.each([
    ['refunded_amount', 'refunded_amount = 9'],
    ['captured_amount', 'captured_amount = 49'],
    ['voided_amount', 'voided_amount = 29'],
    ['authorized_amount', 'authorized_amount = 99'],
  ])('lets %s only grow', async (column, shrinking) => {
    const id = await insertPayment();
    const moved = 'captured_amount = 50, voided_amount = 30, refund_reserved_amount = 10, refunded_amount = 10';
    const update = (version: number, changes: string) =>
      refusalOf(`UPDATE payments SET version = ${version}, ${changes} WHERE id = $1`, [id]);
    expect(await update(2, `authorized_amount = 100, ${moved}`)).toBeNull();
    expect(await update(3, shrinking)).toBe(guardRefused);
    expect(await update(3, `${column} = ${column}`)).toBeNull();
    expect(await update(4, 'refund_reserved_amount = 20')).toBeNull();
    expect(await update(4, 'refund_reserved_amount = 10')).toBeNull();
  });

  test.each([
    'authorized_amount = 1',
    'authorized_amount = 1, captured_amount = 1',
    'authorized_amount = 1, voided_amount = 1',
    'refund_count = 1',
  ])('refuses %s without a new version', async (changes) => {
    const id = await insertPayment();
    expect(await refusalOf(`UPDATE payments SET ${changes} WHERE id = $1`, [id])).toBe(guardRefused);
    expect(await refusalOf(`UPDATE payments SET version = 2, ${changes} WHERE id = $1`, [id])).toBeNull();
  });
});

describe("the application's role", () => {
  const appendOnly = [
    'events',
    'payment_audit_trail',
    'audit_logs',
    'ledger_entries',
    'payment_transitions',
    'movement_transitions',
    'plan_versions',
    'subscription_transitions',
  ];
  /** What has an end of its own, and is removed after it. */
  const passing = [
    'login_throttles',
    'login_addresses',
    'auth_sessions',
    'auth_tokens',
    'request_nonces',
    'batch_rows',
  ];

  test('deletes nothing that lasts, empties nothing, and changes nothing in append-only tables', async () => {
    const { rows } = await database.admin.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
    );
    const tables = rows.map((row) => row.name);
    expect(tables).toEqual(
      expect.arrayContaining([
        ...appendOnly,
        'payments',
        'movements',
        'attempts',
        'alerts',
        'merchants',
        'api_keys',
        'subscriptions',
        'invoices',
      ]),
    );
    const { pool } = database.db;
    for (const table of tables) {
      if (!passing.includes(table))
        expect([table, await refusalOf(`DELETE FROM "${table}"`, [], pool)]).toEqual([table, insufficientPrivilege]);
      expect([table, await refusalOf(`TRUNCATE "${table}" CASCADE`, [], pool)]).toEqual([table, insufficientPrivilege]);
    }
    for (const table of appendOnly) {
      const { rows: columns } = await database.admin.query<{ name: string }>(
        `SELECT column_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1`,
        [table],
      );
      for (const { name } of columns) {
        const refusal = await refusalOf(`UPDATE "${table}" SET "${name}" = "${name}"`, [], pool);
        expect([table, name, refusal]).toEqual([table, name, insufficientPrivilege]);
      }
    }
  });

  test.each([
    `INSERT INTO payment_transitions VALUES ('failed', 'captured')`,
    `INSERT INTO movement_transitions VALUES ('failed', 'succeeded')`,
    'DROP TRIGGER guard_payment ON payments',
    'DROP TRIGGER guard_movement ON movements',
    'ALTER TABLE ledger_entries DISABLE TRIGGER guard_ledger',
    'ALTER TABLE payments DISABLE TRIGGER guard_payment',
    'DROP TABLE events',
    'CREATE TABLE mine (id int)',
    'SET ROLE payments_owner',
    'SET session_replication_role = replica',
    'SELECT * FROM _prisma_migrations',
  ])('may not %s', async (sql) => {
    expect(await refusalOf(sql, [], database.db.pool)).toBe(insufficientPrivilege);
  });
});

describe('unique keys', () => {
  const scope = { merchant_id: 'mer_1', is_test: true };
  const others = [
    { ...scope, is_test: false },
    { merchant_id: 'mer_2', is_test: true },
    { merchant_id: 'mer_2', is_test: false },
  ];

  test.each(['idempotency_key', 'external_id'])('%s is taken once per merchant and mode', async (column) => {
    const value = randomUUID();
    await insertPayment({ ...scope, [column]: value });
    await expect(insertPayment({ ...scope, [column]: value })).rejects.toMatchObject({ code: uniqueViolation });
    for (const other of others) await expect(insertPayment({ ...other, [column]: value })).resolves.toMatch(/^pay_/);
  });

  test('let one of twenty payments have an external id that all ask for at once', async () => {
    const externalId = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => accept({ externalId })));
    expect(answers.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
    const refused = answers.flatMap((answer) => (answer.kind === 'refused' ? [answer.code] : []));
    expect(refused).toEqual(Array.from({ length: 19 }, () => 'external_id_taken'));
    expect(await countOf('SELECT count(*) FROM payments WHERE external_id = $1', [externalId])).toBe(1);
  });

  test('let twenty who accept the same payment at once store it once, with one event and one audit entry', async () => {
    const idempotencyKey = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => accept({ idempotencyKey })));
    expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['accepted']));
    const id = paymentIdOf({ merchantId: 'mer_1', isTest: true, idempotencyKey });
    expect(await countOf('SELECT count(*) FROM events WHERE object_id = $1', [id])).toBe(1);
    expect(await countOf('SELECT count(*) FROM payment_audit_trail WHERE payment_id = $1', [id])).toBe(1);
    expect(await accept({ idempotencyKey, requestHash: 'another' })).toEqual({
      kind: 'refused',
      code: 'idempotency_key_reused',
    });
  });
});

describe('migrations', () => {
  test('that were applied are not applied again', async () => {
    const url = await database.anotherDatabase('twice');
    expect(await applyMigrations(url)).toContain('0001_payments');
    expect(await applyMigrations(url)).toEqual([]);
  });

  test('applied by three at once are applied once', async () => {
    const url = await database.anotherDatabase('thrice');
    const applied = await Promise.all([applyMigrations(url), applyMigrations(url), applyMigrations(url)]);
    expect(applied.flat().filter((name) => name === '0001_payments')).toHaveLength(1);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<{ name: string }>(
      'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
    );
    await client.end();
    expect(rows.map((row) => row.name)).toEqual([...new Set(applied.flat())]);
  });
});

function accept(changes: Partial<PaymentRequest> = {}) {
  const request = aPaymentRequest(changes);
  const identity = { merchantId: 'mer_1', isTest: true };
  const paymentId = paymentIdOf({ ...identity, idempotencyKey: request.idempotencyKey });
  const route = { rule: null, reason: 'a test', candidates: ['easypay'], ineligible: [] };
  return acceptPayment(database.db, { ...identity, paymentId, request, now: new Date().toISOString() }, () => route);
}

async function countOf(sql: string, values: unknown[]): Promise<number> {
  return Number((await database.admin.query<{ count: string }>(sql, values)).rows[0]?.count);
}
