import type { ProviderEventsOptions } from '../activities/providers/events-index.ts';
import { type apiSettings, type readSettings, SettingsError } from '../runtime/settings.ts';

type Settings = Pick<
  ReturnType<typeof readSettings<typeof apiSettings>>,
  | 'EASYPAY_ACCOUNT_ID'
  | 'EASYPAY_WEBHOOK_SECRET'
  | 'PAYPAL_ACCOUNT_ID'
  | 'PAYPAL_WEBHOOK_ID'
  | 'PAYPAL_URL'
  | 'PAYPAL_CLIENT_ID'
  | 'PAYPAL_CLIENT_SECRET'
>;

/** The accounts whose events these settings let in. Throws a `SettingsError` where an account's settings are there by half. */
export function eventAccountsOf(settings: Settings): ProviderEventsOptions {
  return { easypay: easypayOf(settings), paypal: paypalOf(settings) };
}

function easypayOf({ EASYPAY_ACCOUNT_ID: accountId, EASYPAY_WEBHOOK_SECRET: secret }: Settings) {
  return secret === undefined ? null : { accountId, secret };
}

/** PayPal alone can check its signatures, so its events need a client of ours there. */
function paypalOf(settings: Settings): ProviderEventsOptions['paypal'] {
  const { PAYPAL_WEBHOOK_ID: webhookId, PAYPAL_ACCOUNT_ID: accountId, ...client } = settings;
  if (webhookId === undefined) return null;
  const { PAYPAL_URL: url, PAYPAL_CLIENT_ID: clientId, PAYPAL_CLIENT_SECRET: clientSecret } = client;
  if (url === undefined || clientId === undefined || clientSecret === undefined) {
    throw new SettingsError(
      'PAYPAL_WEBHOOK_ID needs PAYPAL_URL, PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET beside it: set them, or unset it.',
    );
  }
  return { accountId, webhookId, url, clientId, clientSecret };
}
