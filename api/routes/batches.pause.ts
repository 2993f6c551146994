import { z } from 'zod';
import { steered } from '../batch/steer.ts';
import { steerBatchBody, steerBatchHeaders, steerBatchProblems } from '../batch/steer-fields.ts';
import { batchSchema } from '../batch-object.ts';
import { merchantRoute } from '../route.ts';

/** `POST /api/v1/batches/{id}/pause`. */
export const pauseBatch = merchantRoute(
  {
    operationId: 'pauseBatch',
    method: 'post',
    path: '/api/v1/batches/{id}/pause',
    summary: 'Pause a batch',
    description: 'Starts no more rows until it is resumed. What has started goes on.',
    permission: 'batches:write',
    envelope: 'object',
    headers: steerBatchHeaders,
    params: z.object({ id: z.string() }),
    body: steerBatchBody,
    responses: { 200: { description: 'The batch, paused', schema: batchSchema } },
    problems: steerBatchProblems,
  },
  async (deps, request, caller) =>
    steered(deps, request, caller, {
      act: { kind: 'pause', actor: caller.actor, reason: request.body.reason ?? 'requested by the merchant' },
      isDone: ({ status }) => status === 'paused',
    }),
);
