import { z } from 'zod';
import { findPlans } from '../../prisma/plans.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition } from '../instant.ts';
import { planSchema, planStatus, toPlanObject } from '../plan-object.ts';
import { merchantRoute } from '../route.ts';
import { text } from '../text.ts';

const query = z.strictObject({
  ...pageQuery,
  status: planStatus.optional(),
  external_id: text(100).optional(),
});

const cursors = cursorsOf('plans', createdPosition);

/** `GET /api/v1/plans`. */
export const listPlans = merchantRoute(
  {
    operationId: 'listPlans',
    method: 'get',
    path: '/api/v1/plans',
    summary: 'List plans',
    description: 'Newest first, archived ones too. All filters that you send must fit.',
    permission: 'plans:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of plans', schema: planSchema } },
    problems: [],
  },
  async (deps, { query: asked }, caller) => {
    const { status, external_id: externalId } = asked;
    const page = { after: cursors.read(caller, asked), limit: asked.limit + 1 };
    const rows = await findPlans(deps.db, caller, { status, externalId }, page);
    return pageOf(rows, asked.limit, toPlanObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], caller, asked),
    );
  },
);
