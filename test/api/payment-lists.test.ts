import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { callApi, type List, pathWith, readAll } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { insertPendingPayment } from '../support/payment-row.ts';

const path = '/api/v1/payments';
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000_000);

const { database, api } = apiUnderTest();

const newId = () => `pay_${base32(randomBytes(17), 130)}`;
const at = (second: number) => new Date(Date.UTC(2026, 0, 31, 12, 0, second));

/** A row of that merchant; an instant in seconds of the same minute. */
function aRow(merchantId: string, second: number, columns: Record<string, unknown> = {}): Promise<string> {
  return insertPendingPayment(database, { id: newId(), merchant_id: merchantId, created_at: at(second), ...columns });
}

/** A merchant of the test's own with its key. */
async function aMerchant(): Promise<{ id: string; key: string }> {
  const id = `mer_${randomBytes(6).toString('hex')}`;
  return { id, key: await api.keyFor(id) };
}

type Query = Readonly<Record<string, string | number | undefined>>;
const list = (key: string, query: Query = {}) =>
  callApi<List<PaymentObject>>(api.url, key, { path: pathWith(path, query) });
const idsOf = async (key: string, query: Query = {}) =>
  (await readAll<PaymentObject>(api.url, key, path, query)).map(({ id }) => id);

describe('GET /payments', () => {
  test('is empty, and no error, for who has none', async () => {
    const { key } = await aMerchant();
    const answer = await list(key);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      data: [],
      has_more: false,
      next_cursor: null,
      request_id: answer.headers.get('x-request-id'),
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  test('is newest first, with the id as the judge of equal instants, whatever the page', async () => {
    const { id, key } = await aMerchant();
    const rows: { id: string; second: number }[] = [];
    for (const second of [5, 1, 3, 3, 3, 2, 5]) rows.push({ id: await aRow(id, second), second });
    const expected = rows.toSorted((a, b) => b.second - a.second || (a.id < b.id ? 1 : -1)).map((row) => row.id);
    for (const limit of [1, 2, 3, 6, 7, 8, 100])
      expect([limit, await idsOf(key, { limit })]).toEqual([limit, expected]);
    const { body } = await list(key, { limit: 7 });
    expect([body.has_more, body.next_cursor]).toEqual([false, null]);
  });

  test('shows payments as a single read does', async () => {
    const { id, key } = await aMerchant();
    const payment = await aRow(id, 1, { customer_id: 'cus_1', metadata: { order: '17' } });
    const single = await callApi<{ data: PaymentObject }>(api.url, key, { path: `${path}/${payment}` });
    expect((await list(key)).body.data).toEqual([single.body.data]);
    expect(single.body.data.routing).toEqual({
      rule: null,
      reason: 'test',
      candidates: ['easypay', 'paypal'],
      ineligible: [],
    });
  });

  test('pages of twenty unless asked otherwise', async () => {
    const { id, key } = await aMerchant();
    for (let second = 0; second < 21; second++) await aRow(id, second);
    const { body } = await list(key);
    expect([body.data.length, body.has_more]).toEqual([20, true]);
  });
});

describe('paging while payments are created', () => {
  test(`shows none twice and leaves none out (SEED=${seed})`, async () => {
    const { id, key } = await aMerchant();
    const before: string[] = [];
    for (let second = 0; second < 12; second++) before.push(await aRow(id, second % 5));
    const insertions = fc.array(fc.integer({ min: 5, max: 59 }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.infiniteStream(insertions), async (limit, stream) => {
        const seen: string[] = [];
        let cursor: string | null = null;
        do {
          const { body }: { body: List<PaymentObject> } = await list(key, { limit, cursor: cursor ?? undefined });
          seen.push(...body.data.map((payment) => payment.id));
          cursor = body.next_cursor;
          for (const second of stream.next().value ?? []) await aRow(id, second);
        } while (cursor !== null);
        expect(new Set(seen).size).toBe(seen.length);
        expect(before.filter((one) => !seen.includes(one))).toEqual([]);
      }),
      { seed, numRuns: 4, endOnFailure: true },
    );
  });
});

describe('a payment that is stored while you page', () => {
  test('stands where its created_at puts it: on a later page when it was stored late, else on none', async () => {
    const { id, key } = await aMerchant();
    const [oldest, newest] = [await aRow(id, 1), await aRow(id, 9)];
    const { body: first } = await list(key, { limit: 1 });
    const late = await aRow(id, 5);
    await aRow(id, 20);
    const { body: rest } = await list(key, { cursor: first.next_cursor ?? undefined });
    expect([first, rest].map(({ data }) => data.map((payment) => payment.id))).toEqual([[newest], [late, oldest]]);
  });
});

describe('filters of GET /payments', () => {
  const named = new Map<string, string>();
  let key = '';
  beforeAll(async () => {
    const merchant = await aMerchant();
    key = merchant.key;
    const rows: Record<string, [number, Record<string, unknown>]> = {
      'ada, 10.00 USD': [10, { amount: 1_000, customer_id: 'ada', external_id: 'order-1' }],
      'ada, 20.00 EUR': [20, { amount: 2_000, currency: 'EUR', customer_id: 'ada' }],
      'guest, 30.00 USD': [30, { amount: 3_000 }],
      'guest, 1000 JPY': [40, { amount: 1_000, currency: 'JPY' }],
    };
    for (const [name, [second, columns]] of Object.entries(rows))
      named.set(name, await aRow(merchant.id, second, columns));
    await database.admin.query(
      `UPDATE payments SET status = 'failed', version = 2, processor = 'paypal' WHERE id = $1`,
      [named.get('guest, 30.00 USD')],
    );
  });
  const everything = ['guest, 1000 JPY', 'guest, 30.00 USD', 'ada, 20.00 EUR', 'ada, 10.00 USD'];

  test.each<[Query, string[]]>([
    [{}, everything],
    [{ status: 'pending' }, ['guest, 1000 JPY', 'ada, 20.00 EUR', 'ada, 10.00 USD']],
    [{ status: 'failed' }, ['guest, 30.00 USD']],
    [{ status: 'failed,pending' }, everything],
    [{ status: 'captured' }, []],
    [{ currency: 'USD' }, ['guest, 30.00 USD', 'ada, 10.00 USD']],
    [{ customer_id: 'ada' }, ['ada, 20.00 EUR', 'ada, 10.00 USD']],
    [{ customer_id: 'ada', currency: 'EUR' }, ['ada, 20.00 EUR']],
    [{ guest: 'true' }, ['guest, 1000 JPY', 'guest, 30.00 USD']],
    [{ guest: 'false' }, ['ada, 20.00 EUR', 'ada, 10.00 USD']],
    [{ external_id: 'order-1' }, ['ada, 10.00 USD']],
    [{ external_id: 'order-2' }, []],
    [{ processor: 'paypal' }, ['guest, 30.00 USD']],
    [{ created_from: at(20).toISOString() }, ['guest, 1000 JPY', 'guest, 30.00 USD', 'ada, 20.00 EUR']],
    [{ created_to: at(20).toISOString() }, ['ada, 10.00 USD']],
    [{ created_from: at(20).toISOString(), created_to: at(40).toISOString() }, ['guest, 30.00 USD', 'ada, 20.00 EUR']],
    [{ created_from: '2026-01-31T14:00:30+02:00' }, ['guest, 1000 JPY', 'guest, 30.00 USD']],
    [{ currency: 'USD', amount_min: '10.00' }, ['guest, 30.00 USD', 'ada, 10.00 USD']],
    [{ currency: 'USD', amount_min: '10.01' }, ['guest, 30.00 USD']],
    [{ currency: 'USD', amount_max: '10' }, ['ada, 10.00 USD']],
    [{ currency: 'JPY', amount_min: '1000', amount_max: '1000' }, ['guest, 1000 JPY']],
  ])('%j', async (query, expected) => {
    const ids = expected.map((name) => named.get(name));
    expect(await idsOf(key, query)).toEqual(ids);
    expect(await idsOf(key, { ...query, limit: 1 })).toEqual(ids); // the same, page by page
  });

  test.each<[string, Query]>([
    ['status', { status: 'captured,unknown' }],
    ['amount_min', { amount_min: '10.00' }],
    ['amount_max', { currency: 'JPY', amount_max: '10.5' }],
    ['guest', { guest: 'true', customer_id: 'ada' }],
    ['cursor', { cursor: 'x' }],
    ['created_from', { created_from: '2026-02-30T00:00:00Z' }],
    ['limit', { limit: 101 }],
    ['colour', { colour: 'blue' }],
  ])('a bad %s is refused and named', async (parameter, query) => {
    const { problem } = await list(key, query);
    expect([problem.status, problem.code]).toEqual([422, 'validation_failed']);
    expect(problem.errors).toEqual([{ parameter, detail: expect.stringMatching(/./) }]);
  });

  test.each<[string, unknown]>([
    ['a year that Postgres does not know', ['0000-01-01T00:00:00Z', 'pay_1']],
    ['a NUL', ['2026-01-31T00:00:00Z', 'a\u0000']],
    ['no instant', ['now', 'pay_1']],
    ['too little', ['2026-01-31T00:00:00Z']],
  ])('a cursor with %s in it is refused', async (_name, position) => {
    const { body } = await list(key, { limit: 1 });
    const parsed = JSON.parse(Buffer.from(body.next_cursor ?? '', 'base64url').toString()) as object;
    const cursor = Buffer.from(JSON.stringify({ ...parsed, at: position })).toString('base64url');
    const { problem } = await list(key, { limit: 1, cursor });
    expect([problem.status, problem.errors?.map(({ parameter }) => parameter)]).toEqual([422, ['cursor']]);
  });

  test('a cursor goes on with the filters of its page only', async () => {
    const { body } = await list(key, { currency: 'USD', limit: 1 });
    const again = await list(key, { currency: 'EUR', limit: 1, cursor: body.next_cursor ?? '' });
    expect([again.status, again.problem.errors?.map((error) => error.parameter)]).toEqual([422, ['cursor']]);
  });
});

test('a merchant sees the payments of the key’s mode, and no other merchant’s', async () => {
  const one = await aMerchant();
  const other = await aMerchant();
  const liveKey = await api.keyFor(one.id, { isTest: false });
  const testPayment = await aRow(one.id, 1, { external_id: 'shared' });
  const livePayment = await aRow(one.id, 2, { external_id: 'shared', is_test: false });
  const foreign = await aRow(other.id, 3, { external_id: 'shared' });
  expect(await idsOf(one.key, { external_id: 'shared' })).toEqual([testPayment]);
  expect(await idsOf(liveKey, { external_id: 'shared' })).toEqual([livePayment]);
  expect(await idsOf(other.key)).toEqual([foreign]);

  await aRow(other.id, 4);
  const { body } = await list(other.key, { limit: 1 });
  expect((await list(one.key, { limit: 1, cursor: body.next_cursor ?? '' })).status).toBe(422);
});
