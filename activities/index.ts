import { activityInfo } from '@temporalio/activity';
import type { PaymentPorts, SweepPorts } from '../workflows/ports.ts';
import { acceptPayment } from './accept-payment.ts';
import { askProvider } from './ask-provider.ts';
import { chargePayment } from './charge-payment.ts';
import type { ActivityDeps } from './deps.ts';
import { toTemporalFailure } from './failures.ts';
import { recordTransition } from './record-transition.ts';
import { resumePayments } from './resume-payments.ts';

/** Everything with a side effect that workflows can ask for. */
export function createActivities(deps: ActivityDeps): PaymentPorts & SweepPorts {
  return {
    acceptPayment: activity(deps, acceptPayment),
    chargePayment: activity(deps, chargePayment),
    askProvider: activity(deps, askProvider),
    recordTransition: activity(deps, recordTransition),
    resumePayments: activity(deps, resumePayments),
  };
}

function activity<Input, Output>(deps: ActivityDeps, work: (deps: ActivityDeps, input: Input) => Promise<Output>) {
  return async (input: Input): Promise<Output> => {
    try {
      return await work(deps, input);
    } catch (error) {
      const { activityType, attempt, workflowExecution } = activityInfo();
      const context = { activity: activityType, attempt, workflow_id: workflowExecution?.workflowId, err: error };
      deps.logger.warn(context, 'activity failed');
      throw toTemporalFailure(error, attempt);
    }
  };
}
