import { z } from 'zod';
import type { PaymentRow } from '../prisma/payments.ts';
import { formatMinor } from '../workflows/domain/money.ts';
import { paymentStatuses } from '../workflows/domain/payment-status.ts';
import type { Route } from '../workflows/domain/routing.ts';
import { captureSchema } from './capture-object.ts';
import { failureSchema, toFailureObject } from './failure-object.ts';

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
    capture: z
      .enum(['automatic', 'manual'])
      .describe('`automatic`: the charge takes the money; `manual`: it reserves it, for captures'),
    subscription_id: z.string().nullable().describe('The subscription that made it; null: none did'),
    invoice_id: z.string().nullable().describe('The invoice of it that this pays for'),
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
    voided_amount: amount.describe('What was reserved and given back without being captured'),
    refunded_amount: amount,
    refund_count: z.int(),
    captures: z
      .array(captureSchema.pick({ id: true, amount: true, status: true, failure: true, created_at: true }))
      .nullable()
      .describe('Oldest first; null with `capture: automatic`'),
    capture_before: instant.nullable().describe('Not captured by then: given back'),
    failure: failureSchema.nullable().describe('Why the payment failed, or why a person must decide'),
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
    next_action: z
      .object({
        type: z.literal('redirect'),
        redirect_url: z.string().describe('Send the payer’s browser there'),
        expires_at: instant.nullable().describe('Not done by then: nothing is charged'),
      })
      .nullable()
      .describe('What the payer must do next'),
    retry: z
      .object({
        schedule: z.array(z.int()).describe('Seconds before each further round; the last one serves for all after it'),
        attempts_max: z.int(),
        attempts_made: z.int().describe('Rounds so far, the one under way included'),
        next_attempt_at: instant.nullable().describe('When the next round begins, while one is waited for'),
      })
      .nullable()
      .describe('Further rounds after declines that may pass; null: none were asked for'),
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
  const { correlation_id: _correlation, request_hash: _hash, ...stored } = row;
  const { capture_method: capture, action_expires_at: actBefore, terms: _terms, ...kept } = stored;
  const { retries_made: _made, retry_at: _next, route, ...shown } = kept;
  const money = (minor: string) => formatMinor(BigInt(minor), row.currency);
  return {
    ...shown,
    capture,
    amount: money(row.amount),
    authorized_amount: money(row.authorized_amount),
    captured_amount: money(row.captured_amount),
    voided_amount: money(row.voided_amount),
    refunded_amount: money(row.refunded_amount),
    captures: row.captures && row.captures.map((one) => capturedOf(one, money)),
    failure: toFailureObject(row.failure),
    routing: routingOf(route),
    next_action: row.next_action && { ...row.next_action, expires_at: actBefore?.toISOString() ?? null },
    retry: retryOf(row),
    capture_before: row.capture_before?.toISOString() ?? null,
    expires_at: row.expires_at.toISOString(),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    processed_at: row.processed_at?.toISOString() ?? null,
    settled_at: row.settled_at?.toISOString() ?? null,
  };
}

type CaptureOfPayment = NonNullable<PaymentRow['captures']>[number];

function capturedOf(
  { id, amount: minor, status, failure, created_at }: CaptureOfPayment,
  money: (minor: string) => string,
) {
  const createdAt = new Date(created_at).toISOString(); // Postgres writes its own offset
  return { id, amount: money(minor), status, failure: toFailureObject(failure), created_at: createdAt };
}

function retryOf({ terms, retries_made: made, retry_at: next }: PaymentRow): PaymentObject['retry'] {
  if (!terms.retry) return null;
  return {
    schedule: [...terms.retry.scheduleSeconds],
    attempts_max: terms.retry.attemptsMax,
    attempts_made: next === null ? made + 1 : made,
    next_attempt_at: next?.toISOString() ?? null,
  };
}

function routingOf({ rule, reason, candidates, ineligible }: Route): PaymentObject['routing'] {
  return { rule, reason, candidates: [...candidates], ineligible: [...ineligible] };
}
