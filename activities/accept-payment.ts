import { acceptPayment as insertOrFind } from '../prisma/payments.ts';
import { withSubscriptionPayer } from '../prisma/subscription-payer.ts';
import { brandOfToken, type Route, routeOf } from '../workflows/domain/routing.ts';
import type { Acceptance, AcceptPayment, PaymentRequest } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';
import type { Providers } from './providers/index.ts';

/**
 * Commits the payment's row, with the route that it will take, before any provider is called; or finds the row that this id
 * already has.
 */
export async function acceptPayment({ db, providers }: ActivityDeps, input: AcceptPayment): Promise<Acceptance> {
  const { request } = input;
  const whole =
    request === undefined ? input : { ...input, request: await withSubscriptionPayer(db, input.merchantId, request) };
  return insertOrFind(db, whole, (accepted) => routeFor(accepted, providers));
}

function routeFor(request: PaymentRequest, providers: Providers): Route {
  const capabilities = new Map([...providers].map(([name, provider]) => [name, provider.capabilities]));
  const details = {
    method: request.paymentMethod,
    brand: brandOfToken(request.cardToken),
    amountMinor: BigInt(request.amountMinor),
    currency: request.currency,
  };
  return routeOf(details, request.routing, capabilities);
}
