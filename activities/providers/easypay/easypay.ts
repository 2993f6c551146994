import type { MovementKind } from '../../../workflows/domain/movement.ts';
import type { ChargeOutcome } from '../../../workflows/domain/outcome.ts';
import { createHttpClient } from '../http.ts';
import type { ChargeRequest, MovementRequest, Provider } from '../provider.ts';
import { readCharge, readChargeList, readMovement, readMovementList } from './answers.ts';

/** Where EasyPay is and the key that it knows us by. */
export interface EasypayOptions {
  readonly url: string;
  readonly apiKey: string;
}

/**
 * EasyPay, a JSON gateway: `POST /v1/charges` with an `Idempotency-Key`, `GET /v1/charges?reference=`, and the same of the
 * `captures`, `voids` and `refunds` below a charge. It honors keys for as long as it keeps its books, and processes a request
 * within 30 seconds or never.
 */
export function createEasypay(options: EasypayOptions): Provider {
  const http = createHttpClient(options.url);
  const headers = { authorization: `Bearer ${options.apiKey}` };
  const post = (path: string, idempotencyKey: string, body: object) => ({
    method: 'POST' as const,
    path,
    headers: { ...headers, 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
    body: JSON.stringify(body),
  });
  const get = (path: string, reference: string) => ({
    method: 'GET' as const,
    path: `${path}?reference=${encodeURIComponent(reference)}`,
    headers,
  });
  return {
    name: 'easypay',
    capabilities: { methods: ['credit_card'], brands: ['visa', 'mastercard', 'amex'], currencies: null },
    idempotency: { kind: 'key' },
    processingHorizonMs: 30_000,
    refundsPer: 'charge',

    async charge(request, call): Promise<ChargeOutcome> {
      return readCharge(
        await http.send(post('/v1/charges', request.idempotencyKey, chargeBody(request)), call),
        request,
      );
    },

    async lookUpCharge(request, call): Promise<ChargeOutcome | null> {
      return readChargeList(await http.send(get('/v1/charges', request.reference), call), request);
    },

    async move(request, call): Promise<ChargeOutcome> {
      const exchange = post(movementsPath(request), request.idempotencyKey, movementBody(request));
      return readMovement(await http.send(exchange, call), request);
    },

    async lookUpMovement(request, call): Promise<ChargeOutcome | null> {
      return readMovementList(await http.send(get(movementsPath(request), request.reference), call), request);
    },

    close: () => http.close(),
  };
}

function chargeBody(request: ChargeRequest): object {
  return {
    reference: request.reference,
    amount_minor: request.amountMinor.toString(),
    currency: request.currency,
    card_token: request.cardToken,
    capture: request.capture === 'automatic',
    return_url: request.returnUrl,
  };
}

/** A void gives back all that is still reserved, so it names no amount. */
function movementBody({ kind, reference, amountMinor, currency }: MovementRequest): object {
  return kind === 'void' ? { reference } : { reference, amount_minor: amountMinor.toString(), currency };
}

const collections: Readonly<Record<MovementKind, string>> = { capture: 'captures', void: 'voids', refund: 'refunds' };

function movementsPath({ kind, chargeTransactionId }: MovementRequest): string {
  return `/v1/charges/${encodeURIComponent(chargeTransactionId)}/${collections[kind]}`;
}
