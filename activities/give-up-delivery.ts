import { type OpenedAlert, giveUpDelivery as writeEnd } from '../prisma/deliveries.ts';
import type { DeliveryEnd } from '../workflows/delivery-contract.ts';
import type { DeliveryDeps } from './delivery-deps.ts';

/** Ends a delivery that nobody took with an alert for its receiver, unless one is open already. */
export async function giveUpDelivery(
  deps: DeliveryDeps,
  { deliveryId }: { readonly deliveryId: string },
): Promise<DeliveryEnd> {
  const { state, opened } = await writeEnd(deps.db, deliveryId);
  reportAlerts(deps, opened);
  return { state: state === 'delivered' || state === 'skipped' ? state : 'failed' };
}

/** One error line in the log per alert that was opened. */
export function reportAlerts(
  { logger, metrics }: Pick<DeliveryDeps, 'logger' | 'metrics'>,
  opened: readonly OpenedAlert[],
): void {
  for (const { channel, endpointId } of opened) {
    metrics.alertOpened({ kind: 'delivery_failed' });
    logger.error({ alert: 'delivery_failed', channel, endpoint_id: endpointId }, 'an operator must act');
  }
}
