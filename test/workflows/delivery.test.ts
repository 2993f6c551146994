import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../runtime/logger.ts';
import { failureConverterPath } from '../../runtime/temporal.ts';
import { keepDispatchers } from '../../workers/delivery-worker.ts';
import { findTemporalProgram, temporalProcess } from '../../workers/dev/temporal-server.ts';
import { workflowBundlePath } from '../../workers/workflow-bundle.ts';
import { searchAttributes } from '../../workflows/contract.ts';
import {
  type DeliveryEnd,
  deliveryStartOptions,
  deliveryTaskQueue,
  deliveryWorkflowType,
  dispatchStartOptions,
  dispatchWorkflowType,
  shards,
} from '../../workflows/delivery-contract.ts';
import type { DeliveryPorts } from '../../workflows/delivery-ports.ts';
import { testProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { freePorts } from '../support/world.ts';

/** The world of one delivery, or of one shard: the ports as the test wants them. */
const fakes = new Map<string, Partial<DeliveryPorts>>();
const closing: (() => unknown)[] = [];
let client: Client;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'delivery-workflows-'));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
  const source = await findTemporalProgram({ dataDir: folder, env, say: () => undefined });
  if (source.kind !== 'program') throw new Error('tests start their own Temporal server');
  const [port = 0] = await freePorts(1);
  const dbFilename = join(folder, 'temporal.db');
  const spec = await temporalProcess(source.path, {
    ip: '127.0.0.1',
    port,
    uiPort: null,
    dbFilename,
    searchAttributes,
  });
  const server = testProcess(spec, join(folder, 'temporal.log'));
  const [codePath] = await Promise.all([workflowBundlePath(), server.start()]);
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined), shutdownSignals: [] });
  const dataConverter = { failureConverterPath };
  const connection = await NativeConnection.connect({ address: `127.0.0.1:${port}` });
  const clientConnection = await Connection.connect({ address: `127.0.0.1:${port}` });
  client = new Client({ connection: clientConnection, dataConverter });
  const worker = await Worker.create({
    connection,
    dataConverter,
    taskQueue: deliveryTaskQueue,
    workflowBundle: { codePath },
    activities: ports,
    shutdownForceTime: '5 seconds',
  });
  const running = worker.run();
  running.catch(() => undefined); // shows in the tests, which then wait in vain
  closing.push(async () => {
    worker.shutdown();
    await running.catch(() => undefined);
    await Promise.allSettled([clientConnection.close(), connection.close()]);
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
});
afterAll(async () => {
  for (const close of closing) await close();
});

function portOf<Name extends keyof DeliveryPorts>(id: string, name: Name): NonNullable<DeliveryPorts[Name]> {
  const port = fakes.get(id)?.[name];
  if (port === undefined) throw ApplicationFailure.nonRetryable(`nobody plays ${name} for ${id}`);
  return port;
}

const ports: DeliveryPorts = {
  dispatchDeliveries: (input) => portOf(`dispatch-${input.shard}`, 'dispatchDeliveries')(input),
  deliver: (input) => portOf(input.deliveryId, 'deliver')(input),
  giveUpDelivery: (input) => portOf(input.deliveryId, 'giveUpDelivery')(input),
};

const about = { merchantId: 'mer_1', event: { type: 'payment.captured', object_id: 'pay_1' } };

/** Starts a delivery in such a world. */
async function start(fake: Partial<DeliveryPorts>, firstTryInMs = 1) {
  const deliveryId = `dlv_${randomUUID()}`;
  fakes.set(deliveryId, fake);
  const begin = () =>
    client.workflow.start(
      deliveryWorkflowType,
      deliveryStartOptions({ deliveryId, receiver: 'whe_1', firstTryInMs }, about),
    );
  return { deliveryId, begin, handle: await begin() };
}

/** A try that asks for the next one at once. */
const notYet = () =>
  ApplicationFailure.create({ type: 'not_delivered', message: 'the endpoint answered 500', nextRetryDelay: 10 });
const neverCalled = () => Promise.reject(ApplicationFailure.nonRetryable('called'));

