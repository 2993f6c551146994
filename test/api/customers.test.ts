import { randomBytes, randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { PaymentClient } from '../../api/temporal/payment-client.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { submitAtOnce } from '../support/accept-at-once.ts';
import { readAll } from '../support/api-call.ts';
import { aPayment, getPayment, postPayment } from '../support/api-client.ts';
import { apiUnderTest, merchantPerTest } from '../support/api-under-test.ts';
import { insertTestClock } from '../support/clock-subscription.ts';
import { calling, codeOf, postKeyed, refusalOf } from '../support/keyed-call.ts';
import { insertPendingPayment } from '../support/payment-row.ts';
import { insertSubscription } from '../support/subscription-rows.ts';
import { until } from '../support/until.ts';
import { type Creation, testCreation, testExternalId } from './creation-contract.ts';

const submit = vi.fn<PaymentClient['submit']>();

const { database, api } = apiUnderTest({ payments: { submit } });
const merchant = merchantPerTest(api);
const call = calling(api);
beforeEach(() => {
  submit.mockReset().mockImplementation((payment) => submitAtOnce(database, payment));
});

interface Customer {
  readonly id: string;
  readonly status: string;
  readonly email: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

const path = '/api/v1/customers';
const someId = 'cus_00000000000000000000000000';
const ada = {
  external_id: 'shop-7',
  email: 'ada.canary@example.com',
  name: 'Ada Canary',
  phone: '+4930123456',
  metadata: { tier: 'gold-canary' },
};
const blank = { email: null, name: null, phone: null, metadata: {} };

const post = (body: unknown, idempotencyKey: string = randomUUID(), apiKey = merchant.key) =>
  postKeyed<Customer>(api.url, apiKey, { path, body, idempotencyKey });
const made = async (body: unknown = ada): Promise<Customer> => (await post(body)).body.data;
const get = (id: string, apiKey = merchant.key) => call<Customer>(apiKey, 'GET', `${path}/${id}`);
const put = (id: string, body: unknown, apiKey = merchant.key) => call<Customer>(apiKey, 'PUT', `${path}/${id}`, body);
const remove = (id: string, apiKey = merchant.key) => call<Customer>(apiKey, 'DELETE', `${path}/${id}`);
const list = (query: Record<string, string | number> = {}, apiKey = merchant.key) =>
  readAll<Customer>(api.url, apiKey, path, query);
const pay = (body: Record<string, unknown>, idempotencyKey: string = randomUUID()) =>
  postPayment(api.url, aPayment(body), {
    apiKey: merchant.key,
    key: idempotencyKey,
    headers: { prefer: 'respond-async' },
  });

describe('a new customer', () => {
  test('is answered, read and listed as it was given', async () => {
    const answer = await post(ada, 'key-1');
    expect(answer.status).toBe(201);
    const customer = answer.body.data;
    expect(customer).toEqual({
      ...ada,
      id: expect.stringMatching(/^cus_[0-9a-z]{26}$/),
      status: 'active',
      created_at: expect.stringMatching(/Z$/),
      updated_at: customer.created_at,
      blanked_at: null,
      test_clock_id: null,
      is_test: true,
    });
    expect(answer.headers.get('location')).toBe(`${path}/${customer.id}`);
    expect((await get(customer.id)).body.data).toEqual(customer);
    expect(await list()).toEqual([customer]);
  });

  test('needs nothing to be known of it', async () => {
    const answer = await post({});
    expect([answer.status, answer.body.data]).toMatchObject([201, { ...blank, external_id: null, status: 'active' }]);
  });

  const creation: Creation = { path, body: () => ada, change: { name: 'Eve' } };
  testCreation(api, creation);
  testExternalId(api, creation);

  test.each([
    ['/external_id', { external_id: '' }],
    ['/external_id', { external_id: 'x'.repeat(101) }],
    ['/email', { email: 'ada' }],
    ['/email', { email: null }],
    ['/email', { email: `${'a'.repeat(250)}@example.com` }],
    ['/name', { name: 7 }],
    ['/name', { name: 'A\u0000da' }],
    ['/phone', { phone: '030 123456' }],
    ['/phone', { phone: '+0123456789' }],
    ['/metadata/deep', { metadata: { deep: {} } }],
    ['/metadata', { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, 'v'])) }],
    ['/id', { id: someId }],
    ['/merchant_id', { merchant_id: 'mer_1' }],
    ['/is_test', { is_test: false }],
    ['/status', { status: 'blanked' }],
    ['/idempotency_key', { idempotency_key: 'k' }],
    ['/created_at', { created_at: '2020-01-01T00:00:00Z' }],
  ])('is refused, naming %s, for what it may not be', async (pointer, body) => {
    expect(refusalOf(await post(body))).toEqual([422, 'validation_failed', [pointer]]);
    expect(await list()).toEqual([]);
  });

  test('goes by a test clock of its merchant for good, in test mode alone', async () => {
    const clockId = await insertTestClock(database, merchant.id, { now: '2030-01-31T10:00:00Z' });
    const answer = await post({ test_clock_id: clockId }, 'key-1');
    expect([answer.status, answer.body.data]).toMatchObject([201, { test_clock_id: clockId }]);
    expect((await get(answer.body.data.id)).body.data).toEqual(answer.body.data);
    expect(refusalOf(await put(answer.body.data.id, { test_clock_id: null }))[2]).toEqual(['/test_clock_id']);
    const others = [await api.keyFor(merchant.id, { isTest: false }), await api.keyFor(`mer_${randomUUID()}`)];
    for (const [id, apiKey] of [...others.map((one) => [clockId, one] as const), ['clk_1', merchant.key] as const])
      expect(refusalOf(await post({ test_clock_id: id }, 'key-2', apiKey))).toEqual([
        422,
        'validation_failed',
        ['/test_clock_id'],
      ]);
  });

  test('holds no card number', async () => {
    expect(codeOf(await post({ name: '4111 1111 1111 1111' }))).toBe('422 card_number_refused');
  });
});

