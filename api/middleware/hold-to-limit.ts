import type { Response } from 'express';
import type { Standing } from '../../runtime/rate-limits.ts';
import { Problem } from '../errors.ts';

/** Says in the answer how the tightest of the budgets stands that the request was taken from so far. Throws `rate_limited`. */
export function holdToLimit(response: Response, standing: Standing | null): void {
  requireBudget(standing);
  if (standing === null || standing.remaining > leastLeft(response)) return;
  response.locals['leastLeft'] = standing.remaining;
  response.set(headersOf(standing));
}

/** Throws `rate_limited`, with `Retry-After` and how the budget stands, where it was used up before this request. */
export function requireBudget(standing: Standing | null): void {
  if (standing === null || !standing.isExceeded) return;
  throw new Problem('rate_limited', {
    headers: { ...headersOf(standing), 'Retry-After': String(standing.resetSeconds) },
  });
}

/**
 * As draft-ietf-httpapi-ratelimit-headers-10 has it: `RateLimit: "minute";r=98;t=42` (left, seconds until the window ends) and
 * `RateLimit-Policy: "minute";q=100;w=60`.
 */
function headersOf({ budget, remaining, resetSeconds }: Standing): Record<string, string> {
  return {
    RateLimit: `"${budget.policy}";r=${remaining};t=${resetSeconds}`,
    'RateLimit-Policy': `"${budget.policy}";q=${budget.limit};w=${budget.windowSeconds}`,
  };
}

function leastLeft(response: Response): number {
  const left: unknown = response.locals['leastLeft'];
  return typeof left === 'number' ? left : Number.POSITIVE_INFINITY;
}
