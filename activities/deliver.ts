import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import { findDelivery, recordDeliveryResults } from '../prisma/deliveries.ts';
import type { DeliveryEnd } from '../workflows/delivery-contract.ts';
import type { DeliveryDeps } from './delivery-deps.ts';
import { backoffMs } from './failures.ts';
import { tell } from './notifications/tell.ts';
import { settleDelivery } from './settle-delivery.ts';

/** A patient try: twice as long as a dispatcher's, because nobody waits behind it. */
const tryTimeoutMs = 10_000;

/** However long a receiver asks us to wait: it is tried at least so often. The dispatcher counts on it, see there. */
export const retryDelayMaxMs = 3_600_000;

/** One more try. Whatever is not worth another one ends the delivery; the rest fails with the delay until the next try. */
export async function deliver(
  deps: DeliveryDeps,
  { deliveryId }: { readonly deliveryId: string },
): Promise<DeliveryEnd> {
  const delivery = await findDelivery(deps.db, deliveryId);
  if (delivery === null) return { state: 'skipped' };
  const { state } = delivery;
  if (state !== 'pending' && state !== 'retrying') return { state };
  const telling = await tell(deps, delivery, tryTimeoutMs);
  const result = await settleDelivery(deps, delivery, telling);
  await recordDeliveryResults(deps.db, [result]);
  if (telling.kind !== 'again') return { state: result.state === 'retrying' ? 'failed' : result.state };
  throw notDelivered(telling.problem, telling.retryAfterMs);
}

/** Worth another try, no sooner than the receiver asked for. */
function notDelivered(message: string, retryAfterMs: number | null): ApplicationFailure {
  const backoff = backoffMs(activityInfo().attempt + 1, { firstMs: 5_000, capMs: retryDelayMaxMs });
  const nextRetryDelay = Math.min(retryDelayMaxMs, Math.max(retryAfterMs ?? 0, backoff));
  return ApplicationFailure.create({ type: 'not_delivered', message, nextRetryDelay });
}
