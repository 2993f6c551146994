import { z } from 'zod';
import { closeDiscrepancy } from '../../prisma/discrepancies.ts';
import { discrepancySchema, toDiscrepancyObject } from '../discrepancy-object.ts';
import { Problem } from '../errors.ts';
import { requireForm } from '../require-form.ts';
import { platformRoute } from '../route.ts';
import { words } from '../text.ts';

const requireDiscrepancyId = requireForm(/^dis_[0-9a-z]{26}$/);

const body = z
  .strictObject({ reason: words(500).describe('What was found out, and what was done about it') })
  .meta({ id: 'CloseDiscrepancy' });

/** `POST /api/v1/discrepancies/{id}/close`. */
export const closeDiscrepancyRoute = platformRoute(
  {
    operationId: 'closeDiscrepancy',
    method: 'post',
    path: '/api/v1/discrepancies/{id}/close',
    summary: 'Close a discrepancy',
    description:
      'Says that a person has looked at it and put right what was wrong; closes its alert too. One that is closed already is ' +
      'answered as it is, with the reason that was given first.',
    permission: 'discrepancies:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body,
    responses: { 200: { description: 'The discrepancy, closed', schema: discrepancySchema } },
    problems: ['invalid_json', 'not_found', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, operator) => {
    const row = await closeDiscrepancy(deps.db, requireDiscrepancyId(request.params.id), {
      actor: operator.actor,
      origin: request.origin,
      reason: request.body.reason,
      correlationId: request.requestId,
      now: request.receivedAt.toISOString(),
    });
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toDiscrepancyObject(row) };
  },
);
