import { z } from 'zod';

/** What a merchant may set, stored as JSON in `merchants.settings`. A change that names anything else is refused. */
export const merchantSettingsSchema = z.strictObject({
  /** Seconds until a payment that could not be charged fails. */
  expires_after: z.int().min(10).max(604_800).default(3_600),
  /** Seconds after the expiry to go on asking a provider about an unknown outcome before a person must decide. */
  ask_for: z.int().min(10).max(2_592_000).default(86_400),
  /** Seconds that a request waits for its payment's outcome when it does not say so itself. */
  wait: z.int().min(0).max(60).default(10),
});

export type MerchantSettings = z.infer<typeof merchantSettingsSchema>;

/** A newer release may have written more than this one knows, before it was rolled back. */
const storedSettingsSchema = z.object(merchantSettingsSchema.shape);

/** The settings of a row that this release knows; throws when one of them holds what was never allowed. */
export function readMerchantSettings(stored: unknown): MerchantSettings {
  return storedSettingsSchema.parse(stored);
}
