import { z } from 'zod';
import { batchSchema, requireBatch, toBatchObject } from '../batch-object.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/batches/{id}`. */
export const getBatch = merchantRoute(
  {
    operationId: 'getBatch',
    method: 'get',
    path: '/api/v1/batches/{id}',
    summary: 'Read a batch',
    description:
      'How far it is, and what is wrong with its file. `GET /api/v1/batches/{id}/result` says it of every row.',
    permission: 'batches:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The batch', schema: batchSchema } },
    problems: ['not_found'],
  },
  async (deps, { params }, caller) => ({
    status: 200,
    data: toBatchObject(await requireBatch(deps, caller, params.id)),
  }),
);
