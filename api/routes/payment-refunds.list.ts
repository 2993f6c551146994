import { z } from 'zod';
import { movementsOf } from '../../prisma/movement-list.ts';
import { refundSchema, toRefundObject } from '../refund-object.ts';
import { requirePayment } from '../require-payment.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/payments/{id}/refunds`. */
export const listPaymentRefunds = merchantRoute(
  {
    operationId: 'listPaymentRefunds',
    method: 'get',
    path: '/api/v1/payments/{id}/refunds',
    summary: 'List the refunds of a payment',
    description: 'All of them at once, oldest first, also those that failed.',
    permission: 'refunds:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The refunds', schema: refundSchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    const payment = await requirePayment(deps, caller, request.params.id);
    const rows = await movementsOf(deps.db, caller, 'refund', payment.id);
    return { status: 200, data: rows.map(toRefundObject), page: { has_more: false, next_cursor: null } };
  },
);
