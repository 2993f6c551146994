import type { FaultKind } from '../workflows/domain/outcome.ts';
import { type Database, run } from './database.ts';

/**
 * The states of an attempt:
 *
 * | state | meaning |
 * |---|---|
 * | `sent` | somebody may be sending it, or has sent it and not said how it ended |
 * | `unknown` | its outcome is unknown, and the provider's rules allow the same key to be sent again |
 * | `not_sent` | certainly nothing happened: free to be sent, or to be given up |
 * | `prepared` | of a preparation: the provider has made what the charge needs |
 * | `approved`, `declined`, `rejected`, `mismatched` | the provider's word |
 * | `unanswered` | the provider never said; a person decides |
 *
 * While an attempt is `sent` or `unknown` the payment's `open_attempt_id` names it, and nothing else may move money.
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
  readonly correlationId: string;
}

/**
 * `mine`: committed as `sent` by this caller; doubtful when an earlier send may have arrived. `in_doubt`: sent by somebody
 * else. `not_now`: pausing after sends that ended in doubt or as the provider asked, or expired. `moved_on`: no longer pending,
 * another attempt is open, or the provider has said its last word on this one. Only `mine` may send.
 */
export type BegunAttempt =
  | { readonly kind: 'mine'; readonly charge: Chargeable; readonly isDoubtful: boolean }
  | { readonly kind: 'in_doubt' }
  | { readonly kind: 'not_now'; readonly waitMs: number }
  | { readonly kind: 'moved_on' };

/**
 * After the first doubt a send follows at once, then after 1, 2, 4 … seconds, at most ten minutes: a provider that fails
 * every charge is left in peace, and the history of a payment that waits for it stays short. An expired payment is never
 * sent, however late its worker comes to it; its workflow's own clock ends it.
 */
const begin = {
  name: 'begin_attempt',
  text: `
    WITH not_now AS (
      SELECT greatest(
          CASE WHEN p.expires_at <= clock_timestamp() THEN 1 ELSE 0 END,
          CASE WHEN a.state IN ('not_sent', 'unknown') AND a.doubts > 1 AND NOT $8
            THEN least(600, 2 ^ least(a.doubts - 2, 10)) - extract(epoch FROM clock_timestamp() - a.sent_at) ELSE 0 END,
          CASE WHEN a.not_before IS NOT NULL AND NOT $8
            THEN extract(epoch FROM a.not_before - clock_timestamp()) ELSE 0 END
        )::float8 AS wait_seconds
      FROM payments p LEFT JOIN attempts a ON a.id = $1
      WHERE p.id = $2 AND p.merchant_id = $3 AND p.status = 'pending'
    ), p AS (
      SELECT * FROM payments
      WHERE id = $2 AND merchant_id = $3 AND status = 'pending' AND (open_attempt_id IS NULL OR open_attempt_id = $1)
        AND NOT EXISTS (SELECT FROM not_now WHERE wait_seconds > 0)
        AND NOT EXISTS (SELECT FROM attempts WHERE id = $1 AND state NOT IN ('sent', 'unknown', 'not_sent'))
      FOR NO KEY UPDATE
    ), a AS (
      INSERT INTO attempts (id, merchant_id, is_test, payment_id, operation, number, provider, state, sender, sent_at, send_before)
      SELECT $1, p.merchant_id, p.is_test, p.id, 'charge', $4, $5, 'sent', $6, clock_timestamp(),
        clock_timestamp() + $7 * interval '1 millisecond' FROM p
      ON CONFLICT (id) DO UPDATE SET
        state = 'sent', sender = EXCLUDED.sender, sends = attempts.sends + 1, sent_at = EXCLUDED.sent_at,
        send_before = EXCLUDED.send_before, not_before = NULL, updated_at = EXCLUDED.sent_at
        WHERE attempts.state IN ('not_sent', 'unknown')
      RETURNING id, is_doubtful
    ), opened AS (
      UPDATE payments SET open_attempt_id = a.id FROM a WHERE payments.id = $2
    )
    SELECT p.id, p.amount::text AS amount_minor, p.currency, p.payment_method, p.card_token, p.correlation_id,
      a.id IS NOT NULL AS mine, a.is_doubtful, NULL::float8 AS wait_seconds
    FROM p LEFT JOIN a ON true
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, false, false, wait_seconds FROM not_now WHERE wait_seconds > 0`,
};

interface BegunRow extends ChargeableRow {
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
    correlationId: row.correlation_id,
  };
}

/**
 * Commits `sent` before the first byte leaves. It takes the payment's row first, so that it cannot pass a transition
 * that ends the payment: one of the two sees the other. Only an attempt that became this caller's is opened: one that a
 * step ended while this waited for the row stays closed.
 */
