import type { Delivery, DeliveryResult } from '../prisma/deliveries.ts';
import { disableWebhookEndpoint } from '../prisma/webhook-endpoints.ts';
import type { DeliveryDeps } from './delivery-deps.ts';
import type { Telling } from './notifications/telling.ts';

/** What a try means for the delivery's row, and for its endpoint, which is disabled at once when it is gone. */
export async function settleDelivery(
  deps: DeliveryDeps,
  delivery: Delivery,
  telling: Telling,
): Promise<DeliveryResult> {
  deps.metrics.deliveryTried({ channel: delivery.channel, result: telling.kind });
  const problem = 'problem' in telling ? telling.problem : null;
  const statusCode = 'statusCode' in telling ? telling.statusCode : null;
  if (telling.kind === 'gone' && delivery.endpoint !== null) {
    await disableWebhookEndpoint(deps.db, delivery.merchantId, delivery.endpoint.id, 'it answered 410 Gone');
  }
  if (telling.kind !== 'delivered' && telling.kind !== 'skipped') {
    const { id, endpoint, event, correlationId } = delivery;
    const about = { delivery_id: id, event_id: event.id, endpoint_id: endpoint?.id, request_id: correlationId };
    deps.logger.warn({ ...about, result: telling.kind, http_status: statusCode }, 'a receiver did not take an event');
  }
  return { deliveryId: delivery.id, state: states[telling.kind], problem, statusCode };
}

const states = {
  delivered: 'delivered',
  gone: 'failed',
  refused: 'failed',
  again: 'retrying',
  skipped: 'skipped',
} as const satisfies Record<Telling['kind'], DeliveryResult['state']>;
