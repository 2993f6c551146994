import { z } from 'zod';

const idempotencyKeyLengthMax = 255;

/** Bare or quoted, printable ASCII, at most 255 characters. Its value without the quotes. */
export const idempotencyKey = z
  .string()
  .transform((value) => (/^".*"$/.test(value) ? value.slice(1, -1) : value))
  .pipe(
    z
      .string()
      .min(1, 'must not be empty')
      .max(idempotencyKeyLengthMax, `must have at most ${idempotencyKeyLengthMax} characters`)
      .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII'),
  );

/** What `Prefer` asks for: how long to wait for the outcome, or not at all. */
export interface Preference {
  readonly waitSeconds: number | null;
  readonly respondAsync: boolean;
}

/** `Prefer: respond-async` and `Prefer: wait=N` (RFC 7240), N from 0 to 60. Other preferences are ignored, as it says. */
const prefer = z
  .string()
  .max(200, 'must have at most 200 characters')
  .transform((value, context): Preference => {
    const preferences = value.split(',').map((preference) => preference.trim().toLowerCase());
    const wait = preferences.find((preference) => /^wait\b/.test(preference));
    if (wait !== undefined && !/^wait\s*=\s*"?([0-9]|[1-5][0-9]|60)"?$/.test(wait)) {
      context.addIssue({ code: 'custom', message: 'wait must be a whole number of seconds from 0 to 60' });
      return z.NEVER;
    }
    return {
      waitSeconds: wait === undefined ? null : Number(wait.replaceAll(/\D/g, '')),
      respondAsync: preferences.includes('respond-async'),
    };
  });

/** A caller's own correlation id; it travels to the provider and into logs. */
export const requestIdHeader = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores');

/** The headers of every request that makes something or moves money. */
export const repeatableHeaders = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe(
      'Makes the request repeatable: the same key and body are one request, however often sent. Made if absent.',
    ),
  prefer: prefer.optional().describe('`wait=N`: wait up to N seconds for the outcome; `respond-async`: do not wait'),
});

/** What an answer to such a request says: where to read on, under which key to repeat it, and whether it is a repeat. */
export function repeatHeaders(location: string, key: string, isReplay: boolean): Record<string, string> {
  return { Location: location, 'Idempotency-Key': key, ...(isReplay ? { 'Idempotent-Replayed': 'true' } : {}) };
}
