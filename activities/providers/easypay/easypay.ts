import type { ChargeOutcome } from '../../../workflows/domain/outcome.ts';
import { createHttpClient } from '../http.ts';
import type { Provider, ProviderCall } from '../provider.ts';
import { readCharge, readChargeList } from './answers.ts';

/** Where EasyPay is and the key that it knows us by. */
export interface EasypayOptions {
  readonly url: string;
  readonly apiKey: string;
}

/**
 * EasyPay, a JSON gateway: `POST /v1/charges` with an `Idempotency-Key`, `GET /v1/charges?reference=`. It honors keys for
 * as long as it keeps its books, and processes a request within 30 seconds or never.
 */
export function createEasypay(options: EasypayOptions): Provider {
  const { origin, pathname } = new URL(options.url);
  const base = pathname.replace(/\/$/, '');
  const http = createHttpClient(origin);
  const headersOf = (call: ProviderCall) => ({
    authorization: `Bearer ${options.apiKey}`,
    'x-correlation-id': call.correlationId,
  });
  return {
    name: 'easypay',
    idempotency: { kind: 'key' },
    processingHorizonMs: 30_000,

    async charge(request, call): Promise<ChargeOutcome> {
      const body = JSON.stringify({
        reference: request.reference,
        amount_minor: request.amountMinor.toString(),
        currency: request.currency,
        card_token: request.cardToken,
      });
      const headers = {
        ...headersOf(call),
        'content-type': 'application/json',
        'idempotency-key': request.idempotencyKey,
      };
      return readCharge(await http.send({ method: 'POST', path: `${base}/v1/charges`, headers, body }, call), request);
    },

    async lookUpCharge(request, call): Promise<ChargeOutcome | null> {
      const path = `${base}/v1/charges?reference=${encodeURIComponent(request.reference)}`;
      return readChargeList(await http.send({ method: 'GET', path, headers: headersOf(call) }, call), request);
    },

    close: () => http.close(),
  };
}
