import { randomUUID } from 'node:crypto';
import {
  Client,
  Connection,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { endBatch } from '../../activities/end-batch.ts';
import { resumeBatches } from '../../activities/resume.ts';
import { startBatchRows } from '../../activities/start-batch-rows.ts';
import { StartWindow } from '../../activities/start-window.ts';
import { steerBatch } from '../../activities/steer-batch.ts';
import { stageRows } from '../../prisma/batch-rows.ts';
import { claimBatch, endReceivingBatch } from '../../prisma/batches.ts';
import { blankCustomer } from '../../prisma/customers.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import type { BatchSnapshot } from '../../workflows/batch-ports.ts';
import { batchIdOf, batchRowKeyOf, paymentIdOf } from '../../workflows/domain/ids.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { aPaymentRequest } from '../support/payment-request.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { anExecution, depsWith } from './ground.ts';

const merchantId = 'mer_1';
const scope = { merchantId, isTest: true };

let database: TestDatabase;
let reference: string;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: merchantId, name: 'Merchant' });
});
beforeEach(async () => {
  reference = randomUUID();
  await database.admin.query(`UPDATE batches SET finished_at = now(), status = 'canceled' WHERE finished_at IS NULL`);
});
afterAll(() => database?.close());

const idOf = (key: number) => paymentIdOf({ ...scope, idempotencyKey: batchRowKeyOf(reference, String(key)) });

/** A running batch of so many rows, as the API leaves it. */
async function aBatch(count: number, changes: { ratePerSecond?: number; hash?: string } = {}): Promise<string> {
  const idempotencyKey = randomUUID();
  const claimed = await claimBatch(database.db, scope, {
    id: batchIdOf({ ...scope, idempotencyKey }),
    idempotencyKey,
    requestHash: 'h',
    reference,
    kind: 'payments',
    format: 'csv',
    isDryRun: false,
    ratePerSecond: changes.ratePerSecond ?? null,
    actor: 'api_key:k',
    origin: '127.0.0.1',
    correlationId: 'c',
  });
  if (claimed.kind !== 'mine') throw new Error('nobody else has this batch');
  const { batch } = claimed;
  const rows = Array.from({ length: count }, (_, index) => {
    const { routing: _routing, receivedAt: _receivedAt, ...request } = aPaymentRequest({ correlationId: batch.id });
    const resourceId = idOf(index + 1);
    const requestHash = changes.hash ?? 'h';
    return { number: index + 1, rowKey: String(index + 1), resourceId, requestHash, data: { request, summary: 's' } };
  });
  const held = await stageRows(database.db, batch.id, batch.updated_at, rows);
  if (held === null) throw new Error('nobody else reads this file');
  await endReceivingBatch(database.db, batch.id, held, {
    status: 'running',
    rowsTotal: count,
    errorCount: 0,
    errors: [],
  });
  return batch.id;
}

interface Asked {
  readonly workflowId: string;
  readonly at: number;
  readonly priority: unknown;
  readonly args: readonly unknown[];
}

/** What Temporal says of workflows; of those that are not named, that there is none. */
type Statuses = Readonly<Record<string, () => 'RUNNING' | 'TERMINATED'>>;

/** A Temporal that says what comes of each start; usually the workflow accepts its payment at once. */
function anEngine(
  onStart: (workflowId: string, batchId: string) => Promise<unknown> = accept,
  statuses: Statuses = {},
) {
  const asked: Asked[] = [];
  const described: string[] = [];
  let running = 0;
  let most = 0;
  const client = (batchId: string) =>
    new Client({
      connection: Connection.lazy({ address: '127.0.0.1:1' }),
      interceptors: {
        workflow: [
          {
            async startWithDetails({ options: { workflowId, priority, args } }) {
              asked.push({ workflowId, at: performance.now(), priority, args });
              running += 1;
              most = Math.max(most, running);
              try {
                await onStart(workflowId, batchId);
              } finally {
                running -= 1;
              }
              return { runId: 'run', eagerlyStarted: false };
            },
            async describe({ workflowExecution: { workflowId } }) {
              described.push(workflowId);
              const name = statuses[workflowId]?.();
              if (name === undefined) throw new WorkflowNotFoundError('not found', workflowId, undefined);
              const status = `WORKFLOW_EXECUTION_STATUS_${name}`;
              const execution = { workflowId, runId: 'run' };
              return proto.temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse.fromObject({
                workflowExecutionInfo: {
                  execution,
                  type: { name: 't' },
                  status,
                  historyLength: 1,
                  startTime: { seconds: 1 },
                },
              });
            },
          },
        ],
      },
    });
  return { asked, described, client, most: () => most, ids: () => asked.map(({ workflowId }) => workflowId) };
}

