import type { Response } from 'express';
import type { Standing } from '../../runtime/rate-limits.ts';
import { Problem } from '../errors.ts';

/**
 * Says in the answer how the tightest of the budgets stands that the request was taken from so far, as
 * draft-ietf-httpapi-ratelimit-headers-10 has it: `RateLimit: "minute";r=98;t=42` (left, seconds until the window ends) and
 * `RateLimit-Policy: "minute";q=100;w=60`. Throws `rate_limited`, with `Retry-After`, where the budget was used up.
 */
export function holdToLimit(response: Response, standing: Standing | null): void {
  if (standing === null) return;
  const { budget, isExceeded, remaining, resetSeconds } = standing;
  if (isExceeded || remaining <= leastLeft(response)) {
    response.locals['leastLeft'] = remaining;
    response.set({
      RateLimit: `"${budget.policy}";r=${remaining};t=${resetSeconds}`,
      'RateLimit-Policy': `"${budget.policy}";q=${budget.limit};w=${budget.windowSeconds}`,
    });
  }
  if (isExceeded) throw new Problem('rate_limited', { headers: { 'Retry-After': String(resetSeconds) } });
}

function leastLeft(response: Response): number {
  const left: unknown = response.locals['leastLeft'];
  return typeof left === 'number' ? left : Number.POSITIVE_INFINITY;
}
