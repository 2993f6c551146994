import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { Answer } from '../support/api-client.ts';
import { aCall } from '../support/call.ts';
import { type Hold, holdAccept, holdRow, holdSent } from '../support/hold.ts';
import { expectInvariants } from '../support/invariants.ts';
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

/** What the database and the bank know of a payment. */
interface Facts {
  readonly payment: string | null;
  readonly attempt: string | null;
  readonly movements: number;
}

const nothing: Facts = { payment: null, attempt: null, movements: 0 };
const accepted: Facts = { payment: 'pending', attempt: null, movements: 0 };
const sent: Facts = { payment: 'pending', attempt: 'sent', movements: 0 };
const charged: Facts = { payment: 'pending', attempt: 'sent', movements: 1 };
const captured: Facts = { payment: 'captured', attempt: 'approved', movements: 1 };

async function factsOf(id: string): Promise<Facts> {
  const { rows } = await world.admin.query<{ payment: string | null; attempt: string | null }>(
    `SELECT (SELECT status FROM payments WHERE id = $1) AS payment,
       (SELECT state FROM attempts WHERE payment_id = $1) AS attempt`,
    [id],
  );
  const movements = (await world.bank.movements(id)).length;
  return { payment: rows[0]?.payment ?? null, attempt: rows[0]?.attempt ?? null, movements };
}

/** All that a payment leaves behind, in every book. */
async function storyOf(id: string) {
  const list = async (text: string) =>
    (await world.admin.query<{ line: string }>(text, [id])).rows.map((row) => row.line);
  return {
    events: await list(`SELECT sequence || ' ' || type AS line FROM events WHERE object_id = $1 ORDER BY sequence`),
    audit: await list(
      `SELECT e.sequence || ' ' || action || ' ' || to_status AS line
       FROM payment_audit_trail a JOIN events e ON e.id = a.event_id WHERE payment_id = $1 ORDER BY e.sequence`,
    ),
    attempts: await list(`SELECT number || ' ' || state AS line FROM attempts WHERE payment_id = $1`),
    movements: (await world.bank.movements(id)).map(({ kind, amount_minor }) => `${kind} ${amount_minor}`),
  };
}

const capturedOnce = {
  events: ['1 payment.pending', '2 payment.captured'],
  audit: ['1 create_payment pending', '2 charge captured'],
  attempts: ['1 approved'],
  movements: ['charge 2599'],
};

const isClosed = async (id: string) =>
  (await world.temporal.workflow.getHandle(id).describe()).status.name === 'COMPLETED';

/** A payment that stands between two effects. */
interface Standing {
  readonly point: string;
  readonly id: string;
  readonly answer: Promise<Answer>;
  /** What is known of it there. */
  readonly facts: Facts;
  /** What is known of it when it was let go and no worker is back yet. */
  readonly factsAfter: Facts;
  /** Whether it stands there now, and will for a second. */
  isThere(): Promise<boolean>;
  /** Ends what kept it there. */
  letGo(): Promise<void>;
}

/** What becomes of a statement under way when its process dies: it is lost, or the database carries it out all the same. */
type Statement = 'lost' | 'carried out';

/** A statement that waits inside the database for less than this goes on waiting for a second (its time-out: 3 s). */
const youngMs = 2_000;

function heldBy(held: Hold, statement: Statement, pattern: RegExp): Pick<Standing, 'isThere' | 'letGo'> {
  return {
    isThere: async () => (await held.waiting(youngMs)).some((query) => pattern.test(query)),
    letGo: () => (statement === 'lost' ? held.letGoAlone() : held.letGo()),
  };
}

async function beforeAccept(statement: Statement): Promise<Standing> {
  const call = aCall(world);
  const held = await holdAccept(world, call);
  return {
    point: `before accept, its statement ${statement}`,
    id: call.id,
    answer: call.post(),
    facts: nothing,
    factsAfter: statement === 'lost' ? nothing : accepted,
    ...heldBy(held, statement, /INSERT INTO payments/),
  };
}

async function beforeSent(statement: Statement): Promise<Standing> {
  const call = aCall(world);
  const held = await holdSent(world, call, attemptIdOf(call.id, 'charge', 1));
  return {
    point: `before sent, its statement ${statement}`,
    id: call.id,
    answer: call.post(),
    facts: accepted,
    factsAfter: statement === 'lost' ? accepted : sent,
    ...heldBy(held, statement, /WITH not_now AS/),
  };
}

const isParked = async (id: string) => (await world.bank.parked()).some((parked) => parked.reference === id);

