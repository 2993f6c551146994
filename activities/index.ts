import type { AcceptPayment, PaymentPorts, SweepPorts } from '../workflows/ports.ts';
import { acceptPayment } from './accept-payment.ts';
import { activity } from './activity.ts';
import { askProvider } from './ask-provider.ts';
import { chargePayment } from './charge-payment.ts';
import type { ActivityDeps } from './deps.ts';
import { recordTransition } from './record-transition.ts';
import { resumePayments } from './resume-payments.ts';

/** Whose work it is, for the log. The request stands in the first input alone; the others find it in the rows they read. */
const fieldsOf = ({ paymentId, request }: Pick<AcceptPayment, 'paymentId' | 'request'>) => ({
  payment_id: paymentId,
  request_id: request?.correlationId,
});

/** Everything with a side effect that workflows of payments can ask for. */
export function createActivities(deps: ActivityDeps): PaymentPorts & SweepPorts {
  return {
    acceptPayment: activity(deps, acceptPayment, fieldsOf),
    chargePayment: activity(deps, chargePayment, fieldsOf),
    askProvider: activity(deps, askProvider, fieldsOf),
    recordTransition: activity(deps, recordTransition, fieldsOf),
    resumePayments: activity(deps, resumePayments, () => ({})),
  };
}
