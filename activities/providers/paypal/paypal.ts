import { invariant } from '../../../workflows/domain/invariant.ts';
import type { ChargeOutcome } from '../../../workflows/domain/outcome.ts';
import type { HttpRequest } from '../http.ts';
import type { ChargeRequest, PrepareRequest, Provider } from '../provider.ts';
import { paypalCurrencies, toPaypalValue } from './amounts.ts';
import { readCapture, readOrder, readPrepared } from './answers.ts';
import { createPaypalClient, type PaypalOptions } from './client.ts';

const hourMs = 3_600_000;

/**
 * PayPal's Orders API, version 2: an order is made (`prepare`), which moves no money, and then captured (`charge`). It keeps
 * a `PayPal-Request-Id` for six hours and captures an order once, also later. The payment source comes with the capture:
 * an order that is made with a vaulted one is a "single-step create order call", which captures at once. Source: PayPal's
 * Orders v2 reference, developer.paypal.com/docs/api/orders/v2/, "Capture payment for order" and its `PayPal-Request-Id`.
 * An order that nobody captures is gone after about three hours: its capture is then `rejected` (docs/add-a-provider.md).
 * Brands: developer.paypal.com/docs/checkout/advanced/eligibility; some only in some countries.
 */
export function createPaypal(options: PaypalOptions): Provider {
  const client = createPaypalClient(options);
  return {
    name: 'paypal',
    capabilities: {
      methods: ['credit_card', 'paypal'],
      brands: ['visa', 'mastercard', 'amex', 'discover'],
      currencies: paypalCurrencies,
    },
    idempotency: { kind: 'window', windowMs: 6 * hourMs },
    processingHorizonMs: 30_000,

    async prepare(request, call): Promise<string> {
      const body = JSON.stringify(orderFor(request));
      const answer = await client.send(post('/v2/checkout/orders', request.idempotencyKey, body), call);
      return readPrepared(answer, request);
    },

    async charge(request, call): Promise<ChargeOutcome> {
      const path = `${orderPath(request.preparationId)}/capture`;
      const body = JSON.stringify({ payment_source: sourceFor(request) });
      return readCapture(await client.send(post(path, request.idempotencyKey, body), call), request);
    },

    async lookUpCharge(request, call): Promise<ChargeOutcome | null> {
      // Without an order there was nothing to capture.
      if (request.preparationId === null) return null;
      const path = orderPath(request.preparationId);
      return readOrder(await client.send({ method: 'GET', path, headers: {} }, call), request);
    },

    close: () => client.close(),
  };
}

function orderFor(request: PrepareRequest): object {
  const amount = { currency_code: request.currency, value: toPaypalValue(request.amountMinor, request.currency) };
  return {
    intent: 'CAPTURE',
    purchase_units: [{ reference_id: request.reference, custom_id: request.reference, amount }],
  };
}

function sourceFor({ paymentMethod, cardToken }: ChargeRequest): object {
  const vaulted = { vault_id: cardToken };
  return paymentMethod === 'paypal' ? { paypal: vaulted } : { card: vaulted };
}

function orderPath(orderId: string | null): string {
  invariant(orderId !== null, 'a charge at PayPal captures an order: prepare comes first');
  return `/v2/checkout/orders/${encodeURIComponent(orderId)}`;
}

function post(path: string, requestId: string, body: string): HttpRequest {
  const headers = {
    'content-type': 'application/json',
    'paypal-request-id': requestId,
    prefer: 'return=representation',
  };
  return { method: 'POST', path, headers, body };
}
