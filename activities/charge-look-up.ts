import type { ChargeInDoubt } from '../prisma/attempts.ts';
import type { ChargeLookUp } from './providers/provider.ts';

/** How a provider finds a payment's charge again: by the payment, and by the key of its attempt. */
export function chargeLookUpOf(
  paymentId: string,
  charge: Pick<ChargeInDoubt, 'attemptId' | 'amountMinor' | 'currency' | 'capture' | 'preparationId'>,
): ChargeLookUp {
  const { attemptId: idempotencyKey, amountMinor, currency, capture, preparationId } = charge;
  return { reference: paymentId, idempotencyKey, amountMinor, currency, capture, preparationId };
}
