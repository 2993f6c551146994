import type { DeliveryPorts } from '../workflows/delivery-ports.ts';
import { activity } from './activity.ts';
import { deliver } from './deliver.ts';
import type { DeliveryDeps } from './delivery-deps.ts';
import { dispatchDeliveries } from './dispatch-deliveries.ts';
import { giveUpDelivery } from './give-up-delivery.ts';

const fieldsOf = ({ deliveryId }: { readonly deliveryId: string }) => ({ delivery_id: deliveryId });

/** Everything with a side effect that telling receivers of events needs. */
export function createDeliveryActivities(deps: DeliveryDeps): DeliveryPorts {
  return {
    dispatchDeliveries: activity(deps, dispatchDeliveries, ({ shard }) => ({ shard })),
    deliver: activity(deps, deliver, fieldsOf),
    giveUpDelivery: activity(deps, giveUpDelivery, fieldsOf),
  };
}
