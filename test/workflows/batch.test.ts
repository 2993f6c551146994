import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type BatchWorkflowInput,
  type BatchWorkflowResult,
  batchStartOptions,
  batchWorkflowType,
  cancelBatch,
  getBatch,
  pauseBatch,
  resumeBatch,
  throttleBatch,
} from '../../workflows/batch-contract.ts';
import type { BatchPorts, BatchSnapshot } from '../../workflows/batch-ports.ts';
import { isBatchOpen } from '../../workflows/domain/batch.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import { refusalOf } from './workflow-under-test.ts';

/** A batch's row, and a protocol of what its workflow asked for. */
class FakeBatch {
  readonly id = `bat_${randomUUID()}`;
  row: BatchSnapshot;
  readonly asked: string[] = [];
  /** Whether rounds come to nothing. */
  stuck = false;
  /** What a round does before it ends: waits, starts others, or fails. */
  onRound: (round: number) => unknown = () => undefined;
  #rounds = 0;

  constructor(staged: number, changes: Partial<BatchSnapshot> = {}) {
    const rows = { staged, started: 0, existing: 0, refused: 0, canceled: 0 };
    const steeredAt = new Date().toISOString();
    this.row = {
      kind: 'payments',
      reference: 'r',
      isTest: true,
      status: 'running',
      ratePerSecond: null,
      rows,
      steeredAt,
      ...changes,
    };
  }

  steer(wish: Partial<Pick<BatchSnapshot, 'status' | 'ratePerSecond'>>): BatchSnapshot {
    if (isBatchOpen(this.row.status)) {
      const steeredAt = new Date(Date.parse(this.row.steeredAt) + 1).toISOString();
      this.row = { ...this.row, ...wish, steeredAt };
    }
    return this.row;
  }

  async startRows(rowsMax: number): Promise<BatchSnapshot> {
    this.asked.push('start');
    await this.onRound(++this.#rounds);
    const { rows, status } = this.row;
    const count = status === 'running' && !this.stuck ? Math.min(rows.staged, rowsMax) : 0;
    this.row = { ...this.row, rows: { ...rows, staged: rows.staged - count, started: rows.started + count } };
    return this.row;
  }

  end(): BatchSnapshot {
    this.asked.push('end');
    const { rows, status } = this.row;
    const ended =
      status === 'canceled'
        ? { status, rows: { ...rows, staged: 0, canceled: rows.staged } }
        : { status: 'completed' as const };
    this.row = { ...this.row, ...ended };
    return this.row;
  }
}

const fakes = new Map<string, FakeBatch>();
const of = (id: string) => {
  const fake = fakes.get(id);
  if (fake === undefined) throw ApplicationFailure.nonRetryable(`nobody plays ${id}`);
  return fake;
};
const ports: BatchPorts = {
  steerBatch: async ({ batchId, wish }) => {
    of(batchId).asked.push(wish === undefined ? 'look' : `${wish.status ?? wish.ratePerSecond}: ${wish.actor}`);
    const { status, ratePerSecond } = wish ?? {};
    return of(batchId).steer({ ...(status && { status }), ...(ratePerSecond !== undefined && { ratePerSecond }) });
  },
  startBatchRows: ({ batchId, rowsMax }) => of(batchId).startRows(rowsMax),
  endBatch: async ({ batchId }) => of(batchId).end(),
};

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine(ports);
});
afterAll(() => engine?.close());

async function run(fake: FakeBatch, input: Partial<BatchWorkflowInput> = {}) {
  fakes.set(fake.id, fake);
  const known = { batchId: fake.id, merchantId: 'mer_1' };
  const options = batchStartOptions({ ...known, summary: 's' });
  return engine.client.workflow.start<(input: BatchWorkflowInput) => Promise<BatchWorkflowResult>>(batchWorkflowType, {
    ...options,
    args: [{ ...known, ...input }],
  });
}

const by = { actor: 'api_key:k', reason: 'month end' };
/** A round that lasts until the test lets it go. */
function held(fake: FakeBatch): { begun: Promise<void>; letGo: () => void } {
  let letGo: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const begun = new Promise<void>((resolve) => {
    fake.onRound = async (round) => {
      if (round > 1) return;
      resolve();
      await gone;
    };
  });
  return { begun, letGo };
}

test('a batch starts its rows round by round, and ends when none is staged', async () => {
  const fake = new FakeBatch(4_500);
  const handle = await run(fake);
  expect(await handle.result()).toMatchObject({ status: 'completed', rows: { staged: 0, started: 4_500 } });
  expect(fake.asked).toEqual(['look', 'start', 'start', 'start', 'end']);
});

test('a batch that is over already is left alone', async () => {
  const fake = new FakeBatch(0, { status: 'completed' });
  expect(await (await run(fake)).result()).toMatchObject({ status: 'completed' });
  expect(fake.asked).toEqual(['look', 'end']);
});

