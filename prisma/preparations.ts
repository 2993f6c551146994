import type { FaultKind } from '../workflows/domain/outcome.ts';
import { type Chargeable, type ChargeableRow, chargeableOf, type SeenAttempt } from './attempts.ts';
import { type Database, run } from './database.ts';

/**
 * Preparations: rows of `attempts` whose operation is `prepare`, for providers that want something made before the charge. They
 * move no money: the same key is sent again until the provider confirms, or another provider takes the charge.
 */
export interface PreparationToSend extends SeenAttempt {
  /** The charge that it is for: another open one comes first. */
  readonly chargeAttemptId: string;
  readonly number: number;
  readonly provider: string;
  readonly sendWithinMs: number;
}

/**
 * `prepared`: made before. `mine`: committed as `sent`, to be sent. `expired`: too late for this payment. `moved_on`: it is
 * no longer to be charged, or by another attempt.
 */
export type BegunPreparation =
  | { readonly kind: 'expired' }
  | { readonly kind: 'prepared'; readonly preparationId: string }
  | { readonly kind: 'mine'; readonly payment: Chargeable; readonly sends: number }
  | { readonly kind: 'moved_on' };

const begin = {
  name: 'begin_preparation',
  text: `
    WITH p AS (
      SELECT *, expires_at <= clock_timestamp() AS is_expired FROM payments
      WHERE id = $2 AND merchant_id = $3 AND status = 'pending' AND (open_attempt_id IS NULL OR open_attempt_id = $8)
    ), a AS (
      INSERT INTO attempts (id, merchant_id, is_test, payment_id, operation, number, provider, state, sender, sent_at, send_before)
      SELECT $1, p.merchant_id, p.is_test, p.id, 'prepare', $4, $5, 'sent', $6, clock_timestamp(),
        clock_timestamp() + $7 * interval '1 millisecond' FROM p WHERE NOT p.is_expired
      ON CONFLICT (id) DO UPDATE SET
        state = 'sent', sender = EXCLUDED.sender, sends = attempts.sends + 1, sent_at = EXCLUDED.sent_at,
        send_before = EXCLUDED.send_before, updated_at = EXCLUDED.sent_at
        WHERE attempts.state <> 'prepared'
      RETURNING sends
    )
    SELECT p.id, p.amount::text AS amount_minor, p.currency, p.payment_method, p.card_token, p.correlation_id,
      p.capture_method, p.return_token,
      p.is_expired, (SELECT sends FROM a) AS sends, (SELECT outcome ->> 'preparationId' FROM attempts WHERE id = $1 AND state = 'prepared') AS preparation_id
    FROM p`,
};

interface PreparationRow extends ChargeableRow {
  is_expired: boolean;
  sends: number | null;
  preparation_id: string | null;
}

/** Commits `sent` before the first byte leaves, unless the provider has confirmed it already. */
export async function beginPreparation(
  db: Database,
  merchantId: string,
  preparation: PreparationToSend,
): Promise<BegunPreparation> {
  const [row] = await run<PreparationRow>(db, begin, [
    preparation.attemptId,
    preparation.paymentId,
    merchantId,
    preparation.number,
    preparation.provider,
    preparation.sender,
    preparation.sendWithinMs,
    preparation.chargeAttemptId,
  ]);
  if (row === undefined) return { kind: 'moved_on' };
  if (row.is_expired) return { kind: 'expired' };
  if (row.preparation_id !== null) return { kind: 'prepared', preparationId: row.preparation_id };
  return { kind: 'mine', payment: chargeableOf(row), sends: row.sends ?? 1 };
}

const finish = {
  name: 'finish_preparation',
  text: `
    UPDATE attempts SET state = $3, fault = $4, outcome = COALESCE($5::jsonb, outcome), updated_at = clock_timestamp()
    WHERE id = $1 AND merchant_id = $2 AND state <> 'prepared'`,
};

/** The provider confirmed: everybody uses this one from now on. */
export async function confirmPreparation(
  db: Database,
  merchantId: string,
  attemptId: string,
  preparationId: string,
): Promise<void> {
  await run(db, finish, [attemptId, merchantId, 'prepared', null, JSON.stringify({ preparationId })]);
}

/** It went wrong: certainly nothing was made (`not_sent`), refused (`rejected`), or nobody knows. */
export async function failPreparation(
  db: Database,
  merchantId: string,
  attemptId: string,
  kind: FaultKind,
): Promise<void> {
  const state = kind === 'unknown_outcome' ? 'unknown' : kind === 'rejected' ? 'rejected' : 'not_sent';
  await run(db, finish, [attemptId, merchantId, state, kind, null]);
}
