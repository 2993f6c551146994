import { randomBytes, randomUUID } from 'node:crypto';
import type { DeliveryDeps } from '../../activities/delivery-deps.ts';
import { DeliverySlots } from '../../activities/delivery-slots.ts';
import { createWebhookSender } from '../../activities/notifications/webhook.ts';
import { type DeliveryListener, listenForDeliveries } from '../../prisma/delivery-listener.ts';
import { createWebhookEndpoint } from '../../prisma/webhook-endpoints.ts';
import { createAddressGuard } from '../../runtime/address-guard.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import type { TestDatabase } from './database.ts';
import { insertPendingPayment } from './payment-row.ts';

const secretBox = createSecretBox(new Map([['test', randomBytes(32)]]));

/** A silent listener: what is due is found by looking. */
export const noListener: DeliveryListener = { onDue: () => () => undefined, close: async () => undefined };

/** What delivering needs, over a test's database, with receivers on this machine and without mails. */
export function deliveryDeps(database: TestDatabase, changes: Partial<DeliveryDeps> = {}): DeliveryDeps {
  return {
    db: database.db,
    logger: createLogger('test', 'silent'),
    metrics: { deliveryTried: () => undefined, alertOpened: () => undefined },
    secretBox,
    webhooks: createWebhookSender(createAddressGuard({ allowsPrivate: true }), 'payment-orchestrator/test'),
    mails: null,
    listener: noListener,
    slots: new DeliverySlots(),
    stopping: new AbortController().signal,
    ...changes,
  };
}

/** A listener on a test's database. */
export function listenTo(database: TestDatabase): DeliveryListener {
  return listenForDeliveries(database.url, () => undefined);
}

/** An active endpoint of `mer_1` in test mode; answers its id and secret. */
export async function insertEndpoint(
  { db }: TestDatabase,
  url: string,
  eventTypes: readonly string[] = [],
): Promise<{ id: string; secret: string }> {
  const id = `whe_${randomUUID()}`;
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const sealed = secretBox.seal(secret, id);
  const endpoint = { id, idempotencyKey: id, requestHash: 'h', url, description: null, eventTypes, secret: sealed };
  await createWebhookEndpoint(db, { merchantId: 'mer_1', isTest: true }, endpoint, 1_000);
  return { id, secret };
}

/** A payment of `mer_1` with an event; the database queues its deliveries. Answers both ids. */
export async function insertEvent(
  database: TestDatabase,
  type = 'payment.captured',
  columns: Readonly<Record<string, unknown>> = {},
): Promise<{ eventId: string; paymentId: string }> {
  const paymentId = await insertPendingPayment(database, columns);
  const eventId = `evt_${randomUUID()}`;
  await database.admin.query(
    `INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, correlation_id, created_at)
     SELECT $1, merchant_id, is_test, $2, id, 1, payment_event_data(payments) || CASE WHEN $2 = 'payment.captured'
       THEN jsonb_build_object('captured_amount_minor', amount::text) ELSE '{}' END, 'req_of_' || id, now()
     FROM payments WHERE id = $3`,
    [eventId, type, paymentId],
  );
  return { eventId, paymentId };
}

/** A row of `deliveries`. */
export interface DeliveryRow {
  readonly id: string;
  readonly event_id: string;
  readonly receiver: string;
  readonly channel: string;
  readonly shard: number;
  readonly state: string;
  readonly tries: number;
  readonly claimed_by: string | null;
  readonly last_error: string | null;
  readonly last_status_code: number | null;
  readonly delivered_at: Date | null;
}

/** All deliveries, oldest first. */
export async function deliveriesOf({ admin }: TestDatabase): Promise<DeliveryRow[]> {
  return (await admin.query<DeliveryRow>('SELECT * FROM deliveries ORDER BY created_at, id')).rows;
}
