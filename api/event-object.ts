import { z } from 'zod';
import { captureSchema } from './capture-object.ts';
import { paymentSchema } from './payment-object.ts';

const payment = paymentSchema.shape;
const movement = captureSchema.shape;

const paymentDataSchema = z
  .looseObject({
    id: z.string(),
    external_id: payment.external_id,
    status: payment.status,
    amount: payment.amount,
    currency: payment.currency,
    authorized_amount: payment.authorized_amount,
    captured_amount: payment.captured_amount,
    voided_amount: payment.voided_amount,
    refunded_amount: payment.refunded_amount,
    processor: payment.processor,
    processor_transaction_id: payment.processor_transaction_id,
    failure: payment.failure,
    is_test: payment.is_test,
  })
  .meta({ id: 'PaymentEventData' });

const movementDataSchema = z
  .looseObject({
    id: z.string(),
    payment_id: movement.payment_id,
    status: movement.status,
    amount: movement.amount,
    currency: movement.currency,
    processor: movement.processor,
    processor_transaction_id: movement.processor_transaction_id,
    failure: movement.failure,
    is_test: movement.is_test,
  })
  .meta({ id: 'MovementEventData' });

/** An event as merchants see it, in lists as in webhooks; `workflows/domain/event.ts` makes it. */
export const eventSchema = z
  .object({
    id: z.string().describe('The same in every list and every webhook: events may be told more than once'),
    type: z
      .string()
      .describe(
        '`payment.`, `capture.`, `void.` or `refund.` and the new status, or what happened to a payment that stays pending',
      ),
    sequence: z.int().describe('Counts the events of one object from 1'),
    object_id: z.string(),
    created_at: z.iso.datetime(),
    data: z
      .union([paymentDataSchema, movementDataSchema])
      .describe('The payment, capture, void or refund as it was then: ids and money, never names or addresses'),
  })
  .meta({ id: 'Event' });
