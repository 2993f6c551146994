import { z } from 'zod';
import { findMovementRow } from '../../prisma/movement-list.ts';
import { Problem } from '../errors.ts';
import { refundSchema, toRefundObject } from '../refund-object.ts';
import { requireRefundId } from '../require-payment.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/refunds/{id}`. */
export const getRefund = merchantRoute(
  {
    operationId: 'getRefund',
    method: 'get',
    path: '/api/v1/refunds/{id}',
    summary: 'Get a refund',
    description: 'The refund as it is now.',
    permission: 'refunds:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The refund', schema: refundSchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    const row = await findMovementRow(deps.db, caller, 'refund', requireRefundId(request.params.id));
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toRefundObject(row) };
  },
);
