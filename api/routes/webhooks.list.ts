import { z } from 'zod';
import { listWebhookEndpoints } from '../../prisma/webhook-endpoints.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition } from '../instant.ts';
import { merchantRoute } from '../route.ts';
import { toWebhookEndpointObject, webhookEndpointSchema } from '../webhook-object.ts';

const cursors = cursorsOf('webhooks', createdPosition);

/** `GET /api/v1/webhooks`. */
export const listWebhooks = merchantRoute(
  {
    operationId: 'listWebhooks',
    method: 'get',
    path: '/api/v1/webhooks',
    summary: 'List webhook endpoints',
    description: 'Newest first, disabled ones too. Secrets are not shown.',
    permission: 'webhooks:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query: z.strictObject(pageQuery),
    body: undefined,
    responses: { 200: { description: 'A page of endpoints', schema: webhookEndpointSchema } },
    problems: [],
  },
  async ({ db }, { query }, caller) => {
    const page = { after: cursors.read(caller, query), limit: query.limit + 1 };
    const rows = await listWebhookEndpoints(db, caller, page);
    return pageOf(rows, query.limit, toWebhookEndpointObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], caller, query),
    );
  },
);
