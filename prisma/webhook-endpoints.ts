import { type Database, run } from './database.ts';
import { lockMerchant } from './merchants.ts';
import type { Page } from './page.ts';
import type { MerchantScope } from './payments.ts';

/** An endpoint's row as the API shows it, but for the secret, which is encrypted for the endpoint's id. */
export interface WebhookEndpointRow {
  readonly id: string;
  readonly request_hash: string;
  readonly url: string;
  readonly description: string | null;
  /** Empty: every type. */
  readonly event_types: readonly string[];
  readonly secret: string;
  readonly status: 'active' | 'disabled';
  readonly disabled_reason: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly is_test: boolean;
}

const columns = `
  id, request_hash, url, description, event_types, secret, status, disabled_reason, created_at, updated_at, is_test`;

/** An endpoint to make. */
export interface NewWebhookEndpoint {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly url: string;
  readonly description: string | null;
  readonly eventTypes: readonly string[];
  /** Encrypted for the endpoint's id. */
  readonly secret: string;
}

/** `existing`: this id has a row already, perhaps of another request. `full`: nothing was stored. */
export type MadeWebhookEndpoint =
  | { readonly kind: 'made' | 'existing'; readonly endpoint: WebhookEndpointRow }
  | { readonly kind: 'full' };

/** Makes an endpoint unless its id has one, or the merchant has `activeMax` active ones in this mode. */
export async function createWebhookEndpoint(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  endpoint: NewWebhookEndpoint,
  activeMax: number,
): Promise<MadeWebhookEndpoint> {
  return db.prisma.$transaction(async (tx) => {
    await lockMerchant(tx, merchantId); // or two requests would both find room
    const where = { id: endpoint.id, merchantId, isTest };
    const existing = await tx.webhookEndpoint.findFirst({ where });
    if (existing !== null) return { kind: 'existing', endpoint: rowOf(existing) };
    const active = await tx.webhookEndpoint.count({ where: { merchantId, isTest, status: 'active' } });
    if (active >= activeMax) return { kind: 'full' };
    const now = new Date();
    const data = {
      ...endpoint,
      eventTypes: [...endpoint.eventTypes],
      merchantId,
      isTest,
      createdAt: now,
      updatedAt: now,
    };
    return { kind: 'made', endpoint: rowOf(await tx.webhookEndpoint.create({ data })) };
  });
}

function rowOf(model: {
  id: string;
  requestHash: string;
  url: string;
  description: string | null;
  eventTypes: string[];
  secret: string;
  status: string;
  disabledReason: string | null;
  createdAt: Date;
  updatedAt: Date;
  isTest: boolean;
}): WebhookEndpointRow {
  return {
    id: model.id,
    request_hash: model.requestHash,
    url: model.url,
    description: model.description,
    event_types: model.eventTypes,
    secret: model.secret,
    status: model.status === 'active' ? 'active' : 'disabled',
    disabled_reason: model.disabledReason,
    created_at: model.createdAt,
    updated_at: model.updatedAt,
    is_test: model.isTest,
  };
}

const select = {
  name: 'select_webhook_endpoint',
  text: `SELECT ${columns} FROM webhook_endpoints WHERE merchant_id = $1 AND is_test = $2 AND id = $3`,
};

/** An endpoint of this merchant in this mode, or null. */
export async function findWebhookEndpoint(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  endpointId: string,
): Promise<WebhookEndpointRow | null> {
  const [row] = await run<WebhookEndpointRow>(db, select, [merchantId, isTest, endpointId]);
  return row ?? null;
}

const list = {
  name: 'list_webhook_endpoints',
  text: `
    SELECT ${columns} FROM webhook_endpoints
    WHERE merchant_id = $1 AND is_test = $2 AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4))
    ORDER BY created_at DESC, id DESC LIMIT $5`,
};

/** Endpoints of this merchant in this mode, newest first, after a position. */
export async function listWebhookEndpoints(
  db: Database,
  { merchantId, isTest }: MerchantScope,
  { after, limit }: Page,
): Promise<WebhookEndpointRow[]> {
  const [createdAt, id] = after ?? [null, null];
  return run<WebhookEndpointRow>(db, list, [merchantId, isTest, createdAt, id, limit]);
}

const disable = {
  name: 'disable_webhook_endpoint',
  text: `
    UPDATE webhook_endpoints SET status = 'disabled', disabled_reason = $3, updated_at = clock_timestamp()
    WHERE merchant_id = $1 AND id = $2 AND status = 'active'`,
};

/** Ends an endpoint: no event is queued for it any more. One that is disabled already keeps its reason. */
export async function disableWebhookEndpoint(
  db: Database,
  merchantId: string,
  endpointId: string,
  reason: string,
): Promise<void> {
  await run(db, disable, [merchantId, endpointId, reason]);
}

const endpointTold = {
  name: 'find_webhook_endpoint_told',
  text: `
    SELECT id, status, disabled_reason AS "disabledReason" FROM webhook_endpoints
    WHERE id = $1 OR id = (SELECT endpoint_id FROM deliveries WHERE id = $1)`,
};

/** For operators: the endpoint of any merchant with this id, or with a delivery of this id; null for mails. */
export async function findEndpointTold(
  db: Database,
  endpointOrDelivery: string,
): Promise<{
  readonly id: string;
  readonly status: 'active' | 'disabled';
  readonly disabledReason: string | null;
} | null> {
  const [row] = await run<{ id: string; status: 'active' | 'disabled'; disabledReason: string | null }>(
    db,
    endpointTold,
    [endpointOrDelivery],
  );
  return row ?? null;
}

const enable = {
  name: 'enable_webhook_endpoint',
  text: `
    UPDATE webhook_endpoints SET status = 'active', disabled_reason = NULL, updated_at = clock_timestamp()
    WHERE id = $1 AND status = 'disabled'`,
};

/** For operators: events are queued for this endpoint of any merchant from now on, however many are active already. */
export async function enableWebhookEndpoint(db: Database, endpointId: string): Promise<void> {
  await run(db, enable, [endpointId]);
}