describe('a customer', () => {
  test.each(['GET', 'PUT', 'DELETE'])(
    'of another merchant, of the other mode, or of nobody is not there: %s',
    async (method) => {
      const { id } = await made();
      const others = [await api.keyFor(`mer_${randomUUID()}`), await api.keyFor(merchant.id, { isTest: false })];
      const body = method === 'PUT' ? { name: 'Eve' } : undefined;
      for (const other of others) {
        expect(codeOf(await call(other, method, `${path}/${id}`, body))).toBe('404 not_found');
        expect(await list({}, other)).toEqual([]);
      }
      for (const missing of [someId, 'cus_1', 'pay_1', '%00', "'"]) {
        expect([missing, codeOf(await call(merchant.key, method, `${path}/${missing}`, body))]).toEqual([
          missing,
          '404 not_found',
        ]);
      }
      expect((await get(id)).body.data).toMatchObject({ ...ada, status: 'active' });
    },
  );

  test('is seen with the one permission, and changed with the other', async () => {
    const { id } = await made();
    const reader = await api.keyFor(merchant.id, { permissions: ['customers:read'] });
    const writer = await api.keyFor(merchant.id, { permissions: ['customers:write'] });
    expect([await get(id, reader), await put(id, {}, reader), await remove(id, reader)].map(codeOf)).toEqual([
      '200',
      '403 forbidden',
      '403 forbidden',
    ]);
    expect(codeOf(await post({}, 'k', reader))).toBe('403 forbidden');
    expect([await get(id, writer), await put(id, {}, writer)].map(codeOf)).toEqual(['403 forbidden', '200']);
  });

  test('is changed in what is given, loses what is null, and keeps the rest', async () => {
    const customer = await made();
    const answer = await put(customer.id, { email: 'new@example.com', phone: null, metadata: null });
    expect(answer.body.data).toEqual({
      ...customer,
      email: 'new@example.com',
      phone: null,
      metadata: {},
      updated_at: expect.any(String),
    });
    expect(Date.parse(answer.body.data.updated_at)).toBeGreaterThanOrEqual(Date.parse(customer.updated_at));
    const again = await put(customer.id, { email: 'new@example.com' });
    expect(again.body.data, 'nothing differs').toEqual(answer.body.data);
  });

  test.each(['id', 'external_id', 'status', 'merchant_id', 'is_test', 'blanked_at', 'request_hash', 'created_at'])(
    'keeps its %s: a change of it is refused by name',
    async (field) => {
      const { id } = await made();
      expect(refusalOf(await put(id, { name: 'Eve', [field]: null }))).toEqual([
        422,
        'validation_failed',
        [`/${field}`],
      ]);
      expect((await get(id)).body.data).toMatchObject(ada);
    },
  );
});

