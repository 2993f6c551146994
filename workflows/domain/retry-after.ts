/**
 * The header `Retry-After` (RFC 9110 §10.2.3) in milliseconds from `now`, out of seconds (up to nine digits) or a date, in
 * which case it is never negative; null when it is absent, unreadable, or given more than once.
 */
export function retryAfterMsOf(value: string | readonly string[] | undefined, now: number): number | null {
  if (typeof value !== 'string') return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const instant = Date.parse(value);
  return Number.isNaN(instant) ? null : Math.max(0, instant - now);
}
