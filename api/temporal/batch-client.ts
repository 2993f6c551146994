import type { Client } from '@temporalio/client';
import {
  type BatchWorkflowInput,
  batchStartOptions,
  batchWorkflowType,
  cancelBatch,
  pauseBatch,
  resumeBatch,
  type ThrottleAct,
  throttleBatch,
} from '../../workflows/batch-contract.ts';
import type { OperatorAct } from '../../workflows/contract.ts';
import { updateIdOf } from '../../workflows/domain/ids.ts';
import type { NotTaken } from './answers.ts';
import { type Acted, openLine } from './line.ts';
import type { WorkflowStart } from './workflow-starts.ts';

/** A batch whose rows are staged, with what operators see of it in Temporal's lists. */
export interface KnownBatch extends Pick<BatchWorkflowInput, 'batchId' | 'merchantId'> {
  /** "5000 payments · 2026-11". */
  readonly summary: string;
}

/** What somebody wants of a batch. */
export type BatchAct =
  | ({ readonly kind: 'pause' | 'resume' | 'cancel' } & OperatorAct)
  | ({ readonly kind: 'throttle' } & ThrottleAct);

/** How the API talks to the workflows of batches. Deadlines are instants in ms. */
export interface BatchClient {
  /** Starts the workflow where none is open; null unless it was refused. */
  start(batch: KnownBatch, deadline: number): Promise<NotTaken | null>;
  /** Has the workflow, the open one or a new one, do something; `key` tells a repeat. */
  act(batch: KnownBatch, key: string, act: BatchAct, deadline: number): Promise<Acted>;
}

const updates = { pause: pauseBatch, resume: resumeBatch, cancel: cancelBatch } as const;

/** Wraps a Temporal client. */
export function createBatchClient(client: Client): BatchClient {
  const line = openLine(client);
  return {
    start: (batch, deadline) => line.restart(batchStart(batch), deadline),
    act(batch, key, { kind, ...act }, deadline) {
      const updateId = updateIdOf(kind, key, JSON.stringify(act));
      if ('ratePerSecond' in act)
        return line.act(batchStart(batch), { update: throttleBatch, updateId, question: act }, 'outcome', deadline);
      if (kind === 'throttle') throw new Error('a pace is missing');
      return line.act(batchStart(batch), { update: updates[kind], updateId, question: act }, 'outcome', deadline);
    },
  };
}

/** How to start a batch's workflow. */
function batchStart({ summary, ...input }: KnownBatch): WorkflowStart {
  return { type: batchWorkflowType, options: { ...batchStartOptions({ ...input, summary }), args: [input] } };
}