async function accept(workflowId: string, batchId: string): Promise<void> {
  await insertPendingPayment(database, { id: workflowId, correlation_id: batchId, request_hash: 'h' });
}

const round = (engine: ReturnType<typeof anEngine>, batchId: string, rowsMax = 1_000): Promise<BatchSnapshot> =>
  anExecution({}, engine.client(batchId)).run(startBatchRows, depsWith(database), { batchId, merchantId, rowsMax });

const rowsOf = async (batchId: string) =>
  (
    await database.admin.query<{ state: string; code: string | null; data: unknown }>(
      'SELECT state, code, data FROM batch_rows WHERE batch_id = $1 ORDER BY number',
      [batchId],
    )
  ).rows;

test('every row is started once, in the order of the file, behind everybody who waits for an answer', async () => {
  const id = await aBatch(40);
  const engine = anEngine();
  expect(await round(engine, id)).toMatchObject({ status: 'running', rows: { staged: 0, started: 40, existing: 0 } });
  expect(engine.ids()).toEqual(Array.from({ length: 40 }, (_, index) => idOf(index + 1)));
  expect(engine.asked[0]).toMatchObject({
    priority: { priorityKey: 5, fairnessKey: merchantId },
    args: [
      {
        paymentId: idOf(1),
        merchantId,
        isTest: true,
        request: { correlationId: id, routing: { default: expect.any(Array) } },
      },
    ],
  });
  const started = { state: 'started', code: null, data: null };
  expect(await rowsOf(id)).toEqual(Array.from({ length: 40 }, () => started));
});

test('a round starts no more rows than it may, and the next one goes on behind them', async () => {
  const id = await aBatch(30);
  const engine = anEngine();
  expect((await round(engine, id, 20)).rows).toMatchObject({ staged: 10, started: 20 });
  expect((await round(engine, id, 20)).rows).toMatchObject({ staged: 0, started: 30 });
  expect(engine.asked).toHaveLength(30);
});

test('what a killed try began is found again: its rows count as started by this batch, whether written down or not', async () => {
  const id = await aBatch(6);
  await accept(idOf(1), id); // accepted, not written down
  const engine = anEngine(async (workflowId, batchId) => {
    if (workflowId !== idOf(2)) return accept(workflowId, batchId);
    setTimeout(() => void accept(workflowId, batchId), 200); // started by the one before, not accepted yet
    throw new WorkflowExecutionAlreadyStartedError('already started', workflowId, 'paymentWorkflow');
  });
  expect((await round(engine, id)).rows).toMatchObject({ staged: 0, started: 6, existing: 0 });
  expect(engine.ids()).not.toContain(idOf(1));
});

test('the same rows in another batch start nothing, and other words under the same key are refused', async () => {
  await round(anEngine(), await aBatch(5));
  const engine = anEngine();
  expect((await round(engine, await aBatch(5))).rows).toMatchObject({ started: 0, existing: 5 });
  const other = await aBatch(5, { hash: 'other' });
  expect((await round(engine, other)).rows).toMatchObject({ existing: 0, refused: 5 });
  const refused = { state: 'refused', code: 'idempotency_key_reused', data: null };
  expect(await rowsOf(other)).toEqual(Array.from({ length: 5 }, () => refused));
  expect(engine.asked).toEqual([]);
});

