import { setTimeout as pause } from 'node:timers/promises';
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { findSnapshot } from '../prisma/payments.ts';
import { isFinal } from '../workflows/domain/payment-status.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeats } from './heartbeats.ts';

/** Between two looks at the row: soon at first, then with patience. */
const pauseMinMs = 100;
const pauseMaxMs = 2_000;
/** Short, and before the policy's own time-out: after thousands of resets, those who watch must not keep those who work from a slot. */
const watchMs = 30_000;

/** Waits until the payment's row says how its charge ended, or until it is time to look whether its workflow is there. */
export function awaitPayment(
  { db }: ActivityDeps,
  { merchantId, paymentId }: { readonly merchantId: string; readonly paymentId: string },
): Promise<{ readonly isDecided: boolean }> {
  const until = activityInfo().currentAttemptScheduledTimestampMs + watchMs;
  const stopping = cancellationSignal(); // also of its worker: another one goes on
  return withHeartbeats(async () => {
    for (let pauseMs = pauseMinMs; Date.now() < until; pauseMs = Math.min(pauseMaxMs, pauseMs * 2)) {
      const payment = await findSnapshot(db, merchantId, paymentId);
      if (payment !== null && isFinal(payment.status)) return { isDecided: true };
      await pause(pauseMs, undefined, { signal: stopping });
    }
    return { isDecided: false };
  });
}
