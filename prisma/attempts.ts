import type { CaptureMethod, MovementKind } from '../workflows/domain/movement.ts';
import type { FaultKind } from '../workflows/domain/outcome.ts';
import { type Database, run, type Statement } from './database.ts';

/**
 * The states of an attempt:
 *
 * | state | meaning |
 * |---|---|
 * | `sent` | somebody may be sending it, or has sent it and not said how it ended |
 * | `unknown` | its outcome is unknown, and the provider's rules allow the same key to be sent again |
 * | `not_sent` | certainly nothing happened: free to be sent, or to be given up |
 * | `prepared` | of a preparation: the provider has made what the charge needs |
 * | `requires_action` | of a charge: the provider waits for the payer |
 * | `approved`, `declined`, `rejected`, `mismatched` | the provider's word |
 * | `unanswered` | the provider never said; a person decides |
 * | `voided` | of a charge: given up while the provider still waited for the payer |
 *
 * While an attempt is `sent`, `unknown` or `requires_action`, the `open_attempt_id` of its subject names it, and nothing else
 * may move money for that. The subject of a charge is its payment, the subject of a capture, void or refund is its movement.
 */
export interface AttemptToSend extends SeenAttempt {
  readonly number: number;
  readonly provider: string;
  readonly sendWithinMs: number;
  /** An operator asked for it: the pause after sends that ended in doubt is left out. */
  readonly isUrgent: boolean;
}

/** What the provider needs to know of the payment. */
export interface Chargeable {
  readonly paymentId: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly paymentMethod: string;
  readonly cardToken: string;
  readonly capture: CaptureMethod;
  /** The secret part of the link by which a payer comes back. */
  readonly returnToken: string;
  readonly correlationId: string;
}

/** What the provider needs to know of a movement. */
export interface Movable {
  readonly movementId: string;
  readonly kind: MovementKind;
  readonly paymentId: string;
  readonly provider: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly capture: CaptureMethod;
  /** The attempt that charged, or waits for the payer. */
  readonly chargeAttemptId: string | null;
  /** What that one charges. */
  readonly paymentAmountMinor: bigint;
  /** The provider's ids; null: never learned, or not needed. */
  readonly chargeTransactionId: string | null;
  readonly captureTransactionId: string | null;
  readonly preparationId: string | null;
  /** Of a capture: nothing remains after it. */
  readonly isFinal: boolean;
  readonly correlationId: string;
}

/**
 * `mine`: committed as `sent` by this caller; doubtful when an earlier send may have arrived. `in_doubt`: sent by somebody
 * else. `not_now`: pausing after sends that ended in doubt or as the provider asked, or expired. `moved_on`: no longer pending,
 * another attempt is open, or the provider has said its last word on this one. Only `mine` may send.
 */
export type BegunAttempt<Sendable> =
  | { readonly kind: 'mine'; readonly subject: Sendable; readonly isDoubtful: boolean }
  | { readonly kind: 'in_doubt' }
  | { readonly kind: 'not_now'; readonly waitMs: number }
  | { readonly kind: 'moved_on' };

/** What attempts are made for. */
interface Subject {
  readonly table: 'payments' | 'movements';
  /** Its row, called `s`, with all that is locked before it. */
  readonly locked: string;
  /** Of its row: it is still to be sent. */
  readonly isWanted: string;
  /** Of its row, called `s`. */
  readonly attemptOf: { readonly paymentId: string; readonly movementId: string; readonly operation: string };
  readonly columns: string;
}

const charges: Subject = {
  table: 'payments',
  locked: 'payments s',
  isWanted: `status = 'pending'`,
  attemptOf: { paymentId: 's.id', movementId: 'NULL', operation: `'charge'` },
  columns: `s.id, s.amount::text AS amount_minor, s.currency, s.payment_method, s.card_token, s.capture_method,
    s.return_token, s.correlation_id`,
};

const movements: Subject = {
  table: 'movements',
  // The payment first, as every step does: the weak lock that the attempt's foreign key takes on its row, alone beside steps
  // that wait for that row, makes them wait for each other.
  locked: 'payments p JOIN movements s ON s.payment_id = p.id',
  isWanted: `state = 'pending'`,
  attemptOf: { paymentId: 's.payment_id', movementId: 's.id', operation: 's.kind' },
  columns: movableColumns('s'),
};

