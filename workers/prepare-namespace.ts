import { Client, ScheduleAlreadyRunning, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { NativeConnection } from '@temporalio/worker';
import { grpcCodeOf } from '../runtime/grpc.ts';
import type { Logger } from '../runtime/logger.ts';
import {
  cleanupEverySeconds,
  cleanupScheduleId,
  cleanupWorkflowType,
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
 * Makes what the product needs in its namespace: the search attributes that are missing, and its schedules, of the sweep and
 * the cleanup, as this version wants them. Where the server does not let a worker add search attributes (Temporal Cloud), it only says which ones
 * must be there. Throws when Temporal does not answer.
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
    if (!isForbidden(err)) throw err;
    const search_attributes = Object.entries(searchAttributes)
      .map(([name, type]) => `${name} (${type})`)
      .join(', ');
    logger.warn({ err, search_attributes }, 'add these search attributes to the namespace by hand');
  }
  const client = new Client({ connection, namespace, dataConverter });
  for (const schedule of schedules) await keepSchedule(client, schedule);
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

/** gRPC's PERMISSION_DENIED and UNIMPLEMENTED. */
const forbiddenCodes: ReadonlySet<number | null> = new Set([7, 12]);

function isForbidden(error: unknown): boolean {
  return forbiddenCodes.has(grpcCodeOf(error));
}

const schedules = [
  everySoOften(sweepScheduleId, sweepEverySeconds, sweepWorkflowType),
  everySoOften(cleanupScheduleId, cleanupEverySeconds, cleanupWorkflowType),
];

/** A pass that is still under way is not joined by another, and one that was missed is not made up for. */
function everySoOften(scheduleId: string, seconds: number, workflowType: string) {
  return {
    scheduleId,
    spec: { intervals: [{ every: `${seconds} seconds` }] },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
    action: { type: 'startWorkflow', workflowType, args: [], taskQueue: paymentTaskQueue },
  } satisfies ScheduleOptions;
}

async function keepSchedule(client: Client, schedule: (typeof schedules)[number]): Promise<void> {
  try {
    await client.schedule.create(schedule);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { scheduleId, ...wanted } = schedule;
    // Its state stays as it is: an operator may have paused it.
    await client.schedule.getHandle(scheduleId).update(({ state }) => ({ ...wanted, state }));
  }
}
