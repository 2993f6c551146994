import { alertIdOf, auditIdOf, consequenceIdOf, eventIdOf } from '../workflows/domain/ids.ts';
import { invariant } from '../workflows/domain/invariant.ts';
import type { MovementState } from '../workflows/domain/movement.ts';
import type {
  MovementRefusal,
  MovementRequest,
  MovementSnapshot,
  MovementStep,
  MovementStepAnswer,
  OpenedMovement,
  OpenMovement,
} from '../workflows/ports.ts';
import { type Database, run, sqlStateOf } from './database.ts';
import { movementSnapshot, movementSnapshotJson } from './movement-snapshot.ts';
import { type SnapshotRow, snapshotColumns, snapshotOf } from './payments.ts';
import { guardRefused } from './transitions.ts';

/** Of a payment: each one is written into its one workflow history, which has a limit. */
const capturesMax = 100;

/**
 * Captures, voids and refunds. One statement opens a movement: it judges the payment under its lock, and what it refuses
 * stores nothing. One statement writes each further step, with all that follows for the payment and the ledger.
 */
const open = {
  name: 'open_movement',
  text: `
    WITH p AS (
      SELECT *, authorized_amount - captured_amount - voided_amount AS capturable,
        captured_amount - refund_reserved_amount AS refundable
      FROM payments WHERE id = $2 AND merchant_id = $3 FOR NO KEY UPDATE
    ), c AS ( -- the capture that a refund pays back: the one that is named, or where the provider wants one the oldest that can
      SELECT m.id, m.amount - m.refund_reserved_amount AS refundable FROM movements m JOIN p ON m.payment_id = p.id
      WHERE $4 = 'refund' AND m.kind = 'capture' AND m.state = 'succeeded' AND (m.id = $6::text
        OR $6 IS NULL AND p.processor = ANY ($5::text[])
          AND m.amount - m.refund_reserved_amount >= COALESCE($7::bigint, p.refundable))
      ORDER BY m.created_at, m.id LIMIT 1 FOR NO KEY UPDATE OF m
    ), judged AS (
      SELECT p.*, (SELECT id FROM c) AS capture_id,
        COALESCE($7::bigint, CASE WHEN $4 <> 'refund' THEN p.capturable
          WHEN $6 IS NULL THEN p.refundable ELSE least(p.refundable, (SELECT refundable FROM c)) END) AS wanted,
        CASE
          WHEN p.open_movement_id IS NOT NULL OR p.status = 'unresolved'
            OR (p.status IN ('pending', 'requires_action') AND $4 = 'refund')
            OR (p.status = 'pending' AND $4 <> 'refund') THEN 'movement_in_progress'
          WHEN $4 = 'capture' AND (SELECT count(*) FROM movements m WHERE m.payment_id = p.id AND m.kind = 'capture')
            >= ${capturesMax} THEN 'too_many_captures'
          WHEN $4 = 'capture' AND p.capturable <= 0 THEN 'payment_not_capturable'
          WHEN $4 = 'capture' AND $7::bigint > p.capturable THEN 'amount_exceeds_capturable'
          WHEN $4 = 'void' AND p.capturable <= 0 AND p.status <> 'requires_action' THEN 'payment_not_cancelable'
          WHEN $4 = 'refund' AND p.captured_amount = 0 THEN 'payment_not_refundable'
          WHEN $4 = 'refund' AND (p.refundable <= 0 OR $7::bigint > p.refundable) THEN 'amount_exceeds_refundable'
          WHEN $4 = 'refund' AND $6 IS NOT NULL
            AND COALESCE((SELECT refundable <= 0 OR COALESCE($7::bigint, refundable) > refundable FROM c), true) THEN 'amount_exceeds_refundable'
          WHEN $4 = 'refund' AND p.processor = ANY ($5::text[]) AND p.capture_method = 'manual' AND NOT EXISTS (SELECT FROM c)
            THEN 'refund_spans_captures'
        END AS refusal
      FROM p
    ), m AS (
      INSERT INTO movements (id, merchant_id, is_test, payment_id, kind, idempotency_key, request_hash, correlation_id,
        amount, currency, reason, provider, capture_id, expires_at, ask_until, created_at, updated_at)
      SELECT $1, j.merchant_id, j.is_test, j.id, $4, $8, $9, $10, j.wanted, j.currency, $11, j.processor, j.capture_id,
        $12::timestamptz + COALESCE((j.terms ->> 'expiresAfterSeconds')::int, 3600) * interval '1 second',
        $12::timestamptz + (COALESCE((j.terms ->> 'expiresAfterSeconds')::int, 3600)
          + COALESCE((j.terms ->> 'askForSeconds')::int, 86400)) * interval '1 second', $12, $12
      FROM judged j WHERE j.refusal IS NULL
      ON CONFLICT DO NOTHING
      RETURNING *
    ), opened AS (
      UPDATE payments SET
        open_movement_id = CASE WHEN m.kind = 'refund' THEN open_movement_id ELSE m.id END,
        refund_reserved_amount = payments.refund_reserved_amount + CASE WHEN m.kind = 'refund' THEN m.amount ELSE 0 END
      FROM m WHERE payments.id = m.payment_id
    ), reserved AS (
      UPDATE movements SET refund_reserved_amount = movements.refund_reserved_amount + m.amount
      FROM m WHERE movements.id = m.capture_id
    ), event AS (
      INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, correlation_id, created_at)
      SELECT $13, m.merchant_id, m.is_test, m.kind || '.pending', m.id, 1, movement_event_data(m), m.correlation_id, $12
      FROM m
    ), audit AS (
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, processor, correlation_id, details, created_at)
      SELECT $14, $13, m.merchant_id, m.is_test, m.payment_id, m.id, $15, $16, m.kind || '_payment', NULL, m.state,
        initcap(m.kind) || ' Pending', m.amount, m.currency, m.provider, m.correlation_id,
        CASE WHEN $15 ~ '^(api_key|user):' THEN '{}' -- what merchants write may name a person: it stays in the row
          ELSE jsonb_strip_nulls(jsonb_build_object('reason', m.reason)) END, $12 FROM m
    ), posted AS (
      INSERT INTO ledger_entries (event_id, account, merchant_id, is_test, payment_id, object_id, currency, amount, created_at)
      SELECT $13, l.account, m.merchant_id, m.is_test, m.payment_id, m.id, m.currency, l.amount, $12
      FROM m, refund_postings(m.provider, m.state, m.amount) l WHERE m.kind = 'refund'
    )
    SELECT j.refusal, (SELECT ${movementSnapshot('NULL')} FROM m) AS movement FROM judged j`,
};

