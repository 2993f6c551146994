import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { MovementKind } from '../../workflows/domain/movement.ts';
import { type Hold, holdRow, holdSent } from '../support/hold.ts';
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
  world = await startWorld();
});
afterEach(async () => {
  await world?.bank.heal();
  await world?.bank.release();
});
afterAll(() => world?.close());

/** What the database and the bank know of a capture, void or refund. */
interface Facts {
  readonly movement: string | null;
  readonly attempt: string | null;
  readonly booked: number;
}

const nothing: Facts = { movement: null, attempt: null, booked: 0 };
const accepted: Facts = { movement: 'pending', attempt: null, booked: 0 };
const sent: Facts = { movement: 'pending', attempt: 'sent', booked: 0 };
const booked: Facts = { movement: 'pending', attempt: 'sent', booked: 1 };
const succeeded: Facts = { movement: 'succeeded', attempt: 'approved', booked: 1 };

async function factsOf(id: string): Promise<Facts> {
  const { rows } = await world.admin.query<{ movement: string | null; attempt: string | null }>(
    `SELECT (SELECT state FROM movements WHERE id = $1) AS movement,
       (SELECT state FROM attempts WHERE movement_id = $1) AS attempt`,
    [id],
  );
  return {
    movement: rows[0]?.movement ?? null,
    attempt: rows[0]?.attempt ?? null,
    booked: (await world.bank.movements(id)).length,
  };
}

/** All that a movement leaves behind, in every book. */
async function storyOf(id: string) {
  const list = async (text: string) =>
    (await world.admin.query<{ line: string }>(text, [id])).rows.map((row) => row.line);
  return {
    events: await list(`SELECT sequence || ' ' || type AS line FROM events WHERE object_id = $1 ORDER BY sequence`),
    attempts: await list(`SELECT number || ' ' || state AS line FROM attempts WHERE movement_id = $1`),
    booked: (await world.bank.movements(id)).map(({ kind, amount_minor }) => `${kind} ${amount_minor}`),
  };
}

/** A movement that stands between two effects. */
interface Standing {
  readonly point: string;
  readonly id: string;
  readonly answer: Promise<MovementAnswer<unknown>>;
  readonly facts: Facts;
  /** What is known of it when it was let go and no worker is back yet. */
  readonly factsAfter: Facts;
  isThere(): Promise<boolean>;
  letGo(): Promise<void>;
}

interface Begun {
  readonly paymentId: string;
  readonly id: string;
  readonly post: () => Promise<MovementAnswer<unknown>>;
}

/** A movement that can be asked for, of a payment of its own. */
async function aMovement(kind: MovementKind): Promise<Begun> {
  if (kind === 'void') {
    const { id: paymentId } = await anAuthorizedPayment(world);
    const post = () => {
      const answer = cancel(world, paymentId);
      answer.catch(() => undefined);
      return answer;
    };
    return { paymentId, id: firstVoidIdOf(paymentId), post };
  }
  const { id: paymentId } = await (kind === 'capture' ? anAuthorizedPayment(world) : aCapturedPayment(world));
  const { id, post } = aMovementCall(world, kind, paymentId, '10.00');
  return { paymentId, id, post };
}

const youngMs = 2_000;

function heldBy(held: Hold, isLost: boolean, pattern: RegExp): Pick<Standing, 'isThere' | 'letGo'> {
  return {
    isThere: async () => (await held.waiting(youngMs)).some((query) => pattern.test(query)),
    letGo: () => (isLost ? held.letGoAlone() : held.letGo()),
  };
}

async function beforeOpening(kind: MovementKind): Promise<Standing> {
  const { id, paymentId, post } = await aMovement(kind);
  const held = await holdRow(world, { id: paymentId });
  const stands = heldBy(held, true, /AS capturable/);
  return { point: 'before its row', id, answer: post(), facts: nothing, factsAfter: nothing, ...stands };
}

async function beforeSent(kind: MovementKind): Promise<Standing> {
  const { id, paymentId, post } = await aMovement(kind);
  const held = await holdSent(world, { id: paymentId }, attemptIdOf(id, kind, 1));
  const stands = heldBy(held, true, /WITH not_now AS/);
  return { point: 'before sent', id, answer: post(), facts: accepted, factsAfter: accepted, ...stands };
}

const isParked = async (id: string) => (await world.bank.parked()).some((parked) => parked.reference === id);

async function inTheCall(kind: MovementKind, point: 'before_commit' | 'after_commit'): Promise<Standing> {
  const { id, post } = await aMovement(kind);
  await world.bank.park({ operation: kind, point, reference: id });
  return {
    point: `in the provider call, ${point}`,
    id,
    answer: post(),
    facts: point === 'before_commit' ? sent : booked,
    factsAfter: booked,
    isThere: () => isParked(id),
    letGo: () => world.bank.release(id),
  };
}

async function beforeRecord(kind: MovementKind, isLost: boolean): Promise<Standing> {
  const { id, paymentId, post } = await aMovement(kind);
  await world.bank.park({ operation: kind, point: 'after_commit', reference: id });
  const answer = post();
  await until(`the ${kind} is parked`, () => isParked(id));
  const held = await holdRow(world, { id: paymentId });
  await world.bank.release(id);
  const stands = heldBy(held, isLost, /WITH before AS/);
  const point = `before record, its statement ${isLost ? 'lost' : 'carried out'}`;
  return { point, id, answer, facts: booked, factsAfter: isLost ? booked : succeeded, ...stands };
}

const kinds: MovementKind[] = ['capture', 'void', 'refund'];

test.each(kinds)(
  'the worker killed at every point of a %s: each moved money once and its caller is answered',
  async (kind) => {
    // Questions go unanswered until the kill, so that none gets past its point by asking.
    await world.bank.inject([{ operation: 'lookup', probability: 1, fault: '500_before' }]);
    const standing = await Promise.all([
      beforeOpening(kind),
      beforeSent(kind),
      inTheCall(kind, 'before_commit'),
      inTheCall(kind, 'after_commit'),
      beforeRecord(kind, true),
      beforeRecord(kind, false),
    ]);
    await until('every movement stands at its point', async () => {
      const isThere = await Promise.all(standing.map((one) => one.isThere()));
      return isThere.every(Boolean);
    });
    await world.worker.kill();

    for (const { id, point, facts } of standing) expect(await factsOf(id), point).toEqual(facts);
    await Promise.all(standing.map((one) => one.letGo()));
    for (const { id, point, factsAfter } of standing) {
      await until(`${point}: let go`, async () => isDeepStrictEqual(await factsOf(id), factsAfter), {
        withinMs: 5_000,
      });
    }
    await world.bank.heal();

    await world.worker.start();
    const isDone = async (id: string) => (await factsOf(id)).movement === 'succeeded';
    await Promise.all(standing.map(({ id, point }) => until(`${point}: done`, () => isDone(id), { withinMs: 40_000 })));
    for (const { id, point, answer } of standing) {
      expect((await answer).status, point).toBe(kind === 'void' ? 200 : 201);
      expect(await storyOf(id), point).toEqual({
        events: [`1 ${kind}.pending`, `2 ${kind}.succeeded`],
        attempts: ['1 approved'],
        booked: [`${kind} ${kind === 'void' ? '2599' : '1000'}`],
      });
    }
    await expectInvariants(world);
  },
);
