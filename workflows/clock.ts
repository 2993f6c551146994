import { condition } from '@temporalio/workflow';

/** The instant that business rules go by, in milliseconds since 1970. The only door to time in workflows. */
export function businessNow(): number {
  return Date.now();
}

/** The same as ISO 8601, as it crosses to activities. */
export function businessNowText(): string {
  return new Date(businessNow()).toISOString();
}

/**
 * Waits until an instant or until a condition holds, whichever comes first. True when the condition holds. `summary` is
 * what operators read beside the timer.
 */
export async function waitUntil(instant: number, until: () => boolean, summary: string): Promise<boolean> {
  const delayMs = instant - businessNow();
  if (until() || delayMs <= 0) return until();
  return condition(until, delayMs, { summary });
}