const find = {
  name: 'find_movement',
  text: `SELECT ${movementSnapshotJson} AS movement FROM movements m WHERE m.id = $1 AND m.merchant_id = $2`,
};

/** The movement's row as workflows need it, or null. */
export async function findMovement(
  db: Database,
  merchantId: string,
  movementId: string,
): Promise<MovementSnapshot | null> {
  const [row] = await run<{ movement: MovementSnapshot }>(db, find, [movementId, merchantId]);
  return row?.movement ?? null;
}

/**
 * Commits a movement as pending, and a refund's amount as reserved, or finds the row that this id already has. Refused, with
 * nothing stored: the payment does not allow it now, the key was used with another body, or there is neither a row nor a
 * request. `perCapture`: the providers that pay back one capture at a time.
 */
export async function openMovement(
  db: Database,
  input: OpenMovement,
  perCapture: readonly string[],
): Promise<OpenedMovement> {
  const judgeNow = async () => (input.request === undefined ? null : judge(db, input, input.request, perCapture));
  let judged = await judgeNow();
  // A capture that was committed while the statement waited for the payment is not in its snapshot: once more.
  if (judged?.refusal === 'refund_spans_captures') judged = await judgeNow();
  if (judged?.movement) return { kind: 'opened', movement: judged.movement };
  // It may be there already, and what it took be missing to a second one like it: its row counts, not the judgement.
  const existing = await findMovement(db, input.merchantId, input.movementId);
  if (existing !== null) return foundAs(input, existing);
  return { kind: 'refused', code: judged?.refusal ?? 'not_found' };
}

/** The row that was made, or why none was; both null where the row was there. */
interface Judged {
  readonly refusal: MovementRefusal | null;
  readonly movement: MovementSnapshot | null;
}