test('two batches of the same reference at once start each row once between them', async () => {
  const [one, other] = [await aBatch(60), await aBatch(60)];
  const known = new Set<string>();
  const engine = anEngine(async (workflowId, batchId) => {
    if (known.has(workflowId))
      throw new WorkflowExecutionAlreadyStartedError('already started', workflowId, 'paymentWorkflow');
    known.add(workflowId);
    await accept(workflowId, batchId);
  });
  const [first, second] = await Promise.all([round(engine, one), round(engine, other)]);
  expect(first.rows.started + second.rows.started).toBe(60);
  expect(first.rows.existing + second.rows.existing).toBe(60);
});

test('a row that Temporal will never take is refused, and stops nobody behind it', async () => {
  const id = await aBatch(5);
  const invalidArgument = 3;
  const engine = anEngine(async (workflowId, batchId) => {
    if (workflowId !== idOf(3)) return accept(workflowId, batchId);
    const cause = Object.assign(new Error('too large'), { code: invalidArgument, details: '', metadata: {} });
    throw new ServiceError('Failed to start Workflow', { cause });
  });
  expect((await round(engine, id)).rows).toMatchObject({ started: 4, refused: 1 });
  expect((await rowsOf(id))[2]).toEqual({ state: 'refused', code: 'internal_error', data: null });
});

test('a Temporal that is away fails the try; the next one starts the rest', async () => {
  const id = await aBatch(10);
  const away = anEngine(async (workflowId, batchId) => {
    if (workflowId === idOf(1)) return accept(workflowId, batchId);
    throw new ServiceError('away', {
      cause: Object.assign(new Error('away'), { code: 14, details: '', metadata: {} }),
    });
  });
  await expect(round(away, id)).rejects.toThrow(ServiceError);
  expect((await round(anEngine(), id)).rows).toMatchObject({ staged: 0, started: 10 });
});

test('a customer whose data were removed since is not charged', async () => {
  const id = await aBatch(2);
  const customerId = 'cus_00000000000000000000000001';
  await database.db.prisma.customer.create({
    data: { id: customerId, ...scope, idempotencyKey: id, requestHash: 'h', status: 'blanked', blankedAt: new Date() },
  });
  await database.admin.query(
    `UPDATE batch_rows SET data = jsonb_set(data, '{request,customerId}', to_jsonb($2::text)) WHERE batch_id = $1 AND number = 1`,
    [id, customerId],
  );
  const engine = anEngine();
  expect((await round(engine, id)).rows).toMatchObject({ started: 1, refused: 1 });
  expect((await rowsOf(id))[0]).toMatchObject({ state: 'refused', code: 'customer_not_available' });
});

test('a customer who is blanked leaves no address or name on rows that wait, and others keep theirs', async () => {
  const id = await aBatch(2);
  const customerId = 'cus_00000000000000000000000002';
  await database.db.prisma.customer.create({
    data: { id: customerId, ...scope, idempotencyKey: id, requestHash: 'h' },
  });
  await database.admin.query(
    `UPDATE batch_rows SET data = jsonb_set(data, '{request}', data -> 'request' || jsonb_build_object(
       'customerId', CASE number WHEN 1 THEN $2::text ELSE 'ada' END, 'customerEmail', 'ada@example.com', 'customerName', 'Ada'))
     WHERE batch_id = $1`,
    [id, customerId],
  );
  await blankCustomer(database.db, scope, customerId, { actor: 'a', origin: 'o', correlationId: 'c', at: new Date() });
  const contacts = (await rowsOf(id)).map(({ data }) => {
    const { request } = data as { request: Record<string, unknown> };
    return [request['customerEmail'], request['customerName'], request['amountMinor'] !== undefined];
  });
  expect(contacts).toEqual([
    [null, null, true],
    ['ada@example.com', 'Ada', true],
  ]);
});

test('a batch that is paused in the middle starts no more within a second, and keeps what it began', async () => {
  const id = await aBatch(400);
  const engine = anEngine(async (workflowId, batchId) => {
    await accept(workflowId, batchId);
    if (workflowId !== idOf(20)) return;
    const wish = { status: 'paused', actor: 'a', reason: 'r' } as const;
    await anExecution().run(steerBatch, depsWith(database), {
      batchId,
      merchantId,
      wish,
      now: new Date().toISOString(),
    });
  });
  const paused = await round(engine, id);
  expect(paused.status).toBe('paused');
  expect(paused.rows.started).toBe(engine.asked.length);
  expect(paused.rows.staged).toBeGreaterThan(0);
});

