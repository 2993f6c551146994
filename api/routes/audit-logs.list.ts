import { z } from 'zod';
import { findAuditLogs } from '../../prisma/audit-logs.ts';
import { auditLogSchema, toAuditLogObject } from '../audit-log-object.ts';
import { cursorsOf, everyMerchant, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition, instantParameter } from '../instant.ts';
import { platformRoute } from '../route.ts';
import { text } from '../text.ts';

const query = z.strictObject({
  ...pageQuery,
  merchant_id: text(100).optional(),
  user_id: text(100).optional().describe('Who called, e.g. `user:usr_…` or `api_key:…`'),
  action: text(100).optional().describe('An operation of this document, or an act such as `api_key.revoked`'),
  resource_type: text(100).optional().describe('e.g. `payment`'),
  resource_id: text(100).optional(),
  correlation_id: text(100).optional().describe('The `X-Request-Id` of the answer'),
  status_code: z
    .string()
    .regex(/^[1-5]\d\d$/, 'must be a status of HTTP')
    .transform(Number)
    .optional()
    .meta({ type: 'integer', minimum: 100, maximum: 599 }),
  created_from: instantParameter.optional().describe('From this instant on'),
  created_to: instantParameter.optional().describe('Before this instant'),
});

const cursors = cursorsOf('audit_logs', createdPosition);

/** `GET /api/v1/audit-logs`. */
export const listAuditLogs = platformRoute(
  {
    operationId: 'listAuditLogs',
    method: 'get',
    path: '/api/v1/audit-logs',
    summary: 'Search the log of API calls',
    description:
      'Every call of the API, also a refused one, and every administrative act: newest first, of every merchant, in both ' +
      'modes. Calls show about half a second after they are over, this one too. All filters that you send must fit.',
    permission: 'audit_logs:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of the log', schema: auditLogSchema } },
    problems: [],
  },
  async ({ db }, { query: asked }) => {
    const page = { after: cursors.read(everyMerchant, asked), limit: asked.limit + 1 };
    const filters = {
      merchantId: asked.merchant_id,
      userId: asked.user_id,
      action: asked.action,
      resourceType: asked.resource_type,
      resourceId: asked.resource_id,
      correlationId: asked.correlation_id,
      statusCode: asked.status_code,
      createdFrom: asked.created_from,
      createdTo: asked.created_to,
    };
    const rows = await findAuditLogs(db, filters, page);
    return pageOf(rows, asked.limit, toAuditLogObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], everyMerchant, asked),
    );
  },
);