describe('the list', () => {
  test('is newest first, page by page, and is filtered by what stands in the rows', async () => {
    const all: Customer[] = [];
    for (const number of [1, 2, 3, 4, 5]) {
      all.unshift(await made({ external_id: `shop-${number}`, email: `${number % 2}@example.com` }));
    }
    expect((await list({ limit: 2 })).map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    expect(await list({ external_id: 'shop-3' })).toEqual([all[2]]);
    expect((await list({ email: '0@example.com' })).map(({ id }) => id)).toEqual([all[1]?.id, all[3]?.id]);
    await remove(all[0]?.id ?? '');
    expect((await list({ status: 'blanked' })).map(({ id }) => id)).toEqual([all[0]?.id]);
    expect(await list({ status: 'active', limit: 1 })).toHaveLength(4);
  });

  test.each(['status=gone', 'email=ada', 'external_id=', 'name=Ada', 'merchant_id=mer_1', 'limit=0', 'cursor=x'])(
    'refuses %s by name',
    async (query) => {
      const answer = refusalOf(await call(merchant.key, 'GET', `${path}?${query}`));
      expect(answer).toEqual([422, 'validation_failed', [query.split('=')[0]]]);
    },
  );
});

describe('a payment of a customer', () => {
  test('takes the address and the name from there, and is its history', async () => {
    const { id } = await made();
    const { payment } = await pay({ customer_id: id });
    expect(payment).toMatchObject({ customer_id: id, customer_email: ada.email, customer_name: ada.name });
    const own = await pay({ customer_id: id, customer_email: 'other@example.com' });
    expect(own.payment).toMatchObject({ customer_email: 'other@example.com', customer_name: ada.name });
    await pay({ customer_id: 'shop-7' });
    const history = await readAll<{ id: string }>(api.url, merchant.key, '/api/v1/payments', { customer_id: id });
    expect(history.map((one) => one.id)).toEqual([own.payment.id, payment.id]);
  });

  test('who is another merchant’s, of the other mode, blanked or nobody is refused before anything is sent', async () => {
    const ofLive = (await post(ada, 'k', await api.keyFor(merchant.id, { isTest: false }))).body.data.id;
    const ofOther = (await post(ada, 'k', await api.keyFor(`mer_${randomUUID()}`))).body.data.id;
    const { id: blanked } = await made();
    await remove(blanked);
    for (const id of [ofLive, ofOther, blanked, someId]) {
      const { status, problem } = await pay({ customer_id: id });
      expect([status, problem.code, problem.errors?.[0]?.pointer]).toEqual([422, 'validation_failed', '/customer_id']);
    }
    expect(submit).not.toHaveBeenCalled();
  });

  test('whose id is the merchant’s own text is nobody’s business, even if it looks similar', async () => {
    for (const id of ['shop-7', 'cus_NffrFeUfNV2Hib', `${someId}0`]) {
      expect((await pay({ customer_id: id })).payment).toMatchObject({ customer_id: id, customer_email: null });
    }
  });

  test('is answered to a repeat after the customer was blanked, without the data', async () => {
    const { id } = await made();
    const { payment } = await pay({ customer_id: id }, 'key-1');
    await remove(id);
    const again = await pay({ customer_id: id }, 'key-1');
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.payment).toMatchObject({ id: payment.id, customer_email: null, customer_name: null });
  });
});

/** Payments of a customer in every state that there is, with contact data. */
async function paymentsInEveryState(customerId: string): Promise<Map<string, string>> {
  const { rows } = await database.admin.query<{ to_status: string }>(
    'SELECT DISTINCT to_status FROM payment_transitions',
  );
  const columns = {
    merchant_id: merchant.id,
    customer_id: customerId,
    customer_email: ada.email,
    customer_name: ada.name,
  };
  const ids = new Map<string, string>();
  for (const status of ['pending', ...rows.map((row) => row.to_status)]) {
    ids.set(status, await insertPendingPayment(database, { ...columns, id: `pay_${base32(randomBytes(17), 130)}` }));
  }
  const client = await database.admin.connect();
  try {
    await client.query('SET session_replication_role = replica'); // as nobody may: the states alone, past the guards
    for (const [status, id] of ids) {
      await client.query(
        `UPDATE payments SET status = $2, authorized_amount = $3, captured_amount = $4,
           refunded_amount = $5, refund_reserved_amount = $5 WHERE id = $1`,
        [id, status, ...amountsOf(status)],
      );
    }
  } finally {
    client.release(true);
  }
  return ids;
}

