import { randomUUID } from 'node:crypto';
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { beginAttempt, type Chargeable, type SeenAttempt } from '../prisma/attempts.ts';
import { attemptIdOf } from '../workflows/domain/ids.ts';
import type { Candidate, ChargeAnswer, ChargeAttempt } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';
import {
  chargeTimeMinMs,
  type Exchange,
  exchangeWithin,
  firstTryTimeoutMs,
  laterTryTimeoutMs,
  outOfTimeRetryMs,
} from './exchange.ts';
import { isCertainlyNothing, NotNow, RoundFailed } from './failures.ts';
import { withHeartbeats } from './heartbeats.ts';
import { prepareCharge } from './prepare-charge.ts';
import { providerNamed } from './provider-named.ts';
import type { Provider } from './providers/provider.ts';
import { requireMine, sendAttempt } from './send-attempt.ts';

/**
 * Sends one charge, to the first candidate that takes it: the next one's turn comes only when certainly nothing happened at
 * the one before. `sent` is committed before the first byte leaves; a row that somebody else left as `sent` is an unknown
 * outcome, whoever they were. The row stays open until the transition that follows writes how it ended, unless certainly
 * nothing happened.
 */
export async function chargePayment(deps: ActivityDeps, input: ChargeAttempt): Promise<ChargeAnswer> {
  const failures: { provider: string; error: unknown }[] = [];
  for (const candidate of input.candidates) {
    if (failures.length > 0 && cancellationSignal().aborted) break; // what is wanted has changed: begin nothing new
    try {
      return await withHeartbeats(() => chargeAt(deps, input, candidate));
    } catch (error) {
      if (!isCertainlyNothing(error)) throw error;
      failures.push({ provider: candidate.provider, error });
    }
  }
  throw new RoundFailed(failures);
}

async function chargeAt(deps: ActivityDeps, input: ChargeAttempt, by: Candidate): Promise<ChargeAnswer> {
  const provider = providerNamed(deps, by.provider);
  const exchange = exchangeWithin(activityInfo().isLocal ? firstTryTimeoutMs : laterTryTimeoutMs);
  const preparation = await prepareCharge(deps, input, by, provider, exchange);
  if (preparation.kind === 'moved_on') return { kind: 'moved_on' };
  if (preparation.kind === 'rejected') return { kind: 'rejected', by, openAttemptId: null };
  return sendCharge(deps, input, by, provider, preparation.preparationId, exchange);
}

async function sendCharge(
  deps: ActivityDeps,
  input: ChargeAttempt,
  by: Candidate,
  provider: Provider,
  preparationId: string | null,
  exchange: Exchange,
): Promise<ChargeAnswer> {
  const attemptId = attemptIdOf(input.paymentId, 'charge', by.attemptNumber);
  const seen: SeenAttempt = { attemptId, paymentId: input.paymentId, sender: randomUUID() };
  if (exchange.timeLeftMs() < chargeTimeMinMs) throw new NotNow(outOfTimeRetryMs);
  const { sendWithinMs, mayStillSend } = exchange.nextSend(); // starts before the database's clock does: never later than the row says
  const begun = await beginAttempt(deps.db, input.merchantId, {
    ...seen,
    number: by.attemptNumber,
    provider: provider.name,
    sendWithinMs,
    isUrgent: input.isUrgent && activityInfo().attempt === 1, // the engine's later tries are nobody's wish
  });
  if (begun.kind === 'moved_on') return { kind: 'moved_on' };
  requireMine(begun);
  const { subject: charge, isDoubtful } = begun;
  const returnUrl = returnUrlOf(deps, charge);
  const request = { ...charge, reference: charge.paymentId, idempotencyKey: attemptId, preparationId, returnUrl };
  const call = { correlationId: charge.correlationId, timeoutMs: exchange.timeLeftMs(), mayStillSend };
  const send = () => provider.charge(request, call);
  const sent = await sendAttempt(deps, input.merchantId, seen, isDoubtful, send);
  return sent.kind === 'rejected'
    ? { kind: 'rejected', by, openAttemptId: attemptId }
    : { kind: 'answered', by, outcome: sent.outcome };
}

/** By which a provider sends a payer back to us: the same one for every send, as its key demands. */
function returnUrlOf({ publicApiUrl }: ActivityDeps, { paymentId, returnToken }: Chargeable): string {
  return `${publicApiUrl}/api/v1/payments/${paymentId}/return/${returnToken}`;
}
