import { invariant } from '../workflows/domain/invariant.ts';
import { parseMoney } from '../workflows/domain/money.ts';
import type { PaymentTerms, RetryTerms } from '../workflows/domain/terms.ts';
import type { MerchantSettings } from './merchant-settings.ts';

/** A merchant's terms as they are now, for a payment in a currency. */
export function paymentTermsOf(settings: MerchantSettings, currency: string, retry: RetryTerms | null): PaymentTerms {
  return {
    expiresAfterSeconds: settings.expires_after,
    askForSeconds: settings.ask_for,
    actionWithinSeconds: settings.action_within,
    captureWithinSeconds: settings.capture_within,
    retry,
    feeBasisPoints: settings.fee.basis_points,
    feeFixedMinor: fixedFeeMinor(settings.fee.fixed[currency], currency).toString(),
  };
}

function fixedFeeMinor(fee: string | undefined, currency: string): bigint {
  if (fee === undefined) return 0n;
  const parsed = parseMoney(fee, currency);
  invariant(parsed.ok, 'the settings were validated');
  return parsed.money.amountMinor;
}