/** Authorized, captured, refunded. */
function amountsOf(status: string): readonly number[] {
  if (status === 'authorized') return [2_599, 0, 0];
  if (!/captured|refunded/.test(status)) return [0, 0, 0];
  return [2_599, 2_599, { refunded: 2_599, partially_refunded: 1 }[status] ?? 0];
}

describe('a customer with subscriptions', () => {
  test('is not blanked until the last of them has ended, and nothing of it is removed', async () => {
    const { id } = await made();
    const subscriptionId = await insertSubscription(database, { merchant_id: merchant.id, customer_id: id });
    expect(codeOf(await remove(id))).toBe('409 customer_has_subscriptions');
    expect((await get(id)).body.data).toMatchObject({ ...ada, status: 'active' });
    await database.admin.query(
      `UPDATE subscriptions SET status = 'canceled', version = version + 1, ended_at = now() WHERE id = $1`,
      [subscriptionId],
    );
    expect((await remove(id)).body.data.status).toBe('blanked');
  });
});

describe('a blanked customer', () => {
  test('has no data left, nor have its payments in any state, and stays so', async () => {
    const { id } = await made();
    const payments = await paymentsInEveryState(id);
    expect(payments.size).toBeGreaterThan(8);
    const { rows: hashes } = await database.admin.query<{ hash: string }>(
      'SELECT request_hash AS hash FROM customers WHERE id = $1',
      [id],
    );
    const answer = await remove(id);
    const blanked = { ...blank, id, external_id: 'shop-7', status: 'blanked', blanked_at: expect.stringMatching(/Z$/) };
    expect([answer.status, answer.body.data]).toMatchObject([200, blanked]);
    expect((await get(id)).body.data).toEqual(answer.body.data);
    for (const [status, payment] of payments) {
      const shown = (await getPayment(api.url, payment, merchant.key)).payment;
      expect(shown).toMatchObject({ status, customer_id: id, customer_email: null, customer_name: null });
    }
    const { rows } = await database.admin.query(
      `SELECT (SELECT string_agg(c::text, ' ') FROM customers c WHERE c.id = $1) ||
        (SELECT string_agg(p::text, ' ') FROM payments p WHERE p.customer_id = $1) AS text`,
      [id],
    );
    expect(rows[0]).not.toEqual({ text: expect.stringContaining('anary') });
    expect(rows[0], 'nor a hash of it').not.toEqual({ text: expect.stringContaining(hashes[0]?.hash ?? '') });

    expect((await remove(id)).body.data, 'again').toEqual(answer.body.data);
    expect(codeOf(await put(id, { name: 'Eve' }))).toBe('409 customer_blanked');
    expect(codeOf(await put(id, {}))).toBe('409 customer_blanked');
    expect(codeOf(await post({ external_id: 'shop-7' }))).toBe('409 external_id_taken');
  });

  test('is not made again by the request that made it, which confirms nothing of what it was made of', async () => {
    const { id } = (await post(ada, 'key-1')).body.data;
    await remove(id);
    for (const body of [ada, { ...ada, email: 'guess@example.com' }])
      expect(codeOf(await post(body, 'key-1'))).toBe('422 idempotency_key_reused');
    expect((await get(id)).body.data).toMatchObject({ ...blank, status: 'blanked' });
  });

  test('is written down once, with how many payments, and in each payment’s audit trail by name', async () => {
    const { id } = await made();
    const { payment } = await pay({ customer_id: id });
    await Promise.all(Array.from({ length: 5 }, () => remove(id)));
    const { rows: acts } = await database.admin.query(
      "SELECT * FROM audit_logs WHERE resource_id = $1 AND action LIKE '%.%'",
      [id],
    );
    expect(acts).toEqual([
      expect.objectContaining({
        action: 'customer.blanked',
        resource_type: 'customer',
        merchant_id: merchant.id,
        is_test: true,
        user_id: expect.stringMatching(/^api_key:/),
        request_data: { payments: 1 },
      }),
    ]);
    const { rows: trail } = await database.admin.query(
      `SELECT actor, origin, from_status, to_status, details FROM payment_audit_trail
       WHERE payment_id = $1 AND action = 'blank_customer'`,
      [payment.id],
    );
    expect(trail).toEqual([
      expect.objectContaining({
        actor: expect.stringMatching(/^api_key:/),
        from_status: 'pending',
        to_status: 'pending',
        details: { fields: ['customer_email', 'customer_name'] },
      }),
    ]);
  });

  test('leaves other customers and their payments alone', async () => {
    const { id } = await made();
    const neighbor = await made({ ...ada, external_id: 'shop-8' });
    const { payment } = await pay({ customer_id: neighbor.id });
    const text = await pay({ customer_id: 'shop-7', customer_email: 'guest@example.com' });
    await remove(id);
    expect((await get(neighbor.id)).body.data).toEqual(neighbor);
    expect((await getPayment(api.url, payment.id, merchant.key)).payment.customer_email).toBe(ada.email);
    expect((await getPayment(api.url, text.payment.id, merchant.key)).payment.customer_email).toBe('guest@example.com');
  });

  test('is blank whatever update races it', async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await made({ email: ada.email });
      const acts = [
        put(id, { name: 'Eve' }),
        remove(id),
        put(id, { phone: '+4930123456' }),
        remove(id),
        put(id, blank),
      ];
      const codes = (await Promise.all(acts)).map(codeOf);
      for (const code of codes) expect(['200', '409 customer_blanked']).toContain(code);
      expect((await get(id)).body.data).toMatchObject({ ...blank, status: 'blanked' });
    }
  });

  test('has no payment with its data, whatever new payments race it', async () => {
    const { id } = await made();
    const payments = Array.from({ length: 15 }, () => pay({ customer_id: id }));
    const [blanked, ...answers] = await Promise.all([remove(id), ...payments]);
    expect(blanked.status).toBe(200);
    for (const { status } of answers) expect([201, 202, 422]).toContain(status);
    expect(await dataOnPaymentsOf(id)).toEqual([]);
  });

  test('has no payment with its data, be it accepted long after it was asked for', async () => {
    const { id } = await made();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: sent, resolve: isSent } = Promise.withResolvers<void>();
    submit.mockImplementation(async (submission) => {
      expect(submission.request.customerEmail).toBe(ada.email);
      isSent();
      await released;
      return submitAtOnce(database, submission);
    });
    const answer = pay({ customer_id: id });
    await sent;
    await remove(id);
    release();
    expect((await answer).payment).toMatchObject({ customer_id: id, customer_email: null, customer_name: null });
    expect(await dataOnPaymentsOf(id)).toEqual([]);
  });
});

