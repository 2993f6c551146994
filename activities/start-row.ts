import { getClient } from '@temporalio/activity';
import {
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowExecutionStatusName,
  type WorkflowHandle,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
} from '@temporalio/client';
import type { RowToStart } from '../prisma/batch-rows.ts';
import type { MerchantSettings } from '../prisma/merchant-settings.ts';
import { grpcCodeOf, invalidArgument } from '../runtime/grpc.ts';
import type { StagedData, StagedPayment } from '../workflows/batch-ports.ts';
import { type PaymentWorkflowInput, paymentStartOptions, paymentWorkflowType } from '../workflows/contract.ts';
import type { BatchKind } from '../workflows/domain/batch.ts';
import type { PaymentRequest } from '../workflows/ports.ts';
import {
  batchPriority,
  type SubscriptionWorkflowInput,
  subscriptionStartOptions,
  subscriptionWorkflowType,
} from '../workflows/subscription-contract.ts';
import type { SubscriptionRequest } from '../workflows/subscription-ports.ts';

/** Whose rows are started, and under which rules of routing. */
export interface BatchToStart {
  readonly batchId: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly kind: BatchKind;
  readonly routing: MerchantSettings['routing'];
}

const startTimeoutMs = 10_000;

/**
 * Starts the workflow of a row, unless one is open under its id. `refused`: Temporal will never take what the row says. Rejects
 * where Temporal is away.
 */
export async function startRow(batch: BatchToStart, row: RowToStart): Promise<'sent' | 'refused'> {
  const { type, options } = startOf(batch, row);
  const client = getClient();
  try {
    await client.withDeadline(Date.now() + startTimeoutMs, () => client.workflow.start(type, options));
    return 'sent';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'sent';
    if (error instanceof ServiceError && grpcCodeOf(error) === invalidArgument) return 'refused';
    throw error;
  }
}

/**
 * Why the workflow of a row, whose thing is not there, made none. `working`: it is still at it. `gone`: there is none, or it ended
 * without a word.
 */
export async function refusalOfRow(resourceId: string): Promise<{ readonly refused: string } | 'working' | 'gone'> {
  const handle = getClient().workflow.getHandle(resourceId);
  const status = await statusOf(handle);
  if (status === 'RUNNING' || status === 'PAUSED') return 'working';
  if (status !== 'COMPLETED') return 'gone';
  const result: unknown = await handle.result();
  const isRefused = typeof result === 'object' && result !== null && 'refused' in result;
  return isRefused ? { refused: String(result.refused) } : 'gone';
}

async function statusOf(handle: WorkflowHandle): Promise<WorkflowExecutionStatusName | null> {
  try {
    return (await handle.describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

function startOf(
  batch: BatchToStart,
  row: RowToStart,
): { readonly type: string; readonly options: WorkflowStartOptions } {
  const { merchantId, isTest } = batch;
  const about = { merchantId, isTest };
  const { summary } = row.data as StagedData;
  const priority = batchPriority(merchantId);
  if (batch.kind === 'subscriptions') {
    const { request } = row.data as StagedData<SubscriptionRequest>;
    const input: SubscriptionWorkflowInput = { ...about, subscriptionId: row.resourceId, request };
    return {
      type: subscriptionWorkflowType,
      options: { ...subscriptionStartOptions({ ...input, summary }), priority, args: [input] },
    };
  }
  const request = paymentRequestOf(row, batch);
  const input: PaymentWorkflowInput = { ...about, paymentId: row.resourceId, request };
  const { currency } = request;
  return {
    type: paymentWorkflowType,
    options: { ...paymentStartOptions({ ...input, currency, summary }), priority, args: [input] },
  };
}

/** As it would be asked for now: the time to try counts from here, and the customer's contact is as it is now. */
function paymentRequestOf({ data, customer }: RowToStart, { routing }: BatchToStart): PaymentRequest {
  const { request } = data as StagedData<StagedPayment>;
  return {
    ...request,
    routing,
    customerEmail: request.customerEmail ?? customer?.email ?? null,
    customerName: request.customerName ?? customer?.name ?? null,
    receivedAt: new Date().toISOString(),
  };
}