async function inTheCall(point: 'before_commit' | 'after_commit'): Promise<Standing> {
  const call = aCall(world);
  await world.bank.park({ operation: 'charge', point, reference: call.id });
  return {
    point: `in the provider call, ${point}`,
    id: call.id,
    answer: call.post(),
    facts: point === 'before_commit' ? sent : charged,
    factsAfter: charged,
    isThere: () => isParked(call.id),
    letGo: () => world.bank.release(call.id),
  };
}

async function beforeRecord(statement: Statement): Promise<Standing> {
  const inCall = await inTheCall('after_commit');
  await until('the payment is parked', () => isParked(inCall.id));
  const held = await holdRow(world, inCall);
  await world.bank.release(inCall.id);
  return {
    ...inCall,
    point: `before record, its statement ${statement}`,
    factsAfter: statement === 'lost' ? charged : captured,
    ...heldBy(held, statement, /UPDATE payments SET\s+status = /),
  };
}

test('the worker killed at every point between two effects: each payment is captured once and its caller answered', async () => {
  // Questions go unanswered until the kill, so that none of the payments gets past its point by asking.
  await world.bank.inject([{ operation: 'lookup', probability: 1, fault: '500_before' }]);
  const standing = await Promise.all([
    beforeAccept('lost'),
    beforeAccept('carried out'),
    beforeSent('lost'),
    beforeSent('carried out'),
    inTheCall('before_commit'),
    inTheCall('after_commit'),
    beforeRecord('lost'),
    beforeRecord('carried out'),
  ]);
  await until('every payment stands at its point', async () => {
    const isThere = await Promise.all(standing.map((one) => one.isThere()));
    return isThere.every(Boolean);
  });
  await world.worker.kill();

  for (const { id, point, facts } of standing) expect(await factsOf(id), point).toEqual(facts);
  await Promise.all(standing.map((one) => one.letGo()));
  for (const { id, point, factsAfter } of standing) {
    await until(`${point}: let go`, async () => isDeepStrictEqual(await factsOf(id), factsAfter), { withinMs: 5_000 });
  }
  await world.bank.heal();

  await world.worker.start();
  const isCaptured = async (id: string) => (await factsOf(id)).payment === 'captured';
  await Promise.all(
    standing.map(({ point, id }) => until(`${point}: captured`, () => isCaptured(id), { withinMs: 30_000 })),
  );
  for (const { point, id, answer } of standing) {
    expect(await answer, point).toMatchObject({ status: 201, payment: { id, status: 'captured' } });
    expect(await storyOf(id), point).toEqual(capturedOnce);
    await until(`${point}: its workflow is closed`, () => isClosed(id));
  }
  await expectInvariants(world);
});

test('the worker killed after record, before Temporal heard of it: the payment stays captured once and its workflow ends', async () => {
  const { id, answer, ...inCall } = await inTheCall('after_commit');
  await until('the payment is parked', () => inCall.isThere());
  world.temporalServer.pause();
  await inCall.letGo();
  await until('the row says captured', async () => (await factsOf(id)).payment === 'captured');
  await world.worker.kill();
  world.temporalServer.resume();
  expect((await world.temporal.workflow.getHandle(id).describe()).status.name).toBe('RUNNING');

  await world.worker.start();
  await until('its workflow is closed', () => isClosed(id), { withinMs: 30_000 });
  expect(await answer).toMatchObject({ status: 201, payment: { id, status: 'captured' } });
  expect(await storyOf(id)).toEqual(capturedOnce);
  await expectInvariants(world);
});

test('the API killed while callers wait: the same keys posted again answer with the same payments, each charged once', async () => {
  const calls = [aCall(world), aCall(world), aCall(world)] as const;
  const [early, late] = calls;
  await world.bank.park({ operation: 'charge', point: 'before_commit', reference: early.id });
  await world.bank.park({ operation: 'charge', point: 'after_commit', reference: late.id });
  const held = await holdAccept(world, calls[2]);
  const answers = calls.map((call) => call.post());
  await until('two payments are parked', async () => (await world.bank.parked()).length === 2);
  await until('one waits to be accepted', async () => (await held.waiting()).length > 0);
  await world.api.kill();
  for (const answer of answers) await expect(answer).rejects.toThrow('fetch failed');

  await world.api.start();
  const again = calls.map((call) => call.post());
  await held.letGo();
  await world.bank.release();
  for (const [index, answer] of (await Promise.all(again)).entries()) {
    const id = calls[index]?.id ?? '';
    expect(answer).toMatchObject({ status: 201, payment: { id, status: 'captured' } });
    expect(answer.headers.get('idempotent-replayed')).toBe('true');
    expect(await storyOf(id)).toEqual(capturedOnce);
  }
  await expectInvariants(world);
});
