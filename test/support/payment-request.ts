import { randomUUID } from 'node:crypto';
import type { PaymentTerms } from '../../workflows/domain/terms.ts';
import type { PaymentRequest } from '../../workflows/ports.ts';

/** A merchant's terms without a fee and without retries, with what a test wants otherwise. */
export function someTerms(changes: Partial<PaymentTerms> = {}): PaymentTerms {
  return {
    expiresAfterSeconds: 3_600,
    askForSeconds: 86_400,
    actionWithinSeconds: 3_600,
    captureWithinSeconds: 604_800,
    retry: null,
    feeBasisPoints: 0,
    feeFixedMinor: '0',
    ...changes,
  };
}

/** A valid request for 25.99 USD as the API hands it on, with what a test wants otherwise. */
export function aPaymentRequest(changes: Partial<PaymentRequest> = {}): PaymentRequest {
  return {
    idempotencyKey: randomUUID(),
    requestHash: 'h',
    externalId: null,
    correlationId: 'c',
    actor: 'api_key:k',
    origin: '::1',
    amountMinor: '2599',
    currency: 'USD',
    purpose: 'purchase',
    paymentMethod: 'credit_card',
    cardToken: 'tok_visa_4242',
    customerId: null,
    customerEmail: null,
    customerName: null,
    description: null,
    metadata: {},
    receivedAt: new Date().toISOString(),
    routing: { rules: [], default: ['easypay', 'paypal'] },
    terms: {
      expiresAfterSeconds: 3_600,
      askForSeconds: 86_400,
      actionWithinSeconds: 3_600,
      captureWithinSeconds: 604_800,
      retry: null,
      feeBasisPoints: 0,
      feeFixedMinor: '0',
    },
    captureMethod: 'automatic',
    returnUrl: null,
    ...changes,
  };
}