async function judge(
  db: Database,
  input: OpenMovement,
  request: MovementRequest,
  perCapture: readonly string[],
): Promise<Judged | null> {
  const [row] = await run<{ refusal: MovementRefusal | null; movement: MovementSnapshot | null }>(
    db,
    open,
    openValuesOf(input, request, perCapture),
  );
  return row ?? null;
}

function foundAs({ request }: OpenMovement, movement: MovementSnapshot): OpenedMovement {
  const isSame = request === undefined || request.requestHash === movement.requestHash;
  return isSame ? { kind: 'opened', movement } : { kind: 'refused', code: 'idempotency_key_reused' };
}

function openValuesOf(input: OpenMovement, request: MovementRequest, perCapture: readonly string[]): unknown[] {
  const eventId = eventIdOf(input.movementId, 1, `${input.kind}.pending`);
  return [
    input.movementId,
    input.paymentId,
    input.merchantId,
    input.kind,
    perCapture,
    request.captureId,
    request.amountMinor,
    request.idempotencyKey,
    request.requestHash,
    request.correlationId,
    request.reason,
    input.now,
    eventId,
    auditIdOf(eventId),
    request.actor,
    request.origin,
  ];
}

const step = {
  name: 'step_movement',
  text: `
    WITH before AS (
      SELECT p.id, p.status, p.captured_amount, p.fee_amount FROM payments p JOIN movements m ON m.payment_id = p.id
      WHERE m.id = $1 AND m.merchant_id = $2 FOR NO KEY UPDATE OF p
    ), m AS (
      UPDATE movements SET
        state = $4, version = version + 1, updated_at = $5, open_attempt_id = CASE WHEN $7 THEN open_attempt_id END,
        processor_transaction_id = COALESCE($8, processor_transaction_id),
        processor_response_code = COALESCE($9, processor_response_code), failure = $10::jsonb
      FROM before
      WHERE movements.id = $1 AND version = $3 AND open_attempt_id IS NOT DISTINCT FROM $6
      RETURNING movements.*
    ), attempt AS (
      UPDATE attempts SET state = $12, outcome = COALESCE($13::jsonb, outcome), updated_at = $5
      FROM m WHERE attempts.id = $11 AND attempts.movement_id = m.id
    ), changed AS ( -- by how much; a void before the payer acted gives back nothing and still ends the payment
      SELECT m.*, m.state = 'succeeded' AS happened, m.state = 'succeeded' OR m.state = 'unresolved' AND m.kind <> 'refund'
          OR (SELECT status FROM before) = 'unresolved' AND m.kind <> 'refund' AS concerns_payment,
        CASE WHEN m.state = 'succeeded' AND m.kind = 'capture' THEN m.amount ELSE 0 END AS captured_now,
        CASE WHEN m.state = 'succeeded' AND m.kind = 'void' THEN m.amount ELSE 0 END AS voided_now,
        CASE WHEN m.state = 'succeeded' AND m.kind = 'refund' THEN m.amount ELSE 0 END AS refunded_now
      FROM m
    ), p AS (
      UPDATE payments SET
        captured_amount = captured_amount + c.captured_now,
        voided_amount = voided_amount + c.voided_now,
        refunded_amount = refunded_amount + c.refunded_now,
        refund_count = refund_count + CASE WHEN c.happened AND c.kind = 'refund' THEN 1 ELSE 0 END,
        refund_reserved_amount = payments.refund_reserved_amount
          - CASE WHEN c.state = 'failed' AND c.kind = 'refund' THEN c.amount ELSE 0 END,
        fee_amount = CASE WHEN c.captured_now > 0 THEN payment_fee(captured_amount + c.captured_now, terms)
          ELSE fee_amount END,
        open_movement_id = CASE WHEN c.kind <> 'refund' AND c.state IN ('succeeded', 'failed') THEN NULL
          ELSE open_movement_id END,
        open_attempt_id = CASE WHEN c.happened AND c.kind = 'void' THEN NULL ELSE payments.open_attempt_id END,
        next_action = CASE WHEN c.happened AND c.kind = 'void' THEN NULL ELSE next_action END,
        status = CASE
          WHEN c.kind = 'refund' AND status = 'unresolved' THEN status
          WHEN c.kind <> 'refund' AND c.state = 'unresolved' THEN 'unresolved'
          WHEN c.kind = 'void' AND c.state = 'failed' AND authorized_amount = 0 THEN 'requires_action'
          WHEN c.happened OR status = 'unresolved' THEN projected_status(authorized_amount,
            captured_amount + c.captured_now, voided_amount + c.voided_now, refunded_amount + c.refunded_now)
          ELSE status END,
        failure = CASE WHEN c.kind = 'refund' THEN payments.failure WHEN c.state = 'unresolved' THEN c.failure
          WHEN c.concerns_payment THEN NULL ELSE payments.failure END,
        version = payments.version + CASE WHEN c.concerns_payment THEN 1 ELSE 0 END,
        updated_at = $5
      FROM changed c WHERE payments.id = c.payment_id
      RETURNING payments.*
    ), charge AS ( -- what the payer was waited for with is over
      UPDATE attempts SET state = 'voided', updated_at = $5 FROM changed c
      WHERE c.happened AND c.kind = 'void' AND attempts.payment_id = c.payment_id AND attempts.state = 'requires_action'
    ), unreserved AS (
      UPDATE movements SET refund_reserved_amount = movements.refund_reserved_amount - m.amount
      FROM m WHERE m.kind = 'refund' AND m.state = 'failed' AND movements.id = m.capture_id
    ), event AS (
      INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, correlation_id, created_at)
      SELECT $14, m.merchant_id, m.is_test, m.kind || '.' || m.state, m.id, m.version, movement_event_data(m),
        m.correlation_id, $5 FROM m
      UNION ALL
      SELECT $15, p.merchant_id, p.is_test, 'payment.' || CASE WHEN c.kind = 'refund' THEN projected_status(
          p.authorized_amount, p.captured_amount, p.voided_amount, p.refunded_amount) ELSE p.status END,
        p.id, p.version, payment_event_data(p), c.correlation_id, $5 FROM p, changed c WHERE c.concerns_payment
    ), audit AS (
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, processor, correlation_id, details, created_at)
      SELECT $16, $14, m.merchant_id, m.is_test, m.payment_id, m.id, $17, 'workflow', $18, $19, m.state,
        initcap(m.kind) || ' ' || $20, m.amount, m.currency, m.provider, m.correlation_id, $21::jsonb, $5 FROM m
      UNION ALL
      SELECT $22, $15, p.merchant_id, p.is_test, p.id, p.id, $17, 'workflow', $18, b.status, p.status,
        'Payment ' || CASE p.status WHEN 'unresolved' THEN 'Unresolved' WHEN 'canceled' THEN 'Canceled'
          WHEN 'requires_action' THEN 'Pending' ELSE 'Successful' END,
        c.amount, p.currency, p.processor, c.correlation_id, jsonb_build_object('movement', c.id), $5
      FROM p, changed c, before b WHERE c.concerns_payment
    ), posted AS (
      INSERT INTO ledger_entries (event_id, account, merchant_id, is_test, payment_id, object_id, currency, amount, created_at)
      SELECT $14, l.account, m.merchant_id, m.is_test, m.payment_id, m.id, m.currency, l.amount, $5
      FROM m, p, before b, LATERAL (
        SELECT * FROM capture_postings(m.provider, m.amount, p.fee_amount - b.fee_amount)
        WHERE m.kind = 'capture' AND m.state = 'succeeded'
        UNION ALL
        SELECT * FROM refund_postings(m.provider, m.state, m.amount) WHERE m.kind = 'refund'
      ) l
    ), closed AS (
      UPDATE alerts SET closed_at = $5 FROM changed c
      WHERE alerts.resource_id IN (c.id, c.payment_id) AND alerts.kind LIKE '%_unresolved' AND alerts.closed_at IS NULL
        AND (alerts.resource_id = c.id OR c.kind <> 'refund')
    ), opened AS (
      INSERT INTO alerts (id, merchant_id, is_test, kind, resource_id, owner_role, opened_at)
      SELECT $23, m.merchant_id, m.is_test, CASE WHEN m.kind = 'refund' THEN 'refund_unresolved' ELSE 'payment_unresolved' END,
        CASE WHEN m.kind = 'refund' THEN m.id ELSE m.payment_id END, 'operator', $5
      FROM m WHERE m.state = 'unresolved'
    )
    SELECT ${movementSnapshot('CASE WHEN $11::text IS NULL THEN (SELECT a.state FROM attempts a WHERE a.movement_id = m.id) ELSE $12 END')} AS movement,
      ${snapshotColumns()}
    FROM m LEFT JOIN p ON m.kind <> 'refund' AND m.state <> 'unresolved'`, // what is open does not show in this snapshot
};