/**
 * The columns of a `MovableRow`, of a movement's row by this name. The charge that it belongs to is the one that the provider
 * approved, or is or was waiting for the payer with.
 */
function movableColumns(m: string): string {
  const charge = (column: string) => `(
    SELECT ${column} FROM attempts c WHERE c.payment_id = ${m}.payment_id AND c.operation = 'charge'
      AND c.state IN ('approved', 'requires_action', 'voided') ORDER BY c.number DESC LIMIT 1)`;
  const payment = (expression: string) => `(SELECT ${expression} FROM payments p WHERE p.id = ${m}.payment_id)`;
  return `${m}.id, ${m}.kind, ${m}.payment_id, ${m}.provider, ${m}.amount::text AS amount_minor, ${m}.currency,
    ${m}.correlation_id, ${payment('p.capture_method')} AS capture_method,
    ${payment('p.amount::text')} AS payment_amount_minor, ${charge('c.id')} AS charge_attempt_id,
    ${charge(`c.outcome -> 'response' ->> 'transactionId'`)} AS charge_transaction_id,
    (SELECT c.processor_transaction_id FROM movements c WHERE c.id = ${m}.capture_id) AS capture_transaction_id,
    (SELECT b.outcome ->> 'preparationId' FROM attempts b WHERE b.payment_id = ${m}.payment_id AND b.operation = 'prepare'
      AND b.number = ${charge('c.number')}) AS preparation_id,
    ${m}.kind = 'capture' AND ${payment('p.authorized_amount - p.captured_amount - p.voided_amount')} = ${m}.amount AS is_final`;
}

interface MovableRow {
  id: string;
  kind: MovementKind;
  payment_id: string;
  provider: string;
  amount_minor: string;
  currency: string;
  correlation_id: string;
  capture_method: CaptureMethod;
  payment_amount_minor: string;
  charge_attempt_id: string | null;
  charge_transaction_id: string | null;
  capture_transaction_id: string | null;
  preparation_id: string | null;
  is_final: boolean;
}

function movableOf(row: MovableRow): Movable {
  return {
    movementId: row.id,
    kind: row.kind,
    paymentId: row.payment_id,
    provider: row.provider,
    amountMinor: BigInt(row.amount_minor),
    currency: row.currency,
    capture: row.capture_method,
    chargeAttemptId: row.charge_attempt_id,
    paymentAmountMinor: BigInt(row.payment_amount_minor),
    chargeTransactionId: row.charge_transaction_id,
    captureTransactionId: row.capture_transaction_id,
    preparationId: row.preparation_id,
    isFinal: row.is_final,
    correlationId: row.correlation_id,
  };
}

/**
 * After the first doubt a send follows at once, then after 1, 2, 4 … seconds, at most ten minutes: a provider that fails
 * every call is left in peace, and the history of whatever waits for it stays short. What has expired is never sent, however
 * late its worker comes to it; its workflow's own clock ends it.
 */
