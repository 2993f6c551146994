import { CancellationScope, CancelledFailure, continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { DispatchWorkflowInput } from './delivery-contract.ts';
import type { DeliveryPorts } from './delivery-ports.ts';
import { dispatch } from './policies.ts';

/**
 * One shard's dispatcher. Its work is one long activity, which moves to another worker when its own one dies. Canceling it
 * ends it, after what it has begun; workers start it again within half a minute.
 */
export async function dispatchWorkflow({ shard }: DispatchWorkflowInput): Promise<void> {
  const summary = `tell what is due in shard ${shard}`;
  const { dispatchDeliveries } = proxyActivities<DeliveryPorts>({ ...dispatch, summary });
  await dispatchDeliveries({ shard });
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('canceled: what was begun has ended');
  await continueAsNew<typeof dispatchWorkflow>({ shard });
}
