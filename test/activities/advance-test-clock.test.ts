import { randomUUID } from 'node:crypto';
import { Client, Connection, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { advanceTestClock } from '../../activities/advance-test-clock.ts';
import { resumeTestClocks } from '../../activities/resume.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { findTestClock } from '../../prisma/test-clocks.ts';
import { insertClockSubscription, insertTestClock, settleClockSubscription } from '../support/clock-subscription.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { untilLookedAgain } from '../support/looks.ts';
import { anExecution, depsWith } from './ground.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
});
afterAll(() => database?.close());

let merchantId: string;
beforeEach(async () => {
  merchantId = `mer_${randomUUID()}`;
  await createMerchant(database.db, { id: merchantId, name: 'Merchant' });
});

const [january, february, march, april] = [
  '2026-01-31T09:00:00.000Z',
  '2026-02-28T09:00:00.000Z',
  '2026-03-31T09:00:00.000Z',
  '2026-04-30T09:00:00.000Z',
];

const aClock = (now: string, target: string | null = null) => insertTestClock(database, merchantId, { now, target });
const aSubscription = (clockId: string, at: string | null, chargePaymentId?: string) =>
  insertClockSubscription(database, merchantId, clockId, { at, ...(chargePaymentId && { chargePaymentId }) });
const settle = (id: string, next: string | null = null) => settleClockSubscription(database, id, next);
const clockNow = async (id: string) =>
  (await findTestClock(database.db, { merchantId, isTest: true }, id))?.now.toISOString();

/** What the activity told whom, when by the clock. */
interface Told {
  readonly id: string;
  readonly at: string | undefined;
}

/** A Temporal that plays the workflows of subscriptions: `onTold` is what they do. */
function temporal(clockId: string, onTold: (id: string, times: number) => Promise<unknown> | undefined) {
  const told: Told[] = [];
  const starts: unknown[] = [];
  const client = new Client({
    connection: Connection.lazy({ address: '127.0.0.1:1' }),
    interceptors: {
      workflow: [
        {
          async signalWithStart({ options: { workflowId: id, args, staticSummary }, workflowType, signalName }) {
            told.push({ id, at: await clockNow(clockId) });
            starts.push({ workflowType, signalName, args, staticSummary });
            onTold(id, told.filter((one) => one.id === id).length)?.catch(() => undefined);
            return 'run';
          },
        },
      ],
    },
  });
  return { client, told, starts };
}

const advance = (clockId: string, client: Client) =>
  anExecution({}, client).run(advanceTestClock, depsWith(database), { clockId });

