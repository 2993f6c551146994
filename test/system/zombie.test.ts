import proto from '@temporalio/proto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { aCall, type Call } from '../support/call.ts';
import { holdSent } from '../support/hold.ts';
import { expectInvariants } from '../support/invariants.ts';
import type { TestProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

const { PendingWorkflowTaskState } = proto.temporal.api.enums.v1;

let world: World;
let second: TestProcess | null = null;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await world?.bank.heal();
  await world?.bank.release();
  if (second?.isRunning) await second.kill();
  world?.worker.resume();
});
afterAll(() => world?.close());

async function attemptOf(id: string): Promise<{ state: string; sends: number; sender: string } | null> {
  const { rows } = await world.admin.query<{ state: string; sends: number; sender: string }>(
    'SELECT state, sends, sender FROM attempts WHERE payment_id = $1',
    [id],
  );
  return rows[0] ?? null;
}

const attemptsOf = (calls: readonly Call[]) => Promise.all(calls.map(({ id }) => attemptOf(id)));

const describeWorkflow = (id: string) => world.temporal.workflow.getHandle(id).describe();
const isClosed = async (id: string) => (await describeWorkflow(id)).status.name === 'COMPLETED';

/** Whether a worker was given the payment's first workflow task. */
async function isHandedOut(id: string): Promise<boolean> {
  const description = await describeWorkflow(id).catch(() => null); // not started yet
  const state = description?.raw.pendingWorkflowTask?.state;
  return state === PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED;
}

test('a worker paused before `sent`, between `sent` and the write, and in the provider call: when it wakes it charges nothing', async () => {
  const unsent = aCall(world);
  const unwritten = aCall(world);
  const inCall = aCall(world);
  const calls = [unsent, unwritten, inCall];
  const heldUnsent = await holdSent(world, unsent, attemptIdOf(unsent.id, 'charge', 1));
  const heldUnwritten = await holdSent(world, unwritten, attemptIdOf(unwritten.id, 'charge', 1));
  await world.bank.park({ operation: 'charge', point: 'before_commit', reference: inCall.id });
  const answers = calls.map((call) => call.post());
  await until('one payment is parked', async () => (await world.bank.parked()).length === 1);
  for (const held of [heldUnsent, heldUnwritten]) {
    await until('one waits to be written as sent', async () => (await held.waiting()).length === 1);
  }
  world.worker.pause();
  // What became of both statements now waits in the sockets of a process that does not run.
  await heldUnsent.letGoAlone();
  await heldUnwritten.letGo();
  await until('`sent` is committed', async () => (await attemptOf(unwritten.id))?.state === 'sent');
  const firstTries = await attemptsOf(calls);
  expect(firstTries).toMatchObject([null, { state: 'sent', sends: 1 }, { state: 'sent', sends: 1 }]);
  expect(await world.bank.movements()).toEqual([]);

  await world.bank.release(); // what it had sent is processed, and so is the answer on its way

  const said = await wakesTooLate(calls);
  for (const { id } of [unsent, unwritten]) expect(said, 'its tries ended as failures when it woke').toContain(id);
  for (const [index, { id }] of calls.entries()) {
    expect(await answers[index]).toMatchObject({ status: 201, payment: { id, status: 'captured' } });
  }
  await expectInvariants(world);
});

test('a worker paused with payments in its hands that it has not begun: when it wakes it charges nothing', async () => {
  world.worker.pause();
  const calls = Array.from({ length: 8 }, () => aCall(world)); // more than it has polls open, so that the second worker gets some soon
  const answers = calls.map((call) => call.post());
  const handedOut = () => Promise.all(calls.map(({ id }) => isHandedOut(id)));
  await until('payments are handed to the paused worker', async () => (await handedOut()).some(Boolean));
  expect(await attemptsOf(calls)).toEqual(calls.map(() => null));

  await wakesTooLate(calls);
  for (const [index, { id }] of calls.entries()) {
    expect(await answers[index]).toMatchObject({ status: 201, payment: { id, status: 'captured' } });
  }
  await expectInvariants(world);
});

/**
 * Waits until a second worker has finished all, wakes the first, and proves that it acted and changed nothing. Answers
 * what the first one printed.
 */
async function wakesTooLate(calls: readonly Call[]): Promise<string> {
  second = world.anotherWorker();
  await second.start();
  for (const { id } of calls) await until('its workflow is closed', () => isClosed(id));
  const ended = await attemptsOf(calls);
  const served = (await world.bank.served()).charge;
  const alreadySaid = world.worker.output().length;

  world.worker.resume();
  const said = () => world.worker.output().slice(alreadySaid);
  await until('the engine refused what the first worker brought', () =>
    said().includes('Task not found when completing'),
  );
  await second.kill();
  const { id, post } = aCall(world);
  expect(await post()).toMatchObject({ status: 201, payment: { id, status: 'captured' } }); // by the first, now alone
  expect((await world.bank.served()).charge, 'charges that reached the provider').toBe(served + 1);
  expect(await attemptsOf(calls)).toEqual(ended);
  for (const call of calls) expect(await world.bank.movements(call.id)).toHaveLength(1);
  return said();
}
