import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { holdSent } from '../support/hold.ts';
import { expectInvariants } from '../support/invariants.ts';
import { aCapturedPayment, aMovementCall, anAuthorizedPayment } from '../support/movement-call.ts';
import type { TestProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

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

type Kind = 'capture' | 'refund';

/** A movement of all that there is, of a payment of its own. */
async function aMovement(kind: Kind) {
  const { id: paymentId } = await (kind === 'capture' ? anAuthorizedPayment(world) : aCapturedPayment(world));
  return { paymentId, ...aMovementCall(world, kind, paymentId) };
}
type Moving = Awaited<ReturnType<typeof aMovement>>;

const holdSentOf = (kind: Kind, { paymentId, id }: Moving) =>
  holdSent(world, { id: paymentId }, attemptIdOf(id, kind, 1));

async function attemptOf({ id }: Moving): Promise<{ state: string; sends: number; sender: string } | null> {
  const { rows } = await world.admin.query<{ state: string; sends: number; sender: string }>(
    'SELECT state, sends, sender FROM attempts WHERE movement_id = $1',
    [id],
  );
  return rows[0] ?? null;
}

const attemptsOf = (all: readonly Moving[]) => Promise.all(all.map(attemptOf));

test.each<Kind>(['capture', 'refund'])(
  'a worker paused in a %s, before `sent`, between `sent` and the write, and in the call: when it wakes it moves nothing',
  async (kind) => {
    const [unsent, unwritten, inCall] = [await aMovement(kind), await aMovement(kind), await aMovement(kind)];
    const all = [unsent, unwritten, inCall];
    const heldUnsent = await holdSentOf(kind, unsent);
    const heldUnwritten = await holdSentOf(kind, unwritten);
    await world.bank.park({ operation: kind, point: 'before_commit', reference: inCall.id });
    const answers = all.map((one) => one.post());
    await until('one is parked', async () => (await world.bank.parked()).length === 1);
    for (const held of [heldUnsent, heldUnwritten]) {
      await until('one waits to be written as sent', async () => (await held.waiting()).length === 1);
    }
    world.worker.pause();
    // What became of both statements now waits in the sockets of a process that does not run.
    await heldUnsent.letGoAlone();
    await heldUnwritten.letGo();
    await until('`sent` is committed', async () => (await attemptOf(unwritten))?.state === 'sent');
    const firstTries = await attemptsOf(all);
    expect(firstTries).toMatchObject([null, { state: 'sent', sends: 1 }, { state: 'sent', sends: 1 }]);
    for (const { id } of all) expect(await world.bank.movements(id)).toEqual([]);

    await world.bank.release(); // what it had sent is processed, and so is the answer on its way

    const said = await wakesTooLate(kind, all);
    for (const { id } of [unsent, unwritten]) expect(said, 'its tries ended as failures when it woke').toContain(id);
    for (const answer of answers) expect((await answer).status).toBe(201);
    await expectInvariants(world);
  },
);

/**
 * Waits until a second worker has finished all, wakes the first, and proves that it acted and changed nothing. Answers
 * what the first one printed.
 */
async function wakesTooLate(kind: Kind, all: readonly Moving[]): Promise<string> {
  second = world.anotherWorker();
  await second.start();
  for (const { id, paymentId } of all) {
    const handle = world.temporal.workflow.getHandle(kind === 'refund' ? id : paymentId);
    await until('its workflow is closed', async () => (await handle.describe()).status.name === 'COMPLETED');
  }
  const ended = await attemptsOf(all);
  const served = (await world.bank.served())[kind];
  const alreadySaid = world.worker.output().length;

  world.worker.resume();
  const said = () => world.worker.output().slice(alreadySaid);
  await until('the engine refused what the first worker brought', () =>
    said().includes('Task not found when completing'),
  );
  await second.kill();
  expect((await (await aMovement(kind)).post()).status).toBe(201); // by the first, now alone
  expect((await world.bank.served())[kind], `${kind}s that reached the provider`).toBe(served + 1);
  expect(await attemptsOf(all)).toEqual(ended);
  for (const { id } of all) expect(await world.bank.movements(id)).toHaveLength(1);
  return said();
}