describe('a delivery', () => {
  test('is tried again until the receiver takes it', async () => {
    let tries = 0;
    const deliver = async (): Promise<DeliveryEnd> => {
      tries += 1;
      if (tries < 4) throw notYet();
      return { state: 'delivered' };
    };
    const { handle } = await start({ deliver, giveUpDelivery: neverCalled });
    expect(await handle.result()).toEqual({ state: 'delivered' });
    expect(tries).toBe(4);
  });

  test('waits before its first try', async () => {
    const { handle } = await start({ deliver: neverCalled }, 3_600_000);
    const timer = await until('it waits', async () => {
      const { events } = await handle.fetchHistory();
      return events?.find(({ timerStartedEventAttributes }) => timerStartedEventAttributes != null);
    });
    expect(Number(timer.timerStartedEventAttributes?.startToFireTimeout?.seconds)).toBeGreaterThan(3_500);
    await handle.terminate();
  });

  test('is started once: a second start joins the first', async () => {
    let tries = 0;
    const gate = Promise.withResolvers<void>();
    const deliver = async (): Promise<DeliveryEnd> => {
      tries += 1;
      await gate.promise;
      return { state: 'delivered' };
    };
    const { begin, handle } = await start({ deliver });
    await until('it is tried', () => tries === 1);
    const second = await begin();
    gate.resolve();
    expect(await second.result()).toEqual({ state: 'delivered' });
    expect(second.firstExecutionRunId).toBe(handle.firstExecutionRunId);
    expect(tries).toBe(1);
  });

  test.each<[string, () => Promise<DeliveryEnd>]>([
    ['a refused try', () => Promise.reject(ApplicationFailure.nonRetryable('a defect', 'broken_invariant'))],
    [
      'its last time-out',
      () => Promise.reject(ApplicationFailure.nonRetryable('as after three days', 'not_delivered')),
    ],
  ])('is given up after %s, with an alert', async (_, deliver) => {
    let given = 0;
    const giveUpDelivery = async (): Promise<DeliveryEnd> => {
      given += 1;
      if (given === 1) throw new Error('the database is away');
      return { state: 'failed' };
    };
    const { handle } = await start({ deliver, giveUpDelivery });
    expect(await handle.result()).toEqual({ state: 'failed' });
    expect(given).toBe(2);
  });

  test('that an operator cancels is given up at once', async () => {
    let tries = 0;
    const deliver = () => {
      tries += 1;
      return Promise.reject(ApplicationFailure.create({ type: 'not_delivered', nextRetryDelay: '1 hour' }));
    };
    const { handle } = await start({ deliver, giveUpDelivery: async () => ({ state: 'failed' }) });
    await until('it is tried', () => tries === 1);
    await handle.cancel();
    expect(await handle.result()).toEqual({ state: 'failed' });
  });

  test('with a defect of the workflow’s own waits for a fixed one, and is not given up', async () => {
    let given = 0;
    const giveUpDelivery = async (): Promise<DeliveryEnd> => {
      given += 1;
      return { state: 'failed' };
    };
    const deliveryId = `dlv_${randomUUID()}`;
    fakes.set(deliveryId, { deliver: neverCalled, giveUpDelivery });
    const options = deliveryStartOptions({ deliveryId, receiver: 'whe_1', firstTryInMs: 1 }, about);
    // No timer can be made of it: the workflow fails between its steps.
    const args = [{ deliveryId, receiver: 'whe_1', firstTryInMs: 'soon' }];
    const handle = await client.workflow.start(deliveryWorkflowType, { ...options, args });
    await until('its task fails', async () => {
      const { events } = await handle.fetchHistory();
      return events?.find(({ workflowTaskFailedEventAttributes }) => workflowTaskFailedEventAttributes != null);
    });
    expect((await handle.describe()).status.name).toBe('RUNNING');
    expect(given).toBe(0);
    await handle.terminate();
  });

  test('shows operators what is told to whom, for how long, and nothing of a payer', async () => {
    let tries = 0;
    const deliver = () => {
      tries += 1;
      return Promise.reject(ApplicationFailure.create({ type: 'not_delivered', nextRetryDelay: '1 hour' }));
    };
    const { handle } = await start({ deliver });
    await until('it is tried', () => tries === 1);
    const description = await handle.describe();
    expect(await description.staticSummary()).toBe('payment.captured of pay_1 → whe_1');
    expect(description.searchAttributes).toMatchObject({ MerchantId: ['mer_1'], PaymentId: ['pay_1'] });
    const { events } = await handle.fetchHistory();
    const scheduled = events?.find(
      ({ activityTaskScheduledEventAttributes }) => activityTaskScheduledEventAttributes != null,
    );
    const { scheduleToCloseTimeout, retryPolicy, priority } = scheduled?.activityTaskScheduledEventAttributes ?? {};
    expect(Number(scheduleToCloseTimeout?.seconds)).toBe(3 * 86_400);
    expect(Number(retryPolicy?.maximumInterval?.seconds)).toBe(3_600);
    expect(priority?.fairnessKey).toBe('whe_1');
    expect(JSON.stringify(scheduled?.userMetadata?.summary?.data)).toBeDefined();
    await handle.terminate();
  });
});

