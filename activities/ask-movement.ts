import { findMovementAttempt } from '../prisma/attempts.ts';
import { attemptIdOf } from '../workflows/domain/ids.ts';
import type { AskAnswer, AskMovement } from '../workflows/ports.ts';
import { askAbout } from './ask-about.ts';
import type { ActivityDeps } from './deps.ts';
import { movementRequestOf } from './movable-request.ts';
import { providerNamed } from './provider-named.ts';

/** Asks the provider what came of a capture, void or refund whose outcome is unknown. */
export async function askMovement(deps: ActivityDeps, input: AskMovement): Promise<AskAnswer> {
  const { movementId, paymentId, merchantId, mayRepeat } = input;
  const provider = providerNamed(deps, input.provider);
  const attemptId = attemptIdOf(movementId, input.kind, 1);
  const attempt = await findMovementAttempt(deps.db, merchantId, attemptId, provider.processingHorizonMs);
  if (attempt === null) return { kind: 'nothing_happened' };
  const { movable } = attempt;
  return askAbout(deps, provider, {
    merchantId,
    attempt,
    subject: { paymentId, movementId },
    correlationId: movable.correlationId,
    mayRepeat,
    lookUp: async (call) => provider.lookUpMovement(await movementRequestOf(deps, movable, attemptId, call), call),
  });
}
