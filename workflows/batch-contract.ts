import type { SearchAttributePair } from '@temporalio/common';
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { BatchSnapshot } from './batch-ports.ts';
import { type OperatorAct, paymentTaskQueue } from './contract.ts';
import type { BatchStatus } from './domain/batch.ts';
import { batchPriority } from './subscription-contract.ts';

/** The name as histories store it: part of the public API. */
export const batchWorkflowType = 'batchWorkflow';

/** Starts or resumes a batch: its rows are in the database. */
export interface BatchWorkflowInput {
  readonly batchId: string;
  readonly merchantId: string;
  /** Of a run that goes on where another one left off. */
  readonly batch?: BatchSnapshot;
}

/** How a batch's workflow ended. Callers read the row; this is for operators. */
export type BatchWorkflowResult = Pick<BatchSnapshot, 'status' | 'rows'>;

/** Another pace. */
export interface ThrottleAct extends OperatorAct {
  /** Rows started per second at most, from 1 to 1,000; null: as many as there can be. */
  readonly ratePerSecond: number | null;
}

/** What an act answers when it is done; the row has the rest. */
export interface BatchSteered {
  readonly status: BatchStatus;
  readonly ratePerSecond: number | null;
}

/** Starts no more rows until somebody resumes it. What has started goes on. */
export const pauseBatch = defineUpdate<BatchSteered, [OperatorAct]>('pauseBatch');
export const resumeBatch = defineUpdate<BatchSteered, [OperatorAct]>('resumeBatch');
/** Starts no more rows. What has started goes on. */
export const cancelBatch = defineUpdate<BatchSteered, [OperatorAct]>('cancelBatch');
export const throttleBatch = defineUpdate<BatchSteered, [ThrottleAct]>('throttleBatch');
/** What the workflow knows and does now. */
export const getBatch = defineQuery<BatchView>('getBatch');

export interface BatchView extends Partial<BatchSnapshot> {
  readonly batchId: string;
  readonly doing: string;
}

export const ratePerSecondMax = 1_000;

/** The options under which every process starts a batch's workflow. */
export function batchStartOptions(batch: {
  readonly batchId: string;
  readonly merchantId: string;
  readonly summary: string;
}) {
  return {
    workflowId: batch.batchId,
    taskQueue: paymentTaskQueue,
    workflowTaskTimeout: '5 seconds',
    priority: batchPriority(batch.merchantId),
    staticSummary: batch.summary,
    typedSearchAttributes: [
      { key: { name: 'MerchantId', type: 'KEYWORD' }, value: batch.merchantId },
    ] satisfies SearchAttributePair[],
  } as const;
}
