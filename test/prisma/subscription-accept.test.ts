import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCustomer } from '../../prisma/customers.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { acceptSubscription } from '../../prisma/subscriptions.ts';
import { moveTestClock, readAdvance } from '../../prisma/test-clocks.ts';
import { customerIdOf } from '../../workflows/domain/ids.ts';
import { insertTestClock } from '../support/clock-subscription.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';
import { aPlan, aSubscription, scope, start } from './subscription-world.ts';

let database: TestDatabase;
let planId: string;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of ['mer_1', 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
  planId = await aPlan(database);
});
afterAll(() => database?.close());

const accept = (input: ReturnType<typeof aSubscription>) => acceptSubscription(database.db, input);

async function countOf(table: string, column: string, id: string): Promise<number> {
  const { rows } = await database.admin.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${table} WHERE ${column} = $1`,
    [id],
  );
  return rows[0]?.count ?? -1;
}

async function aCustomer(testClockId: string | null = null): Promise<string> {
  const idempotencyKey = randomUUID();
  const id = customerIdOf({ ...scope, idempotencyKey });
  const contact = { email: null, name: null, phone: null, metadata: {}, externalId: null, testClockId };
  await makeCustomer(database.db, scope, { id, idempotencyKey, requestHash: 'h', ...contact, now: start });
  return id;
}

describe('a subscription', () => {
  test('is stored with one event and one audit entry, and its first billing is due', async () => {
    const input = aSubscription({ planId, quantity: 3 });
    const answer = await accept(input);
    expect(answer).toMatchObject({
      kind: 'accepted',
      subscription: {
        id: input.subscriptionId,
        status: 'active',
        version: 1,
        due: { step: 'open_period', at: start },
        charge: null,
        isOver: false,
        price: '77.97 USD every month',
        nextBillingDate: start,
      },
    });
    const { rows } = await database.admin.query(
      `SELECT e.type, e.sequence, e.data ->> 'amount_minor' AS amount, a.action, a.to_status, a.outcome, a.actor, a.origin
       FROM events e JOIN payment_audit_trail a ON a.event_id = e.id WHERE e.object_id = $1`,
      [input.subscriptionId],
    );
    expect(rows).toEqual([
      {
        type: 'subscription.active',
        sequence: 1,
        amount: '7797',
        action: 'create_subscription',
        to_status: 'active',
        outcome: 'Subscription Successful',
        actor: 'key_1',
        origin: '192.0.2.1',
      },
    ]);
  });

  test('that is accepted again is the one that is there, as it is now', async () => {
    const input = aSubscription({ planId });
    const first = await accept(input);
    expect(await accept({ ...input, now: '2027-01-01T00:00:00.000Z' })).toEqual(first);
    expect(await countOf('events', 'object_id', input.subscriptionId)).toBe(1);
  });

  test('of which only the id is known is found by it, or is not there', async () => {
    const { request: _request, ...known } = aSubscription({ planId });
    expect(await accept(known)).toEqual({ kind: 'refused', code: 'not_found' });
    const input = aSubscription({ planId });
    const { request: _, ...stored } = input;
    const first = await accept(input);
    expect(await accept(stored)).toEqual(first);
  });

  test('is nobody else’s: another merchant does not find it by its id', async () => {
    const { request: _, ...known } = aSubscription({ planId });
    expect(await accept({ ...known, merchantId: 'mer_2' })).toEqual({ kind: 'refused', code: 'not_found' });
  });

  test('that twenty accept at once is one row, with one event and one audit entry', async () => {
    const input = aSubscription({ planId });
    const answers = await Promise.all(Array.from({ length: 20 }, () => accept(input)));
    expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['accepted']));
    expect(await countOf('subscriptions', 'id', input.subscriptionId)).toBe(1);
    expect(await countOf('events', 'object_id', input.subscriptionId)).toBe(1);
    expect(await countOf('payment_audit_trail', 'object_id', input.subscriptionId)).toBe(1);
  });

  test('of a plan with a trial and a fee begins as trialing, with the fee due', async () => {
    const trial = await aPlan(database, { trialDays: 14, signUpFeeMinor: 500n });
    expect(await accept(aSubscription({ planId: trial }))).toMatchObject({
      subscription: {
        status: 'trialing',
        due: { step: 'bill_sign_up_fee', at: start },
        nextBillingDate: '2026-02-14T10:00:00.000Z',
      },
    });
    expect(await accept(aSubscription({ planId: trial, trialDays: 0 }))).toMatchObject({
      subscription: { status: 'active', due: { step: 'open_period' } },
    });
    const startsAt = '2026-03-01T00:00:00.000Z';
    expect(await accept(aSubscription({ planId: trial, startsAt }))).toMatchObject({
      subscription: { status: 'trialing', nextBillingDate: startsAt },
    });
  });

  test('has its customer’s test clock, and begins at that one’s time', async () => {
    const now = '2030-05-05T05:05:05.000Z';
    const customerId = await aCustomer(await insertTestClock(database, 'mer_1', { now }));
    const input = aSubscription({ planId, customerId });
    expect(await accept(input)).toMatchObject({
      subscription: { clockNow: now, due: { step: 'open_period', at: now } },
    });
  });

  test('that is made while its clock is set begins at the time that this one has then', async () => {
    const [now, later] = ['2030-05-05T05:05:05.000Z', '2031-01-01T00:00:00.000Z'];
    const clockId = await insertTestClock(database, 'mer_1', { now });
    const customerId = await aCustomer(clockId);
    const setting = await database.admin.connect();
    await setting.query('BEGIN');
    await setting.query('UPDATE test_clocks SET now = $2 WHERE id = $1', [clockId, later]);
    const accepting = accept(aSubscription({ planId, customerId }));
    await until('the new one waits for the clock', async () => {
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM test_clocks WHERE id%'`;
      return ((await database.admin.query(waiting)).rowCount ?? 0) > 0;
    });
    await setting.query('COMMIT');
    setting.release();
    expect(await accepting).toMatchObject({
      subscription: { clockNow: later, due: { step: 'open_period', at: later } },
    });
  });

  test('is not passed by its clock, which did not know of it', async () => {
    const [now, target] = ['2030-05-05T05:05:05.000Z', '2031-01-01T00:00:00.000Z'];
    const clockId = await insertTestClock(database, 'mer_1', { now, target });
    const { nextDue } = await readAdvance(database.db, clockId);
    expect(nextDue).toBeNull();
    await accept(aSubscription({ planId, customerId: await aCustomer(clockId) }));
    const nowOf = async () => (await readAdvance(database.db, clockId)).now.toISOString();
    await moveTestClock(database.db, clockId, { from: new Date(now), to: new Date(target), arrives: true });
    expect(await nowOf()).toBe(now);
    await database.admin.query('UPDATE subscriptions SET due_at = $2 WHERE test_clock_id = $1', [clockId, target]);
    await moveTestClock(database.db, clockId, { from: new Date(now), to: new Date(target), arrives: true });
    expect(await nowOf()).toBe(target);
  });
});

