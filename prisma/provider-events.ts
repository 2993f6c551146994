import { providerEventIdOf } from '../workflows/domain/ids.ts';
import { invariant } from '../workflows/domain/invariant.ts';
import type { MovementKind, MovementState } from '../workflows/domain/movement.ts';
import type { PaymentStatus } from '../workflows/domain/payment-status.ts';
import type { ProviderClaim, RecordedAttempt } from '../workflows/domain/provider-claim.ts';
import { type Database, run } from './database.ts';

/**
 * What became of a provider's event: `pending` until somebody has looked at what it is about; `processed`; `ignored`, because
 * it is about nothing of ours.
 */
type ProviderEventStatus = 'pending' | 'processed' | 'ignored';

/** An event as it was received and proven to be the provider's. */
export interface ReceivedEvent {
  readonly source: string;
  readonly accountId: string;
  /** The provider's own id of it, unique within the account. */
  readonly eventId: string;
  readonly type: string;
  readonly payload: unknown;
  readonly signature: string;
  readonly reference: string | null;
  readonly claim: ProviderClaim;
  /** ISO 8601. */
  readonly now: string;
}

/** Whether an event was stored now or before, and its row's id and status. */
export interface StoredProviderEvent {
  readonly kind: 'new' | 'known';
  readonly id: string;
  readonly status: ProviderEventStatus;
}

const insert = {
  name: 'insert_provider_event',
  text: `
    INSERT INTO webhooks (
      id, event_type, event_id, source, account_id, payload, signature, reference, claim, status, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9,
      CASE WHEN $8::text IS NULL OR $9::text = 'other' THEN 'ignored' ELSE 'pending' END, $10, $10)
    ON CONFLICT DO NOTHING RETURNING status`,
};

const selectStatus = { name: 'select_provider_event_status', text: 'SELECT status FROM webhooks WHERE id = $1' };

/** Stores an event once, whatever else differs in a repeat of it; one that names nothing, or moves no money, as `ignored`. */
export async function storeProviderEvent(db: Database, event: ReceivedEvent): Promise<StoredProviderEvent> {
  const id = providerEventIdOf(event.source, event.accountId, event.eventId);
  const values = [
    id,
    event.type,
    event.eventId,
    event.source,
    event.accountId,
    JSON.stringify(event.payload),
    event.signature,
    event.reference,
    event.claim,
    event.now,
  ];
  const [inserted] = await run<{ status: ProviderEventStatus }>(db, insert, values);
  if (inserted !== undefined) return { kind: 'new', id, status: inserted.status };
  const [known] = await run<{ status: ProviderEventStatus }>(db, selectStatus, [id]);
  invariant(known !== undefined, `event ${id} is gone, and events are never deleted`);
  return { kind: 'known', id, status: known.status };
}

/** The payment, or the movement with its payment, that an event names. */
export interface EventSubject {
  readonly paymentId: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly externalId: string;
  readonly correlationId: string;
  readonly status: PaymentStatus;
  readonly currency: string;
  readonly amountMinor: string;
  readonly movement: { readonly id: string; readonly kind: MovementKind; readonly state: MovementState } | null;
  /** The charges of the payment, or what was sent for the movement. */
  readonly attempts: readonly RecordedAttempt[];
}

const selectSubject = {
  name: 'select_event_subject',
  text: `
    SELECT p.id AS "paymentId", p.merchant_id AS "merchantId", p.is_test AS "isTest", p.external_id AS "externalId",
      p.correlation_id AS "correlationId", p.status, p.currency, p.amount::text AS "amountMinor",
      CASE WHEN m.id IS NOT NULL THEN jsonb_build_object('id', m.id, 'kind', m.kind, 'state', m.state) END AS movement,
      (SELECT COALESCE(jsonb_agg(jsonb_build_object('provider', a.provider, 'state', a.state)), '[]') FROM attempts a
        WHERE a.payment_id = p.id AND a.operation = COALESCE(m.kind, 'charge')
          AND a.movement_id IS NOT DISTINCT FROM m.id) AS attempts
    FROM payments p LEFT JOIN movements m ON m.id = $1 AND m.payment_id = p.id
    WHERE p.id = COALESCE((SELECT payment_id FROM movements WHERE id = $1), $1)`,
};

/** What a reference names, of any merchant: the provider's account is ours. Null: nothing that we know. */
export async function findSubject(db: Database, reference: string): Promise<EventSubject | null> {
  const [subject] = await run<EventSubject>(db, selectSubject, [reference]);
  return subject ?? null;
}

const settle = {
  name: 'settle_provider_events',
  text: `
    UPDATE webhooks SET status = $2, processed_at = $3, updated_at = $3
    WHERE id = ANY($1::text[]) AND status = 'pending'`,
};

/** Marks events as done with, those that are still open. `now` is in ISO 8601. */
export async function settleProviderEvents(
  db: Database,
  ids: readonly string[],
  now: string,
  as: 'processed' | 'ignored' = 'processed',
): Promise<void> {
  await run(db, settle, [ids, as, now]);
}

/** An event that nobody has looked at yet. */
export interface OpenProviderEvent {
  readonly id: string;
  readonly source: string;
  readonly reference: string;
  readonly claim: ProviderClaim;
}

const selectOpen = {
  name: 'select_open_provider_events',
  text: `
    SELECT id, source, reference, claim FROM webhooks
    WHERE status = 'pending' AND created_at < $1 AND id > $2
      AND (retry_count = 0 OR updated_at < clock_timestamp() - least(3600, 15 * 2 ^ least(retry_count, 8)) * interval '1 second')
    ORDER BY id LIMIT $3`,
};

/**
 * Events of every account that are open and came before `madeBefore`, after a cursor, by id. One that was handed over is left
 * alone for half a minute, then for longer and longer, at most an hour: what it is about may have to wait for a person.
 */
export async function listOpenProviderEvents(
  db: Database,
  page: { readonly madeBefore: Date; readonly afterId: string; readonly limit: number },
): Promise<OpenProviderEvent[]> {
  return run<OpenProviderEvent>(db, selectOpen, [page.madeBefore, page.afterId, page.limit]);
}

const messageLengthMax = 500;

const noteError = {
  name: 'note_provider_event_error',
  text: `
    UPDATE webhooks SET retry_count = retry_count + 1, error_message = $2, updated_at = $3
    WHERE id = $1 AND status = 'pending'`,
};

/** Keeps why an open event could not be handed on; it stays open. The message must repeat nothing of the event. */
export async function noteProviderEventError(db: Database, id: string, message: string, now: string): Promise<void> {
  await run(db, noteError, [id, message.slice(0, messageLengthMax), now]);
}
