import { z } from 'zod';
import { findMerchants, merchantStatuses } from '../../prisma/merchants.ts';
import { cursorsOf, everyMerchant, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition } from '../instant.ts';
import { merchantSchema, toMerchantObject } from '../merchant-object.ts';
import { platformRoute } from '../route.ts';

const query = z.strictObject({
  ...pageQuery,
  status: z.enum(merchantStatuses, `must be one of ${merchantStatuses.join(', ')}`).optional(),
});

const cursors = cursorsOf('merchants', createdPosition);

/** `GET /api/v1/merchants`. */
export const listMerchantsRoute = platformRoute(
  {
    operationId: 'listMerchants',
    method: 'get',
    path: '/api/v1/merchants',
    summary: 'List merchants',
    description: 'Newest first, suspended ones too.',
    permission: 'merchants:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of merchants', schema: merchantSchema } },
    problems: [],
  },
  async (deps, { query: asked }) => {
    const page = { after: cursors.read(everyMerchant, asked), limit: asked.limit + 1 };
    const rows = await findMerchants(deps.db, { status: asked.status }, page);
    return pageOf(rows, asked.limit, toMerchantObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], everyMerchant, asked),
    );
  },
);
