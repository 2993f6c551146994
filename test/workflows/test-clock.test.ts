import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureConverterPath } from '../../runtime/temporal.ts';
import { findTemporalProgram, temporalProcess } from '../../workers/dev/temporal-server.ts';
import { workflowBundlePath } from '../../workers/workflow-bundle.ts';
import { backgroundTaskQueue, paymentTaskQueue, searchAttributes } from '../../workflows/contract.ts';
import { clockAsked, testClockStartOptions, testClockWorkflowType } from '../../workflows/test-clock-contract.ts';
import type { TestClockPorts, TestClockTurn } from '../../workflows/test-clock-ports.ts';
import { testProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { freePorts } from '../support/world.ts';

/** What a clock's turns come to, by its id. */
const fakes = new Map<string, (turn: number) => Promise<TestClockTurn> | TestClockTurn>();
const turns = new Map<string, number>();
const closing: (() => unknown)[] = [];
let client: Client;

const ports: TestClockPorts = {
  advanceTestClock: async ({ clockId }) => {
    const turn = (turns.get(clockId) ?? 0) + 1;
    turns.set(clockId, turn);
    const fake = fakes.get(clockId);
    if (fake === undefined) throw ApplicationFailure.nonRetryable(`nobody plays ${clockId}`);
    return fake(turn);
  },
};

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clock-workflows-'));
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
  const address = `127.0.0.1:${port}`;
  const dataConverter = { failureConverterPath };
  const connection = await NativeConnection.connect({ address });
  const clientConnection = await Connection.connect({ address });
  client = new Client({ connection: clientConnection, dataConverter });
  const worker = await Worker.create({
    connection,
    dataConverter,
    taskQueue: paymentTaskQueue,
    workflowBundle: { codePath },
    shutdownForceTime: '5 seconds',
  });
  const background = await Worker.create({
    connection,
    dataConverter,
    taskQueue: backgroundTaskQueue,
    activities: ports,
    shutdownForceTime: '5 seconds',
  });
  const workers = [worker, background];
  const running = Promise.all(workers.map((one) => one.run()));
  running.catch(() => undefined); // shows in the tests, which then wait in vain
  closing.push(async () => {
    for (const one of workers) one.shutdown();
    await running.catch(() => undefined);
    await Promise.allSettled([clientConnection.close(), connection.close()]);
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
});
afterAll(async () => {
  for (const close of closing) await close();
});

const target = '2026-12-31T00:00:00.000Z';
const at = (day: number, waitingFor: readonly string[] = []): TestClockTurn => ({
  now: new Date(Date.UTC(2026, 0, day)).toISOString(),
  target,
  waitingFor,
});
const arrived: TestClockTurn = { now: target, target: null, waitingFor: [] };

/** Starts the workflow of a clock whose turns come to this. */
async function start(fake: (turn: number) => Promise<TestClockTurn> | TestClockTurn) {
  const input = { clockId: `clk_${randomUUID()}`, merchantId: 'mer_1' };
  fakes.set(input.clockId, fake);
  const handle = await client.workflow.start(testClockWorkflowType, { ...testClockStartOptions(input), args: [input] });
  return { id: input.clockId, handle, turns: () => turns.get(input.clockId) };
}

describe.concurrent('the workflow of a test clock', () => {
  test('takes turns until the clock has arrived', async () => {
    const clock = await start((turn) => (turn < 4 ? at(turn) : arrived));
    expect(await clock.handle.result()).toEqual({ now: target });
    expect(clock.turns()).toBe(4);
  });

  test('goes on after a turn that failed, such as in an outage of the database', async () => {
    const away = ApplicationFailure.create({ type: 'database_unavailable', message: 'away', nextRetryDelay: 10 });
    const clock = await start((turn) => {
      if (turn < 3) throw away;
      return arrived;
    });
    expect(await clock.handle.result()).toEqual({ now: target });
    expect(clock.turns()).toBe(3);
  });

  test('looks again when it is asked while the clock arrives', async () => {
    const clock = await start(async (turn) => {
      if (turn === 1) await clock.handle.signal(clockAsked);
      return arrived;
    });
    expect(await clock.handle.result()).toEqual({ now: target });
    expect(clock.turns()).toBe(2);
  });

  test('rests after turns that came no further, and goes on when it is asked', async () => {
    const clock = await start((turn) => (turn < 3 ? at(1, ['sub_1']) : arrived));
    await until('it rests after its second turn', async () => {
      const { raw } = await clock.handle.describe();
      return clock.turns() === 2 && raw.pendingActivities?.length === 0;
    });
    await clock.handle.signal(clockAsked);
    expect(await clock.handle.result()).toEqual({ now: target });
  });

  test('continues as new before its history is long', async () => {
    const clock = await start((turn) => (turn < 30 ? at(turn) : arrived));
    const first = await clock.handle.fetchHistory();
    expect(await client.workflow.getHandle(clock.id).result()).toEqual({ now: target });
    expect(clock.turns()).toBe(30);
    const { runId } = await client.workflow.getHandle(clock.id).describe();
    expect(runId).not.toBe(clock.handle.firstExecutionRunId);
    const { events } = await client.workflow.getHandle(clock.id, runId).fetchHistory();
    expect(Math.max(first.events?.length ?? 0, events?.length ?? 0)).toBeLessThan(100);
  });
});
