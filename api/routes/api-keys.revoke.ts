import { z } from 'zod';
import { endApiKey } from '../../prisma/api-keys.ts';
import { actBy } from '../act-by.ts';
import { Problem } from '../errors.ts';
import { apiKeySchema, requireApiKeyId, toApiKeyObject } from '../key-object.ts';
import { merchantRoute } from '../route.ts';

/** `DELETE /api/v1/auth/api-keys/{id}`. */
export const revokeApiKeyRoute = merchantRoute(
  {
    operationId: 'revokeApiKey',
    method: 'delete',
    path: '/api/v1/auth/api-keys/{id}',
    summary: 'Revoke an API key',
    description:
      'Ends the key, and the tokens that it asked for, for good: everywhere within a second. Its row stays, for the record. A ' +
      'key may revoke itself. The same request again answers the same.',
    permission: 'api_keys:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The revoked key', schema: apiKeySchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    const id = requireApiKeyId(request.params.id);
    const key = await endApiKey(deps.db, caller, id, actBy(request, caller));
    if (key === null) throw new Problem('not_found');
    return { status: 200, data: toApiKeyObject(key, request.receivedAt) };
  },
);
