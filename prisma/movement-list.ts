import type { PaymentFailure } from '../workflows/domain/failure.ts';
import type { MovementKind, MovementState } from '../workflows/domain/movement.ts';
import { type Database, run } from './database.ts';
import type { MerchantScope } from './payments.ts';

/** A capture's, void's or refund's row as the API shows it. */
export interface MovementRow {
  readonly id: string;
  readonly payment_id: string;
  readonly request_hash: string;
  readonly correlation_id: string;
  readonly state: MovementState;
  /** Minor units. */
  readonly amount: string;
  readonly currency: string;
  readonly reason: string | null;
  readonly provider: string;
  /** Of a refund at a provider that pays back captures. */
  readonly capture_id: string | null;
  readonly processor_transaction_id: string | null;
  readonly processor_response_code: string | null;
  readonly failure: PaymentFailure | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly is_test: boolean;
}

const columns = `
  m.id, m.payment_id, m.request_hash, m.correlation_id, m.state, m.amount::text, m.currency, m.reason, m.provider,
  m.capture_id, m.processor_transaction_id, m.processor_response_code, m.failure, m.created_at, m.updated_at, m.is_test`;

const selectMovement = {
  name: 'select_movement',
  text: `
    SELECT ${columns} FROM movements m
    WHERE m.id = $1 AND m.kind = $2 AND m.merchant_id = $3 AND m.is_test = $4`,
};

/** The row of a movement of this kind, merchant and mode, or null. */
export async function findMovementRow(
  db: Database,
  scope: MerchantScope,
  kind: MovementKind,
  id: string,
): Promise<MovementRow | null> {
  const [row] = await run<MovementRow>(db, selectMovement, [id, kind, scope.merchantId, scope.isTest]);
  return row ?? null;
}

const selectOfPayment = {
  name: 'select_movements_of_payment',
  text: `
    SELECT ${columns} FROM movements m
    WHERE m.payment_id = $1 AND m.kind = $2 AND m.merchant_id = $3 AND m.is_test = $4
    ORDER BY m.created_at, m.id`,
};

/** Every movement of one kind of a payment, oldest first. */
export async function movementsOf(
  db: Database,
  scope: MerchantScope,
  kind: MovementKind,
  paymentId: string,
): Promise<MovementRow[]> {
  return run<MovementRow>(db, selectOfPayment, [paymentId, kind, scope.merchantId, scope.isTest]);
}
