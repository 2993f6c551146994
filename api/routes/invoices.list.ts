import { z } from 'zod';
import { findInvoices, type InvoiceFilters } from '../../prisma/invoice-list.ts';
import { invoiceStatuses } from '../../workflows/domain/subscription-status.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition, instantParameter } from '../instant.ts';
import { invoiceSchema, toInvoiceObject } from '../invoice-object.ts';
import { oneOrMore } from '../one-or-more.ts';
import { merchantRoute } from '../route.ts';
import { text } from '../text.ts';

const query = z.strictObject({
  ...pageQuery,
  subscription_id: text(100).optional(),
  customer_id: text(100).optional().describe('As its subscription names the customer'),
  status: oneOrMore(invoiceStatuses),
  created_from: instantParameter.optional().describe('ISO 8601, included'),
  created_to: instantParameter.optional().describe('ISO 8601, not included'),
});

const cursors = cursorsOf('invoices', createdPosition);

/** `GET /api/v1/invoices`. */
export const listInvoices = merchantRoute(
  {
    operationId: 'listInvoices',
    method: 'get',
    path: '/api/v1/invoices',
    summary: 'List invoices',
    description: 'Newest first, by `created_at`, which never changes. All filters that you send must fit.',
    permission: 'invoices:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of invoices', schema: invoiceSchema } },
    problems: [],
  },
  async (deps, { query: asked }, caller) => {
    const page = { after: cursors.read(caller, asked), limit: asked.limit + 1 };
    const rows = await findInvoices(deps.db, caller, filtersOf(asked), page);
    return pageOf(rows, asked.limit, toInvoiceObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], caller, asked),
    );
  },
);

function filtersOf(asked: z.infer<typeof query>): InvoiceFilters {
  return {
    subscriptionId: asked.subscription_id,
    customerId: asked.customer_id,
    statuses: asked.status,
    createdFrom: asked.created_from,
    createdTo: asked.created_to,
  };
}
