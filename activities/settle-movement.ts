import { stepMovement } from '../prisma/movements.ts';
import type { MovementStep, MovementStepAnswer } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';

/** Writes one step of a movement's life; counts it, and says in the log when a person must act, once it is written. */
export async function settleMovement(deps: ActivityDeps, input: MovementStep): Promise<MovementStepAnswer> {
  const answer = await stepMovement(deps.db, input);
  if (answer.kind === 'done') tell(deps, input, answer.movement.provider);
  return answer;
}

function tell({ logger, metrics }: ActivityDeps, input: MovementStep, provider: string): void {
  const { kind, toState } = input;
  metrics.movementEnded({ kind, state: toState, provider });
  if (toState !== 'unresolved') return;
  const alert = kind === 'refund' ? 'refund_unresolved' : 'payment_unresolved';
  metrics.alertOpened({ kind: alert });
  const about = { payment_id: input.paymentId, movement_id: input.movementId, failure: input.failure?.code };
  logger.error({ alert, ...about }, 'an operator must act');
}
