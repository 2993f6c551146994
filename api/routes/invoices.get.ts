import { z } from 'zod';
import { findInvoice } from '../../prisma/invoice-list.ts';
import { Problem } from '../errors.ts';
import { invoiceSchema, requireInvoiceId, toInvoiceObject } from '../invoice-object.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/invoices/{id}`. */
export const getInvoice = merchantRoute(
  {
    operationId: 'getInvoice',
    method: 'get',
    path: '/api/v1/invoices/{id}',
    summary: 'Get an invoice',
    description: 'The invoice as it is now. What it says never changes; how it stands does.',
    permission: 'invoices:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The invoice', schema: invoiceSchema } },
    problems: ['not_found'],
  },
  async (deps, { params }, caller) => {
    const row = await findInvoice(deps.db, caller, requireInvoiceId(params.id));
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toInvoiceObject(row) };
  },
);
