import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import { expectInvariants } from '../support/invariants.ts';
import {
  aCapturedPayment,
  aMovementCall,
  anAuthorizedPayment,
  cancel,
  firstVoidIdOf,
  type MovementAnswer,
} from '../support/movement-call.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({ durable: true });
});
afterAll(() => world?.close());

/** A caller that repeats its key until it knows how its movement ended, and remembers each answer on the way. */
interface Caller {
  readonly kind: MovementKind;
  readonly id: string;
  readonly post: () => Promise<MovementAnswer<unknown>>;
  /** `info`: no answer, or one that says neither yes nor no. */
  readonly answers: (number | 'info')[];
}

/** A movement that can be asked for, of a payment of its own. */
async function aCaller(kind: MovementKind): Promise<Caller> {
  if (kind === 'void') {
    const { id } = await anAuthorizedPayment(world);
    return { kind, id: firstVoidIdOf(id), post: () => cancel(world, id, { key: id }), answers: [] };
  }
  const { id } = await (kind === 'capture' ? anAuthorizedPayment(world) : aCapturedPayment(world));
  return { kind, ...aMovementCall(world, kind, id), answers: [] };
}

const definite: Readonly<Record<MovementKind, number>> = { capture: 201, void: 200, refund: 201 };

async function askUntilDefinite({ id, kind, post, answers }: Caller): Promise<void> {
  const isDefinite = async () => {
    const status = await post().then(
      (answer) => answer.status,
      () => 0,
    );
    if (![0, 202, 503, definite[kind]].includes(status)) throw new Error(`${kind} ${id} answered ${status}`);
    answers.push(status === definite[kind] ? status : 'info');
    return status === definite[kind];
  };
  await until(`${kind} ${id} is definite`, isDefinite, { everyMs: 500, withinMs: 90_000 });
}

async function countByState(): Promise<Map<string, number>> {
  const { rows } = await world.admin.query<{ state: string; count: number }>(
    'SELECT state, count(*)::int AS count FROM movements GROUP BY state',
  );
  return new Map(rows.map((row) => [row.state, row.count]));
}

test('everything killed at once in the middle of captures, voids and refunds: after the start each is done once and all books agree', async () => {
  const kinds: MovementKind[] = ['capture', 'void', 'refund'];
  const callers = await Promise.all(kinds.flatMap((kind) => Array.from({ length: 8 }, () => aCaller(kind))));
  const bookedBefore = (await world.bank.movements()).length;
  // A third of the answers come late, so that movements stand at the provider when the power goes.
  await world.bank.inject(
    (['capture', 'void', 'refund'] as const).map((operation) => ({
      operation,
      probability: 0.35,
      fault: 'slow',
      delay_ms: 3_000,
    })),
  );
  const asking = callers.map((caller) => askUntilDefinite(caller));
  await until('some callers have their answer and some movements are in flight, booked and not', async () => {
    const counts = await countByState();
    const booked = (await world.bank.movements()).length - bookedBefore;
    const answered = callers.filter(({ answers }) => answers.some((answer) => answer !== 'info')).length;
    return answered >= 3 && (counts.get('pending') ?? 0) >= 3 && booked > (counts.get('succeeded') ?? 0);
  });
  const { api, worker, simulators, temporalServer, postgres } = world;
  await Promise.all([api, worker, simulators, temporalServer, postgres].map((process) => process.kill()));

  await Promise.all([postgres.start(), temporalServer.start(), simulators.start()]);
  expect((await countByState()).get('pending'), 'movements in flight when all was killed').toBeGreaterThan(0);
  await Promise.all([worker.start(), api.start()]);
  await Promise.all(asking);

  expect(callers.filter(({ answers }) => answers.includes('info')).length, 'calls without an answer').toBeGreaterThan(
    0,
  );
  const { rows } = await world.admin.query<{ line: string }>("SELECT id || ' ' || state AS line FROM movements");
  expect(rows.map(({ line }) => line).toSorted()).toEqual(callers.map(({ id }) => `${id} succeeded`).toSorted());
  for (const { id } of callers) expect(await world.bank.movements(id)).toHaveLength(1);
  await expectInvariants(world);
});
