import { randomUUID } from 'node:crypto';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import type { TestDatabase } from './database.ts';

/** An attempt of a payment or of its movement, straight from SQL, in a state of the test's choice. */
export async function insertAttempt(
  { admin }: TestDatabase,
  attempt: {
    readonly paymentId: string;
    readonly provider?: string;
    readonly state: string;
    readonly number?: number;
    readonly operation?: string;
    readonly movementId?: string | null;
  },
): Promise<string> {
  const { paymentId, provider = 'easypay', state, number = 1, operation = 'charge', movementId = null } = attempt;
  const id = `att_${randomUUID()}`;
  await admin.query(
    `INSERT INTO attempts (id, merchant_id, is_test, payment_id, movement_id, operation, number, provider, state, sender,
       sent_at, send_before)
     SELECT $1, merchant_id, is_test, id, $3, $4, $5, $6, $7, 'sender', now(), now() FROM payments WHERE id = $2`,
    [id, paymentId, movementId, operation, number, provider, state],
  );
  return id;
}

/** A pending movement of a payment, straight from SQL. Returns its id. */
export async function insertMovement({ admin }: TestDatabase, paymentId: string, kind: MovementKind): Promise<string> {
  const id = `${{ capture: 'cap', void: 'voi', refund: 'ref' }[kind]}_${randomUUID()}`;
  await admin.query(
    `INSERT INTO movements (id, merchant_id, is_test, payment_id, kind, idempotency_key, request_hash, correlation_id,
       amount, currency, provider, expires_at, ask_until, created_at, updated_at)
     SELECT $1, merchant_id, is_test, id, $3, $1, 'h', 'c', 100, currency, 'easypay', now(), now(), now(), now()
     FROM payments WHERE id = $2`,
    [id, paymentId, kind],
  );
  return id;
}
