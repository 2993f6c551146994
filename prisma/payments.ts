import type { PaymentFailure } from '../workflows/domain/failure.ts';
import { auditIdOf, eventIdOf } from '../workflows/domain/ids.ts';
import type { CaptureMethod, MovementState } from '../workflows/domain/movement.ts';
import type { PaymentStatus } from '../workflows/domain/payment-status.ts';
import type { Route } from '../workflows/domain/routing.ts';
import type { PaymentTerms } from '../workflows/domain/terms.ts';
import type {
  Acceptance,
  AcceptPayment,
  AttemptSnapshot,
  MovementSnapshot,
  PaymentRequest,
  PaymentSnapshot,
} from '../workflows/ports.ts';
import { type Database, run } from './database.ts';
import { movementSnapshotJson } from './movement-snapshot.ts';

const rowColumns = `
  p.id, p.merchant_id, p.is_test, p.external_id, p.request_hash, p.correlation_id, p.status, p.version,
  p.amount::text AS amount_minor, p.currency, p.processor, p.open_attempt_id, p.route, p.failure, p.expires_at,
  p.ask_until, p.delayed_at, p.capture_method, p.terms, p.authorized_amount::text AS authorized_minor,
  p.captured_amount::text AS captured_minor, p.voided_amount::text AS voided_minor,
  p.refunded_amount::text AS refunded_minor, p.action_expires_at, p.capture_before, p.retries_made, p.retry_at,
  CASE WHEN p.open_movement_id IS NOT NULL THEN (
    SELECT ${movementSnapshotJson} FROM movements m WHERE m.id = p.open_movement_id) END AS open_movement,
  CASE WHEN p.status = 'requires_action' OR p.authorized_amount > p.captured_amount + p.voided_amount THEN (
    SELECT count(*)::int FROM movements m WHERE m.payment_id = p.id AND m.kind = 'void') ELSE 0 END AS voids`;

/**
 * The columns of a `PaymentSnapshot`, from a row or a statement's result called `p`. A statement that changes an attempt
 * says what it changes: its own snapshot of the table is older.
 */
export function snapshotColumns(changed?: { attemptId: string; state: string; outcome: string }): string {
  const now = (column: 'state' | 'outcome') =>
    changed === undefined
      ? `a.${column}`
      : `CASE WHEN a.id = ${changed.attemptId} THEN ${changed[column]} ELSE a.${column} END`;
  return `${rowColumns}, (
    SELECT COALESCE(jsonb_agg(jsonb_build_object('id', a.id, 'number', a.number, 'provider', a.provider, 'state', ${now('state')},
      'declineCode', (${now('outcome')}) ->> 'declineCode') ORDER BY a.number), '[]')
    FROM attempts a WHERE a.payment_id = p.id AND a.operation = 'charge') AS attempts`;
}

export interface SnapshotRow {
  id: string;
  merchant_id: string;
  is_test: boolean;
  external_id: string;
  request_hash: string;
  correlation_id: string;
  status: PaymentStatus;
  version: number;
  amount_minor: string;
  currency: string;
  processor: string | null;
  open_attempt_id: string | null;
  route: Route;
  attempts: AttemptSnapshot[];
  failure: PaymentFailure | null;
  expires_at: Date;
  ask_until: Date;
  delayed_at: Date | null;
  capture_method: CaptureMethod;
  terms: PaymentTerms;
  authorized_minor: string;
  captured_minor: string;
  voided_minor: string;
  refunded_minor: string;
  action_expires_at: Date | null;
  capture_before: Date | null;
  retries_made: number;
  retry_at: Date | null;
  open_movement: MovementSnapshot | null;
  voids: number;
}

export function snapshotOf(row: SnapshotRow): PaymentSnapshot {
  return {
    id: row.id,
    merchantId: row.merchant_id,
    isTest: row.is_test,
    externalId: row.external_id,
    requestHash: row.request_hash,
    correlationId: row.correlation_id,
    status: row.status,
    version: row.version,
    amountMinor: row.amount_minor,
    currency: row.currency,
    processor: row.processor,
    openAttemptId: row.open_attempt_id,
    route: row.route,
    attempts: row.attempts,
    failure: row.failure,
    expiresAt: row.expires_at.toISOString(),
    askUntil: row.ask_until.toISOString(),
    delayedAt: row.delayed_at?.toISOString() ?? null,
    captureMethod: row.capture_method,
    terms: row.terms,
    authorizedMinor: row.authorized_minor,
    capturedMinor: row.captured_minor,
    voidedMinor: row.voided_minor,
    refundedMinor: row.refunded_minor,
    actionExpiresAt: row.action_expires_at?.toISOString() ?? null,
    captureBefore: row.capture_before?.toISOString() ?? null,
    retriesMade: row.retries_made,
    retryAt: row.retry_at?.toISOString() ?? null,
    openMovement: row.open_movement,
    voids: row.voids,
  };
}

