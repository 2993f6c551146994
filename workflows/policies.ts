import { ActivityCancellationType, type ActivityOptions, type LocalActivityOptions } from '@temporalio/workflow';
import { backgroundTaskQueue } from './contract.ts';

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
 * Later charges, until an answer, an interruption or `expires_at`: each try is a round over all candidates. Each failure
 * names the delay before the next try (`activities/failures.ts`); the policy's own backoff serves the time-outs, which name
 * none. A canceled try is waited for: its answer counts. A candidate has 10 seconds.
 */
export function chargeLater(candidates: number): ActivityOptions {
  return {
    startToCloseTimeout: `${10 * candidates + 5} seconds`,
    heartbeatTimeout: '6 seconds',
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  };
}

/** Questions about an unknown outcome, until an answer or `ask_until`. */
export const ask: ActivityOptions = {
  startToCloseTimeout: '15 seconds',
  heartbeatTimeout: '6 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** A few questions about what a person is to decide, or a payer to do, when somebody has a reason to ask. */
export const askLate: ActivityOptions = {
  startToCloseTimeout: '15 seconds',
  heartbeatTimeout: '6 seconds',
  scheduleToCloseTimeout: '1 minute',
  retry: {
    initialInterval: '500 milliseconds',
    backoffCoefficient: 2,
    maximumInterval: '5 seconds',
    maximumAttempts: 5,
  },
};

/** After a long outage the time to ask may be over before the first question: then it is asked for so long. */
export const lastQuestionsMs = 30_000;

/** Look-ups of what is settled; without an answer a later event or a person asks again. */
export const reconcile: ActivityOptions = {
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '20 seconds',
  scheduleToCloseTimeout: '1 hour',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
};

/**
 * Watches a payment whose workflow somebody else runs, until its row says how it ended: half a minute at a time, for ever. Whatever waits
 * for a slot on the queue goes before.
 */
export const watchPayment: ActivityOptions = {
  startToCloseTimeout: '1 minute',
  heartbeatTimeout: '10 seconds',
  priority: { priorityKey: 5 },
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
};

/** So long after the first quick tries failed, when about five tries have, payer and merchant are told of the delay. */
export const delayAfterMs = 8_000;

/** One pass of the sweep; it heartbeats after every row. The next pass makes up for a failed one. */
export const sweep: ActivityOptions = {
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { maximumAttempts: 1 },
};

/** A turn of a test clock's advance, which ends by itself; while the database or Temporal is away, for ever. */
export const advanceClock: ActivityOptions = {
  taskQueue: backgroundTaskQueue,
  startToCloseTimeout: '30 seconds',
  heartbeatTimeout: '6 seconds',
  retry: { initialInterval: '250 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
};

/** One pass of the cleanup; it heartbeats after every batch, and ends by itself a minute before. The next pass goes on. */
export const cleanup: ActivityOptions = {
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { maximumAttempts: 1 },
};

/**
 * A dispatcher's work, which ends by itself after an hour and goes on as a new run. A dead worker is noticed after ten
 * seconds. On the queue it goes before all tries that wait there.
 */
export const dispatch: ActivityOptions = {
  startToCloseTimeout: '70 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 1.5, maximumInterval: '5 seconds' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  priority: { priorityKey: 1 },
};

/**
 * Tries at a receiver that failed once: after 10, 20, 40 … seconds, at least hourly, for three days. A try is bounded by
 * its own time-outs; a failure that names a delay (`Retry-After`) gets that one.
 */
export const deliver: ActivityOptions = {
  startToCloseTimeout: '20 seconds',
  scheduleToCloseTimeout: '3 days',
  retry: { initialInterval: '10 seconds', backoffCoefficient: 2, maximumInterval: '1 hour' },
};

/** The end of a delivery that nobody took: written however long the database is away. */
export const giveUpDelivery: ActivityOptions = {
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '250 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
};

/**
 * A round of starting a batch's rows, which ends by itself after half a minute. It heartbeats every second or two, so that a dead
 * worker is noticed soon; a repeated try finds again what the one before began.
 */
export const startBatchRows: ActivityOptions = {
  taskQueue: backgroundTaskQueue,
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** The end of a batch: its last rows are written in steps, with a heartbeat each, however long the database is away. */
export const endBatch: ActivityOptions = {
  taskQueue: backgroundTaskQueue,
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { initialInterval: '250 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
};
