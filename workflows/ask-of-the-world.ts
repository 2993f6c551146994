import {
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  isCancellation,
  type LocalActivityOptions,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { PaymentPorts } from './ports.ts';

/** The ports as local activities under a policy. */
export const locally = (options: LocalActivityOptions) => proxyLocalActivities<PaymentPorts>(options);

/** The ports as regular activities under a policy. */
export const regularly = (options: ActivityOptions) => proxyActivities<PaymentPorts>(options);

/** The stable type of the fault behind an activity's failure; null for a time-out or anything else without one. */
export function faultTypeOf(error: unknown): string | null {
  if (!(error instanceof ActivityFailure)) return null;
  return error.cause instanceof ApplicationFailure ? (error.cause.type ?? null) : null;
}

/** Tries a step locally and, where that fails, for ever as a regular activity. Broken invariants pass through. */
export async function localFirst<T>(first: () => Promise<T>, later: () => Promise<T>): Promise<T> {
  try {
    return await first();
  } catch (error) {
    if (isCancellation(error) || faultTypeOf(error) === 'broken_invariant') throw error;
    return later();
  }
}
