import { findAttempt } from '../prisma/attempts.ts';
import { attemptIdOf } from '../workflows/domain/ids.ts';
import type { AskAnswer, AskProvider } from '../workflows/ports.ts';
import { askAbout } from './ask-about.ts';
import { chargeLookUpOf } from './charge-look-up.ts';
import type { ActivityDeps } from './deps.ts';
import { providerNamed } from './provider-named.ts';

/** Asks the provider what came of a charge whose outcome is unknown. */
export async function askProvider(deps: ActivityDeps, input: AskProvider): Promise<AskAnswer> {
  const { paymentId, merchantId, mayRepeat } = input;
  const provider = providerNamed(deps, input.provider);
  const attemptId = attemptIdOf(paymentId, 'charge', input.attemptNumber);
  const attempt = await findAttempt(deps.db, merchantId, attemptId, provider.processingHorizonMs);
  if (attempt === null) return { kind: 'nothing_happened' };
  return askAbout(deps, provider, {
    merchantId,
    attempt,
    subject: { paymentId },
    correlationId: attempt.correlationId,
    mayRepeat,
    lookUp: (call) => provider.lookUpCharge(chargeLookUpOf(paymentId, attempt), call),
  });
}
