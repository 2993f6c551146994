import { z } from 'zod';
import { findMerchant } from '../../prisma/merchants.ts';
import { Problem } from '../errors.ts';
import { merchantSchema, requireMerchantId, toMerchantObject } from '../merchant-object.ts';
import { platformRoute } from '../route.ts';

/** `GET /api/v1/merchants/{id}`. */
export const getMerchantRoute = platformRoute(
  {
    operationId: 'getMerchant',
    method: 'get',
    path: '/api/v1/merchants/{id}',
    summary: 'Read a merchant',
    description: 'With all of its settings.',
    permission: 'merchants:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The merchant', schema: merchantSchema } },
    problems: ['not_found'],
  },
  async (deps, { params }) => {
    const row = await findMerchant(deps.db, requireMerchantId(params.id));
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toMerchantObject(row) };
  },
);
