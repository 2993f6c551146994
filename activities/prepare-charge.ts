import { randomUUID } from 'node:crypto';
import { beginPreparation, confirmPreparation, failPreparation } from '../prisma/preparations.ts';
import { attemptIdOf } from '../workflows/domain/ids.ts';
import type { Candidate, ChargeAttempt } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';
import type { Exchange } from './exchange.ts';
import { NotNow, Unprepared } from './failures.ts';
import { type Provider, ProviderFault } from './providers/provider.ts';

/** So often a provider is asked before another one may have its turn: what it may have made moves no money. */
const askedAgainMax = 3;

/** `ready`: the charge may be sent; null at a provider that needs nothing before it. `rejected`: it refused our request. */
export type PreparedCharge =
  | { readonly kind: 'ready'; readonly preparationId: string | null }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'moved_on' };

/**
 * Has the provider make what the charge needs, where it wants that, under a key of its own with a row of its own. It moves
 * no money; a preparation whose answer was lost is asked for again with the same key.
 */
export async function prepareCharge(
  deps: ActivityDeps,
  { paymentId, merchantId }: ChargeAttempt,
  { attemptNumber }: Candidate,
  provider: Provider,
  exchange: Exchange,
): Promise<PreparedCharge> {
  if (provider.prepare === undefined) return { kind: 'ready', preparationId: null };
  const attemptId = attemptIdOf(paymentId, 'prepare', attemptNumber);
  const { sendWithinMs, mayStillSend } = exchange.nextSend();
  const begun = await beginPreparation(deps.db, merchantId, {
    attemptId,
    paymentId,
    chargeAttemptId: attemptIdOf(paymentId, 'charge', attemptNumber),
    sender: randomUUID(),
    number: attemptNumber,
    provider: provider.name,
    sendWithinMs,
  });
  if (begun.kind === 'moved_on') return begun;
  if (begun.kind === 'expired') throw new NotNow(1_000);
  if (begun.kind === 'prepared') return { kind: 'ready', preparationId: begun.preparationId };
  const request = { ...begun.payment, reference: paymentId, idempotencyKey: attemptId };
  const call = { correlationId: begun.payment.correlationId, timeoutMs: exchange.timeLeftMs(), mayStillSend };
  try {
    const preparationId = await provider.prepare(request, call);
    await confirmPreparation(deps.db, merchantId, attemptId, preparationId);
    return { kind: 'ready', preparationId };
  } catch (error) {
    if (!(error instanceof ProviderFault)) throw error;
    await failPreparation(deps.db, merchantId, attemptId, error.kind);
    if (error.kind === 'rejected') return { kind: 'rejected' };
    throw error.kind === 'unknown_outcome' ? new Unprepared(error, begun.sends >= askedAgainMax) : error;
  }
}
