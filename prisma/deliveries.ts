import type { FinalAction } from '../workflows/domain/billing/dunning.ts';
import type { StoredEvent, StoredEventData } from '../workflows/domain/event.ts';
import type { InvoiceStatus, SubscriptionStatus } from '../workflows/domain/subscription-status.ts';
import { type Database, run } from './database.ts';

/**
 * The states of a delivery, which is one event to be told to one receiver:
 *
 * | state | meaning |
 * |---|---|
 * | `pending` | due: the dispatcher of its shard tries it; while it does so the row is claimed, until a lease runs out |
 * | `retrying` | its first try failed: a workflow of its own tries it again |
 * | `delivered` | the receiver took it |
 * | `failed` | nobody tries it any more; an operator may make it `pending` again |
 * | `skipped` | there was nobody to tell: no mail server, no address any more, the endpoint is disabled |
 */
export type DeliveryState = 'pending' | 'retrying' | 'delivered' | 'failed' | 'skipped';

/** All that one try needs, read right before it. */
export interface Delivery {
  readonly id: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly channel: 'webhook' | 'email';
  readonly receiver: string;
  readonly state: DeliveryState;
  /** So many were made. */
  readonly tries: number;
  /** The id of the request that began what the event is a part of. */
  readonly correlationId: string;
  readonly event: StoredEvent;
  /** Where a webhook goes; null for a mail. The secret is encrypted for the endpoint's id. */
  readonly endpoint: {
    readonly id: string;
    readonly url: string;
    readonly secret: string;
    readonly isActive: boolean;
  } | null;
  /** Whom a mail goes to; null for a webhook, and when the payment, or the customer, has no address any more. */
  readonly payer: {
    readonly email: string;
    readonly merchantName: string;
    readonly description: string | null;
    readonly isStillPending: boolean;
    /** Null: the event is a payment's. */
    readonly subscription: PayerSubscription | null;
  } | null;
}

/** What a payer is told of a subscription, as it is now. Instants are ISO 8601. */
export interface PayerSubscription {
  readonly status: SubscriptionStatus;
  readonly timeZone: string;
  readonly billingCycle: string;
  /** Of the card that it pays with; null: nobody knows, or the payer will be told of it later on. */
  readonly cardExpiry: { readonly year: number; readonly month: number } | null;
  /** When the final action is due, and what it is. */
  readonly dunningEndsAt: string | null;
  readonly finalAction: FinalAction;
  /** The invoice that the event is about; null: it is about none. */
  readonly invoice: {
    readonly status: InvoiceStatus;
    readonly isBeingCharged: boolean;
    readonly nextAttemptAt: string | null;
  } | null;
}

const columns = `
  d.id, d.merchant_id, d.is_test, d.channel, d.receiver, d.state, d.tries, d.event_id, d.object_id,
  e.type, e.sequence, e.created_at AS event_created_at, e.data,
  COALESCE(NULLIF(e.correlation_id, ''), p.correlation_id, '') AS correlation_id,
  w.id AS endpoint_id, w.url, w.secret, w.status = 'active' AS is_active,
  COALESCE(p.customer_email, c.email) AS payer_email, COALESCE(p.description, s.description) AS description,
  p.status = 'pending' AS is_still_pending, m.name AS merchant_name,
  CASE WHEN s.id IS NOT NULL THEN jsonb_build_object(
    'status', s.status, 'timeZone', s.time_zone, 'billingCycle', s.billing_cycle, 'dunningEndsAt', s.dunning ->> 'endsAt',
    'finalAction', COALESCE(m.settings -> 'dunning' ->> 'final_action', 'cancel'),
    'cardExpiry', CASE WHEN s.card_notice_at IS NULL AND s.payment_method ->> 'card_exp_month' IS NOT NULL THEN
      jsonb_build_object('year', s.payment_method -> 'card_exp_year', 'month', s.payment_method -> 'card_exp_month') END,
    'invoice', CASE WHEN i.id IS NOT NULL THEN jsonb_build_object(
      'status', i.status, 'nextAttemptAt', i.next_attempt_at,
      'isBeingCharged', s.open_invoice_id = i.id AND s.charge_payment_id IS NOT NULL) END) END AS subscription`;

