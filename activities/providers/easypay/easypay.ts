import type { ChargeOutcome } from '../../../workflows/domain/outcome.ts';
import { createHttpClient } from '../http.ts';
import type { Provider } from '../provider.ts';
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
  const http = createHttpClient(options.url);
  const authorization = `Bearer ${options.apiKey}`;
  return {
    name: 'easypay',
    capabilities: { methods: ['credit_card'], brands: ['visa', 'mastercard', 'amex'], currencies: null },
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
        authorization,
        'content-type': 'application/json',
        'idempotency-key': request.idempotencyKey,
      };
      return readCharge(await http.send({ method: 'POST', path: '/v1/charges', headers, body }, call), request);
    },

    async lookUpCharge(request, call): Promise<ChargeOutcome | null> {
      const path = `/v1/charges?reference=${encodeURIComponent(request.reference)}`;
      return readChargeList(await http.send({ method: 'GET', path, headers: { authorization } }, call), request);
    },

    close: () => http.close(),
  };
}
