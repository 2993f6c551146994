import { createEasypay, type EasypayOptions } from './easypay/easypay.ts';
import type { Provider } from './provider.ts';

/** The providers that this installation can use, by name. */
export type Providers = ReadonlyMap<string, Provider>;

/** Makes every provider. To add one: a folder beside this file, and a line here. */
export function createProviders(options: { readonly easypay: EasypayOptions }): Providers {
  const all = [createEasypay(options.easypay)];
  return new Map(all.map((provider) => [provider.name, provider]));
}
