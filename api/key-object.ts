import { z } from 'zod';
import type { ApiKeyRow } from '../prisma/api-keys.ts';
import { weekdays } from '../workflows/domain/allowed-hours.ts';
import { requireForm } from './require-form.ts';

const instant = z.iso.datetime();

const hours = z.object({
  time_zone: z.string(),
  weekdays: z.array(z.enum(weekdays)),
  from: z.string(),
  to: z.string(),
});

/** An API key as merchants see it, without its secret. */
export const apiKeySchema = z
  .object({
    id: z.string(),
    key_id: z.string().describe('The public part of the key: between its second and third underscore'),
    name: z.string(),
    description: z.string().nullable(),
    permissions: z.array(z.string()),
    rate_limit_per_minute: z.int(),
    rate_limit_per_hour: z.int(),
    rate_limit_per_day: z.int(),
    ip_whitelist: z.array(z.string()).describe('Networks in CIDR; empty: all'),
    ip_blacklist: z.array(z.string()),
    allowed_hours: hours.nullable().describe('Null: always'),
    requires_signature: z.boolean(),
    has_signing_secret: z.boolean(),
    status: z.enum(['active', 'expired', 'revoked']),
    expires_at: instant.nullable(),
    last_used_at: instant.nullable(),
    usage_count: z
      .int()
      .describe('Requests that proved the key. Written every 5 seconds: a crash loses what was counted since'),
    created_at: instant,
    updated_at: instant,
    revoked_at: instant.nullable(),
    created_by: z.string(),
    is_test: z.boolean(),
  })
  .meta({ id: 'ApiKey' });

/** The same with its secrets, which only the first answer to its creation has. */
export const newApiKeySchema = apiKeySchema
  .extend({
    api_key: z.string().optional().describe('`po_…`: shown this once. Absent from the answer to a repeat'),
    signing_secret: z.string().optional().describe('`pos_…`: shown this once, where one was made'),
  })
  .meta({ id: 'NewApiKey' });

/** A row as the wire has it. */
export function toApiKeyObject(row: ApiKeyRow, now: Date): z.infer<typeof apiKeySchema> {
  const isOver = row.status === 'active' && row.expiresAt !== null && row.expiresAt <= now;
  return {
    id: row.id,
    key_id: row.keyId,
    name: row.name,
    description: row.description,
    permissions: [...row.permissions],
    rate_limit_per_minute: row.rateLimitPerMinute,
    rate_limit_per_hour: row.rateLimitPerHour,
    rate_limit_per_day: row.rateLimitPerDay,
    ip_whitelist: [...row.ipWhitelist],
    ip_blacklist: [...row.ipBlacklist],
    allowed_hours: row.allowedHours === null ? null : { ...row.allowedHours, weekdays: [...row.allowedHours.weekdays] },
    requires_signature: row.requiresSignature,
    has_signing_secret: row.hasSigningSecret,
    status: isOver ? 'expired' : row.status,
    expires_at: row.expiresAt?.toISOString() ?? null,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    usage_count: row.usageCount,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    revoked_at: row.revokedAt?.toISOString() ?? null,
    created_by: row.createdBy,
    is_test: row.isTest,
  };
}

/** The id, or `not_found` for text that can be no API key's id. */
export const requireApiKeyId = requireForm(/^key_[0-9a-z]{16}$/);
