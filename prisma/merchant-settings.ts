import { z } from 'zod';

/** What a merchant may set. Stored as JSON in `merchants.settings`; every read and write goes through this schema. */
export const merchantSettingsSchema = z.strictObject({
  /** Seconds until a payment that could not be charged fails. */
  expires_after: z.int().min(10).max(604_800).default(3_600),
  /** Seconds to go on asking a provider about an unknown outcome before a person must decide. */
  ask_for: z.int().min(10).max(2_592_000).default(86_400),
  /** Seconds that a request waits for its payment's outcome when it does not say so itself. */
  wait: z.int().min(0).max(60).default(10),
});

export type MerchantSettings = z.infer<typeof merchantSettingsSchema>;

/** Settings from a row; throws when the row holds something that was never allowed. */
export function readMerchantSettings(stored: unknown): MerchantSettings {
  return merchantSettingsSchema.parse(stored);
}
