import { z } from 'zod';
import { findInvoicePage } from '../../prisma/invoice-list.ts';
import { Problem } from '../errors.ts';
import { requireInvoiceId } from '../invoice-object.ts';
import { invoicePage, invoicePagePolicy } from '../invoice-page.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/invoices/{id}/page`. */
export const getInvoicePage = merchantRoute(
  {
    operationId: 'getInvoicePage',
    method: 'get',
    path: '/api/v1/invoices/{id}/page',
    summary: 'Get an invoice as a page',
    description:
      'For people: to be shown, printed, or saved as PDF by a browser. One HTML file without scripts and without anything from ' +
      'elsewhere. Name and e-mail address are those of the customer today; after it was blanked there are none.',
    permission: 'invoices:read',
    envelope: 'page',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The page', schema: z.string() } },
    problems: ['not_found'],
  },
  async (deps, { params }, caller) => {
    const row = await findInvoicePage(deps.db, caller, requireInvoiceId(params.id));
    if (row === null) throw new Problem('not_found');
    const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': invoicePagePolicy };
    return { status: 200, headers, data: invoicePage(row) };
  },
);
