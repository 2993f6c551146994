import { createEasypay, type EasypayOptions } from './easypay/easypay.ts';
import type { PaypalOptions } from './paypal/client.ts';
import { createPaypal } from './paypal/paypal.ts';
import type { Provider } from './provider.ts';

/** The providers that this installation can use, by name. */
export type Providers = ReadonlyMap<string, Provider>;

/** How each provider is reached. */
export interface ProvidersOptions {
  readonly easypay: EasypayOptions;
  readonly paypal: PaypalOptions;
}

/** Makes every provider. To add one: a folder beside this file, and a line here; see `docs/add-a-provider.md`. */
export function createProviders(options: ProvidersOptions): Providers {
  const all = [createEasypay(options.easypay), createPaypal(options.paypal)];
  return new Map(all.map((provider) => [provider.name, provider]));
}
