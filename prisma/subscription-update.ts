import { actEventIdOf, auditIdOf } from '../workflows/domain/ids.ts';
import { type Database, run } from './database.ts';
import type { ChangeOrigin } from './payment-update.ts';
import type { MerchantScope } from './payments.ts';
import { subscriptionAuditWords } from './subscription-words.ts';

/** What a merchant says about a subscription. An absent member stays as it is, null blanks it. */
export interface SubscriptionRemarks {
  readonly description?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, string>> | null | undefined;
}

/** What tells a repeat of changes; `isNamed`: by its caller, who may repeat it, so that it is remembered also where nothing differs. */
export interface RemarksWish {
  readonly id: string;
  readonly isNamed: boolean;
}

/** As in `update_payment`: what is compared is what is changed, and the version stays, as no rule depends on these. */
const update = {
  name: 'update_subscription_remarks',
  text: `
    WITH known AS (
      SELECT FROM payment_audit_trail WHERE id = $8
    ), old AS (
      SELECT * FROM subscriptions WHERE id = $1 AND merchant_id = $2 AND is_test = $3 FOR NO KEY UPDATE
    ), new AS (
      SELECT
        CASE WHEN 'description' = ANY($4::text[]) THEN $5 ELSE description END AS description,
        CASE WHEN 'metadata' = ANY($4) THEN $6::jsonb ELSE metadata END AS metadata
      FROM old
    ), changed AS (
      SELECT array_remove(ARRAY[
        CASE WHEN new.description IS DISTINCT FROM old.description THEN 'description' END,
        CASE WHEN new.metadata IS DISTINCT FROM old.metadata THEN 'metadata' END], NULL) AS fields
      FROM old, new
    ), written AS (
      UPDATE subscriptions SET
        description = new.description, metadata = new.metadata,
        updated_at = greatest(subscriptions.updated_at, $7::timestamptz)
      FROM new, changed WHERE subscriptions.id = $1 AND cardinality(changed.fields) > 0 AND NOT EXISTS (SELECT FROM known)
    ), audit AS (
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, processor, correlation_id, details, created_at)
      SELECT $8, NULL, old.merchant_id, old.is_test, NULL, old.id, $9, $10, 'update_subscription', old.status, old.status,
        'Subscription ' || ($12::jsonb ->> old.status), old.amount, old.currency, NULL, $11,
        jsonb_build_object('fields', changed.fields), $7::timestamptz FROM old, changed
      WHERE cardinality(changed.fields) > 0 OR $13
      ON CONFLICT DO NOTHING
    )
    SELECT EXISTS (SELECT FROM known) AS "isRepeat" FROM old`,
};

/**
 * Writes the changes and, if anything differs, an audit entry with the names of the fields that do (never their values), in one
 * statement. The same changes again change nothing and write nothing. They are written once under their wish's id: `isRepeat` says that
 * they were before. Null: there is no such subscription.
 */
export async function changeSubscriptionRemarks(
  db: Database,
  scope: MerchantScope,
  subscriptionId: string,
  remarks: SubscriptionRemarks,
  from: ChangeOrigin,
  wish: RemarksWish,
): Promise<{ readonly isRepeat: boolean } | null> {
  const [row] = await run<{ isRepeat: boolean }>(db, update, [
    subscriptionId,
    scope.merchantId,
    scope.isTest,
    Object.keys(remarks),
    remarks.description ?? null,
    JSON.stringify(remarks.metadata ?? {}),
    from.now,
    auditIdOf(actEventIdOf(subscriptionId, `remarks:${wish.id}`)),
    from.actor,
    from.origin,
    from.correlationId,
    JSON.stringify(subscriptionAuditWords),
    wish.isNamed,
  ]);
  return row ?? null;
}
