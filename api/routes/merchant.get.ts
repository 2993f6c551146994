import { z } from 'zod';
import { findMerchant } from '../../prisma/merchants.ts';
import { Problem } from '../errors.ts';
import { merchantSchema, toMerchantObject } from '../merchant-object.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/merchant`. */
export const getOwnMerchant = merchantRoute(
  {
    operationId: 'getOwnMerchant',
    method: 'get',
    path: '/api/v1/merchant',
    summary: 'Read your own merchant',
    description: 'With all of its settings, those that only the platform changes too. It is one for both modes.',
    permission: 'merchant:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({}),
    body: undefined,
    responses: { 200: { description: 'The merchant', schema: merchantSchema } },
    problems: ['not_found'],
  },
  async (deps, _request, { merchantId }) => {
    const row = await findMerchant(deps.db, merchantId);
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toMerchantObject(row) };
  },
);
