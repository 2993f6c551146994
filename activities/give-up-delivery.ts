import { giveUpDelivery as writeEnd } from '../prisma/deliveries.ts';
import type { DeliveryEnd } from '../workflows/delivery-contract.ts';
import type { DeliveryDeps } from './delivery-deps.ts';

/** Ends a delivery that nobody took with an alert, and one error line in the log. */
export async function giveUpDelivery(
  { db, logger, metrics }: DeliveryDeps,
  { deliveryId }: { readonly deliveryId: string },
): Promise<DeliveryEnd> {
  const ended = await writeEnd(db, deliveryId);
  if (ended?.isNew === true) {
    metrics.alertOpened({ kind: 'delivery_failed' });
    logger.error({ alert: 'delivery_failed', delivery_id: deliveryId }, 'an operator must act');
  }
  return { state: ended?.state === 'delivered' || ended?.state === 'skipped' ? ended.state : 'failed' };
}
