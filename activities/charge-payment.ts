import { randomUUID } from 'node:crypto';
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { beginAttempt, noteFaultOfAttempt, releaseAttempt, type SeenAttempt } from '../prisma/attempts.ts';
import { attemptIdOf } from '../workflows/domain/ids.ts';
import type { Candidate, ChargeAnswer, ChargeAttempt } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';
import { type Exchange, exchangeWithin } from './exchange.ts';
import { DoubtRemains, isCertainlyNothing, NotNow, RejectedInDoubt, RoundFailed, waitAskedMaxMs } from './failures.ts';
import { withHeartbeats } from './heartbeats.ts';
import { prepareCharge } from './prepare-charge.ts';
import { providerNamed } from './provider-named.ts';
import { type Provider, ProviderFault } from './providers/provider.ts';

/**
 * All exchanges of a round's candidate, for the first, local try: below the local activity's own time-out. Where a slow
 * database before it uses that up, nothing is sent, and the next try has all its time.
 */
const firstTryTimeoutMs = 4_000;
const laterTryTimeoutMs = 10_000;
/** With less time than this for an answer, a charge would only make a doubt. */
const chargeTimeMinMs = 1_500;
/** Until the next try, which has all its time. */
const outOfTimeRetryMs = 100;

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
  if (begun.kind === 'not_now') throw new NotNow(begun.waitMs);
  if (begun.kind === 'in_doubt') {
    throw new ProviderFault('unknown_outcome', 'an earlier try may have been sent; asking before anything else');
  }
  const { charge, isDoubtful } = begun;
  const request = { ...charge, reference: charge.paymentId, idempotencyKey: attemptId, preparationId };
  const call = { correlationId: charge.correlationId, timeoutMs: exchange.timeLeftMs(), mayStillSend };
  try {
    return { kind: 'answered', by, outcome: await provider.charge(request, call) };
  } catch (error) {
    if (!(error instanceof ProviderFault)) throw error;
    const fault = await settleFault(deps, input.merchantId, seen, isDoubtful, error);
    if (fault instanceof ProviderFault && fault.kind === 'rejected') {
      return { kind: 'rejected', by, openAttemptId: attemptId };
    }
    throw fault;
  }
}

/**
 * What a fault says of the attempt as a whole. Where an earlier send of the same key may have arrived, a refusal of this
 * one proves nothing, and a try that certainly did not arrive leaves the doubt as it was: it may be tried again.
 */
async function settleFault(
  deps: ActivityDeps,
  merchantId: string,
  seen: SeenAttempt,
  isDoubtful: boolean,
  fault: ProviderFault,
): Promise<ProviderFault | RejectedInDoubt | DoubtRemains> {
  if (fault.kind === 'unknown_outcome' || fault.kind === 'rejected') {
    await noteFaultOfAttempt(deps.db, merchantId, seen, fault.kind);
    return fault.kind === 'rejected' && isDoubtful ? new RejectedInDoubt(fault) : fault;
  }
  const retryAfterMs = fault.retryAfterMs === null ? null : Math.min(fault.retryAfterMs, waitAskedMaxMs);
  if (await releaseAttempt(deps.db, merchantId, seen, { kind: fault.kind, retryAfterMs }))
    return isDoubtful ? new DoubtRemains(fault) : fault;
  return new ProviderFault('unknown_outcome', `${fault.message}; somebody else took the attempt over`, {
    cause: fault,
  });
}