/**
 * Writes one step of a movement's life in one statement: its row (compare-and-set on version and open attempt), attempt,
 * event and audit entry; the payment's amounts and status with an event and audit entry of its own where they change; postings
 * and alerts. It takes the payment's row first, so that steps of one payment follow each other. Safe to repeat.
 */
export async function stepMovement(db: Database, input: MovementStep): Promise<MovementStepAnswer> {
  const eventId = eventIdOf(input.movementId, input.fromVersion + 1, `${input.kind}.${input.toState}`);
  try {
    const [row] = await run<SteppedRow>(db, step, stepValuesOf(input, eventId));
    if (row !== undefined)
      return { kind: 'done', movement: row.movement, ...(row.id !== null && { payment: snapshotOf(row) }) };
  } catch (error) {
    if (sqlStateOf(error) !== guardRefused) throw error;
    return { kind: 'illegal', reason: error instanceof Error ? error.message : guardRefused };
  }
  const wasMine = await db.prisma.event.findUnique({ where: { id: eventId }, select: { id: true } });
  const movement = await findMovement(db, input.merchantId, input.movementId);
  invariant(movement !== null, `movement ${input.movementId} is gone, and rows of movements are never deleted`);
  return { kind: wasMine === null ? 'moved_on' : 'already_mine', movement };
}

