import { z } from 'zod';
import { discrepancyStatuses, findDiscrepancies } from '../../prisma/discrepancies.ts';
import { cursorsOf, everyMerchant, pageOf, pageQuery } from '../cursor.ts';
import { discrepancySchema, toDiscrepancyObject } from '../discrepancy-object.ts';
import { createdPosition } from '../instant.ts';
import { platformRoute } from '../route.ts';

const query = z.strictObject({
  ...pageQuery,
  status: z.enum(discrepancyStatuses, `must be one of ${discrepancyStatuses.join(', ')}`).optional(),
});

const cursors = cursorsOf('discrepancies', createdPosition);

/** `GET /api/v1/discrepancies`. */
export const listDiscrepancies = platformRoute(
  {
    operationId: 'listDiscrepancies',
    method: 'get',
    path: '/api/v1/discrepancies',
    summary: 'List discrepancies',
    description:
      'What providers said late against what was settled: newest first, of every merchant, in both modes. A discrepancy ' +
      'changes nothing by itself: find out what is true, put it right, and close it.',
    permission: 'discrepancies:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of discrepancies', schema: discrepancySchema } },
    problems: [],
  },
  async (deps, { query: asked }) => {
    const page = { after: cursors.read(everyMerchant, asked), limit: asked.limit + 1 };
    const rows = await findDiscrepancies(deps.db, { status: asked.status }, page);
    return pageOf(rows, asked.limit, toDiscrepancyObject, (row) =>
      cursors.write([row.opened_at.toISOString(), row.id], everyMerchant, asked),
    );
  },
);
