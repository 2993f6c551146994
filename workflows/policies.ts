import { ActivityCancellationType, type ActivityOptions, type LocalActivityOptions } from '@temporalio/workflow';

/**
 * Time-outs and retries, one constant per kind of call. A step is tried locally first, which costs the engine no round
 * trip; what does not end well there goes on as a regular activity, whose attempts, last failure and next try operators
 * see.
 */

/** One SQL statement. Two quick tries cover a lost connection; the database's own time-outs are shorter. */
export const databaseFirst: LocalActivityOptions = {
  startToCloseTimeout: '4 seconds',
  retry: { initialInterval: '50 milliseconds', maximumAttempts: 2 },
};

/** The same while the database is away: for ever, because the payment's row is the only truth. */
export const databaseLater: ActivityOptions = {
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '250 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
};

/** The first charge: at most 5 seconds and no second try, so that a slow provider never holds a workflow task. */
export const chargeFirst: LocalActivityOptions = {
  startToCloseTimeout: '5 seconds',
  retry: { maximumAttempts: 1 },
};

/**
 * Later charges, until an answer, an interruption or `expires_at`. Each failure names the delay before the next try
 * (`activities/failures.ts`); the policy's own backoff serves the time-outs, which name none. A cancelled try is waited
 * for: its answer counts.
 */
export const chargeLater: ActivityOptions = {
  startToCloseTimeout: '15 seconds',
  heartbeatTimeout: '6 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** Questions about an unknown outcome, until an answer or `ask_until`. */
export const ask: ActivityOptions = {
  startToCloseTimeout: '15 seconds',
  heartbeatTimeout: '6 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** One pass of the sweep; it heartbeats after every row. The next pass makes up for a failed one. */
export const sweep: ActivityOptions = {
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { maximumAttempts: 1 },
};