function beginStatement({ table, locked, isWanted, attemptOf, columns }: Subject): Statement {
  return {
    name: `begin_attempt_of_${table}`,
    text: `
    WITH not_now AS (
      SELECT greatest(
          CASE WHEN s.expires_at <= clock_timestamp() THEN 1 ELSE 0 END,
          CASE WHEN a.state IN ('not_sent', 'unknown') AND a.doubts > 1 AND NOT $8
            THEN least(600, 2 ^ least(a.doubts - 2, 10)) - extract(epoch FROM clock_timestamp() - a.sent_at) ELSE 0 END,
          CASE WHEN a.not_before IS NOT NULL AND NOT $8
            THEN extract(epoch FROM a.not_before - clock_timestamp()) ELSE 0 END
        )::float8 AS wait_seconds
      FROM ${table} s LEFT JOIN attempts a ON a.id = $1
      WHERE s.id = $2 AND s.merchant_id = $3 AND s.${isWanted}
    ), s AS (
      SELECT s.* FROM ${locked}
      WHERE s.id = $2 AND s.merchant_id = $3 AND s.${isWanted} AND (s.open_attempt_id IS NULL OR s.open_attempt_id = $1)
        AND NOT EXISTS (SELECT FROM not_now WHERE wait_seconds > 0)
        AND NOT EXISTS (SELECT FROM attempts WHERE id = $1 AND state NOT IN ('sent', 'unknown', 'not_sent'))
      FOR NO KEY UPDATE
    ), a AS (
      INSERT INTO attempts (id, merchant_id, is_test, payment_id, movement_id, operation, number, provider, state, sender,
        sent_at, send_before)
      SELECT $1, s.merchant_id, s.is_test, ${attemptOf.paymentId}, ${attemptOf.movementId}, ${attemptOf.operation}, $4, $5,
        'sent', $6, clock_timestamp(), clock_timestamp() + $7 * interval '1 millisecond' FROM s
      ON CONFLICT (id) DO UPDATE SET
        state = 'sent', sender = EXCLUDED.sender, sends = attempts.sends + 1, sent_at = EXCLUDED.sent_at,
        send_before = EXCLUDED.send_before, not_before = NULL, updated_at = EXCLUDED.sent_at
        WHERE attempts.state IN ('not_sent', 'unknown')
      RETURNING id, is_doubtful
    ), opened AS (
      UPDATE ${table} SET open_attempt_id = a.id FROM a WHERE ${table}.id = $2
    )
    SELECT ${columns}, a.id IS NOT NULL AS mine, a.is_doubtful, n.wait_seconds
    FROM (SELECT max(wait_seconds) AS wait_seconds FROM not_now WHERE wait_seconds > 0) n
    LEFT JOIN s ON true LEFT JOIN a ON true
    WHERE s.id IS NOT NULL OR n.wait_seconds IS NOT NULL`,
  };
}

const beginCharge = beginStatement(charges);
const beginMovement = beginStatement(movements);

interface Begun {
  mine: boolean;
  is_doubtful: boolean | null;
  wait_seconds: number | null;
}

/** The columns of a `Chargeable`. */
export interface ChargeableRow {
  id: string;
  amount_minor: string;
  currency: string;
  payment_method: string;
  card_token: string;
  capture_method: CaptureMethod;
  return_token: string;
  correlation_id: string;
}

/** What a provider needs to know, from a row. */
export function chargeableOf(row: ChargeableRow): Chargeable {
  return {
    paymentId: row.id,
    amountMinor: BigInt(row.amount_minor),
    currency: row.currency,
    paymentMethod: row.payment_method,
    cardToken: row.card_token,
    capture: row.capture_method,
    returnToken: row.return_token,
    correlationId: row.correlation_id,
  };
}

/**
 * Commits `sent` before the first byte leaves. It takes its subject's row first, so that it cannot pass a transition that
 * ends it: one of the two sees the other. Only an attempt that became this caller's is opened: one that a step ended while
 * this waited for the row stays closed.
 */
export async function beginAttempt(
  db: Database,
  merchantId: string,
  attempt: AttemptToSend,
): Promise<BegunAttempt<Chargeable>> {
  return begunOf(await run<ChargeableRow & Begun>(db, beginCharge, valuesOf(merchantId, attempt)), chargeableOf);
}

/** The same for the one attempt of a movement. */
export async function beginMovementAttempt(
  db: Database,
  merchantId: string,
  attempt: AttemptToSend,
): Promise<BegunAttempt<Movable>> {
  return begunOf(await run<MovableRow & Begun>(db, beginMovement, valuesOf(merchantId, attempt)), movableOf);
}

function valuesOf(merchantId: string, attempt: AttemptToSend): unknown[] {
  const { attemptId, number, provider, sender, sendWithinMs, isUrgent } = attempt;
  return [attemptId, subjectIdOf(attempt), merchantId, number, provider, sender, sendWithinMs, isUrgent];
}

function begunOf<Row extends Begun, Sendable>(
  rows: readonly Row[],
  read: (row: Row) => Sendable,
): BegunAttempt<Sendable> {
  const [row] = rows;
  if (row === undefined) return { kind: 'moved_on' };
  if (row.wait_seconds !== null) return { kind: 'not_now', waitMs: Math.ceil(row.wait_seconds * 1000) };
  if (!row.mine) return { kind: 'in_doubt' };
  return { kind: 'mine', subject: read(row), isDoubtful: row.is_doubtful === true };
}