describe('an advance', () => {
  test('goes from instant to instant, and wakes at each who is due then, with what starts its workflow', async () => {
    const clockId = await aClock(january, april);
    const monthly = await aSubscription(clockId, february);
    const quarterly = await aSubscription(clockId, march);
    const never = await aSubscription(clockId, null);
    const later = await aSubscription(clockId, '2026-04-30T09:00:00.001Z');
    const nexts = [march, '2026-05-31T09:00:00.000Z'];
    const { client, told, starts } = temporal(clockId, (id) =>
      settle(id, id === monthly ? (nexts.shift() ?? null) : null),
    );
    const begin = performance.now();
    expect(await advance(clockId, client)).toEqual({ now: april, target: null, waitingFor: [] });
    expect(performance.now() - begin).toBeLessThan(2_500); // nobody had to be told again
    expect(told.slice(0, 1)).toEqual([{ id: monthly, at: february }]);
    expect(new Set(told.slice(1).map(({ id, at }) => `${id} ${at}`))).toEqual(
      new Set([`${monthly} ${march}`, `${quarterly} ${march}`]),
    );
    expect(told.map(({ id }) => id)).not.toContain(never);
    expect(told.map(({ id }) => id)).not.toContain(later);
    expect(starts[0]).toEqual({
      workflowType: 'subscriptionWorkflow',
      signalName: 'clockMoved',
      args: [{ subscriptionId: monthly, merchantId, isTest: true }],
      staticSummary: `25.99 USD every month · ${monthly}`,
    });
    expect(await findTestClock(database.db, { merchantId, isTest: true }, clockId)).toMatchObject({
      status: 'ready',
      target: null,
      waiting_for: [],
    });
  });

  test('waits at an instant until charges and refunds on their way have ended', async () => {
    const clockId = await aClock(january, march);
    const slow = await aSubscription(clockId, february);
    const other = await aSubscription(clockId, '2026-03-01T00:00:00.000Z');
    const change = (columns: string) =>
      database.admin.query(`UPDATE subscriptions SET ${columns}, version = version + 1 WHERE id = $1`, [slow]);
    const seen: (string | undefined)[] = [];
    const { client, told } = temporal(clockId, async (id) => {
      if (id === other) return settle(other);
      await change(`due_at = NULL, charge_payment_id = 'pay_1', open_invoice_id = 'inv_1'`);
      await untilLookedAgain(database.db, 'select_test_clock_advance');
      seen.push(await clockNow(clockId));
      await change(`charge_payment_id = NULL, refunds_due = '[{}]'`);
      await untilLookedAgain(database.db, 'select_test_clock_advance');
      seen.push(await clockNow(clockId));
      return change(`refunds_due = '[]'`);
    });
    expect(await advance(clockId, client)).toMatchObject({ now: march, target: null });
    expect(seen).toEqual([february, february]);
    expect(told.map(({ id }) => id)).toEqual([slow, other]);
  });

  test('tells one whose charge is on its way for very long once, and then not again for minutes', async () => {
    const clockId = await aClock(january, march);
    const charging = await aSubscription(clockId, february);
    await database.admin.query(
      `UPDATE subscriptions SET due_at = NULL, charge_payment_id = 'pay_1', open_invoice_id = 'inv_1',
         wake_at = now() - interval '1 min' WHERE id = $1`,
      [charging],
    );
    const { client, told } = temporal(clockId, () => undefined);
    expect(await advance(clockId, client)).toEqual({ now: january, target: march, waitingFor: [charging] });
    expect(told.map(({ id }) => id)).toEqual([charging]);
  });

  test('tells again whoever was told and did nothing', async () => {
    const clockId = await aClock(january, march);
    const deaf = await aSubscription(clockId, february);
    const { client, told } = temporal(clockId, (id, times) => (times === 1 ? undefined : settle(id)));
    expect(await advance(clockId, client)).toMatchObject({ now: march, target: null });
    expect(told).toEqual([
      { id: deaf, at: february },
      { id: deaf, at: february },
    ]);
  });

  test('goes on, after it was killed, from where the clock stands', async () => {
    const clockId = await aClock(february, march);
    const left = await aSubscription(clockId, february);
    const next = await aSubscription(clockId, march);
    const { client, told } = temporal(clockId, (id) => settle(id));
    expect(await advance(clockId, client)).toMatchObject({ now: march, target: null });
    expect(told).toEqual([
      { id: left, at: february },
      { id: next, at: march },
    ]);
  });

  test('that two work on goes no further than what is due, and arrives', async () => {
    const clockId = await aClock(january, april);
    const one = await aSubscription(clockId, february);
    const nexts = [march, april, '2026-05-31T09:00:00.000Z'];
    const done = new Set<string | undefined>();
    const { client, told } = temporal(clockId, async (id) => {
      const now = await clockNow(clockId);
      if (done.has(now)) return;
      done.add(now);
      await settle(id, nexts.shift() ?? null);
    });
    await Promise.all([advance(clockId, client), advance(clockId, client)]);
    expect(new Set(told.map(({ at }) => at))).toEqual(new Set([february, march, april]));
    expect(await clockNow(clockId)).toBe(april);
    expect(new Set(told.map(({ id }) => id))).toEqual(new Set([one]));
  });

  test('without anything due arrives at once', async () => {
    const clockId = await aClock(january, april);
    const { client, told } = temporal(clockId, () => undefined);
    expect(await advance(clockId, client)).toEqual({ now: april, target: null, waitingFor: [] });
    expect(told).toEqual([]);
  });

  test('ends its turn while somebody keeps it waiting, and says who', async () => {
    const clockId = await aClock(january, april);
    const stuck = await aSubscription(clockId, february);
    const { client } = temporal(clockId, () => undefined);
    expect(await advance(clockId, client)).toEqual({ now: february, target: april, waitingFor: [stuck] });
  });
});

test('a clock that stands still has its subscriptions told once of what they left undone, and does not wait', async () => {
  const clockId = await aClock(january);
  const left = await aSubscription(clockId, null, 'pay_1');
  const { client, told } = temporal(clockId, () => undefined);
  expect(await advance(clockId, client)).toEqual({ now: january, target: null, waitingFor: [left] });
  expect(told.map(({ id }) => id)).toEqual([left]);
});

describe('the sweep', () => {
  const sweep = async (start: (id: string) => void = () => undefined) => {
    const started: { id: string; type: string; args: unknown }[] = [];
    const client = new Client({
      connection: Connection.lazy({ address: '127.0.0.1:1' }),
      interceptors: {
        workflow: [
          {
            async startWithDetails({ options: { workflowId: id, args }, workflowType: type }) {
              started.push({ id, type, args });
              start(id);
              return { runId: 'run', eagerlyStarted: false };
            },
          },
        ],
      },
    });
    const tally = await anExecution({}, client).run(resumeTestClocks, depsWith(database), { ageMinSeconds: 20 });
    return { tally, started };
  };
  beforeEach(() => database.admin.query(`UPDATE test_clocks SET status = 'ready', target = NULL`));

  test('starts the workflow of an advance that does not move, and leaves the others alone', async () => {
    const longAgo = { now: january, updatedAt: new Date(Date.now() - 60_000) };
    const lost = await insertTestClock(database, merchantId, { ...longAgo, target: march });
    await insertTestClock(database, merchantId, longAgo);
    await aClock(january, march);
    const { tally, started } = await sweep();
    expect(tally).toEqual({ checked: 1, resumed: 1 });
    expect(started).toEqual([{ id: lost, type: 'testClockWorkflow', args: [{ clockId: lost, merchantId }] }]);
  });

  test('leaves alone who has a workflow', async () => {
    const target = march;
    await insertTestClock(database, merchantId, { now: january, target, updatedAt: new Date(Date.now() - 60_000) });
    const { tally } = await sweep((id) => {
      throw new WorkflowExecutionAlreadyStartedError('started already', id, 'testClockWorkflow');
    });
    expect(tally).toEqual({ checked: 1, resumed: 0 });
  });
});