describe('a subscription is refused, and nothing stored', () => {
  test('where its key was used with another body', async () => {
    const idempotencyKey = randomUUID();
    const input = aSubscription({ planId, idempotencyKey });
    await accept(input);
    const again = await accept(aSubscription({ planId, idempotencyKey, requestHash: 'another', quantity: 2 }));
    expect(again).toEqual({ kind: 'refused', code: 'idempotency_key_reused' });
    expect(await countOf('events', 'object_id', input.subscriptionId)).toBe(1);
  });

  test('where its plan is not there, not the merchant’s, or archived; a repeat of one that was accepted before is not', async () => {
    const refused = { kind: 'refused', code: 'plan_not_available' };
    expect(await accept(aSubscription({ planId: 'pln_none' }))).toEqual(refused);
    expect(await accept(aSubscription({ planId, planVersion: 2 }))).toEqual(refused);
    expect(await accept({ ...aSubscription({ planId }), isTest: false })).toEqual(refused);
    expect(await accept({ ...aSubscription({ planId }), merchantId: 'mer_2' })).toEqual(refused);
    const archived = await aPlan(database);
    const before = aSubscription({ planId: archived });
    await accept(before);
    await database.admin.query(`UPDATE plans SET status = 'archived' WHERE id = $1`, [archived]);
    expect(await accept(aSubscription({ planId: archived }))).toEqual(refused);
    expect((await accept(before)).kind).toBe('accepted');
  });

  test('where another one has its external id, which one of twenty gets who ask for it at once', async () => {
    const externalId = randomUUID();
    const inputs = Array.from({ length: 20 }, () => aSubscription({ planId, externalId }));
    const answers = await Promise.all(inputs.map(accept));
    expect(answers.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
    const codes = answers.flatMap((answer) => (answer.kind === 'refused' ? [answer.code] : []));
    expect(codes).toEqual(Array.from({ length: 19 }, () => 'external_id_taken'));
    expect(await countOf('subscriptions', 'external_id', externalId)).toBe(1);
  });

  test('where its customer is not there, of the other mode, or blanked', async () => {
    const refused = { kind: 'refused', code: 'customer_not_available' };
    const none = customerIdOf({ ...scope, idempotencyKey: 'none' });
    expect(await accept(aSubscription({ planId, customerId: none }))).toEqual(refused);
    const live = await aCustomer();
    await database.admin.query('UPDATE customers SET is_test = false WHERE id = $1', [live]);
    expect(await accept(aSubscription({ planId, customerId: live }))).toEqual(refused);
    const blanked = await aCustomer();
    await blank(blanked);
    expect(await accept(aSubscription({ planId, customerId: blanked }))).toEqual(refused);
  });

  test('where its customer is blanked while it waits for the customer’s row', async () => {
    const customerId = await aCustomer();
    const client = await database.admin.connect();
    await client.query('BEGIN');
    await client.query(blankSql, [customerId]);
    const answer = accept(aSubscription({ planId, customerId }));
    await until('the subscription waits for it', async () => {
      const { rows } = await database.admin.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`);
      return rows.length > 0;
    });
    await client.query('COMMIT');
    client.release();
    expect(await answer).toEqual({ kind: 'refused', code: 'customer_not_available' });
    expect(await countOf('subscriptions', 'customer_id', customerId)).toBe(0);
  });
});

const blankSql = `UPDATE customers SET status = 'blanked', request_hash = 'blanked', blanked_at = now() WHERE id = $1`;
const blank = (id: string) => database.admin.query(blankSql, [id]);