function releaseStatement({ table }: Subject): Statement {
  return {
    name: `release_attempt_of_${table}`,
    text: `
    WITH s AS (
      SELECT id FROM ${table} WHERE id = $1 AND merchant_id = $2 FOR NO KEY UPDATE
    ), a AS (
      UPDATE attempts SET state = CASE WHEN is_doubtful THEN 'unknown' ELSE 'not_sent' END, fault = $5,
        not_before = clock_timestamp() + $6 * interval '1 millisecond', updated_at = clock_timestamp()
      FROM s WHERE attempts.id = $3 AND sender = $4 AND state = 'sent'
      RETURNING attempts.id, is_doubtful
    ), freed AS (
      UPDATE ${table} SET open_attempt_id = NULL FROM a
      WHERE ${table}.id = $1 AND open_attempt_id = a.id AND NOT a.is_doubtful
    )
    SELECT id FROM a`,
  };
}

const releaseCharge = releaseStatement(charges);
const releaseMovement = releaseStatement(movements);

/** Whose attempt is meant, as the caller last saw it. */
export interface SeenAttempt {
  readonly attemptId: string;
  readonly paymentId: string;
  /** The movement that it makes; absent: it is the payment's charge. */
  readonly movementId?: string;
  /** Random per execution of the activity: whoever finds another sender's `sent` treats it as unknown. */
  readonly sender: string;
}

function subjectIdOf({ paymentId, movementId }: SeenAttempt): string {
  return movementId ?? paymentId;
}

/** Why an attempt was not processed, and when the provider wants to see it again. */
export interface Fault {
  readonly kind: FaultKind;
  /** Null: whenever we want. */
  readonly retryAfterMs: number | null;
}

/**
 * Says that this sender's request certainly was not processed: the attempt is free (`not_sent`), or as unknown as an
 * earlier send of the same key left it. False when the row is no longer this sender's, which is as uncertain.
 */
export async function releaseAttempt(
  db: Database,
  merchantId: string,
  seen: SeenAttempt,
  { kind, retryAfterMs }: Fault,
): Promise<boolean> {
  const values = [subjectIdOf(seen), merchantId, seen.attemptId, seen.sender, kind, retryAfterMs];
  return (await run(db, seen.movementId === undefined ? releaseCharge : releaseMovement, values)).length === 1;
}

const noteFault = {
  name: 'note_fault',
  text: `UPDATE attempts SET fault = $4, updated_at = clock_timestamp() WHERE id = $1 AND merchant_id = $2 AND sender = $3`,
};

/** Writes down how this sender's request went wrong; what it says of the money is another matter. */
export async function noteFaultOfAttempt(
  db: Database,
  merchantId: string,
  seen: SeenAttempt,
  kind: FaultKind,
): Promise<void> {
  await run(db, noteFault, [seen.attemptId, merchantId, seen.sender, kind]);
}

const doubtColumns = `a.id AS attempt_id, a.sender, a.state,
  clock_timestamp() > a.send_before + $3 * interval '1 millisecond' AS is_past_horizon,
  extract(epoch FROM clock_timestamp() - a.created_at)::float8 * 1000 AS age_ms`;

const selectCharge = {
  name: 'select_charge_attempt',
  text: `
    SELECT ${doubtColumns}, p.amount::text AS amount_minor, p.currency, p.correlation_id, p.capture_method,
      (SELECT b.outcome ->> 'preparationId' FROM attempts b
        WHERE b.payment_id = a.payment_id AND b.operation = 'prepare' AND b.number = a.number) AS preparation_id
    FROM attempts a JOIN payments p ON p.id = a.payment_id
    WHERE a.id = $1 AND a.merchant_id = $2`,
};

const selectMovement = {
  name: 'select_movement_attempt',
  text: `
    SELECT ${doubtColumns}, ${movableColumns('m')}
    FROM attempts a JOIN movements m ON m.id = a.movement_id
    WHERE a.id = $1 AND a.merchant_id = $2`,
};

/** An attempt as somebody who asks the provider about it needs it. */
export interface AttemptInDoubt {
  readonly attemptId: string;
  readonly sender: string;
  readonly state: string;
  /** By the database's clock, before the provider is asked: from here on "not found" proves that nothing happened. */
  readonly isPastHorizon: boolean;
  /** Since its key was first sent. */
  readonly ageMs: number;
}

