import { z } from 'zod';
import { blankCustomer } from '../../prisma/customers.ts';
import { actBy } from '../act-by.ts';
import { customerSchema, requireCustomerId, toCustomerObject } from '../customer-object.ts';
import { Problem } from '../errors.ts';
import { merchantRoute } from '../route.ts';

/** `DELETE /api/v1/customers/{id}`. */
export const blankCustomerRoute = merchantRoute(
  {
    operationId: 'blankCustomer',
    method: 'delete',
    path: '/api/v1/customers/{id}',
    summary: 'Blank a customer',
    description:
      'Removes e-mail address, name, phone and metadata of the customer, and e-mail address and name of its payments in every ' +
      'state, for good. Ids, amounts and what happened stay, and so does what you wrote into a payment’s `description` and ' +
      '`metadata`: change that with `PUT /api/v1/payments/{id}`. New payments and subscriptions cannot name the customer any more. Refused while the ' +
      'customer has subscriptions that go on. Repeatable.',
    permission: 'customers:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The customer, blanked', schema: customerSchema } },
    problems: ['not_found', 'customer_has_subscriptions'],
  },
  async (deps, request, caller) => {
    const id = requireCustomerId(request.params.id);
    const by = { ...actBy(request, caller), origin: request.origin };
    const row = await blankCustomer(deps.db, caller, id, by);
    if (row === null) throw new Problem('not_found');
    if (row === 'has_subscriptions') throw new Problem('customer_has_subscriptions');
    return { status: 200, data: toCustomerObject(row) };
  },
);