const joins = `
  JOIN events e ON e.id = d.event_id
  JOIN merchants m ON m.id = d.merchant_id
  LEFT JOIN webhook_endpoints w ON w.id = d.endpoint_id
  LEFT JOIN payments p ON p.id = d.object_id
  LEFT JOIN invoices i ON i.id = d.object_id AND d.channel = 'email'
  LEFT JOIN subscriptions s ON s.id = COALESCE(i.subscription_id, d.object_id) AND d.channel = 'email'
  LEFT JOIN customers c ON c.id = s.customer_id AND c.merchant_id = s.merchant_id AND c.is_test = s.is_test`;

interface DeliveryRow {
  id: string;
  merchant_id: string;
  is_test: boolean;
  channel: 'webhook' | 'email';
  receiver: string;
  state: DeliveryState;
  tries: number;
  event_id: string;
  object_id: string;
  type: string;
  sequence: number;
  event_created_at: Date;
  data: StoredEventData;
  correlation_id: string;
  endpoint_id: string | null;
  url: string | null;
  secret: string | null;
  is_active: boolean | null;
  payer_email: string | null;
  description: string | null;
  is_still_pending: boolean | null;
  subscription: PayerSubscription | null;
  merchant_name: string;
}

/** For whom something is due in shard $1, by jumps over an index. The last row is null. */
const dueReceivers = `receivers AS (
      (SELECT receiver FROM deliveries WHERE shard = $1 AND state = 'pending' ORDER BY receiver LIMIT 1)
      UNION ALL
      SELECT (
        SELECT d.receiver FROM deliveries d
        WHERE d.shard = $1 AND d.state = 'pending' AND d.receiver > r.receiver ORDER BY d.receiver LIMIT 1)
      FROM receivers r WHERE r.receiver IS NOT NULL
    )`;

/**
 * Receivers first, then the oldest rows of each: however many rows wait for a receiver that is dead, nobody reads through
 * them on the way to another one. Receivers with the least in flight go first.
 */
const claim = {
  name: 'claim_deliveries',
  text: `
    WITH RECURSIVE ${dueReceivers}, rooms AS (
      SELECT receiver, greatest(0, COALESCE(($3::jsonb ->> receiver)::int, $4::int)) AS room
      FROM receivers WHERE receiver IS NOT NULL
    ), free AS (
      SELECT d.id, $4::int - r.room + row_number() OVER (PARTITION BY r.receiver ORDER BY d.created_at) AS place
      FROM rooms r CROSS JOIN LATERAL (
        SELECT id, created_at FROM deliveries
        WHERE shard = $1 AND state = 'pending' AND receiver = r.receiver
          AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
        ORDER BY created_at LIMIT r.room FOR UPDATE SKIP LOCKED
      ) d
    ), d AS (
      UPDATE deliveries SET claimed_by = $2, claimed_until = clock_timestamp() + $6 * interval '1 millisecond'
      WHERE id IN (SELECT id FROM free ORDER BY place LIMIT $5)
      RETURNING *
    )
    SELECT ${columns} FROM d ${joins} ORDER BY d.created_at`,
};

/** What a dispatcher may claim. */
export interface Claim {
  readonly shard: number;
  /** Random per execution, for whoever looks at the rows. */
  readonly claimant: string;
  /** How long the rows are nobody else's. */
  readonly leaseMs: number;
  readonly limit: number;
  readonly perReceiverMax: number;
  /** Where less may be claimed than `perReceiverMax`. */
  readonly rooms: ReadonlyMap<string, number>;
}

/** Claims rows that are due, oldest first per receiver. Several callers at a time never get the same row. */
export async function claimDeliveries(db: Database, input: Claim): Promise<Delivery[]> {
  const rooms = JSON.stringify(Object.fromEntries(input.rooms));
  const values = [input.shard, input.claimant, rooms, input.perReceiverMax, input.limit, input.leaseMs];
  return (await run<DeliveryRow>(db, claim, values)).map(deliveryOf);
}

const select = {
  name: 'select_delivery',
  text: `SELECT ${columns} FROM deliveries d ${joins} WHERE d.id = $1`,
};

/** A delivery as it is now, or null. */
export async function findDelivery(db: Database, deliveryId: string): Promise<Delivery | null> {
  const [row] = await run<DeliveryRow>(db, select, [deliveryId]);
  return row === undefined ? null : deliveryOf(row);
}

function deliveryOf(row: DeliveryRow): Delivery {
  const { id, merchant_id: merchantId, is_test: isTest, channel, receiver, state, tries } = row;
  return {
    id,
    merchantId,
    isTest,
    channel,
    receiver,
    state,
    tries,
    correlationId: row.correlation_id,
    event: {
      id: row.event_id,
      type: row.type,
      sequence: row.sequence,
      object_id: row.object_id,
      created_at: row.event_created_at,
      data: row.data,
    },
    endpoint: row.channel === 'webhook' ? endpointOf(row) : null,
    payer: row.channel === 'email' ? payerOf(row) : null,
  };
}

