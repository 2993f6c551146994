import { z } from 'zod';
import { steered } from '../batch/steer.ts';
import { steerBatchBody, steerBatchHeaders, steerBatchProblems } from '../batch/steer-fields.ts';
import { batchSchema } from '../batch-object.ts';
import { merchantRoute } from '../route.ts';

/** `POST /api/v1/batches/{id}/resume`. */
export const resumeBatch = merchantRoute(
  {
    operationId: 'resumeBatch',
    method: 'post',
    path: '/api/v1/batches/{id}/resume',
    summary: 'Resume a batch',
    description: 'Goes on with a paused batch where it stopped.',
    permission: 'batches:write',
    envelope: 'object',
    headers: steerBatchHeaders,
    params: z.object({ id: z.string() }),
    body: steerBatchBody,
    responses: { 200: { description: 'The batch, running', schema: batchSchema } },
    problems: steerBatchProblems,
  },
  async (deps, request, caller) =>
    steered(deps, request, caller, {
      act: { kind: 'resume', actor: caller.actor, reason: request.body.reason ?? 'requested by the merchant' },
      isDone: ({ status }) => status === 'running',
    }),
);
