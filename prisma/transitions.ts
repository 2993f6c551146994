import { alertIdOf, auditIdOf, eventIdOf } from '../workflows/domain/ids.ts';
import { invariant } from '../workflows/domain/invariant.ts';
import type { FinalOutcome } from '../workflows/domain/outcome.ts';
import type { PaymentStatus } from '../workflows/domain/payment-status.ts';
import type { Transition, TransitionAnswer } from '../workflows/ports.ts';
import { type Database, run, sqlStateOf } from './database.ts';
import { findSnapshot, type SnapshotRow, snapshotColumns, snapshotOf } from './payments.ts';

/** Raised by the trigger `guard_payment`. */
const guardRefused = 'PMT01';

const record = {
  name: 'record_transition',
  text: `
    WITH p AS (
      UPDATE payments SET
        status = $5, version = version + 1, updated_at = $6, processed_at = COALESCE(processed_at, $7),
        open_attempt_id = CASE WHEN $8 THEN open_attempt_id END,
        authorized_amount = CASE WHEN $9 THEN amount ELSE authorized_amount END,
        captured_amount = CASE WHEN $9 THEN amount ELSE captured_amount END,
        processor = COALESCE($10::text, processor), -- what another provider said goes with it
        processor_response_code = COALESCE($11, CASE WHEN $10 IS NULL OR processor = $10 THEN processor_response_code END),
        processor_response_message = COALESCE($12, CASE WHEN $10 IS NULL OR processor = $10 THEN processor_response_message END),
        processor_transaction_id = COALESCE($13, CASE WHEN $10 IS NULL OR processor = $10 THEN processor_transaction_id END),
        card_brand = COALESCE($14, card_brand), card_last_four = COALESCE($15, card_last_four),
        failure = $16::jsonb, delayed_at = COALESCE(delayed_at, $30)
      WHERE id = $1 AND merchant_id = $2 AND version = $3 AND open_attempt_id IS NOT DISTINCT FROM $4
      RETURNING *
    ), attempt AS (
      UPDATE attempts SET state = $18, outcome = COALESCE($19::jsonb, outcome), updated_at = $6
      FROM p WHERE attempts.id = $17 AND attempts.payment_id = p.id
    ), event AS (
      INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, correlation_id, created_at)
      SELECT $20, p.merchant_id, p.is_test, $21, p.id, p.version, payment_event_data(p), p.correlation_id, $6 FROM p
    ), audit AS (
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, actor, origin, action, from_status, to_status, outcome, amount,
        currency, processor, correlation_id, details, created_at)
      SELECT $22, $20, p.merchant_id, p.is_test, p.id, $23, 'workflow', $24, $25, p.status, $26, p.amount, p.currency,
        p.processor, p.correlation_id, $27::jsonb, $6 FROM p
    ), closed AS (
      UPDATE alerts SET closed_at = $6 FROM p WHERE alerts.resource_id = p.id AND alerts.closed_at IS NULL
    ), opened AS (
      INSERT INTO alerts (id, merchant_id, is_test, kind, resource_id, owner_role, opened_at)
      SELECT $28, p.merchant_id, p.is_test, $29, p.id, 'operator', $6 FROM p WHERE $29::text IS NOT NULL
    )
    SELECT ${snapshotColumns({ attemptId: '$17', state: '$18', outcome: '$19::jsonb' })} FROM p`,
};

/**
 * Writes one step of a payment's life: row (compare-and-set on version and open attempt), attempt, event, audit entry and
 * alerts in one statement, so that nothing is written when the compare-and-set matched nothing. Safe to repeat.
 */
export async function recordTransition(db: Database, transition: Transition): Promise<TransitionAnswer> {
  const eventId = eventIdOf(transition.paymentId, transition.fromVersion + 1, transition.eventType);
  try {
    const rows = await run<SnapshotRow>(db, record, valuesOf(transition, eventId));
    if (rows[0] !== undefined) return { kind: 'done', payment: snapshotOf(rows[0]) };
  } catch (error) {
    if (sqlStateOf(error) !== guardRefused) throw error;
    return { kind: 'illegal', reason: error instanceof Error ? error.message : guardRefused };
  }
  const wasMine = await db.prisma.event.findUnique({ where: { id: eventId }, select: { id: true } });
  const payment = await findSnapshot(db, transition.merchantId, transition.paymentId);
  invariant(payment !== null, `payment ${transition.paymentId} is gone, and rows of payments are never deleted`);
  return { kind: wasMine === null ? 'moved_on' : 'already_mine', payment };
}

function valuesOf(transition: Transition, eventId: string): unknown[] {
  const response = responseOf(transition.attemptEnd?.outcome ?? null);
  return [
    transition.paymentId,
    transition.merchantId,
    transition.fromVersion,
    transition.openAttemptId,
    transition.toStatus,
    transition.now,
    transition.toStatus === 'unresolved' || transition.toStatus === 'pending' ? null : transition.now,
    transition.keepsAttemptOpen,
    transition.toStatus === 'captured',
    transition.provider,
    response?.responseCode ?? null,
    response?.responseMessage ?? null,
    response?.transactionId ?? null,
    response?.card?.brand ?? null,
    response?.card?.lastFour ?? null,
    transition.failure === null ? null : JSON.stringify(transition.failure),
    transition.attemptEnd?.attemptId ?? null,
    transition.attemptEnd?.state ?? null,
    transition.attemptEnd?.outcome ? JSON.stringify(transition.attemptEnd.outcome) : null,
    eventId,
    transition.eventType,
    auditIdOf(eventId),
    transition.actor,
    transition.action,
    transition.fromStatus,
    auditOutcomes[transition.toStatus],
    JSON.stringify(transition.details),
    alertIdOf(eventId),
    transition.alert,
    transition.eventType === 'payment.delayed' ? transition.now : null,
  ];
}

function responseOf(outcome: FinalOutcome | null) {
  return outcome === null ? null : outcome.response;
}

/** The audit trail's words for an outcome. */
export const auditOutcomes: Readonly<Record<PaymentStatus, string>> = {
  pending: 'Payment Pending',
  requires_action: 'Payment Pending',
  held: 'Payment Pending',
  authorized: 'Payment Successful',
  captured: 'Payment Successful',
  failed: 'Payment Failed',
  canceled: 'Payment Canceled',
  unresolved: 'Payment Unresolved',
  partially_refunded: 'Payment Successful',
  refunded: 'Payment Successful',
};
