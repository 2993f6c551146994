import { recordTransition as writeTransition } from '../prisma/transitions.ts';
import type { Transition, TransitionAnswer } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';

/** Writes one step of a payment's life, and one error line in the log when a person must act. */
export async function recordTransition({ db, logger }: ActivityDeps, input: Transition): Promise<TransitionAnswer> {
  const answer = await writeTransition(db, input);
  if (answer.kind === 'done' && input.alert !== null) {
    logger.error(
      { alert: input.alert, payment_id: input.paymentId, failure: input.failure?.code },
      'an operator must act',
    );
  }
  return answer;
}
