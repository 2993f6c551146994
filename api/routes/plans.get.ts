import { z } from 'zod';
import { findPlan } from '../../prisma/plans.ts';
import { Problem } from '../errors.ts';
import { planSchema, requirePlanId, toPlanObject } from '../plan-object.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/plans/{id}`. */
export const getPlan = merchantRoute(
  {
    operationId: 'getPlan',
    method: 'get',
    path: '/api/v1/plans/{id}',
    summary: 'Get a plan',
    description: 'With its newest version; all of them are at `GET /api/v1/plans/{id}/versions`.',
    permission: 'plans:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The plan', schema: planSchema } },
    problems: ['not_found'],
  },
  async (deps, { params }, caller) => {
    const row = await findPlan(deps.db, caller, requirePlanId(params.id));
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toPlanObject(row) };
  },
);
