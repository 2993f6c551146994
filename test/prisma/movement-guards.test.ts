import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sqlStateOf } from '../../prisma/database.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { canMoveMovement, type MovementState, movementStates } from '../../workflows/domain/movement.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { insertMovement } from '../support/provider-event-rows.ts';

let database: TestDatabase;
let paymentId: string;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of ['mer_1', 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
  paymentId = await insertPendingPayment(database);
});
afterAll(() => database?.close());

const guardRefused = 'PMT01';
const checkViolation = '23514';
const uniqueViolation = '23505';

/** Which SQLSTATE refuses a statement; null: it was done. */
async function refusalOf(sql: string, values: unknown[] = []): Promise<string | null> {
  try {
    await database.admin.query(sql, values);
    return null;
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === null) throw error;
    return state;
  }
}

const aRefund = () => insertMovement(database, paymentId, 'refund');

/** A movement that stands in any state: put there with the guard asleep, for this statement alone. */
async function refundIn(state: MovementState): Promise<string> {
  const id = await aRefund();
  const client = await database.admin.connect();
  try {
    await client.query('BEGIN');
    await client.query('SET LOCAL session_replication_role = replica');
    await client.query('UPDATE movements SET state = $2 WHERE id = $1', [id, state]);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
  return id;
}

const pairs = movementStates.flatMap((from) => movementStates.map((to): [MovementState, MovementState] => [from, to]));

describe('the table of moves of movements', () => {
  test('is the same in the database as in the domain', async () => {
    const { rows } = await database.admin.query<{ move: string }>(
      `SELECT from_state || ' ' || to_state AS move FROM movement_transitions`,
    );
    const declared = pairs.filter(([from, to]) => canMoveMovement(from, to)).map((pair) => pair.join(' '));
    expect(rows.map(({ move }) => move).toSorted()).toEqual(declared.toSorted());
  });

  test.each(pairs)('the database lets a movement go from %s to %s only if it is a move', async (from, to) => {
    const id = await refundIn(from);
    const isMove = canMoveMovement(from, to);
    const raised = await refusalOf('UPDATE movements SET state = $2, version = 2 WHERE id = $1', [id, to]);
    expect(raised).toBe(isMove ? null : guardRefused);
    const same = await refusalOf('UPDATE movements SET state = $2 WHERE id = $1', [await refundIn(from), to]);
    expect(same).toBe(from === to ? null : guardRefused);
  });

  test('a state that does not exist is refused', async () => {
    expect(await refusalOf(`UPDATE movements SET state = 'done', version = 2 WHERE id = $1`, [await aRefund()])).toBe(
      guardRefused,
    );
  });
});

describe('the guard of movements', () => {
  test.each([-1, 0, 1, 3])('refuses a move that takes the version from 1 to %i', async (version) => {
    const sql = `UPDATE movements SET state = 'succeeded', version = $2 WHERE id = $1`;
    expect(await refusalOf(sql, [await aRefund(), version])).toBe(guardRefused);
  });

  test('refuses a new version without a move', async () => {
    expect(await refusalOf('UPDATE movements SET version = 2 WHERE id = $1', [await aRefund()])).toBe(guardRefused);
  });

  test.each([
    ['id', 'ref_other'],
    ['merchant_id', 'mer_2'],
    ['is_test', false],
    ['payment_id', 'pay_other'],
    ['kind', 'void'],
    ['idempotency_key', 'other'],
    ['request_hash', 'other'],
    ['amount', 101],
    ['currency', 'EUR'],
    ['provider', 'paypal'],
    ['capture_id', 'cap_other'],
    ['created_at', '2020-01-01'],
  ])('refuses to change %s', async (column, value) => {
    const sql = `UPDATE movements SET ${column} = $2 WHERE id = $1`;
    expect(await refusalOf(sql, [await aRefund(), value])).toBe(guardRefused);
  });

  const insert = (columns: string, values: string) => `
    INSERT INTO movements (id, merchant_id, is_test, payment_id, kind, idempotency_key, request_hash, correlation_id,
      currency, provider, expires_at, ask_until, created_at, updated_at, ${columns})
    VALUES (gen_random_uuid()::text, 'mer_1', true, $1, 'refund', gen_random_uuid()::text, 'h', 'c', 'USD', 'easypay',
      now(), now(), now(), now(), ${values})`;

  test.each([
    ['state', `'succeeded'`],
    ['version', '2'],
    ['open_attempt_id', `'att_1'`],
    ['refund_reserved_amount', '1'],
  ])('refuses a new movement whose %s is already %s', async (column, value) => {
    expect(await refusalOf(insert(`amount, ${column}`, `100, ${value}`), [paymentId])).toBe(guardRefused);
  });

  test.each(['0', '-1'])('refuses a refund of %s', async (amount) => {
    expect(await refusalOf(insert('amount', amount), [paymentId])).toBe(checkViolation);
  });

  test('lets a void give nothing back, and nobody less than that', async () => {
    const voiding = (amount: string) => insert('amount', amount).replace(`'refund'`, `'void'`);
    expect(await refusalOf(voiding('0'), [paymentId])).toBeNull();
    expect(await refusalOf(voiding('-1'), [paymentId])).toBe(checkViolation);
  });

  test('refuses a capture that pays back more than its amount, or less than nothing', async () => {
    const id = await insertMovement(database, paymentId, 'capture');
    const reserve = (amount: number) =>
      refusalOf('UPDATE movements SET refund_reserved_amount = $2 WHERE id = $1', [id, amount]);
    expect([await reserve(100), await reserve(101), await reserve(-1)]).toEqual([null, checkViolation, checkViolation]);
  });

  test('lets one key of a payment be one refund, and one movement have one first attempt', async () => {
    const id = await aRefund();
    const copy = `
      INSERT INTO movements (id, merchant_id, is_test, payment_id, kind, idempotency_key, request_hash, correlation_id,
        amount, currency, provider, expires_at, ask_until, created_at, updated_at)
      SELECT gen_random_uuid()::text, merchant_id, is_test, payment_id, $2, idempotency_key, request_hash, correlation_id,
        amount, currency, provider, expires_at, ask_until, created_at, updated_at FROM movements WHERE id = $1`;
    expect(await refusalOf(copy, [id, 'refund'])).toBe(uniqueViolation);
    expect(await refusalOf(copy, [id, 'capture'])).toBeNull();
    const attempt = `
      INSERT INTO attempts (id, merchant_id, is_test, payment_id, movement_id, operation, number, provider, state, sender,
        sent_at, send_before)
      SELECT gen_random_uuid()::text, merchant_id, is_test, payment_id, id, kind, 1, provider, 'sent', 's', now(), now()
      FROM movements WHERE id = $1`;
    expect([await refusalOf(attempt, [id]), await refusalOf(attempt, [id])]).toEqual([null, uniqueViolation]);
    expect(await refusalOf(attempt, [await aRefund()])).toBeNull();
  });
});
