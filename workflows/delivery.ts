import { ActivityFailure, CancellationScope, isCancellation, proxyActivities } from '@temporalio/workflow';
import { businessNow, waitUntil } from './clock.ts';
import type { DeliveryEnd, DeliveryWorkflowInput } from './delivery-contract.ts';
import type { DeliveryPorts } from './delivery-ports.ts';
import { deliver as deliverPolicy, giveUpDelivery as giveUpPolicy } from './policies.ts';

/**
 * Tells one receiver of one event until it takes it, for three days; then an operator is alerted. Canceling it gives up at
 * once. A defect of its own parks it instead, until a fixed version is deployed.
 */
export async function deliveryWorkflow(input: DeliveryWorkflowInput): Promise<DeliveryEnd> {
  const { deliveryId, receiver } = input;
  const priority = { fairnessKey: receiver.slice(0, 64) };
  const ports = proxyActivities<DeliveryPorts>({ ...deliverPolicy, priority, summary: `tell ${receiver} again` });
  try {
    await waitUntil(businessNow() + input.firstTryInMs, () => false, 'the next try');
    return await ports.deliver({ deliveryId });
  } catch (error) {
    if (!(error instanceof ActivityFailure) && !isCancellation(error)) throw error;
    // Three days of failures, a refused try, or a cancellation: in each case a person decides what is next.
    return CancellationScope.nonCancellable(() => {
      const { giveUpDelivery } = proxyActivities<DeliveryPorts>({
        ...giveUpPolicy,
        summary: 'give up: alert an operator',
      });
      return giveUpDelivery({ deliveryId });
    });
  }
}
