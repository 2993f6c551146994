import type { Operation } from '../workflows/domain/ids.ts';
import { type Database, run } from './database.ts';

/**
 * The states of an attempt:
 *
 * | state | meaning |
 * |---|---|
 * | `sent` | somebody may be sending it, or has sent it and not said how it ended |
 * | `unknown` | its outcome is unknown, and the provider's rules allow the same key to be sent again |
 * | `not_sent` | certainly nothing happened: free to be sent, or to be given up |
 * | `approved`, `declined`, `rejected`, `mismatched` | the provider's word |
 * | `unanswered` | the provider never said; a person decides |
 *
 * While an attempt is `sent` or `unknown` the payment's `open_attempt_id` names it, and nothing else may move money.
 */
export interface AttemptToSend {
  readonly attemptId: string;
  readonly paymentId: string;
  readonly operation: Operation;
  readonly number: number;
  readonly provider: string;
  /** Random per execution of the activity: whoever finds another sender's `sent` treats it as unknown. */
  readonly sender: string;
  readonly sendWithinMs: number;
  /** An operator asked for it: the pause after sends that ended in doubt is left out. */
  readonly isUrgent: boolean;
}

/** What the provider needs to know of the payment. */
export interface Chargeable {
  readonly paymentId: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly cardToken: string;
  readonly correlationId: string;
}

/**
 * `mine`: committed as `sent` by this caller; doubtful when an earlier send may have arrived. `in_doubt`: sent by somebody
 * else. `not_now`: pausing after sends that ended in doubt, or expired. `moved_on`: no longer pending. Only `mine` may send.
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
          CASE WHEN a.state IN ('not_sent', 'unknown') AND a.doubts > 1 AND NOT $9
            THEN least(600, 2 ^ least(a.doubts - 2, 10)) - extract(epoch FROM clock_timestamp() - a.sent_at) ELSE 0 END
        )::float8 AS wait_seconds
      FROM payments p LEFT JOIN attempts a ON a.id = $1
      WHERE p.id = $2 AND p.merchant_id = $3 AND p.status = 'pending'
    ), p AS (
      UPDATE payments SET open_attempt_id = $1
      WHERE id = $2 AND merchant_id = $3 AND status = 'pending' AND (open_attempt_id IS NULL OR open_attempt_id = $1)
        AND NOT EXISTS (SELECT FROM not_now WHERE wait_seconds > 0)
      RETURNING *
    ), a AS (
      INSERT INTO attempts (id, merchant_id, is_test, payment_id, operation, number, provider, state, sender, sent_at, send_before)
      SELECT $1, p.merchant_id, p.is_test, p.id, $4, $5, $6, 'sent', $7, clock_timestamp(),
        clock_timestamp() + $8 * interval '1 millisecond' FROM p
      ON CONFLICT (id) DO UPDATE SET
        state = 'sent', sender = EXCLUDED.sender, sends = attempts.sends + 1, sent_at = EXCLUDED.sent_at,
        send_before = EXCLUDED.send_before, updated_at = EXCLUDED.sent_at
        WHERE attempts.state IN ('not_sent', 'unknown')
      RETURNING id, is_doubtful
    )
    SELECT p.id, p.amount::text AS amount_minor, p.currency, p.card_token, p.correlation_id, a.id IS NOT NULL AS mine,
      a.is_doubtful, NULL::float8 AS wait_seconds
    FROM p LEFT JOIN a ON true
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, false, false, wait_seconds FROM not_now WHERE wait_seconds > 0`,
};

interface BegunRow {
  id: string;
  amount_minor: string;
  currency: string;
  card_token: string;
  correlation_id: string;
  mine: boolean;
  is_doubtful: boolean | null;
  wait_seconds: number | null;
}

/**
 * Commits `sent` before the first byte leaves. It takes the payment's row first, so that it cannot pass a transition
 * that ends the payment: one of the two sees the other.
 */
export async function beginAttempt(db: Database, merchantId: string, attempt: AttemptToSend): Promise<BegunAttempt> {
  const rows = await run<BegunRow>(db, begin, [
    attempt.attemptId,
    attempt.paymentId,
    merchantId,
    attempt.operation,
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
  const charge = {
    paymentId: row.id,
    amountMinor: BigInt(row.amount_minor),
    currency: row.currency,
    cardToken: row.card_token,
    correlationId: row.correlation_id,
  };
  return { kind: 'mine', charge, isDoubtful: row.is_doubtful === true };
}

const release = {
  name: 'release_attempt',
  text: `
    WITH p AS (
      SELECT id FROM payments WHERE id = $1 AND merchant_id = $2 FOR NO KEY UPDATE
    ), a AS (
      UPDATE attempts SET state = CASE WHEN is_doubtful THEN 'unknown' ELSE 'not_sent' END, updated_at = clock_timestamp()
      FROM p WHERE attempts.id = $3 AND attempts.payment_id = p.id AND sender = $4 AND state = 'sent'
      RETURNING attempts.id, is_doubtful
    ), freed AS (
      UPDATE payments SET open_attempt_id = NULL FROM a
      WHERE payments.id = $1 AND open_attempt_id = a.id AND NOT a.is_doubtful
    )
    SELECT is_doubtful FROM a`,
};

/** Whose attempt is meant, as the caller last saw it. */
export interface SeenAttempt {
  readonly attemptId: string;
  readonly paymentId: string;
  readonly sender: string;
}

/**
 * Says that this sender's request certainly was not processed. Answers whether the attempt as a whole is certain
 * (`not_sent`) or an earlier send of the same key may still have arrived (`unknown`); `lost` when the row is no longer
 * this sender's, which is as uncertain.
 */
export async function releaseAttempt(
  db: Database,
  merchantId: string,
  seen: SeenAttempt,
): Promise<'not_sent' | 'unknown' | 'lost'> {
  const rows = await run<{ is_doubtful: boolean }>(db, release, [
    seen.paymentId,
    merchantId,
    seen.attemptId,
    seen.sender,
  ]);
  if (rows[0] === undefined) return 'lost';
  return rows[0].is_doubtful ? 'unknown' : 'not_sent';
}

const select = {
  name: 'select_attempt',
  text: `
    SELECT a.sender, a.state, a.provider, a.outcome, p.amount::text AS amount_minor, p.currency, p.correlation_id,
      clock_timestamp() > a.send_before + $3 * interval '1 millisecond' AS is_past_horizon
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
}

interface AttemptRow {
  sender: string;
  state: string;
  amount_minor: string;
  currency: string;
  correlation_id: string;
  is_past_horizon: boolean;
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