const dataOnPaymentsOf = async (customerId: string) =>
  (
    await database.admin.query(
      'SELECT id FROM payments WHERE customer_id = $1 AND (customer_email IS NOT NULL OR customer_name IS NOT NULL)',
      [customerId],
    )
  ).rows;

/** Calls are written a moment later. */
const callLogged = (action: string, resourceId: string) =>
  until(`${action} is in the log`, async () => {
    const row = 'SELECT FROM audit_logs WHERE action = $1 AND resource_id = $2';
    return (await database.admin.query(row, [action, resourceId])).rowCount;
  });

test('contact data stand in no log, audit row or event', async () => {
  const { id } = await made();
  await pay({ customer_id: id });
  await put(id, { name: 'Ada Canary-Two' });
  await list({ email: ada.email });
  await post({ ...ada, external_id: 'shop-8', phone: 'canary' });
  await remove(id);
  await callLogged('blankCustomer', id);
  const { rows } = await database.admin.query<{ text: string | null }>(
    `SELECT string_agg(row::text, ' ') AS text FROM (
       SELECT to_jsonb(l) FROM audit_logs l UNION ALL SELECT to_jsonb(t) FROM payment_audit_trail t
       UNION ALL SELECT to_jsonb(e) FROM events e) AS rows (row)`,
  );
  const kept = `${rows[0]?.text} ${api.log()}`.toLowerCase();
  expect(kept, 'that something is kept').toContain(id);
  for (const secret of ['canary', '4930123456']) expect(kept).not.toContain(secret);
});
