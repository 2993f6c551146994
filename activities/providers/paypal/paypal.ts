import { invariant } from '../../../workflows/domain/invariant.ts';
import type { ChargeOutcome } from '../../../workflows/domain/outcome.ts';
import type { HttpRequest } from '../http.ts';
import type { ChargeRequest, MovementRequest, PrepareRequest, Provider } from '../provider.ts';
import { paypalCurrencies, toPaypalValue } from './amounts.ts';
import { readCharge, readOrder, readPrepared } from './answers.ts';
import { createPaypalClient, type PaypalOptions } from './client.ts';
import { readMovement, readMovementIn, refundedId } from './movement-answers.ts';

const hourMs = 3_600_000;

/**
 * PayPal's Orders API, version 2: an order is made (`prepare`), which moves no money, and then captured or authorized
 * (`charge`). It keeps a `PayPal-Request-Id` for six hours and captures or authorizes an order once, also later. The payment
 * source comes with that: an order that is made with a vaulted one is a "single-step create order call", which captures at
 * once. Source: PayPal's Orders v2 reference, developer.paypal.com/docs/api/orders/v2/, "Capture payment for order" and its
 * `PayPal-Request-Id`.
 * An order that nobody captures is gone after about three hours: its capture is then `rejected` (docs/add-a-provider.md).
 * What follows an authorization is of the Payments API, version 2, which keeps a `PayPal-Request-Id` for 45 days; captures
 * and refunds are found in the order by their `invoice_id`, which is our movement's id. Source: Payments v2 reference,
 * developer.paypal.com/docs/api/payments/v2/.
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
    refundsPer: 'capture',

    async prepare(request, call): Promise<string> {
      const answer = await client.send(post('/v2/checkout/orders', request.idempotencyKey, orderFor(request)), call);
      return readPrepared(answer, request);
    },

    async charge(request, call): Promise<ChargeOutcome> {
      const step = request.capture === 'manual' ? 'authorize' : 'capture';
      const path = `${orderPath(request.preparationId)}/${step}`;
      const body = { payment_source: sourceFor(request) };
      return readCharge(await client.send(post(path, request.idempotencyKey, body), call), request);
    },

    async lookUpCharge(request, call): Promise<ChargeOutcome | null> {
      // Without an order there was nothing to capture.
      if (request.preparationId === null) return null;
      return readOrder(await client.send(get(orderPath(request.preparationId)), call), request);
    },

    async move(request, call): Promise<ChargeOutcome> {
      const exchange = post(movementPath(request), request.idempotencyKey, movementBody(request));
      return readMovement(await client.send(exchange, call), request);
    },

    async lookUpMovement(request, call): Promise<ChargeOutcome | null> {
      return readMovementIn(await client.send(get(orderPath(request.preparationId)), call), request);
    },

    close: () => client.close(),
  };
}

function orderFor(request: PrepareRequest): object {
  const { reference } = request;
  return {
    intent: request.capture === 'manual' ? 'AUTHORIZE' : 'CAPTURE',
    purchase_units: [{ reference_id: reference, custom_id: reference, amount: amountFor(request) }],
  };
}

function sourceFor({ paymentMethod, cardToken }: ChargeRequest): object {
  const vaulted = { vault_id: cardToken };
  return paymentMethod === 'paypal' ? { paypal: vaulted } : { card: vaulted };
}

/** A void gives back all that is still held, and has no place for an id of ours. */
function movementBody(request: MovementRequest): object {
  const { reference } = request;
  switch (request.kind) {
    case 'capture':
      return { amount: amountFor(request), invoice_id: reference, final_capture: request.isFinal };
    case 'void':
      return {};
    case 'refund':
      return { amount: amountFor(request), invoice_id: reference, custom_id: reference };
  }
}

function amountFor({ amountMinor, currency }: Pick<PrepareRequest, 'amountMinor' | 'currency'>): object {
  return { currency_code: currency, value: toPaypalValue(amountMinor, currency) };
}

function orderPath(orderId: string | null): string {
  invariant(orderId !== null, 'a charge at PayPal captures an order: prepare comes first');
  return `/v2/checkout/orders/${encodeURIComponent(orderId)}`;
}

function movementPath(request: MovementRequest): string {
  if (request.kind === 'refund') return `/v2/payments/captures/${encodeURIComponent(refundedId(request))}/refund`;
  return `/v2/payments/authorizations/${encodeURIComponent(request.chargeTransactionId)}/${request.kind}`;
}

function get(path: string): HttpRequest {
  return { method: 'GET', path, headers: {} };
}

function post(path: string, requestId: string, body: object): HttpRequest {
  const headers = {
    'content-type': 'application/json',
    'paypal-request-id': requestId,
    prefer: 'return=representation',
  };
  return { method: 'POST', path, headers, body: JSON.stringify(body) };
}