function endpointOf({ endpoint_id: id, url, secret, is_active: isActive }: DeliveryRow): Delivery['endpoint'] {
  if (id === null || url === null || secret === null) return null;
  return { id, url, secret, isActive: isActive === true };
}

function payerOf(row: DeliveryRow): Delivery['payer'] {
  if (row.payer_email === null) return null;
  return {
    email: row.payer_email,
    merchantName: row.merchant_name,
    description: row.description,
    isStillPending: row.is_still_pending === true,
    subscription: row.subscription,
  };
}

/** How one try went, for its row. `problem` is ours, without personal data. */
export interface DeliveryResult {
  readonly deliveryId: string;
  readonly state: Exclude<DeliveryState, 'pending'>;
  readonly problem: string | null;
  readonly statusCode: number | null;
}

const recordResults = {
  name: 'record_delivery_results',
  text: `
    WITH d AS (
      UPDATE deliveries d SET
        state = r.state, tries = d.tries + 1, last_error = r.problem, last_status_code = r.status_code, claimed_by = NULL,
        claimed_until = NULL, updated_at = clock_timestamp(),
        delivered_at = CASE WHEN r.state = 'delivered' THEN clock_timestamp() END
      FROM unnest($1::text[], $2::text[], $3::text[], $4::int[]) AS r (id, state, problem, status_code)
      WHERE d.id = r.id AND d.state IN ('pending', 'retrying')
      RETURNING d.receiver, d.is_test, d.state
    )
    UPDATE alerts a SET closed_at = clock_timestamp()
    FROM (SELECT DISTINCT receiver, is_test FROM d WHERE state = 'delivered') t
    WHERE a.resource_id = t.receiver AND a.is_test = t.is_test AND a.kind = 'delivery_failed' AND a.closed_at IS NULL`,
};

/**
 * Writes how tries went. A delivery that has ended stays as it is, whoever comes late. What a receiver took closes the alert
 * that nothing could be delivered to it.
 */
export async function recordDeliveryResults(db: Database, results: readonly DeliveryResult[]): Promise<void> {
  await run(db, recordResults, [
    results.map((result) => result.deliveryId),
    results.map((result) => result.state),
    results.map((result) => result.problem),
    results.map((result) => result.statusCode),
  ]);
}

const keep = {
  name: 'keep_retrying_delivery',
  text: `UPDATE deliveries SET updated_at = clock_timestamp() WHERE id = $1 AND state = 'retrying'`,
};

/** Says that somebody sees to a delivery, though there was no room for a try: see `restoreStalledDeliveries`. */
export async function keepRetrying(db: Database, deliveryId: string): Promise<void> {
  await run(db, keep, [deliveryId]);
}

/** An alert that was not open before: what is told to a receiver in one mode does not arrive. */
export interface OpenedAlert {
  readonly channel: 'webhook' | 'email';
  /** Null for mails. */
  readonly endpointId: string | null;
}

/** Given up are the rows `d`. A receiver has one alert per mode, which is opened again; nobody needs one per event. */
const openAlerts = `
  INSERT INTO alerts AS a (id, merchant_id, is_test, kind, resource_id, owner_role, opened_at)
  SELECT DISTINCT
    'alr_' || substr(encode(sha256(convert_to('delivery_failed:' || d.is_test || ':' || d.receiver, 'UTF8')), 'hex'), 1, 32),
    d.merchant_id, d.is_test, 'delivery_failed', d.receiver, 'operator', now()
  FROM d
  ON CONFLICT (id) DO UPDATE SET opened_at = excluded.opened_at, closed_at = NULL WHERE a.closed_at IS NOT NULL
  RETURNING a.resource_id, a.is_test`;

const openedAlerts = `
  SELECT DISTINCT d.channel, d.endpoint_id AS "endpointId"
  FROM alert JOIN d ON d.receiver = alert.resource_id AND d.is_test = alert.is_test`;

