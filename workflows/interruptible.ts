import { CancellationScope, isCancellation } from '@temporalio/workflow';
import { waitUntil } from './clock.ts';

/** `interrupted` means that the work ended without an answer because it was asked to. */
export type Interruptible<T> = { readonly kind: 'ended'; readonly value: T } | { readonly kind: 'interrupted' };

/**
 * Runs work until it ends, an instant comes, or `isInterrupted` holds. In the latter two cases the work is canceled and
 * waited for: if it still ends with a value or a failure of its own, that counts, because a charge that is on its way
 * cannot be called back.
 */
export async function runUntil<T>(
  work: () => Promise<T>,
  end: { readonly at: number; readonly summary: string },
  isInterrupted: () => boolean,
): Promise<Interruptible<T>> {
  const scope = new CancellationScope();
  let hasEnded = false;
  const running = scope.run(work).finally(() => {
    hasEnded = true;
  });
  running.catch(() => undefined); // looked at below
  await waitUntil(end.at, () => hasEnded || isInterrupted(), end.summary);
  if (!hasEnded) scope.cancel();
  try {
    return { kind: 'ended', value: await running };
  } catch (error) {
    if (isCancellation(error)) return { kind: 'interrupted' };
    throw error;
  }
}
