import { randomUUID } from 'node:crypto';
import type { PaymentRequest } from '../../workflows/ports.ts';

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
    expiresAfterSeconds: 3_600,
    askForSeconds: 86_400,
    routing: { rules: [], default: ['easypay', 'paypal'] },
    ...changes,
  };
}