const insertPayment = {
  name: 'insert_payment',
  text: `
    WITH p AS (
      INSERT INTO payments (
        id, merchant_id, is_test, idempotency_key, request_hash, external_id, correlation_id, amount, currency, purpose,
        payment_method, card_token, customer_id, customer_email, customer_name, description, metadata, expires_at,
        ask_until, created_at, updated_at, route, capture_method, terms, return_url, subscription_id, invoice_id)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint, $9, $10, $11, $12, $13, $14, $15, $16, $17::jsonb, $18, $19, $20, $20,
        $25::jsonb, $26, $27::jsonb, $28, $29, $30)
      ON CONFLICT DO NOTHING
      RETURNING *
    ), event AS (
      INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, correlation_id, created_at)
      SELECT $21, p.merchant_id, p.is_test, 'payment.pending', p.id, p.version, payment_event_data(p), p.correlation_id,
        p.created_at FROM p
    ), audit AS (
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, correlation_id, created_at)
      SELECT $22, $21, p.merchant_id, p.is_test, p.id, p.id, $23, $24, 'create_payment', NULL, p.status, 'Payment Pending',
        p.amount, p.currency, p.correlation_id, p.created_at FROM p
    )
    SELECT ${rowColumns}, '[]'::jsonb AS attempts FROM p`,
};

const selectSnapshot = {
  name: 'select_payment_snapshot',
  text: `SELECT ${snapshotColumns()} FROM payments p WHERE p.id = $1 AND p.merchant_id = $2`,
};

/**
 * Commits the payment, with its route, event and audit entry in one statement, or finds the row that this id already has.
 * Refused, with nothing stored: the external id belongs to another payment, the key was used with another body, or there
 * is neither a row nor a request.
 */
export async function acceptPayment(
  db: Database,
  input: AcceptPayment,
  route: (request: PaymentRequest) => Route,
): Promise<Acceptance> {
  if (input.request !== undefined) {
    const inserted = await insert(db, input, input.request, route(input.request));
    if (inserted !== null) return { kind: 'accepted', payment: inserted };
  }
  const existing = await findSnapshot(db, input.merchantId, input.paymentId);
  if (existing === null) {
    return { kind: 'refused', code: input.request === undefined ? 'not_found' : 'external_id_taken' };
  }
  if (input.request !== undefined && input.request.requestHash !== existing.requestHash) {
    return { kind: 'refused', code: 'idempotency_key_reused' };
  }
  return { kind: 'accepted', payment: existing };
}

async function insert(
  db: Database,
  input: AcceptPayment,
  request: PaymentRequest,
  route: Route,
): Promise<PaymentSnapshot | null> {
  const eventId = eventIdOf(input.paymentId, 1, 'payment.pending');
  const rows = await run<SnapshotRow>(db, insertPayment, [
    input.paymentId,
    input.merchantId,
    input.isTest,
    request.idempotencyKey,
    request.requestHash,
    request.externalId ?? input.paymentId,
    request.correlationId,
    request.amountMinor,
    request.currency,
    request.purpose,
    request.paymentMethod,
    request.cardToken,
    request.customerId,
    request.customerEmail,
    request.customerName,
    request.description,
    JSON.stringify(request.metadata),
    later(request.receivedAt, request.terms.expiresAfterSeconds),
    later(request.receivedAt, request.terms.expiresAfterSeconds + request.terms.askForSeconds),
    input.now,
    eventId,
    auditIdOf(eventId),
    request.actor,
    request.origin,
    JSON.stringify(route),
    request.captureMethod,
    JSON.stringify(request.terms),
    request.returnUrl,
    request.subscriptionId ?? null,
    request.invoiceId ?? null,
  ]);
  return rows[0] === undefined ? null : snapshotOf(rows[0]);
}

function later(instant: string, seconds: number): string {
  return new Date(Date.parse(instant) + seconds * 1000).toISOString();
}

/** The payment's row as its workflow needs it, or null. */
export async function findSnapshot(
  db: Database,
  merchantId: string,
  paymentId: string,
): Promise<PaymentSnapshot | null> {
  const rows = await run<SnapshotRow>(db, selectSnapshot, [paymentId, merchantId]);
  return rows[0] === undefined ? null : snapshotOf(rows[0]);
}

/** Whose objects a caller may see: one merchant, in one mode. */
export interface MerchantScope {
  readonly merchantId: string;
  readonly isTest: boolean;
}

