import type { StoredEvent } from '../workflows/domain/event.ts';
import { type Database, run } from './database.ts';
import type { MerchantScope } from './payments.ts';

/** What was sent to a provider for a payment, under one idempotency key, as the API shows it; see `prisma/attempts.ts`. */
export interface AttemptRow {
  readonly id: string;
  /** The payment, or the movement that it makes. */
  readonly object_id: string;
  readonly operation: string;
  readonly number: number;
  readonly provider: string;
  readonly state: string;
  readonly sends: number;
  readonly doubts: number;
  readonly fault: string | null;
  readonly response_code: string | null;
  readonly response_message: string | null;
  readonly decline_code: string | null;
  readonly sent_at: Date;
  readonly updated_at: Date;
}

const selectAttempts = {
  name: 'select_attempts_of_payment',
  text: `
    SELECT a.id, COALESCE(a.movement_id, a.payment_id) AS object_id, a.operation, a.number, a.provider, a.state, a.sends, a.doubts, a.fault,
      a.outcome -> 'response' ->> 'responseCode' AS response_code,
      a.outcome -> 'response' ->> 'responseMessage' AS response_message,
      a.outcome ->> 'declineCode' AS decline_code, a.sent_at, a.updated_at
    FROM attempts a WHERE a.payment_id = $1 AND a.merchant_id = $2 AND a.is_test = $3
    ORDER BY a.created_at, a.number, a.operation DESC`,
};

/** Every attempt of a payment, oldest first, a preparation before its charge. A route has a few candidates, so they are few. */
export async function attemptsOf(db: Database, scope: MerchantScope, paymentId: string): Promise<AttemptRow[]> {
  return run<AttemptRow>(db, selectAttempts, [paymentId, scope.merchantId, scope.isTest]);
}

const selectEvents = {
  name: 'select_events_of_payment',
  text: `
    SELECT e.id, e.type, e.sequence, e.object_id, e.data, e.created_at FROM events e
    WHERE (e.object_id = $1 OR e.object_id IN (SELECT m.id FROM movements m WHERE m.payment_id = $1))
      AND e.merchant_id = $2 AND e.is_test = $3
    ORDER BY e.transaction_id, e.position`,
};

/** Every event of a payment and of its captures, voids and refunds, as they were written: few, because all of them only move on. */
export async function eventsOf(db: Database, scope: MerchantScope, paymentId: string): Promise<StoredEvent[]> {
  return run<StoredEvent>(db, selectEvents, [paymentId, scope.merchantId, scope.isTest]);
}
