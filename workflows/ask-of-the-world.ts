import {
  ActivityFailure,
  type ActivityInterfaceFor,
  type ActivityOptions,
  ApplicationFailure,
  isCancellation,
  type LocalActivityOptions,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import { invariant } from './domain/invariant.ts';
import { databaseFirst, databaseLater } from './policies.ts';
import type { PaymentPorts } from './ports.ts';

/** The ports as local activities under a policy. */
export const locally = (options: LocalActivityOptions) => proxyLocalActivities<PaymentPorts>(options);

/** The ports as regular activities under a policy. */
export const regularly = (options: ActivityOptions) => proxyActivities<PaymentPorts>(options);

/**
 * The stable type of the fault behind an activity's failure; null for a time-out or anything else without one. A regular
 * activity's fault comes wrapped in an `ActivityFailure`, a local one's comes bare.
 */
export function faultTypeOf(error: unknown): string | null {
  return faultBehind(error)?.type ?? null;
}

function faultBehind(error: unknown): ApplicationFailure | null {
  const fault = error instanceof ActivityFailure ? error.cause : error;
  return fault instanceof ApplicationFailure ? fault : null;
}

/**
 * One database step under a summary that operators read: locally, and for ever as a regular activity while that fails. An
 * invariant that it broke is broken here too: the activity's failure itself would end the workflow.
 */
export async function databaseStep<T, Ports extends object = PaymentPorts>(
  summary: string,
  step: (ports: ActivityInterfaceFor<Ports>) => Promise<T>,
): Promise<T> {
  try {
    return await step(proxyLocalActivities<Ports>({ ...databaseFirst, summary }));
  } catch (error) {
    if (isCancellation(error)) throw error;
    requireUnbroken(error);
  }
  try {
    return await step(proxyActivities<Ports>({ ...databaseLater, summary }));
  } catch (error) {
    requireUnbroken(error);
    throw error;
  }
}

/** Parks the workflow task when an activity found a broken invariant. */
export function requireUnbroken(error: unknown): void {
  invariant(
    faultTypeOf(error) !== 'broken_invariant',
    'an activity broke an invariant: see its failure in the history',
  );
}