/** The movement, and its payment where nothing of it is open any more. */
type SteppedRow = { readonly movement: MovementSnapshot } & (SnapshotRow | { readonly id: null });

function stepValuesOf(input: MovementStep, eventId: string): unknown[] {
  const { attemptEnd } = input;
  const response = attemptEnd?.outcome?.response ?? null;
  const consequenceId = consequenceIdOf(eventId);
  return [
    input.movementId,
    input.merchantId,
    input.fromVersion,
    input.toState,
    input.now,
    input.openAttemptId,
    input.keepsAttemptOpen,
    response?.transactionId ?? null,
    response?.responseCode ?? null,
    input.failure === null ? null : JSON.stringify(input.failure),
    attemptEnd?.attemptId ?? null,
    attemptEnd?.state ?? null,
    attemptEnd?.outcome ? JSON.stringify(attemptEnd.outcome) : null,
    eventId,
    consequenceId,
    auditIdOf(eventId),
    input.actor,
    input.action,
    input.fromState,
    auditWords[input.toState],
    JSON.stringify(input.details),
    auditIdOf(consequenceId),
    alertIdOf(eventId),
  ];
}

/** The audit trail's words for how a movement stands. */
const auditWords: Readonly<Record<MovementState, string>> = {
  pending: 'Pending',
  succeeded: 'Successful',
  failed: 'Failed',
  unresolved: 'Unresolved',
};

const selectOpenRefunds = {
  name: 'select_open_refunds',
  text: `
    SELECT id, payment_id, merchant_id, correlation_id, amount::text, currency FROM movements
    WHERE kind = 'refund' AND state IN ('pending', 'unresolved') AND created_at < $1 AND id > $2 ORDER BY id LIMIT $3`,
};

/** An open refund as the sweep needs it to start its workflow again. */
export interface OpenRefund {
  readonly id: string;
  readonly payment_id: string;
  readonly merchant_id: string;
  readonly correlation_id: string;
  /** Minor units. */
  readonly amount: string;
  readonly currency: string;
}

/** Refunds of every merchant that need a workflow and were made before `madeBefore`, after a cursor, by id. */
export async function listOpenRefunds(
  db: Database,
  page: { readonly madeBefore: Date; readonly afterId: string; readonly limit: number },
): Promise<OpenRefund[]> {
  return run<OpenRefund>(db, selectOpenRefunds, [page.madeBefore, page.afterId, page.limit]);
}
