import { ApplicationFailure } from '@temporalio/activity';
import { type Delivery, findDelivery, keepRetrying, recordDeliveryResults } from '../prisma/deliveries.ts';
import type { DeliveryEnd } from '../workflows/delivery-contract.ts';
import type { DeliveryDeps } from './delivery-deps.ts';
import { patientTryTimeoutMs, retryDelayMaxMs } from './delivery-slots.ts';
import { backoffMs } from './failures.ts';
import { tell } from './notifications/tell.ts';
import { settleDelivery } from './settle-delivery.ts';

/**
 * One more try. Whatever is not worth another one ends the delivery; the rest fails with the delay until the next try. While
 * its receiver has as many tries as it may have, nothing is tried.
 */
export async function deliver(
  deps: DeliveryDeps,
  { deliveryId }: { readonly deliveryId: string },
): Promise<DeliveryEnd> {
  const delivery = await findDelivery(deps.db, deliveryId);
  if (delivery === null) return { state: 'skipped' };
  const { state } = delivery;
  if (state !== 'pending' && state !== 'retrying') return { state };
  const slot = deps.slots.take(delivery.receiver);
  if (slot.kind === 'full') {
    await keepRetrying(deps.db, deliveryId);
    throw receiverBusy(slot.waitMs);
  }
  try {
    return await tryOnce(deps, delivery);
  } finally {
    slot.giveBack();
  }
}

async function tryOnce(deps: DeliveryDeps, delivery: Delivery): Promise<DeliveryEnd> {
  const telling = await tell(deps, delivery, patientTryTimeoutMs);
  const result = await settleDelivery(deps, delivery, telling);
  await recordDeliveryResults(deps.db, [result]);
  if (telling.kind === 'again') throw notDelivered(telling.problem, telling.retryAfterMs, delivery.tries + 1);
  return { state: result.state === 'retrying' ? 'failed' : result.state };
}

function receiverBusy(nextRetryDelay: number): ApplicationFailure {
  const message = 'not tried: the receiver is being told as many events as it may be at a time';
  return ApplicationFailure.create({ type: 'receiver_busy', message, nextRetryDelay });
}

/** Worth another try, no sooner than the receiver asked for. `tries` are real ones: whoever was sent away was not tried. */
function notDelivered(message: string, retryAfterMs: number | null, tries: number): ApplicationFailure {
  const backoff = backoffMs(tries, { firstMs: 5_000, capMs: retryDelayMaxMs });
  const nextRetryDelay = Math.min(retryDelayMaxMs, Math.max(retryAfterMs ?? 0, backoff));
  return ApplicationFailure.create({ type: 'not_delivered', message, nextRetryDelay });
}
