import { z } from 'zod';
import type { WebhookEndpointRow } from '../prisma/webhook-endpoints.ts';
import { eventTypes } from '../workflows/domain/event.ts';

const instant = z.iso.datetime();

/** One of the types of events. */
export const eventType = z.enum(eventTypes);

/** A webhook endpoint as merchants see it. */
export const webhookEndpointSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    description: z.string().nullable(),
    event_types: z.array(z.string()).describe('Empty: every type'),
    status: z.enum(['active', 'disabled']),
    disabled_reason: z.string().nullable(),
    created_at: instant,
    updated_at: instant,
    is_test: z.boolean(),
  })
  .meta({ id: 'WebhookEndpoint' });

/** The same with what it signs with, for the answer to its creation alone. */
export const newWebhookEndpointSchema = webhookEndpointSchema
  .extend({ secret: z.string().describe('`whsec_…`: verifies signatures. Only this route shows it: keep it secret') })
  .meta({ id: 'NewWebhookEndpoint' });

/** A row as the wire has it. */
export function toWebhookEndpointObject(row: WebhookEndpointRow): z.infer<typeof webhookEndpointSchema> {
  const { request_hash: _hash, secret: _secret, ...shown } = row;
  return {
    ...shown,
    event_types: [...row.event_types],
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
