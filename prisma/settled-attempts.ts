import { type Database, run } from './database.ts';

/** An attempt that nobody is working on any more, with what was recorded of it. */
export interface SettledAttempt {
  readonly id: string;
  readonly merchant_id: string;
  readonly is_test: boolean;
  readonly payment_id: string;
  readonly movement_id: string | null;
  readonly operation: string;
  readonly number: number;
  readonly provider: string;
  readonly state: string;
  /** What the provider said then, as the kind of its outcome; null: nothing. */
  readonly outcome_kind: string | null;
  /** Minor units. */
  readonly amount: string;
  readonly currency: string;
}

const select = {
  name: 'select_settled_attempts',
  text: `
    SELECT a.id, a.merchant_id, a.is_test, a.payment_id, a.movement_id, a.operation, a.number, a.provider,
      CASE WHEN m.state = 'succeeded' THEN 'approved' -- of a movement, what its row says: a person may have decided it
        WHEN m.state = 'failed' AND a.state = 'approved' THEN 'declined' ELSE a.state END AS state,
      a.outcome ->> 'kind' AS outcome_kind, COALESCE(m.amount, p.amount)::text AS amount, p.currency
    FROM attempts a JOIN payments p ON p.id = a.payment_id LEFT JOIN movements m ON m.id = a.movement_id
    WHERE a.payment_id = $1 AND a.merchant_id = $2 AND a.operation <> 'prepare'
      AND a.state NOT IN ('sent', 'unknown', 'requires_action', 'mismatched', 'unanswered')
      AND NOT (a.state = 'voided' AND p.capture_method = 'manual') -- reserved in the last moment, and given back by the void
      AND (CASE WHEN m.id IS NULL THEN p.status NOT IN ('pending', 'requires_action')
        ELSE m.state IN ('succeeded', 'failed') END)
    ORDER BY a.created_at, a.id`,
};

/** The attempts of a payment and of its movements whose last word is recorded, oldest first. */
export async function listSettledAttempts(
  db: Database,
  merchantId: string,
  paymentId: string,
): Promise<SettledAttempt[]> {
  return run<SettledAttempt>(db, select, [paymentId, merchantId]);
}
