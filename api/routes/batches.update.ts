import { z } from 'zod';
import { steered } from '../batch/steer.ts';
import { steerBatchHeaders, steerBatchProblems, steerReason } from '../batch/steer-fields.ts';
import { batchSchema, ratePerSecond } from '../batch-object.ts';
import { merchantRoute } from '../route.ts';

const body = z
  .strictObject({
    rate_per_second: ratePerSecond
      .nullable()
      .describe('Rows started per second at most; null: as many as there can be'),
    reason: steerReason,
  })
  .meta({ id: 'UpdateBatch' });

/** `PUT /api/v1/batches/{id}`. */
export const updateBatch = merchantRoute(
  {
    operationId: 'updateBatch',
    method: 'put',
    path: '/api/v1/batches/{id}',
    summary: 'Change the pace of a batch',
    description: 'Holds within a second, also of a batch that is paused.',
    permission: 'batches:write',
    envelope: 'object',
    headers: steerBatchHeaders,
    params: z.object({ id: z.string() }),
    body,
    responses: { 200: { description: 'The batch, at its new pace', schema: batchSchema } },
    problems: steerBatchProblems,
  },
  async (deps, request, caller) => {
    const { rate_per_second: rate, reason = 'requested by the merchant' } = request.body;
    return steered(deps, request, caller, {
      act: { kind: 'throttle', actor: caller.actor, reason, ratePerSecond: rate },
      isDone: ({ status, rate_per_second: now }) => (status === 'running' || status === 'paused') && now === rate,
    });
  },
);
