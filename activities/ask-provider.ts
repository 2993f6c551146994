import { activityInfo } from '@temporalio/activity';
import {
  type AttemptInDoubt,
  allowRepeatOfAttempt,
  clearAttempt,
  findAttempt,
  type SeenAttempt,
} from '../prisma/attempts.ts';
import { attemptIdOf } from '../workflows/domain/ids.ts';
import type { ChargeOutcome } from '../workflows/domain/outcome.ts';
import type { AskAnswer, AskProvider } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';
import { stillUnknown } from './failures.ts';
import { withHeartbeats } from './heartbeats.ts';
import { providerNamed } from './provider-named.ts';
import { type Provider, ProviderFault } from './providers/provider.ts';

const askTimeoutMs = 8_000;

/**
 * Asks the provider what came of an attempt whose outcome is unknown. What "not found" means depends on the provider's
 * idempotency. Anything that decides nothing is a failure of type `unknown_outcome`: ask again later.
 */
export async function askProvider(deps: ActivityDeps, input: AskProvider): Promise<AskAnswer> {
  const provider = providerNamed(deps, input.provider);
  const attemptId = attemptIdOf(input.paymentId, 'charge', input.attemptNumber);
  const attempt = await findAttempt(deps.db, input.merchantId, attemptId, provider.processingHorizonMs);
  if (attempt === null || attempt.state === 'not_sent') return { kind: 'nothing_happened' };
  const seen = { attemptId, paymentId: input.paymentId, sender: attempt.sender };
  const found = await lookUp(provider, seen, attempt);
  if (found !== null && found.kind !== 'pending') return found;
  if (found === null) {
    const consequence = await notFound(deps, provider, input, seen, attempt);
    if (consequence !== null) return { kind: consequence };
  }
  const said = found === null ? 'does not know the charge yet' : 'has not decided yet';
  throw stillUnknown(`${provider.name} ${said}`, activityInfo().attempt);
}

async function lookUp(provider: Provider, seen: SeenAttempt, attempt: AttemptInDoubt): Promise<ChargeOutcome | null> {
  const request = {
    reference: seen.paymentId,
    idempotencyKey: seen.attemptId,
    amountMinor: attempt.amountMinor,
    currency: attempt.currency,
    preparationId: attempt.preparationId,
  };
  const call = { correlationId: attempt.correlationId, timeoutMs: askTimeoutMs, mayStillSend: () => true };
  try {
    return await withHeartbeats(() => provider.lookUpCharge(request, call));
  } catch (error) {
    if (!(error instanceof ProviderFault)) throw error;
    // However the question failed, it says nothing about the charge.
    const message = `asking ${provider.name} failed: ${error.message}`;
    throw stillUnknown(message, activityInfo().attempt, error.retryAfterMs);
  }
}

/**
 * "Not found" proves that nothing happened only when the provider's processing horizon had passed before it was asked;
 * earlier, a provider that honors keys may be sent the same key again. One that cannot find charges never proves anything
 * by it. Null: still unknown.
 */
async function notFound(
  { db }: ActivityDeps,
  provider: Provider,
  input: AskProvider,
  seen: SeenAttempt,
  attempt: AttemptInDoubt,
): Promise<'nothing_happened' | 'repeat' | null> {
  const clear = async () => ((await clearAttempt(db, input.merchantId, seen)) ? 'nothing_happened' : null);
  const repeat = async () => ((await allowRepeatOfAttempt(db, input.merchantId, seen)) ? 'repeat' : null);
  switch (provider.idempotency.kind) {
    case 'none':
      return null;
    case 'lookup':
      return attempt.isPastHorizon ? clear() : null;
    case 'key':
    case 'window': {
      if (attempt.isPastHorizon) return clear();
      const isHonored = provider.idempotency.kind === 'key' || attempt.ageMs < provider.idempotency.windowMs;
      return input.mayRepeat && isHonored ? repeat() : null;
    }
  }
}
