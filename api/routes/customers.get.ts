import { z } from 'zod';
import { findCustomer } from '../../prisma/customers.ts';
import { customerSchema, requireCustomerId, toCustomerObject } from '../customer-object.ts';
import { Problem } from '../errors.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/customers/{id}`. */
export const getCustomer = merchantRoute(
  {
    operationId: 'getCustomer',
    method: 'get',
    path: '/api/v1/customers/{id}',
    summary: 'Read a customer',
    description: 'The payment history is at `GET /api/v1/payments?customer_id=`.',
    permission: 'customers:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The customer', schema: customerSchema } },
    problems: ['not_found'],
  },
  async (deps, { params }, caller) => {
    const row = await findCustomer(deps.db, caller, requireCustomerId(params.id));
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toCustomerObject(row) };
  },
);
