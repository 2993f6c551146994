import type { AcceptPayment, CleanupPorts, PaymentPorts, SweepPorts } from '../workflows/ports.ts';
import { acceptPayment } from './accept-payment.ts';
import { activity } from './activity.ts';
import { askMovement } from './ask-movement.ts';
import { askProvider } from './ask-provider.ts';
import { chargePayment } from './charge-payment.ts';
import { cleanUp } from './clean-up.ts';
import type { ActivityDeps } from './deps.ts';
import { openMovement } from './open-movement.ts';
import { reconcile } from './reconcile.ts';
import { recordTransition } from './record-transition.ts';
import { resumePayments, resumeProviderEvents, resumeRefunds } from './resume.ts';
import { sendMovement } from './send-movement.ts';
import { settleMovement } from './settle-movement.ts';

/** Whose work it is, for the log. The request stands in the first input alone; the others find it in the rows they read. */
const fieldsOf = ({ paymentId, request }: Pick<AcceptPayment, 'paymentId'> & Partial<AcceptPayment>) => ({
  payment_id: paymentId,
  request_id: request?.correlationId,
});

const movementFieldsOf = (input: { readonly paymentId: string; readonly movementId: string }) => ({
  payment_id: input.paymentId,
  movement_id: input.movementId,
});

/** Everything with a side effect that workflows of payments, and those on schedules, can ask for. */
export function createActivities(deps: ActivityDeps): PaymentPorts & SweepPorts & CleanupPorts {
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
    resumePayments: activity(deps, resumePayments, () => ({})),
    resumeRefunds: activity(deps, resumeRefunds, () => ({})),
    resumeProviderEvents: activity(deps, resumeProviderEvents, () => ({})),
    cleanUp: () => cleansUp(null),
  };
}
