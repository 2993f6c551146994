import { findPayment, type MerchantScope, type PaymentRow } from '../prisma/payments.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './errors.ts';
import { requireForm } from './require-form.ts';

/** The id, or `not_found` for text that can be no payment's id. */
export const requirePaymentId = requireForm(/^pay_[0-9a-z]{26}$/);

/** The row of a payment of this merchant in this mode, or `not_found`. */
export async function requirePayment(deps: ApiDeps, scope: MerchantScope, id: string): Promise<PaymentRow> {
  const row = await findPayment(deps.db, scope, requirePaymentId(id));
  if (row === null) throw new Problem('not_found');
  return row;
}

/** The id, or `not_found` for text that can be no refund's id. */
export const requireRefundId = requireForm(/^ref_[0-9a-z]{26}$/);
