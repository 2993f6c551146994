import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../runtime/logger.ts';
import { findTemporalProgram, temporalProcess } from '../../workers/dev/temporal-server.ts';
import { prepareNamespace } from '../../workers/prepare-namespace.ts';
import {
  cleanupEverySeconds,
  cleanupScheduleId,
  cleanupWorkflowType,
  paymentTaskQueue,
  searchAttributes,
  sweepEverySeconds,
  sweepScheduleId,
  sweepWorkflowType,
} from '../../workflows/contract.ts';
import { type TestProcess, testProcess } from '../support/test-process.ts';
import { freePorts } from '../support/world.ts';

const host = '127.0.0.1';
const folder = mkdtempSync(join(tmpdir(), 'namespace-'));
const logger = createLogger('test', 'silent');
let server: TestProcess;
let worker: NativeConnection;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
  const source = await findTemporalProgram({ dataDir: folder, env, say: () => undefined });
  if (source.kind !== 'program') throw new Error('tests start their own Temporal server');
  const [port = 0] = await freePorts(1);
  const dbFilename = join(folder, 'temporal.db');
  const spec = await temporalProcess(source.path, { ip: host, port, uiPort: null, dbFilename, searchAttributes: {} });
  server = testProcess(spec, join(folder, 'temporal.log'));
  await server.start();
  const address = `${host}:${port}`;
  worker = await NativeConnection.connect({ address });
  connection = await Connection.connect({ address });
  client = new Client({ connection });
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  await Promise.allSettled([worker?.close(), connection?.close()]);
  await server?.kill();
  rmSync(folder, { recursive: true, force: true });
});

const prepare = () => prepareNamespace(worker, 'default', {}, logger);

test('a new namespace gets the search attributes', async () => {
  await prepare();
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
  expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(Object.keys(searchAttributes)));
});

test.each([
  ['sweep', sweepScheduleId, sweepEverySeconds, sweepWorkflowType],
  ['cleanup', cleanupScheduleId, cleanupEverySeconds, cleanupWorkflowType],
])('a new namespace gets the schedule of the %s', async (_name, scheduleId, seconds, workflowType) => {
  await prepare();
  const { spec, action } = await client.schedule.getHandle(scheduleId).describe();
  expect(spec.intervals).toMatchObject([{ every: seconds * 1000 }]);
  expect(action).toMatchObject({ workflowType, taskQueue: paymentTaskQueue });
});

test('a schedule of an earlier version becomes what this one wants, and stays paused if it was', async () => {
  const handle = client.schedule.getHandle(sweepScheduleId);
  await handle.update(({ policies, action }) => ({
    spec: { intervals: [{ every: '1 hour' }] },
    policies,
    action: { ...action, taskQueue: 'an-old-queue' },
    state: { paused: true, note: 'maintenance' },
  }));
  await prepare();
  const { spec, action, state } = await handle.describe();
  expect(spec.intervals).toMatchObject([{ every: sweepEverySeconds * 1000 }]);
  expect(action.taskQueue).toBe(paymentTaskQueue);
  expect(state).toMatchObject({ paused: true, note: 'maintenance' });
});

describe('search attributes that cannot be added', () => {
  const refuse = (code: number) => {
    const error = Object.assign(new Error(`code ${code}`), { code, details: 'details', metadata: {} });
    vi.spyOn(worker.operatorService, 'listSearchAttributes').mockRejectedValue(error);
  };

  test.each([
    ['permission denied', 7],
    ['unimplemented', 12],
  ])('because of %s are left to a person, and the worker goes on', async (_name, code) => {
    refuse(code);
    const warn = vi.spyOn(logger, 'warn');
    await prepare();
    expect(warn).toHaveBeenCalledOnce();
  });

  test.each([
    ['unavailable', 14],
    ['deadline exceeded', 4],
  ])('because of %s stop the start: it passes, and nobody is told to act by hand', async (_name, code) => {
    refuse(code);
    await expect(prepare()).rejects.toMatchObject({ code });
  });
});