/** A charge in doubt, with what the provider needs to find it. */
export interface ChargeInDoubt extends AttemptInDoubt {
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly capture: CaptureMethod;
  readonly correlationId: string;
  /** What the provider made for it; null at a provider without preparations. */
  readonly preparationId: string | null;
}

/** A movement in doubt. */
export interface MovementInDoubt extends AttemptInDoubt {
  readonly movable: Movable;
}

interface DoubtRow {
  attempt_id: string;
  sender: string;
  state: string;
  is_past_horizon: boolean;
  age_ms: number;
}

interface ChargeDoubtRow extends DoubtRow {
  amount_minor: string;
  currency: string;
  correlation_id: string;
  capture_method: CaptureMethod;
  preparation_id: string | null;
}

function doubtOf(row: DoubtRow): AttemptInDoubt {
  return {
    attemptId: row.attempt_id,
    sender: row.sender,
    state: row.state,
    isPastHorizon: row.is_past_horizon,
    ageMs: row.age_ms,
  };
}

/** The charge's attempt as it is now, or null when no request was ever about to be sent. */
export async function findAttempt(
  db: Database,
  merchantId: string,
  attemptId: string,
  processingHorizonMs: number,
): Promise<ChargeInDoubt | null> {
  const [row] = await run<ChargeDoubtRow>(db, selectCharge, [attemptId, merchantId, processingHorizonMs]);
  if (row === undefined) return null;
  return {
    ...doubtOf(row),
    amountMinor: BigInt(row.amount_minor),
    currency: row.currency,
    capture: row.capture_method,
    correlationId: row.correlation_id,
    preparationId: row.preparation_id,
  };
}

/** The same for the attempt of a movement. */
export async function findMovementAttempt(
  db: Database,
  merchantId: string,
  attemptId: string,
  processingHorizonMs: number,
): Promise<MovementInDoubt | null> {
  const [row] = await run<DoubtRow & MovableRow>(db, selectMovement, [attemptId, merchantId, processingHorizonMs]);
  return row === undefined ? null : { ...doubtOf(row), movable: movableOf(row) };
}

const allowRepeat = {
  name: 'allow_repeat',
  text: `
    UPDATE attempts SET state = 'unknown', is_doubtful = true, updated_at = clock_timestamp(),
      doubts = doubts + CASE WHEN state = 'sent' THEN 1 ELSE 0 END
    WHERE id = $1 AND merchant_id = $2 AND sender = $3 AND state IN ('sent', 'unknown')
    RETURNING id`,
};

/** Lets the same key be sent again although the outcome is unknown. False when somebody else took the attempt over. */
export async function allowRepeatOfAttempt(db: Database, merchantId: string, seen: SeenAttempt): Promise<boolean> {
  const rows = await run(db, allowRepeat, [seen.attemptId, merchantId, seen.sender]);
  return rows.length === 1;
}

function clearStatement({ table }: Subject): Statement {
  return {
    name: `clear_attempt_of_${table}`,
    text: `
    WITH s AS (
      SELECT id FROM ${table} WHERE id = $1 AND merchant_id = $2 FOR NO KEY UPDATE
    ), a AS (
      UPDATE attempts SET state = 'not_sent', is_doubtful = false, updated_at = clock_timestamp(),
        doubts = doubts + CASE WHEN state = 'sent' THEN 1 ELSE 0 END
      FROM s WHERE attempts.id = $3 AND sender = $4 AND state IN ('sent', 'unknown') AND clock_timestamp() > send_before
      RETURNING attempts.id
    ), freed AS (
      UPDATE ${table} SET open_attempt_id = NULL FROM a WHERE ${table}.id = $1 AND open_attempt_id = a.id
    )
    SELECT id FROM a`,
  };
}

const clearCharge = clearStatement(charges);
const clearMovement = clearStatement(movements);

/** Writes down the proof that nothing happened. False when somebody else took the attempt over meanwhile. */
export async function clearAttempt(db: Database, merchantId: string, seen: SeenAttempt): Promise<boolean> {
  const values = [subjectIdOf(seen), merchantId, seen.attemptId, seen.sender];
  return (await run(db, seen.movementId === undefined ? clearCharge : clearMovement, values)).length === 1;
}