test('paused, it starts nothing until it is resumed; with another pace, it goes on', async () => {
  const fake = new FakeBatch(3_000);
  const round = held(fake);
  const handle = await run(fake);
  await round.begun;
  expect(await handle.executeUpdate(pauseBatch, { args: [by] })).toEqual({ status: 'paused', ratePerSecond: null });
  round.letGo();
  await until('it waits', async () => (await handle.query(getBatch)).doing === 'waiting until somebody resumes it');
  expect(await handle.executeUpdate(throttleBatch, { args: [{ ...by, ratePerSecond: 9 }] })).toEqual({
    status: 'paused',
    ratePerSecond: 9,
  });
  expect(fake.row.rows.started).toBe(0);
  await handle.executeUpdate(resumeBatch, { args: [by] });
  expect((await handle.result()).rows.started).toBe(3_000);
  expect(fake.asked.filter((one) => one.includes(':'))).toEqual([
    'paused: api_key:k',
    '9: api_key:k',
    'running: api_key:k',
  ]);
});

test('canceled, it starts no more; what has started stays', async () => {
  const fake = new FakeBatch(5_000);
  fake.onRound = (round) => (round === 2 ? handle.executeUpdate(cancelBatch, { args: [by] }) : undefined);
  const handle = await run(fake);
  expect(await handle.result()).toMatchObject({ status: 'canceled', rows: { started: 2_000, canceled: 3_000 } });
});

test('canceling it in Temporal cancels the batch', async () => {
  const fake = new FakeBatch(3_000, { status: 'paused' });
  const handle = await run(fake);
  await until('it waits', async () => (await handle.query(getBatch)).doing === 'waiting until somebody resumes it');
  await handle.cancel();
  expect(await handle.result()).toMatchObject({ status: 'canceled', rows: { canceled: 3_000 } });
  expect(fake.asked).toContain('canceled: operator');
});

test('nobody steers without a name and a reason, at an impossible pace, or what is over', async () => {
  const fake = new FakeBatch(10, { status: 'paused' });
  const handle = await run(fake);
  const refused = (act: Promise<unknown>) => refusalOf(act);
  expect(await refused(handle.executeUpdate(pauseBatch, { args: [{ actor: '', reason: 'r' }] }))).toMatchObject({
    type: 'refused',
  });
  expect(await refused(handle.executeUpdate(pauseBatch, { args: [{ actor: 'a', reason: '' }] }))).toMatchObject({
    type: 'refused',
  });
  for (const ratePerSecond of [0, 1.5, 1_001])
    expect(await refused(handle.executeUpdate(throttleBatch, { args: [{ ...by, ratePerSecond }] }))).toMatchObject({
      type: 'refused',
    });
  fake.row = { ...fake.row, status: 'canceled' }; // by another run, say
  expect(await refused(handle.executeUpdate(resumeBatch, { args: [by] }))).toMatchObject({ type: 'batch_over' });
  await handle.terminate();
});

test('a long batch goes on as a new run with all that it knows', async () => {
  const fake = new FakeBatch(205_000);
  const handle = await run(fake);
  expect((await handle.result()).rows.started).toBe(205_000);
  expect(
    fake.asked.filter((one) => one === 'look'),
    'the second run need not look',
  ).toHaveLength(1);
  expect(fake.asked.filter((one) => one === 'start')).toHaveLength(103);
}, 120_000);

test('after a round that changed nothing it rests, until somebody wants something of it', async () => {
  const fake = new FakeBatch(10);
  fake.stuck = true;
  const handle = await run(fake);
  const resting = 'resting: the last round changed nothing';
  await until('it rests', async () => (await handle.query(getBatch)).doing === resting);
  expect(fake.asked).toEqual(['look', 'start']);
  await handle.executeUpdate(throttleBatch, { args: [{ ...by, ratePerSecond: 9 }] });
  await until('it has another try', () => fake.asked.filter((one) => one === 'start').length === 2);
  fake.stuck = false;
  await handle.executeUpdate(cancelBatch, { args: [by] });
  expect(await handle.result()).toMatchObject({ status: 'canceled' });
});

test('an activity that broke an invariant parks the workflow: it is not over', async () => {
  const fake = new FakeBatch(10);
  fake.onRound = () => {
    throw ApplicationFailure.create({ type: 'broken_invariant', message: 'broken', nonRetryable: true });
  };
  const handle = await run(fake);
  await until('its task has failed', async () => {
    const { events } = await handle.fetchHistory();
    return events?.some((event) => event.workflowTaskFailedEventAttributes != null);
  });
  expect((await handle.describe()).status.name).toBe('RUNNING');
  await handle.terminate();
});
