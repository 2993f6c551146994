import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blankCustomer, findCustomer, makeCustomer } from '../../prisma/customers.ts';
import { findDelivery } from '../../prisma/deliveries.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { customerIdOf } from '../../workflows/domain/ids.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { deliveriesOf, insertEvent } from '../support/deliveries.ts';
import { insertPendingPayment } from '../support/payment-row.ts';

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
  const contact = { email: 'ada@example.com', name: 'Ada', phone: null, metadata: {}, externalId: null };
  const now = new Date().toISOString();
  await makeCustomer(database.db, scope, { id, idempotencyKey, requestHash: 'h', ...contact, now });
  return id;
}
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