const giveUp = {
  name: 'give_up_delivery',
  text: `
    WITH d AS (
      UPDATE deliveries SET state = 'failed', claimed_by = NULL, claimed_until = NULL, updated_at = clock_timestamp()
      WHERE id = $1 AND state IN ('pending', 'retrying')
      RETURNING *
    ), alert AS (${openAlerts}), opened AS (${openedAlerts})
    SELECT
      COALESCE((SELECT state FROM d), (SELECT state FROM deliveries WHERE id = $1)) AS state,
      (SELECT COALESCE(json_agg(opened), '[]') FROM opened) AS opened`,
};

/** Ends a delivery as failed with an alert, in one statement. One that has ended stays as it is; null: there is no row. */
export async function giveUpDelivery(
  db: Database,
  deliveryId: string,
): Promise<{ readonly state: DeliveryState | null; readonly opened: readonly OpenedAlert[] }> {
  const [row] = await run<{ state: DeliveryState | null; opened: OpenedAlert[] }>(db, giveUp, [deliveryId]);
  return row ?? { state: null, opened: [] };
}

/** A statement takes well below the time that it may take; the rest is for the next one. */
const overdueMax = 5_000;

const giveUpOverdue = {
  name: 'give_up_overdue_deliveries',
  text: `
    WITH RECURSIVE ${dueReceivers}, overdue AS (
      SELECT d.id FROM receivers r CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE shard = $1 AND state = 'pending' AND receiver = r.receiver
          AND created_at < clock_timestamp() - $2 * interval '1 millisecond'
          AND updated_at < clock_timestamp() - $2 * interval '1 millisecond'
          AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
        ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED
      ) d LIMIT $3
    ), d AS (
      UPDATE deliveries SET state = 'failed', claimed_by = NULL, claimed_until = NULL, updated_at = clock_timestamp(),
        last_error = COALESCE(last_error, 'not tried: the receiver took nothing for days')
      WHERE id IN (SELECT id FROM overdue)
      RETURNING *
    ), alert AS (${openAlerts}), opened AS (${openedAlerts})
    SELECT (SELECT count(*)::int FROM d) AS count, (SELECT COALESCE(json_agg(opened), '[]') FROM opened) AS opened`,
};

/**
 * Ends deliveries that have been due for so long (since they were made, or made due again), with one alert per receiver.
 * Those that are being tried right now stay. Answers how many ended, at most 5000 at a time.
 */
export async function giveUpOverdueDeliveries(
  db: Database,
  shard: number,
  overdueAfterMs: number,
): Promise<{ readonly count: number; readonly opened: readonly OpenedAlert[] }> {
  const values = [shard, overdueAfterMs, overdueMax];
  const [row] = await run<{ count: number; opened: OpenedAlert[] }>(db, giveUpOverdue, values);
  return row ?? { count: 0, opened: [] };
}

const restore = {
  name: 'restore_stalled_deliveries',
  text: `
    UPDATE deliveries SET state = 'pending', claimed_by = NULL, claimed_until = NULL, updated_at = clock_timestamp()
    WHERE shard = $1 AND state = 'retrying' AND updated_at < clock_timestamp() - $2 * interval '1 millisecond'
    RETURNING id`,
};

/** Makes deliveries due again that no workflow has seen to for so long that it must be gone. Answers how many. */
export async function restoreStalledDeliveries(db: Database, shard: number, stalledForMs: number): Promise<number> {
  return (await run(db, restore, [shard, stalledForMs])).length;
}

const redeliver = {
  name: 'redeliver',
  text: `
    WITH d AS (
      UPDATE deliveries SET state = 'pending', tries = 0, updated_at = clock_timestamp()
      WHERE (id = $1 OR receiver = $1) AND state = 'failed'
      RETURNING receiver
    ), closed AS (
      UPDATE alerts SET closed_at = clock_timestamp()
      WHERE (resource_id = $1 OR resource_id IN (SELECT receiver FROM d)) AND kind = 'delivery_failed' AND closed_at IS NULL
      RETURNING id
    )
    SELECT (SELECT count(*)::int FROM d) AS deliveries, (SELECT count(*)::int FROM closed) AS alerts`,
};

/**
 * Makes what was given up due again, as if it had never been tried, and closes its alerts: one delivery by its id, or all of
 * a receiver. Answers how many of each. Reads through the whole table: for a person, now and then.
 */
export async function redeliverFailed(
  db: Database,
  deliveryOrReceiver: string,
): Promise<{ readonly deliveries: number; readonly alerts: number }> {
  const [row] = await run<{ deliveries: number; alerts: number }>(db, redeliver, [deliveryOrReceiver]);
  return row ?? { deliveries: 0, alerts: 0 };
}
