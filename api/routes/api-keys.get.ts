import { z } from 'zod';
import { readApiKey } from '../../prisma/api-keys.ts';
import { Problem } from '../errors.ts';
import { apiKeySchema, requireApiKeyId, toApiKeyObject } from '../key-object.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/auth/api-keys/{id}`. */
export const getApiKey = merchantRoute(
  {
    operationId: 'getApiKey',
    method: 'get',
    path: '/api/v1/auth/api-keys/{id}',
    summary: 'Get an API key',
    description: 'The key as it is now, without its secrets.',
    permission: 'api_keys:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The key', schema: apiKeySchema } },
    problems: ['not_found'],
  },
  async (deps, { params, receivedAt }, caller) => {
    const key = await readApiKey(deps.db, caller, requireApiKeyId(params.id));
    if (key === null) throw new Problem('not_found');
    return { status: 200, data: toApiKeyObject(key, receivedAt) };
  },
);
