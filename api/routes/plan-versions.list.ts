import { z } from 'zod';
import { findPlan, findPlanVersions } from '../../prisma/plans.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { Problem } from '../errors.ts';
import { planVersionSchema, requirePlanId, toPlanVersionObject } from '../plan-object.ts';
import { merchantRoute } from '../route.ts';

const query = z.strictObject(pageQuery);

const versionMax = 2 ** 31 - 1;
const cursors = cursorsOf('plan_versions', z.int().min(1).max(versionMax));

/** `GET /api/v1/plans/{id}/versions`. */
export const listPlanVersions = merchantRoute(
  {
    operationId: 'listPlanVersions',
    method: 'get',
    path: '/api/v1/plans/{id}/versions',
    summary: 'List the versions of a plan',
    description: 'Newest first. A version never changes: subscriptions name theirs as `plan_version`.',
    permission: 'plans:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of versions', schema: planVersionSchema } },
    problems: ['not_found'],
  },
  async (deps, { params, query: asked }, caller) => {
    const id = requirePlanId(params.id);
    if ((await findPlan(deps.db, caller, id)) === null) throw new Problem('not_found');
    const ofPlan = { ...asked, id };
    const page = { before: cursors.read(caller, ofPlan), limit: asked.limit + 1 };
    const rows = await findPlanVersions(deps.db, caller, id, page);
    return pageOf(rows, asked.limit, toPlanVersionObject, (row) => cursors.write(row.version, caller, ofPlan));
  },
);
