/** A `MovementSnapshot` as JSON, of a row or a statement's result called `m`. */
export const movementSnapshotJson = movementSnapshot('(SELECT a.state FROM attempts a WHERE a.movement_id = m.id)');

/** The same with an expression for the state of its attempt, for a statement that changes it. */
export function movementSnapshot(attemptState: string): string {
  return `jsonb_build_object(
    'id', m.id, 'kind', m.kind, 'paymentId', m.payment_id, 'merchantId', m.merchant_id, 'requestHash', m.request_hash,
    'state', m.state, 'version', m.version, 'amountMinor', m.amount::text, 'currency', m.currency, 'provider', m.provider,
    'openAttemptId', m.open_attempt_id, 'attemptState', ${attemptState}, 'failure', m.failure,
    'expiresAt', m.expires_at, 'askUntil', m.ask_until)`;
}
