import { type BegunAttempt, noteFaultOfAttempt, releaseAttempt, type SeenAttempt } from '../prisma/attempts.ts';
import type { ChargeOutcome } from '../workflows/domain/outcome.ts';
import type { ActivityDeps } from './deps.ts';
import { DoubtRemains, NotNow, RejectedInDoubt, waitAskedMaxMs } from './failures.ts';
import { ProviderFault } from './providers/provider.ts';

/** Throws where an attempt may not be sent by this caller now. */
export function requireMine<Sendable>(
  begun: Exclude<BegunAttempt<Sendable>, { kind: 'moved_on' }>,
): asserts begun is Extract<BegunAttempt<Sendable>, { kind: 'mine' }> {
  if (begun.kind === 'not_now') throw new NotNow(begun.waitMs);
  if (begun.kind === 'in_doubt') {
    throw new ProviderFault('unknown_outcome', 'an earlier try may have been sent; asking before anything else');
  }
}

/** What came of an attempt that this process sent. `rejected`: refused as wrong, and certainly nothing moved. */
export type SentAttempt =
  | { readonly kind: 'answered'; readonly outcome: ChargeOutcome }
  | { readonly kind: 'rejected' };

/**
 * Sends an attempt that became this caller's. Where there is no outcome to report, its row says afterwards what is known, and
 * the fault is thrown.
 */
export async function sendAttempt(
  deps: ActivityDeps,
  merchantId: string,
  seen: SeenAttempt,
  isDoubtful: boolean,
  send: () => Promise<ChargeOutcome>,
): Promise<SentAttempt> {
  try {
    return { kind: 'answered', outcome: await send() };
  } catch (error) {
    if (!(error instanceof ProviderFault)) throw error;
    const fault = await settleFault(deps, merchantId, seen, isDoubtful, error);
    if (fault instanceof ProviderFault && fault.kind === 'rejected') return { kind: 'rejected' };
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
