import { activityInfo } from '@temporalio/activity';
import { withLogFields } from '../runtime/log-context.ts';
import type { LogFields } from '../runtime/log-fields.ts';
import type { Logger } from '../runtime/logger.ts';
import { toTemporalFailure } from './failures.ts';

/**
 * Makes an activity of work that needs something of its process. Every log line within says which execution it belongs to
 * and what `fieldsOf` says of the input; a failure is logged, and Temporal gets it in our words.
 */
export function activity<Deps extends { readonly logger: Logger }, Input, Output>(
  deps: Deps,
  work: (deps: Deps, input: Input) => Promise<Output>,
  fieldsOf: (input: Input) => LogFields,
) {
  return async (input: Input): Promise<Output> => {
    const { activityType, attempt, workflowExecution } = activityInfo();
    const execution = { activity: activityType, attempt, workflow_id: workflowExecution?.workflowId };
    return withLogFields({ ...execution, ...fieldsOf(input) }, async () => {
      try {
        return await work(deps, input);
      } catch (error) {
        deps.logger.warn({ err: error }, 'activity failed');
        throw toTemporalFailure(error, attempt);
      }
    });
  };
}
