import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blankCustomer, findCustomer, makeCustomer } from '../../prisma/customers.ts';
import { findDelivery } from '../../prisma/deliveries.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { customerIdOf, subscriptionIdOf } from '../../workflows/domain/ids.ts';
import type { SubscriptionRequest } from '../../workflows/subscription-ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { deliveriesOf, insertEvent } from '../support/deliveries.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { playSubscriptions } from '../support/played-subscriptions.ts';
import { insertPlan, insertSubscription } from '../support/subscription-rows.ts';

const scope = { merchantId: 'mer_1', isTest: true };

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: 'mer_1', name: 'Merchant' });
});
afterAll(() => database?.close());

async function aCustomer(): Promise<string> {
  const idempotencyKey = randomUUID();
  const id = customerIdOf({ ...scope, idempotencyKey });
  const contact = {
    email: 'ada@example.com',
    name: 'Ada',
    phone: null,
    metadata: {},
    externalId: null,
    testClockId: null,
  };
  const now = new Date().toISOString();
  await makeCustomer(database.db, scope, { id, idempotencyKey, requestHash: 'h', ...contact, now });
  return id;
}
const aSubscription: SubscriptionRequest = {
  idempotencyKey: '',
  requestHash: 'h',
  externalId: null,
  correlationId: 'c',
  actor: 'a test',
  origin: '::1',
  customerId: '',
  planId: '',
  planVersion: 1,
  quantity: 1,
  timeZone: 'UTC',
  startsAt: null,
  trialDays: null,
  paymentMethod: { type: 'credit_card', cardToken: 'tok', expiry: null },
  description: null,
  metadata: {},
};
const blank = (id: string) =>
  blankCustomer(database.db, scope, id, { actor: 'a test', origin: '::1', correlationId: 'c', at: new Date() });

test('a customer with more payments than one statement takes is blanked on all of them', async () => {
  const id = await aCustomer();
  const first = await insertPendingPayment(database, { customer_id: id, customer_name: 'Ada' });
  const { rows: columns } = await database.admin.query<{ list: string }>(
    `SELECT string_agg(quote_ident(column_name), ', ') AS list FROM information_schema.columns
     WHERE table_name = 'payments' AND column_name NOT IN ('id', 'idempotency_key', 'external_id', 'return_token')`,
  );
  const list = columns[0]?.list ?? '';
  await database.admin.query(
    `INSERT INTO payments (id, idempotency_key, external_id, ${list})
     SELECT 'pay_' || n, 'key_' || n, 'ext_' || n, ${list} FROM payments, generate_series(1, 2500) n WHERE id = $1`,
    [first],
  );
  expect(await blank(id)).toMatchObject({ status: 'blanked', email: null });
  const { rows } = await database.admin.query(
    `SELECT count(*)::int AS payments, count(customer_name)::int AS named,
       (SELECT count(*)::int FROM payment_audit_trail WHERE action = 'blank_customer') AS entries,
       (SELECT request_data FROM audit_logs WHERE resource_id = $1) AS act
     FROM payments WHERE customer_id = $1`,
    [id],
  );
  expect(rows).toEqual([{ payments: 2_501, named: 0, entries: 2_501, act: { payments: 2_501 } }]);
});

test('a mail that waits for a blanked customer has nobody to go to, and no further one is queued', async () => {
  const id = await aCustomer();
  await insertEvent(database, 'payment.failed', { customer_id: id, customer_email: 'ada@example.com' });
  const [mail] = (await deliveriesOf(database)).map((row) => row.id);
  const payer = async () => (await findDelivery(database.db, String(mail)))?.payer;
  expect(await payer()).toMatchObject({ email: 'ada@example.com' });
  await blank(id);
  expect(await payer()).toBeNull();
  await insertEvent(database, 'payment.failed', { customer_id: id, customer_email: 'ada@example.com' });
  expect(await deliveriesOf(database), 'a payment that came later, too').toHaveLength(1);
});

test('a customer is not blanked while a subscription goes on, and no subscription comes to a blanked one, in any order', async () => {
  const planId = await insertPlan(database);
  const played = playSubscriptions(database);
  const subscribe = (customerId: string) => {
    const idempotencyKey = randomUUID();
    const subscriptionId = subscriptionIdOf({ ...scope, idempotencyKey });
    const request = { ...aSubscription, idempotencyKey, customerId, planId };
    return played.client.submit({ ...scope, subscriptionId, summary: 's', request }, 'accepted', 0);
  };
  const ends = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const id = await aCustomer();
      const [subscribed, blanked] = await Promise.all([subscribe(id), blank(id)]);
      const has = subscribed.kind === 'stored' ? 'subscription' : subscribed.kind === 'refused' && subscribed.code;
      const { rows } = await database.admin.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM subscriptions WHERE customer_id = $1',
        [id],
      );
      const { status } = (await findCustomer(database.db, scope, id)) ?? {};
      return [has, blanked === 'has_subscriptions' ? blanked : blanked?.status, status, rows[0]?.count].join(' ');
    }),
  );
  const allowed = ['subscription has_subscriptions active 1', 'customer_not_available blanked blanked 0'];
  expect([...new Set(ends)].filter((end) => !allowed.includes(end))).toEqual([]);
});

test('a customer whose subscriptions have ended is blanked', async () => {
  const id = await aCustomer();
  await insertSubscription(database, { customer_id: id });
  expect(await blank(id)).toBe('has_subscriptions');
  expect(await findCustomer(database.db, scope, id)).toMatchObject({ status: 'active', name: 'Ada' });
  await database.admin.query(
    `UPDATE subscriptions SET status = 'canceled', version = version + 1, ended_at = now() WHERE customer_id = $1`,
    [id],
  );
  expect(await blank(id)).toMatchObject({ status: 'blanked' });
});

test('the database keeps no data in a blanked customer’s row', async () => {
  const id = await aCustomer();
  await blank(id);
  for (const column of ['email', 'name', 'phone']) {
    const write = database.admin.query(`UPDATE customers SET ${column} = 'x' WHERE id = $1`, [id]);
    await expect(write).rejects.toThrow(/customers_blanked/);
  }
  await expect(database.admin.query(`UPDATE customers SET status = 'active' WHERE id = $1`, [id])).rejects.toThrow();
});

test('a customer is blanked for its merchant and mode alone', async () => {
  const id = await aCustomer();
  for (const other of [
    { merchantId: 'mer_2', isTest: true },
    { merchantId: 'mer_1', isTest: false },
  ]) {
    const from = { actor: 'a test', origin: '::1', correlationId: 'c', at: new Date() };
    expect(await blankCustomer(database.db, other, id, from)).toBeNull();
  }
  expect(await findCustomer(database.db, scope, id)).toMatchObject({ status: 'active', name: 'Ada' });
});
