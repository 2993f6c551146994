import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clockAsked, testClockStartOptions, testClockWorkflowType } from '../../workflows/test-clock-contract.ts';
import type { TestClockPorts, TestClockTurn } from '../../workflows/test-clock-ports.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';

/** What a clock's turns come to, by its id. */
const fakes = new Map<string, (turn: number) => Promise<TestClockTurn> | TestClockTurn>();
const turns = new Map<string, number>();

const ports: TestClockPorts = {
  advanceTestClock: async ({ clockId }) => {
    const turn = (turns.get(clockId) ?? 0) + 1;
    turns.set(clockId, turn);
    const fake = fakes.get(clockId);
    if (fake === undefined) throw ApplicationFailure.nonRetryable(`nobody plays ${clockId}`);
    return fake(turn);
  },
};

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine(ports);
});
afterAll(() => engine?.close());

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
  const options = { ...testClockStartOptions(input), args: [input] as [typeof input] };
  const handle = await engine.client.workflow.start(testClockWorkflowType, options);
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
    expect(await engine.client.workflow.getHandle(clock.id).result()).toEqual({ now: target });
    expect(clock.turns()).toBe(30);
    const { runId } = await engine.client.workflow.getHandle(clock.id).describe();
    expect(runId).not.toBe(clock.handle.firstExecutionRunId);
    const { events } = await engine.client.workflow.getHandle(clock.id, runId).fetchHistory();
    expect(Math.max(first.events?.length ?? 0, events?.length ?? 0)).toBeLessThan(100);
  });
});
