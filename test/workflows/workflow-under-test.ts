import {
  type Client,
  type UpdateDefinition,
  WithStartWorkflowOperation,
  type WorkflowHandle,
  type WorkflowStartOptions,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import proto from '@temporalio/proto';
import { providerEventReceived } from '../../workflows/contract.ts';
import { until } from '../support/until.ts';

const { EventType } = proto.temporal.api.enums.v1;

/** How to start a workflow, and with what. */
export interface Start {
  readonly type: string;
  readonly options: WorkflowStartOptions;
}

/** A workflow under test: how tests speak to it, and watch it. */
export interface WorkflowUnderTest<Result> {
  readonly handle: WorkflowHandle;
  /** Starts it without waiting. */
  start(): Promise<void>;
  /** As the sweep does it: with ids alone. */
  redrive(): Promise<void>;
  /** As the API does it with a provider's event: starts it, with ids alone, where none is open, and tells it. */
  tell(providerEventId: string): Promise<void>;
  /** As the API does it: asks the open workflow for something, or starts one with that in its first task. */
  startWithUpdate<Ret, Args extends [unknown]>(update: UpdateDefinition<Ret, Args>, ...args: Args): Promise<Ret>;
  /** Asks the open workflow for something. */
  update<Ret, Args extends [unknown]>(update: UpdateDefinition<Ret, Args>, ...args: Args): Promise<Ret>;
  /** The same of one that must refuse: answers how. */
  refusal<Ret, Args extends [unknown]>(update: UpdateDefinition<Ret, Args>, ...args: Args): Promise<Refusal>;
  result(): Promise<Result>;
  /** The history's event types, in order, without their prefix. */
  history(): Promise<string[]>;
  /** Waits for an event of this type, and answers the same. */
  historyWith(type: string): Promise<string[]>;
  /** Waits until an activity waits for its next try after this kind of failure. */
  isBackingOff(faultType: string): Promise<void>;
}

/** How an update was refused: its type is a code that programs read. */
export interface Refusal {
  readonly type: string | null;
  readonly message: string;
}

/** Watches the workflow that `whole` starts; `bare` starts it with ids alone. */
export function workflowUnderTest<Result>(
  client: Client,
  { whole, bare }: { readonly whole: Start; readonly bare: Start },
): WorkflowUnderTest<Result> {
  const handle = client.workflow.getHandle(whole.options.workflowId);
  const start = async ({ type, options }: Start) => {
    await client.workflow.start(type, options);
  };
  const update = <Ret, Args extends [unknown]>(definition: UpdateDefinition<Ret, Args>, ...args: Args): Promise<Ret> =>
    handle.executeUpdate<Ret, Args>(definition, { args });
  const history = async () => {
    const { events } = await handle.fetchHistory();
    return (events ?? []).map(({ eventType }) => EventType[eventType ?? 0]?.replace('EVENT_TYPE_', '') ?? '');
  };
  return {
    handle,
    start: () => start(whole),
    redrive: () => start(bare),
    async tell(providerEventId) {
      const signal = {
        signal: providerEventReceived,
        signalArgs: [{ providerEventId }] as [{ providerEventId: string }],
      };
      await client.workflow.signalWithStart(bare.type, { ...bare.options, ...signal });
    },
    startWithUpdate: (definition, ...args) => startWithUpdate(client, whole, definition, args),
    update,
    refusal: (definition, ...args) => refusalOf(update(definition, ...args)),
    result: () => handle.result(),
    history,
    historyWith: (type) =>
      until(`there is a ${type}`, async () => {
        const types = await history();
        return types.includes(type) ? types : null;
      }),
    async isBackingOff(faultType) {
      await until(`an activity waits after ${faultType}`, async () => {
        const { raw } = await handle.describe();
        return raw.pendingActivities?.some(
          ({ lastFailure, scheduledTime }) => lastFailure?.applicationFailureInfo?.type === faultType && scheduledTime,
        );
      });
    },
  };
}

/** How this update is refused. Throws when it is not. */
export async function refusalOf(asking: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await asking.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof WorkflowUpdateFailedError)) throw new Error('the update was not refused', { cause: error });
  const { cause } = error;
  return { type: cause instanceof ApplicationFailure ? (cause.type ?? null) : null, message: cause?.message ?? '' };
}

/** Starts a workflow with an update in its first task, or asks the open one. */
export function startWithUpdate<Ret, Args extends [unknown]>(
  client: Client,
  { type, options }: Start,
  update: UpdateDefinition<Ret, Args>,
  args: Args,
): Promise<Ret> {
  const startWorkflowOperation = new WithStartWorkflowOperation(type, {
    ...options,
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  return client.workflow.executeUpdateWithStart(update, { args, startWorkflowOperation });
}
