import { findRefusedAct, keepRefusedAct } from '../prisma/idle-acts.ts';
import { stepSubscription as step } from '../prisma/subscription-steps.ts';
import type { SubscriptionStepAnswer, SubscriptionStepInput } from '../workflows/subscription-ports.ts';
import type { ActivityDeps } from './deps.ts';

/** Takes one step of a subscription's life, by the rules and in one statement; or says why an act is not done. */
export async function stepSubscription(
  { db }: ActivityDeps,
  input: SubscriptionStepInput,
): Promise<SubscriptionStepAnswer> {
  const { updateId } = input;
  if (updateId === null || input.step === null) return step(db, input);
  const refused = await findRefusedAct(db, input, updateId);
  if (refused !== null) {
    const { subscription } = await step(db, { ...input, step: null });
    return { kind: 'refused', ...refused, subscription };
  }
  const answer = await step(db, input);
  if (answer.kind === 'refused') await keepRefusedAct(db, input, updateId, input.step.kind, answer);
  return answer;
}
