import { randomBytes } from 'node:crypto';
import { base32 } from '../../workflows/domain/ids.ts';
import type { MovementKind, MovementState } from '../../workflows/domain/movement.ts';
import type { PaymentStatus } from '../../workflows/domain/payment-status.ts';
import type { TestDatabase } from './database.ts';
import { insertPendingPayment } from './payment-row.ts';

const anId = (prefix: string) => `${prefix}_${base32(randomBytes(17), 130)}`;

/** How far the money of a payment of 25.99 USD has moved, in minor units; nothing unless said. */
export interface Moved {
  readonly status: PaymentStatus;
  readonly authorized?: number;
  readonly captured?: number;
  readonly voided?: number;
  readonly refunded?: number;
}

/** A payment of `mer_1` whose money has moved so far, straight from SQL; the merchant must exist. Returns its id. */
export async function insertMovedPayment(
  database: TestDatabase,
  moved: Moved,
  columns: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { authorized = 0, captured = 0, voided = 0, refunded = 0 } = moved;
  const own = { id: anId('pay'), capture_method: 'manual', processor: 'easypay' };
  const id = await insertPendingPayment(database, { ...own, ...columns });
  const move = (status: PaymentStatus, back: number) =>
    database.admin.query(
      `UPDATE payments SET version = version + 1, status = $2, authorized_amount = $3, captured_amount = $4,
         voided_amount = $5, refunded_amount = $6, refund_reserved_amount = $6 WHERE id = $1`,
      [id, status, authorized, captured, voided, back],
    );
  if (refunded > 0) await move('captured', 0);
  if (moved.status !== 'pending') await move(moved.status, refunded);
  return id;
}

/** A movement of a payment of `mer_1`, straight from SQL: its row alone, without what follows from it. Returns its id. */
export async function insertMovement(
  { admin }: TestDatabase,
  kind: MovementKind,
  paymentId: string,
  columns: Readonly<Record<string, unknown>> & { readonly state?: MovementState } = {},
): Promise<string> {
  const { state = 'pending', ...given } = columns;
  const id = anId({ capture: 'cap', void: 'voi', refund: 'ref' }[kind]);
  const now = new Date();
  const row = {
    id,
    merchant_id: 'mer_1',
    is_test: true,
    payment_id: paymentId,
    kind,
    idempotency_key: id,
    request_hash: 'h',
    correlation_id: 'c',
    amount: 1000,
    currency: 'USD',
    provider: 'easypay',
    expires_at: now,
    ask_until: now,
    created_at: now,
    updated_at: now,
    ...given,
  };
  const names = Object.keys(row);
  const marks = names.map((_, index) => `$${index + 1}`);
  await admin.query(`INSERT INTO movements (${names.join(', ')}) VALUES (${marks.join(', ')})`, Object.values(row));
  if (state !== 'pending') {
    await admin.query('UPDATE movements SET state = $2, version = version + 1 WHERE id = $1', [row.id, state]);
  }
  return row.id;
}
