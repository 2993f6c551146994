import { randomUUID } from 'node:crypto';
import { activityInfo } from '@temporalio/activity';
import { beginAttempt, releaseAttempt, type SeenAttempt } from '../prisma/attempts.ts';
import { attemptIdOf } from '../workflows/domain/ids.ts';
import type { ChargeAnswer, ChargeAttempt } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';
import { notNow, rejectedInDoubt } from './failures.ts';
import { withHeartbeats } from './heartbeats.ts';
import { providerNamed } from './provider-named.ts';
import { ProviderFault } from './providers/provider.ts';

/** A request that is not on its way after this time is never sent. */
const sendWithinMs = 3_000;
/**
 * The whole exchange, for the first, local try: below the local activity's own time-out. Where a slow database before it
 * uses that up, the outcome is unknown and is asked about.
 */
const firstTryTimeoutMs = 4_000;
const laterTryTimeoutMs = 10_000;

/**
 * Sends one charge. `sent` is committed before the first byte leaves; a row that somebody else left as `sent` is an
 * unknown outcome, whoever they were. The row stays open until the transition that follows writes how it ended, unless
 * certainly nothing happened.
 */
export async function chargePayment(deps: ActivityDeps, input: ChargeAttempt): Promise<ChargeAnswer> {
  const provider = providerNamed(deps, input.provider);
  const attemptId = attemptIdOf(input.paymentId, 'charge', input.attemptNumber);
  const seen: SeenAttempt = { attemptId, paymentId: input.paymentId, sender: randomUUID() };
  const mayStillSend = deadlineIn(sendWithinMs); // starts before the database's clock does: never later than the row says
  const begun = await beginAttempt(deps.db, input.merchantId, {
    ...seen,
    operation: 'charge',
    number: input.attemptNumber,
    provider: provider.name,
    sendWithinMs,
    isUrgent: input.isUrgent,
  });
  if (begun.kind === 'moved_on') return { kind: 'moved_on' };
  if (begun.kind === 'not_now') throw notNow(begun.waitMs);
  if (begun.kind === 'in_doubt') {
    throw new ProviderFault('unknown_outcome', 'an earlier try may have been sent; asking before anything else');
  }
  const { charge, isDoubtful } = begun;
  const request = { ...charge, reference: charge.paymentId, idempotencyKey: attemptId };
  const call = {
    correlationId: charge.correlationId,
    timeoutMs: activityInfo().isLocal ? firstTryTimeoutMs : laterTryTimeoutMs,
    mayStillSend,
  };
  try {
    return await withHeartbeats(() => provider.charge(request, call));
  } catch (error) {
    throw await afterFault(deps, input.merchantId, seen, isDoubtful, error);
  }
}

/**
 * What a fault says of the attempt as a whole. Where an earlier send of the same key may have arrived, a refusal of this
 * one proves nothing, and a try that certainly did not arrive leaves the doubt as it was: it may be tried again.
 */
async function afterFault(
  deps: ActivityDeps,
  merchantId: string,
  seen: SeenAttempt,
  isDoubtful: boolean,
  fault: unknown,
): Promise<unknown> {
  if (!(fault instanceof ProviderFault) || fault.kind === 'unknown_outcome') return fault;
  if (fault.kind === 'rejected') return isDoubtful ? rejectedInDoubt(fault) : fault;
  const released = await releaseAttempt(deps.db, merchantId, seen);
  if (released !== 'lost') return fault;
  return new ProviderFault('unknown_outcome', `${fault.message}; somebody else took the attempt over`, {
    cause: fault,
  });
}

/**
 * A question that is answered "yes" for so long. It believes whichever of two clocks ran further, so that neither a clock
 * set back nor a paused machine makes it generous.
 */
function deadlineIn(ms: number): () => boolean {
  const wall = Date.now();
  const monotonic = performance.now();
  return () => Math.max(Date.now() - wall, performance.now() - monotonic) < ms;
}
