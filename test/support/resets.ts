import { randomUUID } from 'node:crypto';
import { isGrpcServiceError } from '@temporalio/client';
import proto from '@temporalio/proto';
import { expect } from 'vitest';
import { until } from './until.ts';
import type { World } from './world.ts';

const { EventType } = proto.temporal.api.enums.v1;

/** An event of a run that Temporal may take as a point to reset to. */
interface ResetPoint {
  readonly eventId: number;
  readonly type: string;
}

/** Waits until a workflow's activity has failed and is to be tried again. */
export async function isBackingOff(world: World, id: string): Promise<void> {
  await until(`${id} waits for its next try`, async () => {
    const { raw } = await world.temporal.workflow.getHandle(id).describe();
    return raw.pendingActivities?.some(({ lastFailure }) => lastFailure);
  });
}

/** The id of a workflow's last run. */
export async function runIdOf(world: World, id: string): Promise<string> {
  return (await world.temporal.workflow.getHandle(id).describe()).runId;
}

/**
 * The server cuts a history only between two batches that it wrote. A task that an update or a repetition brought about
 * may have its start in one batch with its scheduling: no reset to that start, but to the task's end.
 */
const refusable = new Set(['EVENT_TYPE_WORKFLOW_TASK_STARTED']);

/** Every event of a run that Temporal takes as a point to reset to. */
export async function resetPoints(world: World, id: string, runId: string): Promise<ResetPoint[]> {
  const { events } = await world.temporal.workflow.getHandle(id, runId).fetchHistory();
  const points = new Set([
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
  ]);
  return (events ?? []).flatMap(({ eventId, eventType }) =>
    eventType && points.has(eventType) ? [{ eventId: Number(eventId), type: EventType[eventType] ?? '' }] : [],
  );
}

/** Resets as an operator does in the Web UI; answers the new run's id, or null when the server refuses the point. */
export async function reset(
  world: World,
  id: string,
  runId: string,
  { eventId, type }: ResetPoint,
): Promise<string | null> {
  try {
    const answer = await world.temporal.workflowService.resetWorkflowExecution({
      namespace: world.temporal.options.namespace,
      workflowExecution: { workflowId: id, runId },
      reason: 'an operator’s reset',
      requestId: randomUUID(),
      workflowTaskFinishEventId: proto.temporal.api.history.v1.HistoryEvent.fromObject({ eventId }).eventId,
    });
    expect(answer.runId).not.toBe(runId);
    return answer.runId;
  } catch (error) {
    if (!isGrpcServiceError(error) || !error.details.includes('must be at the boundary')) throw error;
    expect(refusable.has(type)).toBe(true);
    return null;
  }
}

/**
 * Resets a finished workflow to each point of its last run, one after another; each new run must end with the same result,
 * and `factsOf` must answer the same. Answers how many of the points were completed workflow tasks.
 */
export async function resetToEachPoint(world: World, id: string, factsOf: () => Promise<unknown>): Promise<number> {
  const result: unknown = await world.temporal.workflow.getHandle(id).result();
  const facts = await factsOf();
  const runId = await runIdOf(world, id);
  const points = await resetPoints(world, id, runId);
  for (const point of points) {
    const newRunId = await reset(world, id, runId, point);
    if (newRunId === null) continue;
    const where = `reset to ${point.type}, event ${point.eventId}`;
    expect(await world.temporal.workflow.getHandle(id, newRunId).result(), where).toEqual(result);
    expect(await factsOf(), where).toEqual(facts);
  }
  return points.filter(({ type }) => type === 'EVENT_TYPE_WORKFLOW_TASK_COMPLETED').length;
}

/**
 * Resets an open workflow to each point that its run has now, one after another; `isThere` waits until the new run stands
 * where the first one did. Answers how many resets the server took.
 */
export async function resetOpenToEachPoint(world: World, id: string, isThere: () => Promise<unknown>): Promise<number> {
  const runId = await runIdOf(world, id);
  let taken = 0;
  for (const point of await resetPoints(world, id, runId)) {
    if ((await reset(world, id, runId, point)) === null) continue;
    taken += 1;
    await isThere();
  }
  return taken;
}
