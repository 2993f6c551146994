import { type Database, run } from './database.ts';
import { type MerchantScope, type PaymentRow, paymentColumns } from './payments.ts';
import { randomId } from './random-id.ts';
import { auditOutcomes } from './transitions.ts';

/** What a merchant may change of a payment. An absent member stays as it is, null blanks it. */
export interface PaymentChanges {
  readonly description?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, string>> | null | undefined;
  readonly customer_email?: string | null | undefined;
  readonly customer_name?: string | null | undefined;
}

/** Who changes it, when and by which request, for the audit trail. */
export interface ChangeOrigin {
  readonly actor: string;
  readonly origin: string;
  readonly correlationId: string;
  /** ISO 8601. */
  readonly now: string;
}

/**
 * `old` takes the row's lock first, so that what is compared is what is changed. The version stays as it is: the payment's
 * workflow decides on it, and nothing that it decides on changes here.
 */
const update = {
  name: 'update_payment',
  text: `
    WITH old AS (
      SELECT * FROM payments WHERE id = $1 AND merchant_id = $2 AND is_test = $3 FOR NO KEY UPDATE
    ), new AS (
      SELECT
        CASE WHEN 'description' = ANY($4::text[]) THEN $5 ELSE description END AS description,
        CASE WHEN 'metadata' = ANY($4) THEN $6::jsonb ELSE metadata END AS metadata,
        CASE WHEN 'customer_email' = ANY($4) THEN $7 ELSE customer_email END AS customer_email,
        CASE WHEN 'customer_name' = ANY($4) THEN $8 ELSE customer_name END AS customer_name
      FROM old
    ), changed AS (
      SELECT array_remove(ARRAY[
        CASE WHEN new.description IS DISTINCT FROM old.description THEN 'description' END,
        CASE WHEN new.metadata IS DISTINCT FROM old.metadata THEN 'metadata' END,
        CASE WHEN new.customer_email IS DISTINCT FROM old.customer_email THEN 'customer_email' END,
        CASE WHEN new.customer_name IS DISTINCT FROM old.customer_name THEN 'customer_name' END], NULL) AS fields
      FROM old, new
    ), p AS (
      UPDATE payments SET
        description = new.description, metadata = new.metadata, customer_email = new.customer_email,
        customer_name = new.customer_name, updated_at = greatest(payments.updated_at, $9::timestamptz)
      FROM new, changed WHERE payments.id = $1 AND cardinality(changed.fields) > 0
      RETURNING payments.*
    ), audit AS (
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, processor, correlation_id, details, created_at)
      SELECT $10, NULL, p.merchant_id, p.is_test, p.id, p.id, $11, $12, 'update_payment', p.status, p.status,
        $13::jsonb ->> p.status, p.amount, p.currency, p.processor, $14, jsonb_build_object('fields', changed.fields),
        $9::timestamptz FROM p, changed
    )
    SELECT ${paymentColumns} FROM p
    UNION ALL
    SELECT ${paymentColumns} FROM old p, changed WHERE cardinality(changed.fields) = 0`,
};

/**
 * Writes the changes and, if anything differs, an audit entry with the names of the fields that do (never their values), in one
 * statement. The same changes again change nothing and write nothing. Returns the row as it is then; null: there is none.
 */
export async function changePayment(
  db: Database,
  scope: MerchantScope,
  paymentId: string,
  changes: PaymentChanges,
  from: ChangeOrigin,
): Promise<PaymentRow | null> {
  const [row] = await run<PaymentRow>(db, update, [
    paymentId,
    scope.merchantId,
    scope.isTest,
    Object.keys(changes),
    changes.description ?? null,
    JSON.stringify(changes.metadata ?? {}),
    changes.customer_email ?? null,
    changes.customer_name ?? null,
    from.now,
    randomId('aud'),
    from.actor,
    from.origin,
    JSON.stringify(auditOutcomes),
    from.correlationId,
  ]);
  return row ?? null;
}
