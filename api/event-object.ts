import { z } from 'zod';
import { subscriptionStatuses } from '../workflows/domain/subscription-status.ts';
import { captureSchema } from './capture-object.ts';
import { invoiceSchema } from './invoice-object.ts';
import { paymentSchema } from './payment-object.ts';

const payment = paymentSchema.shape;
const movement = captureSchema.shape;
const invoice = invoiceSchema.shape;
const instant = z.iso.datetime();

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

const subscriptionDataSchema = z
  .looseObject({
    id: z.string(),
    external_id: z.string(),
    customer_id: z.string(),
    plan_id: z.string(),
    plan_version: z.int(),
    quantity: z.int(),
    status: z.enum(subscriptionStatuses),
    amount: invoice.amount.describe('Of a period, for all of `quantity`'),
    currency: z.string(),
    cycles_billed: z.int(),
    current_period_start: instant.nullable(),
    current_period_end: instant.nullable(),
    next_billing_date: instant.nullable(),
    cancel_at_period_end: z.boolean(),
    open_invoice_id: z.string().nullable(),
    is_test: z.boolean(),
  })
  .meta({ id: 'SubscriptionEventData' });

const invoiceDataSchema = z
  .looseObject({
    id: z.string(),
    number: invoice.number,
    subscription_id: invoice.subscription_id,
    customer_id: invoice.customer_id,
    reason: invoice.reason,
    status: invoice.status,
    amount: invoice.amount,
    currency: invoice.currency,
    period_start: invoice.period_start,
    period_end: invoice.period_end,
    payment_id: invoice.payment_id,
    attempts: invoice.attempts,
    next_attempt_at: invoice.next_attempt_at,
    failure: invoice.failure,
    is_test: invoice.is_test,
  })
  .meta({ id: 'InvoiceEventData' });

/** An event as merchants see it, in lists as in webhooks; `workflows/domain/event.ts` makes it. */
export const eventSchema = z
  .object({
    id: z.string().describe('The same in every list and every webhook: events may be told more than once'),
    type: z
      .string()
      .describe(
        '`payment.`, `capture.`, `void.`, `refund.`, `subscription.` or `invoice.` and the new status, or what else happened to ' +
          'it, such as `payment.delayed`, `subscription.renewed` or `invoice.payment_failed`',
      ),
    sequence: z.int().describe('Counts the events of one object from 1'),
    object_id: z.string(),
    created_at: z.iso.datetime(),
    data: z
      .union([paymentDataSchema, movementDataSchema, subscriptionDataSchema, invoiceDataSchema])
      .describe('The object as it was then: ids, dates and money, never names or addresses'),
  })
  .meta({ id: 'Event' });
