import { z } from 'zod';
import { listApiKeys } from '../../prisma/api-keys.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition } from '../instant.ts';
import { apiKeySchema, toApiKeyObject } from '../key-object.ts';
import { merchantRoute } from '../route.ts';

const cursors = cursorsOf('api_keys', createdPosition);

/** `GET /api/v1/auth/api-keys`. */
export const listApiKeysRoute = merchantRoute(
  {
    operationId: 'listApiKeys',
    method: 'get',
    path: '/api/v1/auth/api-keys',
    summary: 'List API keys',
    description: 'Newest first, expired and revoked ones too. Secrets are not shown.',
    permission: 'api_keys:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query: z.strictObject(pageQuery),
    body: undefined,
    responses: { 200: { description: 'A page of keys', schema: apiKeySchema } },
    problems: [],
  },
  async ({ db }, { query, receivedAt }, caller) => {
    const page = { after: cursors.read(caller, query), limit: query.limit + 1 };
    const rows = await listApiKeys(db, caller, page);
    const show = (row: (typeof rows)[number]) => toApiKeyObject(row, receivedAt);
    return pageOf(rows, query.limit, show, (row) =>
      cursors.write([row.createdAt.toISOString(), row.id], caller, query),
    );
  },
);
