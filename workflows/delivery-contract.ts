import type { SearchAttributePair } from '@temporalio/common';

/** Where events are told to receivers, apart from payments: with slots of its own. */
export const deliveryTaskQueue = 'deliveries';

/** Receivers are spread over so many dispatchers: the `% 4` of the trigger `queue_deliveries`. */
export const shards = 4;

/** Names as histories store them: part of the public API. */
export const dispatchWorkflowType = 'dispatchWorkflow';
export const deliveryWorkflowType = 'deliveryWorkflow';

/** Tells, once each, what is due in one shard; until it is canceled. */
export interface DispatchWorkflowInput {
  readonly shard: number;
}

/** Tells one receiver of one event again and again, after the dispatcher's try failed. */
export interface DeliveryWorkflowInput {
  readonly deliveryId: string;
  /** An endpoint's id, or the mail server for one merchant's payers. */
  readonly receiver: string;
  /** Until the first try of this workflow. */
  readonly firstTryInMs: number;
}

/** How the telling of one event to one receiver ended. */
export interface DeliveryEnd {
  readonly state: 'delivered' | 'failed' | 'skipped';
}

/** The options under which every process starts a shard's dispatcher; one that runs already stays as it is. */
export function dispatchStartOptions(shard: number) {
  return {
    workflowId: `dispatch-${shard}`,
    taskQueue: deliveryTaskQueue,
    staticSummary: `tells receivers of shard ${shard} what is due`,
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [{ shard }] satisfies [DispatchWorkflowInput],
  } as const;
}

/**
 * The options under which a delivery that failed once is handed over; one that runs already stays as it is. Of the event,
 * operators see what it is and of what, and find it by that.
 */
export function deliveryStartOptions(
  input: DeliveryWorkflowInput,
  about: { readonly merchantId: string; readonly event: { readonly type: string; readonly object_id: string } },
) {
  return {
    workflowId: input.deliveryId,
    taskQueue: deliveryTaskQueue,
    staticSummary: `${about.event.type} of ${about.event.object_id} → ${input.receiver}`,
    workflowIdConflictPolicy: 'USE_EXISTING',
    typedSearchAttributes: [
      { key: { name: 'MerchantId', type: 'KEYWORD' }, value: about.merchantId },
      { key: { name: 'PaymentId', type: 'KEYWORD' }, value: about.event.object_id },
    ] satisfies SearchAttributePair[],
    args: [input] satisfies [DeliveryWorkflowInput],
  } as const;
}