describe('a dispatcher', () => {
  test('runs once per shard, goes on as a new run when its turn is over, and again after a failure', async () => {
    let turns = 0;
    fakes.set('dispatch-3', {
      dispatchDeliveries: async () => {
        turns += 1;
        if (turns === 1) throw ApplicationFailure.create({ message: 'the database is away', nextRetryDelay: 10 });
        if (turns < 5) return { delivered: 0, handedOver: 0, ended: 0 };
        return new Promise(() => undefined);
      },
    });
    const first = await client.workflow.start(dispatchWorkflowType, dispatchStartOptions(3));
    const second = await client.workflow.start(dispatchWorkflowType, dispatchStartOptions(3));
    await until('it has had four turns', () => turns === 5);
    const now = await client.workflow.getHandle('dispatch-3').describe();
    expect(now.status.name).toBe('RUNNING');
    expect(now.runId).not.toBe(first.firstExecutionRunId);
    expect(now.raw.workflowExecutionInfo?.firstRunId).toBe(first.firstExecutionRunId);
    expect(second.workflowId).toBe(first.workflowId);
    await client.workflow.getHandle('dispatch-3').terminate();
  });

  test('that is canceled ends what it began, and goes on no more', async () => {
    const gate = Promise.withResolvers<void>();
    let turns = 0;
    fakes.set('dispatch-2', {
      dispatchDeliveries: async () => {
        turns += 1;
        await gate.promise; // as the real one: it ends its tries and answers, whatever it was asked to do
        return { delivered: 1, handedOver: 0, ended: 0 };
      },
    });
    const handle = await client.workflow.start(dispatchWorkflowType, dispatchStartOptions(2));
    await until('it is at work', () => turns === 1);
    await handle.cancel();
    gate.resolve();
    await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    expect(turns).toBe(1);
  });

  test('that was ended by hand runs again soon, and those that run are left alone', async () => {
    for (let shard = 0; shard < shards; shard++)
      fakes.set(`dispatch-${shard}`, { dispatchDeliveries: () => new Promise(() => undefined) });
    const stop = await keepDispatchers(client, createLogger('test', 'silent'), 100);
    closing.unshift(stop);
    const runs = () =>
      Promise.all(
        Array.from({ length: shards }, async (_, shard) => {
          const { status, runId } = await client.workflow.getHandle(`dispatch-${shard}`).describe();
          return `${status.name} ${runId}`;
        }),
      );
    const first = await runs();
    expect(first).toEqual(Array(shards).fill(expect.stringMatching(/^RUNNING /)));
    await client.workflow.getHandle('dispatch-1').terminate();
    const second = await until('it runs again', async () => {
      const now = await runs();
      return now[1] !== first[1] && now.every((run) => run.startsWith('RUNNING')) ? now : null;
    });
    expect(second.toSpliced(1, 1)).toEqual(first.toSpliced(1, 1));
    stop();
    await Promise.all(second.map((_, shard) => client.workflow.getHandle(`dispatch-${shard}`).terminate()));
  });
});
