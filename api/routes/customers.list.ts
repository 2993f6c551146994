import { z } from 'zod';
import { findCustomers } from '../../prisma/customers.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { customerFields, customerSchema, customerStatus, toCustomerObject } from '../customer-object.ts';
import { createdPosition } from '../instant.ts';
import { merchantRoute } from '../route.ts';
import { text } from '../text.ts';

const query = z.strictObject({
  ...pageQuery,
  status: customerStatus.optional(),
  external_id: text(100).optional(),
  email: customerFields.email.optional().describe('The very address, as it is stored'),
});

const cursors = cursorsOf('customers', createdPosition);

/** `GET /api/v1/customers`. */
export const listCustomers = merchantRoute(
  {
    operationId: 'listCustomers',
    method: 'get',
    path: '/api/v1/customers',
    summary: 'List customers',
    description: 'Newest first, blanked ones too. All filters that you send must fit.',
    permission: 'customers:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of customers', schema: customerSchema } },
    problems: [],
  },
  async (deps, { query: asked }, caller) => {
    const { status, external_id: externalId, email } = asked;
    const page = { after: cursors.read(caller, asked), limit: asked.limit + 1 };
    const rows = await findCustomers(deps.db, caller, { status, externalId, email }, page);
    return pageOf(rows, asked.limit, toCustomerObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], caller, asked),
    );
  },
);