test('a pace is kept: rows start evenly, no faster than it says', async () => {
  const id = await aBatch(12, { ratePerSecond: 20 });
  const engine = anEngine();
  await round(engine, id);
  const [first, last] = [engine.asked[0]?.at ?? 0, engine.asked.at(-1)?.at ?? 0];
  expect(last - first).toBeGreaterThan(11 * 50 - 60);
});

test('a batch ends when no row is staged; canceled, its rows are canceled and emptied first', async () => {
  const run = <T, R>(work: (deps: ReturnType<typeof depsWith>, input: T) => Promise<R>, input: T): Promise<R> =>
    anExecution({}, anEngine().client('')).run(work, depsWith(database), input);
  const now = new Date().toISOString();
  const done = await aBatch(3);
  await round(anEngine(), done);
  expect(await run(endBatch, { batchId: done, merchantId, now })).toMatchObject({ status: 'completed' });
  reference = randomUUID();
  const canceled = await aBatch(2_500);
  await round(anEngine(), canceled, 5);
  await run(steerBatch, { batchId: canceled, merchantId, wish: { status: 'canceled', actor: 'a', reason: 'r' }, now });
  const end = await run(endBatch, { batchId: canceled, merchantId, now });
  expect(end).toMatchObject({ status: 'canceled', rows: { staged: 0, started: 5, canceled: 2_495 } });
  expect((await rowsOf(canceled)).filter(({ state, data }) => state === 'canceled' && data === null)).toHaveLength(
    2_495,
  );
  const after = await run(steerBatch, {
    batchId: canceled,
    merchantId,
    wish: { status: 'running', actor: 'a', reason: 'r' },
    now,
  });
  expect(after.status).toBe('canceled');
});

/** Ends a batch that somebody has canceled. */
async function endCanceled(batchId: string, engine: ReturnType<typeof anEngine>): Promise<BatchSnapshot> {
  const input = { batchId, merchantId, now: new Date().toISOString() };
  const wish = { status: 'canceled', actor: 'a', reason: 'r' } as const;
  const execution = anExecution({}, engine.client(batchId));
  await execution.run(steerBatch, depsWith(database), { ...input, wish });
  return execution.run(endBatch, depsWith(database), input);
}

describe('the end of a canceled batch', () => {
  test('counts what is there already as what it is: only the rest is canceled', async () => {
    const id = await aBatch(6);
    await accept(idOf(1), id); // accepted, not written down
    await accept(idOf(5), 'another batch');
    await insertPendingPayment(database, { id: idOf(6), correlation_id: id, request_hash: 'other' });
    expect((await endCanceled(id, anEngine())).rows).toEqual({
      staged: 0,
      started: 1,
      existing: 1,
      refused: 1,
      canceled: 3,
    });
    const states = (await rowsOf(id)).map(({ state }) => state);
    expect(states).toEqual(['started', 'canceled', 'canceled', 'canceled', 'existing', 'refused']);
  });

  test('waits for rows that are on their way', async () => {
    const id = await aBatch(4);
    let asked = 0;
    const engine = anEngine(accept, {
      [idOf(1)]: () => {
        asked += 1;
        if (asked === 3) void accept(idOf(1), id);
        return 'RUNNING';
      },
      [idOf(2)]: () => 'TERMINATED',
    });
    await endCanceled(id, engine);
    expect((await rowsOf(id)).map(({ state }) => state)).toEqual(['started', 'canceled', 'canceled', 'canceled']);
  });

  test('asks after the first rows only: those behind cannot have begun', async () => {
    const id = await aBatch(1_200);
    const engine = anEngine();
    expect((await endCanceled(id, engine)).rows.canceled).toBe(1_200);
    expect(new Set(engine.described)).toEqual(new Set(Array.from({ length: 500 }, (_, index) => idOf(index + 1))));
  });
});

