import { z } from 'zod';
import { keyLimits } from '../prisma/api-keys.ts';
import { normalizedNetwork } from '../runtime/address-lists.ts';
import { isTimeZone, weekdays } from '../workflows/domain/allowed-hours.ts';
import { Problem } from './errors.ts';
import { keyPermissions } from './permissions.ts';
import { text, words } from './text.ts';

const networksMax = 100;

const permissions = z
  .array(z.enum(keyPermissions))
  .min(1)
  .max(100)
  .transform((given) => [...new Set(given)]);

const network = z
  .string()
  .max(50)
  .transform((given, context) => {
    const normal = normalizedNetwork(given);
    if (normal !== null) return normal;
    context.addIssue({ code: 'custom', message: 'must be an IPv4 or IPv6 address, or a network such as 10.0.0.0/8' });
    return z.NEVER;
  });

const networks = z
  .array(network)
  .max(networksMax)
  .transform((given) => [...new Set(given)]);

const wallClock = (pattern: RegExp, to: string) => z.string().regex(pattern, `must be HH:MM from 00:00 to ${to}`);

/** Hours and weekdays, on the wire and in storage. */
export const allowedHours = z
  .strictObject({
    time_zone: z
      .string()
      .max(64)
      .refine(isTimeZone, 'must be the name of an IANA time zone, such as Europe/Berlin')
      .describe('Name of an IANA time zone; its summer time counts'),
    weekdays: z
      .array(z.enum(weekdays))
      .min(1)
      .max(100)
      .transform((given) => weekdays.filter((day) => given.includes(day)))
      .describe('The days on which the window opens'),
    from: wallClock(/^([01]\d|2[0-3]):[0-5]\d$/, '23:59'),
    to: wallClock(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, '24:00').describe(
      'That minute is out already. Before `from`: the next morning',
    ),
  })
  .refine(({ from, to }) => from !== to, {
    path: ['to'],
    message: 'must differ from `from`: a whole day is 00:00 to 24:00',
  });

const expiry = z.iso
  .datetime({ offset: true, error: 'must be an instant such as 2027-01-31T23:59:59Z' })
  .refine((value) => !/\.\d{4}/.test(value), 'must have at most milliseconds')
  .transform((value) => new Date(value));

/** What can be said of an API key when it is made, and changed later. */
export const keyFields = {
  name: words(100).describe('What the key is for'),
  description: text(500),
  permissions: permissions.describe('What the key may do; at most what the caller may'),
  rate_limit_per_minute: z.int().min(1).max(keyLimits.rateLimitPerMinute.max),
  rate_limit_per_hour: z.int().min(1).max(keyLimits.rateLimitPerHour.max),
  rate_limit_per_day: z.int().min(1).max(keyLimits.rateLimitPerDay.max),
  ip_whitelist: networks.describe('The only addresses and networks (CIDR) that it may be used from; empty: all'),
  ip_blacklist: networks.describe(
    'Addresses and networks that it may not be used from, though they are on the other list',
  ),
  expires_at: expiry.describe('When it ends by itself; in the future'),
  allowed_hours: allowedHours,
  requires_signature: z.boolean().describe('Whether every request must be signed'),
};

/** Throws `validation_failed` for a key that would have ended before it was made. */
export function requireFuture(expiresAt: Date | null | undefined, now: Date): void {
  if (expiresAt == null || expiresAt > now) return;
  const detail = 'must lie in the future; to end a key now, revoke it';
  throw new Problem('validation_failed', { errors: [{ pointer: '/expires_at', detail }] });
}
