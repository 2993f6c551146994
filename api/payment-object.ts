import { z } from 'zod';
import type { PaymentRow } from '../prisma/payments.ts';
import { formatMinor } from '../workflows/domain/money.ts';
import { paymentStatuses } from '../workflows/domain/payment-status.ts';
import type { Route } from '../workflows/domain/routing.ts';

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
      .object({
        code: z.string(),
        message: z.string(),
        decline_class: z
          .enum(['retry_same', 'retry_other', 'never'])
          .nullable()
          .describe(
            'What may follow a decline: the same card may succeed later, another provider or card may succeed, or nothing ' +
              'will; null when it was no decline',
          ),
      })
      .nullable()
      .describe('Why the payment failed, or why a person must decide'),
    routing: z
      .object({
        rule: z
          .int()
          .nullable()
          .describe('The number of your routing rule that applied, from 1; null: the default order'),
        reason: z.string(),
        candidates: z
          .array(z.string())
          .describe('The providers that may charge it, in the order in which they are tried'),
        ineligible: z.array(z.object({ provider: z.string(), reason: z.string() })),
      })
      .describe('Which providers were chosen when the payment was accepted, and why'),
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
export function toPaymentObject(row: PaymentRow): PaymentObject {
  const { correlation_id: _correlation, request_hash: _hash, route, failure, ...shown } = row;
  const money = (minor: string) => formatMinor(BigInt(minor), row.currency);
  return {
    ...shown,
    amount: money(row.amount),
    authorized_amount: money(row.authorized_amount),
    captured_amount: money(row.captured_amount),
    refunded_amount: money(row.refunded_amount),
    failure: failure && { code: failure.code, message: failure.message, decline_class: failure.declineClass ?? null },
    routing: routingOf(route),
    expires_at: row.expires_at.toISOString(),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    processed_at: row.processed_at?.toISOString() ?? null,
    settled_at: row.settled_at?.toISOString() ?? null,
  };
}

function routingOf({ rule, reason, candidates, ineligible }: Route): PaymentObject['routing'] {
  return { rule, reason, candidates: [...candidates], ineligible: [...ineligible] };
}
