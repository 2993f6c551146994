import { z } from 'zod';
import { changePayment } from '../../prisma/payment-update.ts';
import { Problem } from '../errors.ts';
import { changeableFields } from '../payment-fields.ts';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import { requirePaymentId } from '../require-payment.ts';
import { merchantRoute } from '../route.ts';

const body = z
  .strictObject({
    description: changeableFields.description.nullable().optional(),
    metadata: changeableFields.metadata.nullable().optional().describe('Replaces all of it; null leaves none'),
    customer_email: changeableFields.customer_email.nullable().optional(),
    customer_name: changeableFields.customer_name.nullable().optional(),
  })
  .meta({ id: 'UpdatePayment' });

/** `PUT /api/v1/payments/{id}`. */
export const updatePayment = merchantRoute(
  {
    operationId: 'updatePayment',
    method: 'put',
    path: '/api/v1/payments/{id}',
    summary: 'Change what is said about a payment',
    description:
      'Changes the given fields, in any state of the payment, and blanks those that are null; the others stay. Money, ' +
      'currency, method, ids and state cannot be changed. The same request again changes nothing.',
    permission: 'payments:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body,
    responses: { 200: { description: 'The payment with its changes', schema: paymentSchema } },
    problems: ['invalid_json', 'not_found', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, caller) => {
    const row = await changePayment(deps.db, caller, requirePaymentId(request.params.id), request.body, {
      actor: caller.actor,
      origin: request.origin,
      correlationId: request.requestId,
      now: request.receivedAt.toISOString(),
    });
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toPaymentObject(row) };
  },
);
