import { z } from 'zod';
import type { ChargeOutcome, ProviderResponse } from '../../../workflows/domain/outcome.ts';
import { lastFourDigits, remark, transactionId } from '../answer-parts.ts';
import { fromPaypalValue } from './amounts.ts';

/** An amount that cannot be counted in minor units of ISO 4217 makes the answer unreadable. */
export const amountSchema = z
  .object({ currency_code: z.string(), value: z.string().max(32) })
  .transform(({ currency_code: currency, value }, context) => {
    const amountMinor = fromPaypalValue(value, currency);
    if (amountMinor !== null) return { amountMinor, currency };
    context.addIssue('no amount of money');
    return z.NEVER;
  });

/** Money that PayPal reports. */
export type Amount = z.infer<typeof amountSchema>;

const resourceFields = {
  id: transactionId,
  status_details: z
    .object({ reason: remark(200) })
    .nullish()
    .catch(null),
  amount: amountSchema,
  processor_response: z
    .object({ response_code: remark(20) })
    .nullish()
    .catch(null),
};
const invoiceId = z.string().nullish();

/** A capture of an order or of an authorization. */
export const captureSchema = z.object({
  ...resourceFields,
  // A capture that was refunded since did move the money before.
  status: z.enum(['COMPLETED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'PENDING', 'DECLINED', 'FAILED']),
  custom_id: z.string(),
  invoice_id: invoiceId,
  final_capture: z.boolean().nullish().catch(null),
});

/** An authorization. */
export const authorizationSchema = z.object({
  ...resourceFields,
  // One that was captured or voided since did reserve the amount before.
  status: z.enum(['CREATED', 'CAPTURED', 'PARTIALLY_CAPTURED', 'VOIDED', 'PENDING', 'DENIED']),
  custom_id: z.string(),
});

/** A refund of a capture. */
export const refundSchema = z.object({
  ...resourceFields,
  status: z.enum(['COMPLETED', 'PENDING', 'FAILED', 'CANCELLED']),
  invoice_id: invoiceId,
});

/** A capture of an order or of an authorization. */
export type PaypalCapture = z.infer<typeof captureSchema>;
/** An authorization. */
export type PaypalAuthorization = z.infer<typeof authorizationSchema>;
/** A refund of a capture. */
export type PaypalRefund = z.infer<typeof refundSchema>;
type Resource = PaypalCapture | PaypalAuthorization | PaypalRefund;

const payments = {
  authorizations: z.array(authorizationSchema).default([]),
  captures: z.array(captureSchema).default([]),
};
const none = { authorizations: [], captures: [] };

const orderOf = <Payments extends z.ZodType>(paymentsSchema: Payments) =>
  z.object({
    id: z.string(),
    status: z.string(),
    purchase_units: z.tuple([z.object({ payments: paymentsSchema })]),
    payment_source: z
      .object({ card: z.object({ brand: remark(40), last_digits: lastFourDigits }) })
      .nullish()
      .catch(null),
  });

/** An order with what was charged by it. */
export const orderSchema = orderOf(z.object(payments).default(none));

/** An order with all that moved money after its charge, too. */
export const wholeOrderSchema = orderOf(
  z.object({ ...payments, refunds: z.array(refundSchema).default([]) }).default({ ...none, refunds: [] }),
);

/** An order with what was charged by it. */
export type PaypalOrder = z.infer<typeof orderSchema>;
/** An order with all that moved money after its charge, too. */
export type WholeOrder = z.infer<typeof wholeOrderSchema>;

/** What PayPal says about a resource. */
export type Verdict = 'approved' | 'pending' | 'declined';

const verdicts: Readonly<Record<Resource['status'], Verdict>> = {
  COMPLETED: 'approved',
  PARTIALLY_REFUNDED: 'approved',
  REFUNDED: 'approved',
  CREATED: 'approved',
  CAPTURED: 'approved',
  PARTIALLY_CAPTURED: 'approved',
  VOIDED: 'approved',
  PENDING: 'pending',
  DECLINED: 'declined',
  DENIED: 'declined',
  FAILED: 'declined',
  CANCELLED: 'declined',
};

/** What PayPal says about a resource. */
export function verdictOf({ status }: Resource): Verdict {
  return verdicts[status];
}

/** The one that counts when there should be more than one: what moved money before what did not. */
export function weightiest<One extends Resource>(resources: readonly One[]): One | undefined {
  const first = (verdict: Verdict) => resources.find((one) => verdictOf(one) === verdict);
  return first('approved') ?? first('pending') ?? resources[0];
}

/** What PayPal said about a resource, in its own words. */
export function responseOf(resource: Resource, card: ProviderResponse['card'] = null): ProviderResponse {
  return {
    transactionId: resource.id,
    responseCode: resource.processor_response?.response_code ?? resource.status,
    responseMessage: resource.status_details?.reason ?? resource.status,
    card,
  };
}

/** Approved over exactly what was asked, or `mismatched`. */
export function approvedOver(
  { amountMinor, currency }: Amount,
  asked: { readonly amountMinor: bigint; readonly currency: string },
  response: ProviderResponse,
): ChargeOutcome {
  if (amountMinor === asked.amountMinor && currency === asked.currency) return { kind: 'approved', response };
  return { kind: 'mismatched', response, reported: { amountMinor: amountMinor.toString(), currency } };
}
