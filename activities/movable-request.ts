import type { Movable } from '../prisma/attempts.ts';
import { chargeLookUpOf } from './charge-look-up.ts';
import type { ActivityDeps } from './deps.ts';
import { providerNamed } from './provider-named.ts';
import { type MovementRequest, type ProviderCall, ProviderFault } from './providers/provider.ts';

/**
 * What a provider is asked to do for a movement, or to find of it. Its id of the charge is asked for where nobody ever learned
 * it, as after a person resolved the charge. Throws a `ProviderFault`.
 */
export async function movementRequestOf(
  deps: ActivityDeps,
  movable: Movable,
  idempotencyKey: string,
  call: ProviderCall,
): Promise<MovementRequest> {
  const { movementId, kind, paymentId, amountMinor, currency, captureTransactionId, preparationId, isFinal } = movable;
  return {
    kind,
    reference: movementId,
    idempotencyKey,
    paymentId,
    chargeTransactionId: movable.chargeTransactionId ?? (await findChargeTransactionId(deps, movable, call)),
    captureTransactionId,
    preparationId,
    amountMinor,
    currency,
    isFinal,
  };
}

async function findChargeTransactionId(deps: ActivityDeps, movable: Movable, call: ProviderCall): Promise<string> {
  const { paymentId, chargeAttemptId: attemptId, paymentAmountMinor: amountMinor } = movable;
  const provider = providerNamed(deps, movable.provider);
  if (attemptId !== null) {
    const request = chargeLookUpOf(paymentId, { ...movable, attemptId, amountMinor });
    const found = await provider.lookUpCharge(request, call).catch(asNothingSent);
    if (found !== null) return found.response.transactionId;
  }
  throw new ProviderFault('unavailable', `${provider.name} does not know the charge that this belongs to`);
}

/** Whatever became of the question, what it was for has not left, and is not what was refused. */
function asNothingSent(error: unknown): never {
  if (!(error instanceof ProviderFault) || (error.kind !== 'unknown_outcome' && error.kind !== 'rejected')) throw error;
  throw new ProviderFault('unavailable', `asking for the charge failed: ${error.message}`, { cause: error });
}
