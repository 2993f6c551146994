import { Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from '../runtime/logger.ts';
import {
  paymentTaskQueue,
  searchAttributes,
  sweepEverySeconds,
  sweepScheduleId,
  sweepWorkflowType,
} from '../workflows/contract.ts';

const { IndexedValueType } = proto.temporal.api.enums.v1;

const valueTypes = {
  Keyword: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  Bool: IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
} as const;

/**
 * Makes what the product needs in its namespace and is not there yet: search attributes and the sweep's schedule. Where
 * the server does not let a worker add search attributes (Temporal Cloud), it only says which ones must be there.
 */
export async function prepareNamespace(
  connection: NativeConnection,
  namespace: string,
  dataConverter: DataConverter,
  logger: Logger,
): Promise<void> {
  try {
    await addSearchAttributes(connection, namespace);
  } catch (err) {
    logger.warn({ err, search_attributes: searchAttributes }, 'add these search attributes to the namespace by hand');
  }
  const client = new Client({ connection, namespace, dataConverter });
  await startSweeping(client);
}

async function addSearchAttributes(connection: NativeConnection, namespace: string): Promise<void> {
  const existing = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(searchAttributes).filter(([name]) => !(name in (existing.customAttributes ?? {})));
  if (missing.length === 0) return;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, valueTypes[type]])),
  });
}

async function startSweeping(client: Client): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: sweepScheduleId,
      spec: { intervals: [{ every: `${sweepEverySeconds} seconds` }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
      action: { type: 'startWorkflow', workflowType: sweepWorkflowType, args: [], taskQueue: paymentTaskQueue },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
