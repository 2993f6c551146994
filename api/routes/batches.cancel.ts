import { z } from 'zod';
import { steered } from '../batch/steer.ts';
import { steerBatchBody, steerBatchHeaders, steerBatchProblems } from '../batch/steer-fields.ts';
import { batchSchema } from '../batch-object.ts';
import { merchantRoute } from '../route.ts';

/** `POST /api/v1/batches/{id}/cancel`. */
export const cancelBatch = merchantRoute(
  {
    operationId: 'cancelBatch',
    method: 'post',
    path: '/api/v1/batches/{id}/cancel',
    summary: 'Cancel a batch',
    description: 'Starts no more rows, for good. What has started goes on: its subscriptions and payments stay.',
    permission: 'batches:write',
    envelope: 'object',
    headers: steerBatchHeaders,
    params: z.object({ id: z.string() }),
    body: steerBatchBody,
    responses: { 200: { description: 'The batch, canceled', schema: batchSchema } },
    problems: steerBatchProblems,
  },
  async (deps, request, caller) =>
    steered(deps, request, caller, {
      act: { kind: 'cancel', actor: caller.actor, reason: request.body.reason ?? 'requested by the merchant' },
      isDone: ({ status }) => status === 'canceled',
    }),
);
