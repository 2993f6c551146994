import type { BatchPorts } from '../workflows/batch-ports.ts';
import type { AcceptPayment, CleanupPorts, PaymentPorts, SweepPorts } from '../workflows/ports.ts';
import type { SubscriptionPorts } from '../workflows/subscription-ports.ts';
import type { TestClockPorts, TestClockSweepPorts } from '../workflows/test-clock-ports.ts';
import { acceptPayment } from './accept-payment.ts';
import { acceptSubscription } from './accept-subscription.ts';
import { activity } from './activity.ts';
import { advanceTestClock } from './advance-test-clock.ts';
import { askMovement } from './ask-movement.ts';
import { askProvider } from './ask-provider.ts';
import { awaitPayment } from './await-payment.ts';
import { chargePayment } from './charge-payment.ts';
import { cleanUp } from './clean-up.ts';
import type { ActivityDeps } from './deps.ts';
import { endBatch } from './end-batch.ts';
import { openMovement } from './open-movement.ts';
import { reconcile } from './reconcile.ts';
import { recordTransition } from './record-transition.ts';
import {
  resumeBatches,
  resumePayments,
  resumeProviderEvents,
  resumeRefunds,
  resumeSubscriptions,
  resumeTestClocks,
} from './resume.ts';
import { sendMovement } from './send-movement.ts';
import { settleMovement } from './settle-movement.ts';
import { startBatchRows } from './start-batch-rows.ts';
import { steerBatch } from './steer-batch.ts';
import { stepSubscription } from './step-subscription.ts';

/** Whose work it is, for the log. The request stands in the first input alone; the others find it in the rows they read. */
const fieldsOf = ({ paymentId, request }: Pick<AcceptPayment, 'paymentId'> & Partial<AcceptPayment>) => ({
  payment_id: paymentId,
  request_id: request?.correlationId,
});

const movementFieldsOf = (input: { readonly paymentId: string; readonly movementId: string }) => ({
  payment_id: input.paymentId,
  movement_id: input.movementId,
});

const subscriptionFieldsOf = (input: { readonly subscriptionId: string }) => ({
  subscription_id: input.subscriptionId,
});

const batchFieldsOf = ({ batchId }: { readonly batchId: string }) => ({ batch_id: batchId });

/** Everything with a side effect that workflows of payments, and those on schedules, can ask for. */
export function createActivities(
  deps: ActivityDeps,
): PaymentPorts & SubscriptionPorts & Pick<BatchPorts, 'steerBatch'> & SweepPorts & CleanupPorts & TestClockSweepPorts {
  const cleansUp = activity(deps, cleanUp, () => ({}));
  return {
    acceptPayment: activity(deps, acceptPayment, fieldsOf),
    chargePayment: activity(deps, chargePayment, fieldsOf),
    askProvider: activity(deps, askProvider, fieldsOf),
    recordTransition: activity(deps, recordTransition, fieldsOf),
    openMovement: activity(deps, openMovement, movementFieldsOf),
    sendMovement: activity(deps, sendMovement, movementFieldsOf),
    askMovement: activity(deps, askMovement, movementFieldsOf),
    settleMovement: activity(deps, settleMovement, movementFieldsOf),
    reconcile: activity(deps, reconcile, fieldsOf),
    acceptSubscription: activity(deps, acceptSubscription, subscriptionFieldsOf),
    stepSubscription: activity(deps, stepSubscription, subscriptionFieldsOf),
    awaitPayment: activity(deps, awaitPayment, ({ paymentId }) => ({ payment_id: paymentId })),
    steerBatch: activity(deps, steerBatch, batchFieldsOf),
    resumePayments: activity(deps, resumePayments, () => ({})),
    resumeRefunds: activity(deps, resumeRefunds, () => ({})),
    resumeSubscriptions: activity(deps, resumeSubscriptions, () => ({})),
    resumeBatches: activity(deps, resumeBatches, () => ({})),
    resumeProviderEvents: activity(deps, resumeProviderEvents, () => ({})),
    resumeTestClocks: activity(deps, resumeTestClocks, () => ({})),
    cleanUp: () => cleansUp(null),
  };
}

/** The long work for which nobody waits, on a queue of its own. */
export function createBackgroundActivities(deps: ActivityDeps): Omit<BatchPorts, 'steerBatch'> & TestClockPorts {
  return {
    startBatchRows: activity(deps, startBatchRows, batchFieldsOf),
    endBatch: activity(deps, endBatch, batchFieldsOf),
    advanceTestClock: activity(deps, advanceTestClock, () => ({})),
  };
}
