import { heartbeat } from '@temporalio/activity';
import { findAttempt, findMovementAttempt } from '../prisma/attempts.ts';
import { openDiscrepancy } from '../prisma/discrepancies.ts';
import { settleProviderEvents } from '../prisma/provider-events.ts';
import { listSettledAttempts, type SettledAttempt } from '../prisma/settled-attempts.ts';
import type { ChargeOutcome } from '../workflows/domain/outcome.ts';
import type { Reconcile, Reconciled } from '../workflows/ports.ts';
import { chargeLookUpOf } from './charge-look-up.ts';
import type { ActivityDeps } from './deps.ts';
import { movementRequestOf } from './movable-request.ts';
import { providerNamed } from './provider-named.ts';
import type { ProviderCall } from './providers/provider.ts';

const lookUpTimeoutMs = 8_000;

/**
 * Holds what is recorded of a payment and its movements against what the provider says now. A contradiction is written down
 * for a person, and changes nothing by itself. Then the provider's events that led here are done with.
 */
export async function reconcile(deps: ActivityDeps, input: Reconcile): Promise<Reconciled> {
  const attempts = await listSettledAttempts(deps.db, input.merchantId, input.paymentId);
  let discrepancies = 0;
  for (const attempt of attempts) {
    heartbeat();
    const reported = contradictionIn(attempt, await lookUp(deps, attempt));
    if (reported === null) continue;
    discrepancies += 1;
    const isNew = await openDiscrepancy(deps.db, { ...discrepancyOf(attempt, reported), now: input.now });
    if (isNew) tell(deps, attempt, reported);
  }
  await settleProviderEvents(deps.db, input.providerEventIds, input.now);
  return { lookedUp: attempts.length, discrepancies };
}

async function lookUp(deps: ActivityDeps, attempt: SettledAttempt): Promise<ChargeOutcome | null> {
  const provider = providerNamed(deps, attempt.provider);
  const callFor = (correlationId: string): ProviderCall => ({
    correlationId,
    timeoutMs: lookUpTimeoutMs,
    mayStillSend: () => true,
  });
  if (attempt.movement_id !== null) {
    const found = await findMovementAttempt(deps.db, attempt.merchant_id, attempt.id, provider.processingHorizonMs);
    if (found === null) return null;
    const call = callFor(found.movable.correlationId);
    return provider.lookUpMovement(await movementRequestOf(deps, found.movable, attempt.id, call), call);
  }
  const found = await findAttempt(deps.db, attempt.merchant_id, attempt.id, provider.processingHorizonMs);
  if (found === null) return null;
  return provider.lookUpCharge(chargeLookUpOf(attempt.payment_id, found), callFor(found.correlationId));
}

/** What the provider says against what is recorded; null: nothing. What it has not decided contradicts nothing. */
export function contradictionIn(
  { state, outcome_kind: kindThen }: Pick<SettledAttempt, 'state' | 'outcome_kind'>,
  now: ChargeOutcome | null,
): string | null {
  const kind = now?.kind ?? 'not_found';
  if (kind === 'pending' || kind === 'requires_action' || kind === kindThen) return null;
  const happened = kind === 'approved' || kind === 'mismatched';
  return happened === (state === 'approved') && kind !== 'mismatched' ? null : kind;
}

function discrepancyOf(attempt: SettledAttempt, reported: string) {
  return {
    merchantId: attempt.merchant_id,
    isTest: attempt.is_test,
    paymentId: attempt.payment_id,
    objectId: attempt.movement_id ?? attempt.payment_id,
    attemptId: attempt.id,
    provider: attempt.provider,
    recorded: attempt.state,
    reported,
    amountMinor: attempt.amount,
    currency: attempt.currency,
  };
}

function tell({ logger, metrics }: ActivityDeps, attempt: SettledAttempt, reported: string): void {
  metrics.alertOpened({ kind: 'discrepancy' });
  const about = { payment_id: attempt.payment_id, attempt_id: attempt.id, provider: attempt.provider };
  logger.error({ alert: 'discrepancy', ...about, recorded: attempt.state, reported }, 'an operator must act');
}