/** The columns of a `PaymentRow`, from a row or a statement's result called `p`. */
export const paymentColumns = `
  p.id, p.external_id, p.correlation_id, p.request_hash, p.status, p.amount::text, p.currency, p.purpose,
  p.payment_method, p.customer_id, p.customer_email, p.customer_name, p.card_last_four, p.card_brand, p.description,
  p.metadata, p.processor, p.processor_response_code, p.processor_response_message, p.processor_transaction_id,
  p.authorized_amount::text, p.captured_amount::text, p.voided_amount::text, p.refunded_amount::text, p.refund_count,
  p.failure, p.next_action, p.route, p.expires_at, p.created_at, p.updated_at, p.processed_at, p.settled_at, p.is_test,
  p.capture_method, p.capture_before, p.action_expires_at, p.terms, p.retries_made, p.retry_at, p.subscription_id, p.invoice_id,
  CASE WHEN p.capture_method = 'manual' THEN (
    SELECT COALESCE(jsonb_agg(jsonb_build_object('id', m.id, 'amount', m.amount::text, 'status', m.state,
      'failure', m.failure, 'created_at', m.created_at) ORDER BY m.created_at, m.id), '[]')
    FROM movements m WHERE m.payment_id = p.id AND m.kind = 'capture') END AS captures`;

const selectPayment = {
  name: 'select_payment',
  text: `SELECT ${paymentColumns} FROM payments p WHERE p.id = $1 AND p.merchant_id = $2 AND p.is_test = $3`,
};

/** A payment's row as the API shows it; amounts are minor units. */
export interface PaymentRow {
  readonly id: string;
  readonly external_id: string;
  readonly correlation_id: string;
  readonly request_hash: string;
  readonly status: PaymentStatus;
  /** Minor units, as are all amounts here. */
  readonly amount: string;
  readonly currency: string;
  readonly purpose: string;
  readonly payment_method: string;
  readonly customer_id: string | null;
  readonly customer_email: string | null;
  readonly customer_name: string | null;
  readonly card_last_four: string | null;
  readonly card_brand: string | null;
  readonly description: string | null;
  readonly metadata: Record<string, string>;
  readonly processor: string | null;
  readonly processor_response_code: string | null;
  readonly processor_response_message: string | null;
  readonly processor_transaction_id: string | null;
  readonly authorized_amount: string;
  readonly captured_amount: string;
  readonly voided_amount: string;
  readonly refunded_amount: string;
  readonly refund_count: number;
  /** Failures of older rows have no `declineClass`. */
  readonly failure: (Omit<PaymentFailure, 'declineClass'> & Partial<PaymentFailure>) | null;
  readonly next_action: { readonly type: 'redirect'; readonly redirect_url: string } | null;
  readonly route: Route;
  readonly expires_at: Date;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly processed_at: Date | null;
  readonly settled_at: Date | null;
  readonly is_test: boolean;
  readonly capture_method: CaptureMethod;
  readonly capture_before: Date | null;
  readonly action_expires_at: Date | null;
  /** Payments of older releases have none. */
  readonly terms: Partial<PaymentTerms>;
  readonly retries_made: number;
  readonly retry_at: Date | null;
  readonly subscription_id: string | null;
  readonly invoice_id: string | null;
  /** Null: taken at once, without captures of their own. */
  readonly captures: readonly CaptureOfPayment[] | null;
}

/** A capture as its payment shows it. */
interface CaptureOfPayment {
  readonly id: string;
  readonly amount: string;
  readonly status: MovementState;
  readonly failure: PaymentFailure | null;
  /** ISO 8601, as Postgres writes it. */
  readonly created_at: string;
}

/** The row of a payment of this merchant in this mode, or null. */
export async function findPayment(db: Database, scope: MerchantScope, paymentId: string): Promise<PaymentRow | null> {
  const [row] = await run<PaymentRow>(db, selectPayment, [paymentId, scope.merchantId, scope.isTest]);
  return row ?? null;
}

/** An open payment as the sweep needs it to start its workflow again. */
export interface OpenPayment {
  readonly id: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly externalId: string;
  readonly correlationId: string;
  readonly amount: bigint;
  readonly currency: string;
}

const selectOpen = {
  name: 'select_open_payments',
  text: `
    SELECT id, merchant_id, is_test, external_id, correlation_id, amount::text, currency FROM payments
    WHERE (status IN ('pending', 'requires_action', 'held', 'authorized', 'unresolved') OR open_movement_id IS NOT NULL
        OR authorized_amount > captured_amount + voided_amount)
      AND created_at < $1 AND id > $2
    ORDER BY id LIMIT $3`,
};

interface OpenRow {
  id: string;
  merchant_id: string;
  is_test: boolean;
  external_id: string;
  correlation_id: string;
  amount: string;
  currency: string;
}

/** Payments of every merchant that need a workflow and were made before `madeBefore`, after a cursor, by id. */
export async function listOpenPayments(
  db: Database,
  page: { readonly madeBefore: Date; readonly afterId: string; readonly limit: number },
): Promise<OpenPayment[]> {
  const rows = await run<OpenRow>(db, selectOpen, [page.madeBefore, page.afterId, page.limit]);
  return rows.map((row) => ({
    id: row.id,
    merchantId: row.merchant_id,
    isTest: row.is_test,
    externalId: row.external_id,
    correlationId: row.correlation_id,
    amount: BigInt(row.amount),
    currency: row.currency,
  }));
}
