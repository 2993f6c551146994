import { createEasypayEvents, type EasypayEventsOptions } from './easypay/events.ts';
import { createPaypalEvents, type PaypalEventsOptions } from './paypal/events.ts';
import type { ProviderEvents } from './provider-events.ts';

/** The accounts whose events this installation takes; null: none of that provider. */
export interface ProviderEventsOptions {
  readonly easypay: EasypayEventsOptions | null;
  readonly paypal: PaypalEventsOptions | null;
}

/** Makes the readers of all events, by `provider/accountId`, which is how the address ends that the provider posts to. */
export function createProviderEvents({ easypay, paypal }: ProviderEventsOptions): ReadonlyMap<string, ProviderEvents> {
  const all = [
    ...(easypay === null ? [] : [createEasypayEvents(easypay)]),
    ...(paypal === null ? [] : [createPaypalEvents(paypal)]),
  ];
  return new Map(all.map((events) => [`${events.provider}/${events.accountId}`, events]));
}
