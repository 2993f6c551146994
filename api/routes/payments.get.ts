import { z } from 'zod';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import { requirePayment } from '../require-payment.ts';
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
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The payment', schema: paymentSchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    return { status: 200, data: toPaymentObject(await requirePayment(deps, caller, request.params.id)) };
  },
);
