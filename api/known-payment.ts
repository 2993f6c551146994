import type { MerchantScope, PaymentRow } from '../prisma/payments.ts';
import type { KnownPayment } from './temporal/workflow-starts.ts';

/** A payment whose row exists, for whoever sends something to its workflow. */
export function knownPayment({ merchantId, isTest }: MerchantScope, row: PaymentRow): KnownPayment {
  const { id: paymentId, external_id: externalId, amount: amountMinor, currency } = row;
  return { paymentId, merchantId, isTest, externalId, amountMinor, currency };
}
