import { z } from 'zod';
import { paymentSchema } from './payment-object.ts';

const payment = paymentSchema.shape;

/** An event as merchants see it, in lists as in webhooks; `workflows/domain/event.ts` makes it. */
export const eventSchema = z
  .object({
    id: z.string().describe('The same in every list and every webhook: events may be told more than once'),
    type: z.string().describe('`payment.` and the new status, or what happened to a payment that stays pending'),
    sequence: z.int().describe('Counts the events of one object from 1'),
    object_id: z.string(),
    created_at: z.iso.datetime(),
    data: z
      .looseObject({
        id: z.string(),
        external_id: payment.external_id,
        status: payment.status,
        amount: payment.amount,
        currency: payment.currency,
        authorized_amount: payment.authorized_amount,
        captured_amount: payment.captured_amount,
        voided_amount: payment.amount,
        refunded_amount: payment.refunded_amount,
        processor: payment.processor,
        processor_transaction_id: payment.processor_transaction_id,
        failure: payment.failure,
        is_test: payment.is_test,
      })
      .describe('The payment as it was then: ids and money, never names or addresses'),
  })
  .meta({ id: 'Event' });
