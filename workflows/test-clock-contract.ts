import type { SearchAttributePair } from '@temporalio/common';
import { defineSignal } from '@temporalio/workflow';
import { paymentTaskQueue } from './contract.ts';
import { batchPriority } from './subscription-contract.ts';

/** The name as histories store it: part of the public API. */
export const testClockWorkflowType = 'testClockWorkflow';

/** Takes a test clock to where its row says that it is to be. */
export interface TestClockWorkflowInput {
  readonly clockId: string;
  readonly merchantId: string;
}

/** How it ended: where the clock stands, in ISO 8601. Callers read the row; this is for operators. */
export interface TestClockWorkflowResult {
  readonly now: string;
}

/** The row has a new target, or somebody waits for what is due: look again before you end. */
export const clockAsked = defineSignal('clockAsked');

/** The options under which every process starts a test clock's workflow. */
export function testClockStartOptions({ clockId, merchantId }: TestClockWorkflowInput) {
  return {
    workflowId: clockId,
    taskQueue: paymentTaskQueue,
    workflowTaskTimeout: '5 seconds',
    staticSummary: 'advance a test clock',
    priority: batchPriority(merchantId),
    typedSearchAttributes: [
      { key: { name: 'MerchantId', type: 'KEYWORD' }, value: merchantId },
    ] satisfies SearchAttributePair[],
  } as const;
}
