import { z } from 'zod';
import type { AuditLogRow } from '../prisma/audit-logs.ts';

const kept = z
  .record(z.string(), z.unknown())
  .describe('What may be kept of it: never free text, secrets or personal data');

/** A row of the log as auditors see it. */
export const auditLogSchema = z
  .object({
    id: z.string(),
    correlation_id: z.string().describe('The request’s id'),
    service_name: z.string(),
    action: z.string().describe('The operation that was called, or the administrative act'),
    resource_type: z.string().nullable(),
    resource_id: z.string().nullable(),
    merchant_id: z.string().nullable(),
    is_test: z.boolean().nullable(),
    user_id: z.string().nullable().describe('Who called: a user or a key; null: nobody was known'),
    ip_address: z.string().nullable(),
    user_agent: z.string().nullable().describe('Name and version of the program'),
    request_data: kept,
    response_data: kept,
    status_code: z.int().nullable().describe('Null: an act, or the caller went away before the answer'),
    duration_ms: z.int().nullable(),
    created_at: z.iso.datetime().describe('When the request came in'),
  })
  .meta({ id: 'AuditLog' });

/** A row as the wire has it. */
export function toAuditLogObject(row: AuditLogRow): z.infer<typeof auditLogSchema> {
  return { ...row, created_at: row.created_at.toISOString() };
}
