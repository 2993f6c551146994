import { z } from 'zod';
import { findPayment } from '../../prisma/payments.ts';
import { Problem } from '../errors.ts';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/payments/{id}`. */
export const getPayment = merchantRoute(
  {
    operationId: 'getPayment',
    method: 'get',
    path: '/api/v1/payments/{id}',
    summary: 'Get a payment',
    description: 'The payment as it is now. Another merchant’s payment, or one of the other mode, does not exist here.',
    permission: 'payments:read',
    hasEnvelope: true,
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The payment', schema: paymentSchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    const { id } = request.params;
    const row = /^pay_[0-9a-z]{26}$/.test(id) ? await findPayment(deps.db, caller, id) : null;
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toPaymentObject(row) };
  },
);
