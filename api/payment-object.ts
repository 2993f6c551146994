import { z } from 'zod';
import type { Payment } from '../prisma/generated/client.ts';
import { formatMinor } from '../workflows/domain/money.ts';
import { paymentStatuses } from '../workflows/domain/payment-status.ts';

const instant = z.iso.datetime();
const amount = z.string().describe('Decimal string in units of the currency, e.g. "25.99"');

/** The payment as merchants see it. */
export const paymentSchema = z
  .object({
    id: z.string(),
    external_id: z.string(),
    amount,
    currency: z.string().describe('ISO 4217'),
    status: z.enum(paymentStatuses),
    purpose: z.string(),
    payment_method: z.string(),
    customer_id: z.string().nullable(),
    customer_email: z.string().nullable(),
    customer_name: z.string().nullable(),
    card_last_four: z.string().nullable(),
    card_brand: z.string().nullable(),
    description: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    processor: z.string().nullable().describe('The provider that charged, or declined, the card'),
    processor_response_code: z.string().nullable(),
    processor_response_message: z.string().nullable(),
    processor_transaction_id: z.string().nullable(),
    authorized_amount: amount,
    captured_amount: amount,
    refunded_amount: amount,
    refund_count: z.int(),
    failure: z
      .object({ code: z.string(), message: z.string() })
      .nullable()
      .describe('Why the payment failed, or why a person must decide'),
    next_action: z.record(z.string(), z.unknown()).nullable().describe('What the payer must do next'),
    expires_at: instant.describe('Not charged by then: failed'),
    created_at: instant,
    updated_at: instant,
    processed_at: instant.nullable(),
    settled_at: instant.nullable(),
    is_test: z.boolean(),
  })
  .meta({ id: 'Payment' });

export type PaymentObject = z.infer<typeof paymentSchema>;

/** A row as the wire has it: amounts in decimals, instants in ISO 8601. */
export function toPaymentObject(row: Payment): PaymentObject {
  const money = (minor: bigint) => formatMinor(minor, row.currency);
  return paymentSchema.parse({
    id: row.id,
    external_id: row.externalId,
    amount: money(row.amount),
    currency: row.currency,
    status: row.status,
    purpose: row.purpose,
    payment_method: row.paymentMethod,
    customer_id: row.customerId,
    customer_email: row.customerEmail,
    customer_name: row.customerName,
    card_last_four: row.cardLastFour,
    card_brand: row.cardBrand,
    description: row.description,
    metadata: row.metadata,
    processor: row.processor,
    processor_response_code: row.processorResponseCode,
    processor_response_message: row.processorResponseMessage,
    processor_transaction_id: row.processorTransactionId,
    authorized_amount: money(row.authorizedAmount),
    captured_amount: money(row.capturedAmount),
    refunded_amount: money(row.refundedAmount),
    refund_count: row.refundCount,
    failure: row.failure,
    next_action: row.nextAction,
    expires_at: row.expiresAt.toISOString(),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    processed_at: row.processedAt?.toISOString() ?? null,
    settled_at: row.settledAt?.toISOString() ?? null,
    is_test: row.isTest,
  });
}