export async function beginAttempt(db: Database, merchantId: string, attempt: AttemptToSend): Promise<BegunAttempt> {
  const rows = await run<BegunRow>(db, begin, [
    attempt.attemptId,
    attempt.paymentId,
    merchantId,
    attempt.number,
    attempt.provider,
    attempt.sender,
    attempt.sendWithinMs,
    attempt.isUrgent,
  ]);
  const row = rows[0];
  if (row === undefined) return { kind: 'moved_on' };
  if (row.wait_seconds !== null) return { kind: 'not_now', waitMs: Math.ceil(row.wait_seconds * 1000) };
  if (!row.mine) return { kind: 'in_doubt' };
  return { kind: 'mine', charge: chargeableOf(row), isDoubtful: row.is_doubtful === true };
}

const release = {
  name: 'release_attempt',
  text: `
    WITH p AS (
      SELECT id FROM payments WHERE id = $1 AND merchant_id = $2 FOR NO KEY UPDATE
    ), a AS (
      UPDATE attempts SET state = CASE WHEN is_doubtful THEN 'unknown' ELSE 'not_sent' END, fault = $5,
        not_before = clock_timestamp() + $6 * interval '1 millisecond', updated_at = clock_timestamp()
      FROM p WHERE attempts.id = $3 AND attempts.payment_id = p.id AND sender = $4 AND state = 'sent'
      RETURNING attempts.id, is_doubtful
    ), freed AS (
      UPDATE payments SET open_attempt_id = NULL FROM a
      WHERE payments.id = $1 AND open_attempt_id = a.id AND NOT a.is_doubtful
    )
    SELECT id FROM a`,
};

/** Whose attempt is meant, as the caller last saw it. */
export interface SeenAttempt {
  readonly attemptId: string;
  readonly paymentId: string;
  /** Random per execution of the activity: whoever finds another sender's `sent` treats it as unknown. */
  readonly sender: string;
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
  const values = [seen.paymentId, merchantId, seen.attemptId, seen.sender, kind, retryAfterMs];
  return (await run(db, release, values)).length === 1;
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

const select = {
  name: 'select_attempt',
  text: `
    SELECT a.sender, a.state, p.amount::text AS amount_minor, p.currency, p.correlation_id,
      clock_timestamp() > a.send_before + $3 * interval '1 millisecond' AS is_past_horizon,
      extract(epoch FROM clock_timestamp() - a.created_at)::float8 * 1000 AS age_ms,
      (SELECT b.outcome ->> 'preparationId' FROM attempts b
        WHERE b.payment_id = a.payment_id AND b.operation = 'prepare' AND b.number = a.number) AS preparation_id
    FROM attempts a JOIN payments p ON p.id = a.payment_id
    WHERE a.id = $1 AND a.merchant_id = $2`,
};

/** An attempt as somebody who asks the provider about it needs it. */
export interface AttemptInDoubt {
  readonly sender: string;
  readonly state: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly correlationId: string;
  /** By the database's clock, before the provider is asked: from here on "not found" proves that nothing happened. */
  readonly isPastHorizon: boolean;
  /** Since its key was first sent. */
  readonly ageMs: number;
  /** What the provider made for it; null at a provider without preparations. */
  readonly preparationId: string | null;
}

interface AttemptRow {
  sender: string;
  state: string;
  amount_minor: string;
  currency: string;
  correlation_id: string;
  is_past_horizon: boolean;
  age_ms: number;
  preparation_id: string | null;
}

/** The attempt as it is now, or null when no request was ever about to be sent. */
export async function findAttempt(
  db: Database,
  merchantId: string,
  attemptId: string,
  processingHorizonMs: number,
): Promise<AttemptInDoubt | null> {
  const rows = await run<AttemptRow>(db, select, [attemptId, merchantId, processingHorizonMs]);
  const row = rows[0];
  if (row === undefined) return null;
  return {
    sender: row.sender,
    state: row.state,
    amountMinor: BigInt(row.amount_minor),
    currency: row.currency,
    correlationId: row.correlation_id,
    isPastHorizon: row.is_past_horizon,
    ageMs: row.age_ms,
    preparationId: row.preparation_id,
  };
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

const clear = {
  name: 'clear_attempt',
  text: `
    WITH p AS (
      SELECT id FROM payments WHERE id = $1 AND merchant_id = $2 FOR NO KEY UPDATE
    ), a AS (
      UPDATE attempts SET state = 'not_sent', is_doubtful = false, updated_at = clock_timestamp(),
        doubts = doubts + CASE WHEN state = 'sent' THEN 1 ELSE 0 END
      FROM p WHERE attempts.id = $3 AND attempts.payment_id = p.id AND sender = $4 AND state IN ('sent', 'unknown')
        AND clock_timestamp() > send_before
      RETURNING attempts.id
    ), freed AS (
      UPDATE payments SET open_attempt_id = NULL FROM a WHERE payments.id = $1 AND open_attempt_id = a.id
    )
    SELECT id FROM a`,
};

/** Writes down the proof that nothing happened. False when somebody else took the attempt over meanwhile. */
export async function clearAttempt(db: Database, merchantId: string, seen: SeenAttempt): Promise<boolean> {
  const rows = await run(db, clear, [seen.paymentId, merchantId, seen.attemptId, seen.sender]);
  return rows.length === 1;
}
