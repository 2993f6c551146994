import { z } from 'zod';
import type { CustomerRow } from '../prisma/customers.ts';
import type { MerchantSettings } from '../prisma/merchant-settings.ts';
import { paymentTermsOf } from '../prisma/payment-terms.ts';
import { invariant } from '../workflows/domain/invariant.ts';
import { parseMoney } from '../workflows/domain/money.ts';
import type { RetryTerms } from '../workflows/domain/terms.ts';
import type { PaymentRequest } from '../workflows/ports.ts';
import type { Asking } from './asking.ts';
import type { FieldError } from './errors.ts';
import { changeableFields, paymentMethodFields } from './payment-fields.ts';
import { text } from './text.ts';
import { webUrlProblem } from './web-url.ts';

const retrySchema = z
  .strictObject({
    schedule: z
      .array(z.int().min(1).max(2_592_000))
      .min(1)
      .max(10)
      .describe('Seconds before each further round; the last one serves for all after it'),
    attempts_max: z.int().min(2).max(10).describe('Rounds in all, the first one included'),
  })
  .describe('Try again later where the card was declined for a reason that may pass');

/** What a payment is made of, whoever asks for it: a request, or a row of a batch. */
export const paymentFields = z
  .strictObject({
    amount: z.string().max(40).describe('Decimal string in units of the currency, e.g. "25.99"'),
    currency: z.string().max(10).describe('ISO 4217, e.g. "USD"'),
    payment_method: paymentMethodFields.type,
    card_token: paymentMethodFields.card_token,
    external_id: text(100).optional().describe('Your own id of the payment, unique; the payment’s id if absent'),
    purpose: z.enum(['purchase', 'subscription', 'donation', 'top_up', 'other']).default('purchase'),
    customer_id: text(100)
      .optional()
      .describe('Your own id of the payer, or the id (`cus_…`) of a customer that you made, who must be active'),
    customer_email: changeableFields.customer_email.optional(),
    customer_name: changeableFields.customer_name.optional(),
    description: changeableFields.description.optional(),
    metadata: changeableFields.metadata.default({}),
    capture: z
      .enum(['automatic', 'manual'])
      .default('automatic')
      .describe('`manual`: only reserve the amount; take it, or a part, with `POST /payments/{id}/capture`'),
    return_url: text(2_000)
      .optional()
      .describe('Where the payer’s browser goes after it was somewhere else: https, or http in test mode'),
    retry: retrySchema.optional(),
  })
  .superRefine((given, context) => {
    const parsed = parseMoney(given.amount, given.currency);
    if (!parsed.ok) context.addIssue({ code: 'custom', path: [parsed.field], message: parsed.problem });
  });

type PaymentFields = z.infer<typeof paymentFields>;

/** What is wrong with where the payer’s browser is to go, in this mode. */
export function returnUrlErrors({ return_url: url }: PaymentFields, isTest: boolean): FieldError[] {
  const detail = url === undefined ? null : webUrlProblem(url, isTest);
  return detail === null ? [] : [{ pointer: '/return_url', detail }];
}

/** What is wrong with the currency of something new: a merchant may have agreed on a few, and have had others before. */
export function currencyErrors({ currency }: PaymentFields, { currencies }: MerchantSettings): FieldError[] {
  if (currencies === null || currencies.includes(currency)) return [];
  return [{ pointer: '/currency', detail: `must be one of yours: ${currencies.join(', ')}` }];
}

/** A validated wish for a payment as its workflow takes it, with the merchant's terms and routing as they are now. */
export function toPaymentRequest(given: PaymentFields, asking: Asking, settings: MerchantSettings): PaymentRequest {
  const parsed = parseMoney(given.amount, given.currency);
  invariant(parsed.ok, 'the fields were validated');
  return {
    idempotencyKey: asking.idempotencyKey,
    requestHash: asking.requestHash,
    externalId: given.external_id ?? null,
    correlationId: asking.correlationId,
    actor: asking.actor,
    origin: asking.origin,
    amountMinor: parsed.money.amountMinor.toString(),
    currency: parsed.money.currency,
    purpose: given.purpose,
    paymentMethod: given.payment_method,
    cardToken: given.card_token,
    customerId: given.customer_id ?? null,
    customerEmail: given.customer_email ?? null,
    customerName: given.customer_name ?? null,
    description: given.description ?? null,
    metadata: given.metadata,
    receivedAt: asking.receivedAt.toISOString(),
    routing: settings.routing,
    terms: paymentTermsOf(settings, given.currency, retryTermsOf(given)),
    captureMethod: given.capture,
    returnUrl: given.return_url === undefined ? null : new URL(given.return_url).href,
  };
}

/** With the customer's e-mail address and name where the payment has none of its own. */
export function withContact(request: PaymentRequest, { email, name }: CustomerRow): PaymentRequest {
  return {
    ...request,
    customerEmail: request.customerEmail ?? email,
    customerName: request.customerName ?? name,
  };
}

function retryTermsOf({ retry }: PaymentFields): RetryTerms | null {
  return retry === undefined ? null : { scheduleSeconds: retry.schedule, attemptsMax: retry.attempts_max };
}
