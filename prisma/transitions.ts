import { alertIdOf, auditIdOf, eventIdOf } from '../workflows/domain/ids.ts';
import { invariant } from '../workflows/domain/invariant.ts';
import type { PaymentStatus } from '../workflows/domain/payment-status.ts';
import type { AttemptEnd, Transition, TransitionAnswer } from '../workflows/ports.ts';
import { type Database, run, sqlStateOf } from './database.ts';
import { findSnapshot, type SnapshotRow, snapshotColumns, snapshotOf } from './payments.ts';

/** Raised by the triggers `guard_…` of the migrations. */
export const guardRefused = 'PMT01';

/**
 * Where the provider said nothing now: what it said of the attempt that this step ends, or else what stands there already,
 * unless another provider said it. What was said of another attempt is not shown beside this one.
 */
const kept = (column: string, member: string) => `CASE
          WHEN $17::text IS NOT NULL THEN (SELECT a.outcome -> 'response' ->> '${member}' FROM attempts a WHERE a.id = $17)
          WHEN $10 IS NULL OR processor = $10 THEN ${column} END`;

const record = {
  name: 'record_transition',
  text: `
    WITH p AS (
      UPDATE payments SET
        status = $5, version = version + 1, updated_at = $6, processed_at = COALESCE(processed_at, $7),
        open_attempt_id = CASE WHEN $8 THEN open_attempt_id END,
        authorized_amount = CASE WHEN $5 IN ('authorized', 'captured') THEN amount ELSE authorized_amount END,
        captured_amount = CASE WHEN $5 = 'captured' THEN amount ELSE captured_amount END,
        fee_amount = CASE WHEN $5 = 'captured' THEN payment_fee(amount, terms) ELSE fee_amount END,
        capture_before = CASE WHEN $5 = 'authorized'
          THEN $6::timestamptz + (terms ->> 'captureWithinSeconds')::int * interval '1 second' ELSE capture_before END,
        next_action = CASE WHEN $9::text IS NOT NULL
          THEN jsonb_build_object('type', 'redirect', 'redirect_url', $9::text) END,
        action_expires_at = CASE WHEN $9::text IS NOT NULL
          THEN $6::timestamptz + (terms ->> 'actionWithinSeconds')::int * interval '1 second'
          ELSE action_expires_at END,
        retries_made = retries_made + CASE WHEN $31::timestamptz IS NULL THEN 0 ELSE 1 END,
        retry_at = $31, -- the next round has the time of a payment of its own
        expires_at = CASE WHEN $31 IS NULL THEN expires_at
          ELSE $31 + (terms ->> 'expiresAfterSeconds')::int * interval '1 second' END,
        ask_until = CASE WHEN $31 IS NULL THEN ask_until ELSE $31
          + ((terms ->> 'expiresAfterSeconds')::int + (terms ->> 'askForSeconds')::int) * interval '1 second' END,
        processor = COALESCE($10::text, processor),
        processor_response_code = COALESCE($11, ${kept('processor_response_code', 'responseCode')}),
        processor_response_message = COALESCE($12, ${kept('processor_response_message', 'responseMessage')}),
        processor_transaction_id = COALESCE($13, ${kept('processor_transaction_id', 'transactionId')}),
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
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, processor, correlation_id, details, created_at)
      SELECT $22, $20, p.merchant_id, p.is_test, p.id, p.id, $23, 'workflow', $24, $25, p.status, $26, p.amount, p.currency,
        p.processor, p.correlation_id, $27::jsonb, $6 FROM p
    ), posted AS (
      INSERT INTO ledger_entries (event_id, account, merchant_id, is_test, payment_id, object_id, currency, amount, created_at)
      SELECT $20, l.account, p.merchant_id, p.is_test, p.id, p.id, p.currency, l.amount, $6
      FROM p, capture_postings(p.processor, p.captured_amount, p.fee_amount) l WHERE p.status = 'captured'
    ), closed AS (
      UPDATE alerts SET closed_at = $6 FROM p WHERE alerts.resource_id = p.id AND alerts.closed_at IS NULL
    ), opened AS (
      INSERT INTO alerts (id, merchant_id, is_test, kind, resource_id, owner_role, opened_at)
      SELECT $28, p.merchant_id, p.is_test, $29, p.id, 'operator', $6 FROM p WHERE $29::text IS NOT NULL
    )
    SELECT ${snapshotColumns({ attemptId: '$17', state: '$18', outcome: '$19::jsonb' })} FROM p`,
};

/**
 * Writes one step of a payment's life: row (compare-and-set on version and open attempt), attempt, event, audit entry,
 * postings and alerts in one statement, so that nothing is written when the compare-and-set matched nothing. Safe to repeat.
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
    undecided.has(transition.toStatus) ? null : transition.now,
    transition.keepsAttemptOpen,
    transition.redirectUrl,
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
    transition.retryAt,
  ];
}

const undecided: ReadonlySet<PaymentStatus> = new Set(['pending', 'requires_action', 'unresolved']);

function responseOf(outcome: AttemptEnd['outcome']) {
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
