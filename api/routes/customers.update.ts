import { z } from 'zod';
import { changeCustomer } from '../../prisma/customers.ts';
import { customerFields, customerSchema, requireCustomerId, toCustomerObject } from '../customer-object.ts';
import { Problem } from '../errors.ts';
import { merchantRoute } from '../route.ts';

const body = z
  .strictObject({
    email: customerFields.email.nullable().optional(),
    name: customerFields.name.nullable().optional(),
    phone: customerFields.phone.nullable().optional(),
    metadata: customerFields.metadata.nullable().optional().describe('Replaces all of it; null leaves none'),
  })
  .meta({ id: 'UpdateCustomer' });

/** `PUT /api/v1/customers/{id}`. */
export const updateCustomer = merchantRoute(
  {
    operationId: 'updateCustomer',
    method: 'put',
    path: '/api/v1/customers/{id}',
    summary: 'Change a customer',
    description:
      'Changes the given fields and removes those that are null; the others stay. Payments that were made before keep what ' +
      'they were given. The same request again changes nothing.',
    permission: 'customers:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body,
    responses: { 200: { description: 'The customer with its changes', schema: customerSchema } },
    problems: ['invalid_json', 'not_found', 'customer_blanked', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, caller) => {
    const id = requireCustomerId(request.params.id);
    const row = await changeCustomer(deps.db, caller, id, request.body, request.receivedAt.toISOString());
    if (row === null) throw new Problem('not_found');
    if (row.status === 'blanked') throw new Problem('customer_blanked');
    return { status: 200, data: toCustomerObject(row) };
  },
);
