import { activityInfo } from '@temporalio/activity';
import { type AttemptInDoubt, allowRepeatOfAttempt, clearAttempt, type SeenAttempt } from '../prisma/attempts.ts';
import type { ChargeOutcome } from '../workflows/domain/outcome.ts';
import type { AskAnswer } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';
import { stillUnknown } from './failures.ts';
import { withHeartbeats } from './heartbeats.ts';
import { type Provider, type ProviderCall, ProviderFault } from './providers/provider.ts';

const askTimeoutMs = 8_000;

/** What is asked about, and how. */
export interface Question {
  readonly merchantId: string;
  /** The attempt as it was last seen. */
  readonly attempt: AttemptInDoubt;
  readonly subject: Pick<SeenAttempt, 'paymentId' | 'movementId'>;
  readonly correlationId: string;
  /** Whether the same key may be sent again where the provider honors keys and does not know this one. */
  readonly mayRepeat: boolean;
  lookUp(call: ProviderCall): Promise<ChargeOutcome | null>;
}

/**
 * Asks a provider what came of an attempt whose outcome is unknown. What "not found" means depends on the provider's
 * idempotency. Anything that decides nothing is a failure of type `unknown_outcome`: ask again later.
 */
export async function askAbout(deps: ActivityDeps, provider: Provider, question: Question): Promise<AskAnswer> {
  const { attempt } = question;
  if (attempt.state === 'not_sent') return { kind: 'nothing_happened' };
  const found = await lookUp(provider, question);
  if (found !== null && found.kind !== 'pending') return found;
  if (found === null) {
    const consequence = await notFound(deps, provider, question);
    if (consequence !== null) return { kind: consequence };
  }
  const said = found === null ? 'does not know it yet' : 'has not decided yet';
  throw stillUnknown(`${provider.name} ${said}`, activityInfo().attempt);
}

async function lookUp(provider: Provider, question: Question): Promise<ChargeOutcome | null> {
  const call = { correlationId: question.correlationId, timeoutMs: askTimeoutMs, mayStillSend: () => true };
  try {
    return await withHeartbeats(() => question.lookUp(call));
  } catch (error) {
    if (!(error instanceof ProviderFault)) throw error;
    // However the question failed, it says nothing about the money.
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
  { merchantId, subject, mayRepeat, attempt }: Question,
): Promise<'nothing_happened' | 'repeat' | null> {
  const seen = { ...subject, attemptId: attempt.attemptId, sender: attempt.sender };
  const clear = async () => ((await clearAttempt(db, merchantId, seen)) ? 'nothing_happened' : null);
  const repeat = async () => ((await allowRepeatOfAttempt(db, merchantId, seen)) ? 'repeat' : null);
  switch (provider.idempotency.kind) {
    case 'none':
      return null;
    case 'lookup':
      return attempt.isPastHorizon ? clear() : null;
    case 'key':
    case 'window': {
      if (attempt.isPastHorizon) return clear();
      const isHonored = provider.idempotency.kind === 'key' || attempt.ageMs < provider.idempotency.windowMs;
      return mayRepeat && isHonored ? repeat() : null;
    }
  }
}