test('the end of a batch may be repeated, whether it was completed or canceled: its first end stays', async () => {
  const stored = async (id: string) =>
    (await database.admin.query('SELECT status, finished_at, updated_at FROM batches WHERE id = $1', [id])).rows;
  const completed = await aBatch(2);
  await round(anEngine(), completed);
  const canceled = await aBatch(2, { hash: 'other' });
  await endCanceled(canceled, anEngine());
  const end = (batchId: string) =>
    anExecution({}, anEngine().client(batchId)).run(endBatch, depsWith(database), {
      batchId,
      merchantId,
      now: new Date().toISOString(),
    });
  for (const id of [completed, canceled]) {
    const first = await end(id);
    const before = await stored(id);
    expect(await end(id)).toEqual(first);
    expect(await stored(id)).toEqual(before);
  }
});

test('the sweep starts the workflows of open batches that have none, and gives up files that nobody reads any more', async () => {
  const open = await aBatch(2);
  const cut = await aBatch(3);
  const left = await aBatch(1); // refused, and its reader died before it had removed the rows
  await database.admin.query(
    `UPDATE batches SET status = 'invalid', started_at = NULL, finished_at = now() WHERE id = $1`,
    [left],
  );
  await database.admin.query(
    `UPDATE batches SET status = 'receiving', started_at = NULL, updated_at = now() - interval '2 hours' WHERE id = $1`,
    [cut],
  );
  const engine = anEngine(async () => undefined);
  const swept = await anExecution({}, engine.client(open)).run(resumeBatches, depsWith(database), {
    ageMinSeconds: -60,
  });
  expect(swept).toEqual({ checked: 1, resumed: 1 });
  expect(engine.asked).toMatchObject([{ workflowId: open, args: [{ batchId: open, merchantId }] }]);
  expect([await rowsOf(cut), await rowsOf(left)]).toEqual([[], []]);
  const { rows } = await database.admin.query<{ status: string }>('SELECT status FROM batches WHERE id = $1', [cut]);
  expect(rows[0]?.status).toBe('invalid');
});

test('nothing starts for a merchant that is suspended: its batch is paused until somebody resumes it', async () => {
  const id = await aBatch(40, { ratePerSecond: 10 });
  const suspend = (status: string) => database.admin.query('UPDATE merchants SET status = $1', [status]);
  const engine = anEngine(async (workflowId, batchId) => {
    if (workflowId === idOf(3)) await suspend('suspended'); // in the middle of a round
    await accept(workflowId, batchId);
  });
  try {
    expect(await round(engine, id)).toMatchObject({ status: 'paused' });
    const before = engine.asked.length;
    expect(before).toBeLessThan(20);
    expect(await round(engine, id)).toMatchObject({ status: 'paused', rows: { staged: 40 - before } });
    expect(engine.asked).toHaveLength(before);
  } finally {
    await suspend('active');
  }
  await steerBatch(depsWith(database), {
    batchId: id,
    merchantId,
    wish: { status: 'running', ratePerSecond: null, actor: 'ann', reason: 'cleared' },
    now: new Date().toISOString(),
  });
  expect(await round(engine, id)).toMatchObject({ status: 'running', rows: { staged: 0, started: 40 } });
});

describe('the window of rows on their way', () => {
  /** Rows that took so long each, after one that did not wait. */
  const after = (tookMs: number, rows: number, fastestMs = 25) => {
    const window = new StartWindow();
    window.accepted(fastestMs);
    for (let row = 0; row < rows; row++) window.accepted(tookMs);
    return window.size;
  };

  test('grows while rows are accepted quickly, to a bound', () => {
    expect(after(30, 2)).toBe(4);
    expect(after(30, 3)).toBe(5);
    expect(after(30, 400)).toBeGreaterThan(16);
    expect(after(30, 100_000)).toBe(64);
  });

  test('shrinks as soon as they queue, and never to nothing', () => {
    expect(after(110, 3)).toBe(3);
    expect(after(110, 10_000)).toBe(1);
  });

  test('stays as it is in between', () => {
    expect(after(80, 10_000)).toBe(4);
  });

  test('knows a queue by the fastest of its own engine, and by half a second where nothing is fast', () => {
    expect(after(110, 100, 100)).toBeGreaterThan(4);
    expect(after(600, 10_000, 600)).toBe(1);
  });
});
