import { z } from 'zod';
import { movementsOf } from '../../prisma/movement-list.ts';
import { captureSchema, toCaptureObject } from '../capture-object.ts';
import { requirePayment } from '../require-payment.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/payments/{id}/captures`. */
export const listPaymentCaptures = merchantRoute(
  {
    operationId: 'listPaymentCaptures',
    method: 'get',
    path: '/api/v1/payments/{id}/captures',
    summary: 'List the captures of a payment',
    description:
      'All of them at once, oldest first, also those that failed. A payment with `capture: automatic` has none: its charge took the money.',
    permission: 'payments:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The captures', schema: captureSchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    const payment = await requirePayment(deps, caller, request.params.id);
    const rows = await movementsOf(deps.db, caller, 'capture', payment.id);
    return { status: 200, data: rows.map(toCaptureObject), page: { has_more: false, next_cursor: null } };
  },
);
