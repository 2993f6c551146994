import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { callApi, type List, pathWith, readAll } from '../support/api-call.ts';
import { apiUnderTest } from '../support/api-under-test.ts';

const { database, api } = apiUnderTest();

/** A merchant of the test's own with its key. */
async function aMerchant(): Promise<{ id: string; key: string }> {
  const id = `mer_${randomBytes(6).toString('hex')}`;
  return { id, key: await api.keyFor(id) };
}

interface Queryable {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/** The postings of one event in one statement, as triggers want them, in whatever transaction `by` is in. */
async function post(
  merchantId: string,
  amounts: Readonly<Record<string, number>>,
  { by = database.admin, currency = 'USD', paymentId = 'pay_1', isTest = true }: PostOptions = {},
): Promise<string> {
  const eventId = `evt_${randomUUID()}`;
  await by.query(
    `INSERT INTO ledger_entries (event_id, account, merchant_id, is_test, payment_id, object_id, currency, amount, created_at)
     SELECT $1, a.key, $2, $3, $4, $4 || '_object', $5, a.value::bigint, '2026-01-31T12:00:00Z'
     FROM jsonb_each_text($6) WITH ORDINALITY a ORDER BY a.ordinality`,
    [eventId, merchantId, isTest, paymentId, currency, amounts],
  );
  return eventId;
}

interface PostOptions {
  readonly by?: Queryable;
  readonly currency?: string;
  readonly paymentId?: string;
  readonly isTest?: boolean;
}

interface Posting {
  readonly id: string;
  readonly event_id: string;
  readonly account: string;
  readonly amount: string;
  readonly direction: string;
}

const balanceOf = async (key: string) =>
  (await callApi<List<Record<string, string>>>(api.url, key, { path: '/api/v1/balance' })).body.data;
const path = '/api/v1/ledger';
const read = (key: string, query: Record<string, string | number | null> = {}) =>
  callApi<List<Posting>>(api.url, key, { path: pathWith(path, query) });

describe('GET /balance', () => {
  test('sums up each account by currency, in the currency’s own decimals', async () => {
    const { id, key } = await aMerchant();
    expect(await balanceOf(key)).toEqual([]);
    await post(id, { 'receivable.easypay': 2599, merchant: -2493, fees: -106 });
    await post(id, { 'receivable.paypal': 1000, merchant: -1000 });
    await post(id, { merchant: 600, refunds: -600 });
    await post(id, { 'receivable.easypay': 1234567, merchant: -1234567 }, { currency: 'KWD' });
    await post(id, { 'receivable.easypay': 7, merchant: -7 }, { currency: 'JPY' });
    expect(await balanceOf(key)).toEqual([
      { currency: 'JPY', available: '7', refunds_pending: '0', receivable: '7', fees: '0' },
      { currency: 'KWD', available: '1234.567', refunds_pending: '0.000', receivable: '1234.567', fees: '0.000' },
      { currency: 'USD', available: '28.93', refunds_pending: '6.00', receivable: '35.99', fees: '1.06' },
    ]);
  });

  test('may be negative, and larger than one row can be', async () => {
    const { id, key } = await aMerchant();
    await post(id, { merchant: 5, refunds: -5 });
    expect(await balanceOf(key)).toMatchObject([{ available: '-0.05', refunds_pending: '0.05', receivable: '0.00' }]);
    for (let count = 0; count < 2; count++) {
      await database.admin.query(
        `INSERT INTO ledger_entries (event_id, account, merchant_id, is_test, payment_id, object_id, currency, amount, created_at)
         SELECT $1, a, $2, true, 'pay_1', 'pay_1', 'USD', 9223372036854775807 * CASE a WHEN 'merchant' THEN -1 ELSE 1 END, now()
         FROM unnest(ARRAY['receivable.easypay', 'merchant']) a`,
        [`evt_${randomUUID()}`, id],
      );
    }
    expect(await balanceOf(key)).toMatchObject([{ available: '184467440737095516.09' }]);
  });

  test('belongs to one merchant in one mode, and needs its permission', async () => {
    const { id, key } = await aMerchant();
    await post(id, { 'receivable.easypay': 100, merchant: -100 });
    await post(id, { 'receivable.easypay': 700, merchant: -700 }, { isTest: false });
    expect(await balanceOf(key)).toMatchObject([{ available: '1.00' }]);
    expect(await balanceOf(await api.keyFor(id, { isTest: false }))).toMatchObject([{ available: '7.00' }]);
    expect(await balanceOf((await aMerchant()).key)).toEqual([]);
    const without = await api.keyFor(id, { permissions: ['payments:read'] });
    for (const route of ['/api/v1/balance', path]) {
      expect((await callApi(api.url, without, { path: route })).problem.code).toBe('forbidden');
    }
  });
});

describe('GET /ledger', () => {
  test('shows a posting in the API’s words: no sign, but a direction', async () => {
    const { id, key } = await aMerchant();
    const eventId = await post(id, { 'receivable.easypay': 1234567, merchant: -1234567 }, { currency: 'KWD' });
    const common = {
      event_id: eventId,
      payment_id: 'pay_1',
      object_id: 'pay_1_object',
      amount: '1234.567',
      currency: 'KWD',
      created_at: '2026-01-31T12:00:00.000Z',
    };
    const shown = (await read(key)).body.data.toSorted((one, other) => one.account.localeCompare(other.account));
    expect(shown).toEqual([
      { ...common, id: `${eventId}:merchant`, account: 'merchant', direction: 'credit' },
      { ...common, id: `${eventId}:receivable.easypay`, account: 'receivable.easypay', direction: 'debit' },
    ]);
  });

  test('is oldest first, page by page, and always says where to go on', async () => {
    const { id, key } = await aMerchant();
    const events: string[] = [];
    for (let count = 0; count < 3; count++) events.push(await post(id, { 'receivable.easypay': 5, merchant: -5 }));
    for (const limit of [1, 3, 100]) {
      const all = await readAll<Posting>(api.url, key, path, { limit });
      expect([limit, all.map(({ event_id }) => event_id)]).toEqual([limit, events.flatMap((event) => [event, event])]);
      expect(new Set(all.map((posting) => posting.id)).size).toBe(6);
    }
    const end = (await read(key)).body.next_cursor;
    expect((await read(key, { cursor: end })).body).toMatchObject({
      data: [],
      next_cursor: expect.stringMatching(/./),
    });
    const next = await post(id, { 'receivable.easypay': 5, merchant: -5 });
    expect((await read(key, { cursor: end })).body.data.map(({ event_id }) => event_id)).toEqual([next, next]);
  });

  test('filters by payment, account and currency, and refuses a cursor of other filters', async () => {
    const { id, key } = await aMerchant();
    const mine = await post(id, { 'receivable.easypay': 5, merchant: -5 }, { paymentId: 'pay_mine' });
    const yen = await post(id, { 'receivable.easypay': 5, merchant: -5 }, { currency: 'JPY' });
    const eventsOf = async (query: Record<string, string>) =>
      (await read(key, query)).body.data.map(({ event_id }) => event_id);
    expect(await eventsOf({ payment_id: 'pay_mine' })).toEqual([mine, mine]);
    expect(await eventsOf({ currency: 'JPY' })).toEqual([yen, yen]);
    expect(await eventsOf({ account: 'merchant' })).toEqual([mine, yen]);
    expect(await eventsOf({ account: 'merchant', currency: 'JPY', payment_id: 'pay_mine' })).toEqual([]);
    const { next_cursor: cursor } = (await read(key, { account: 'merchant' })).body;
    expect((await read(key, { cursor, account: 'fees' })).problem.errors).toMatchObject([{ parameter: 'cursor' }]);
    expect((await read(key, { currency: 'XXX' })).problem.errors).toMatchObject([{ parameter: 'currency' }]);
  });

  test('shows what was posted while an older transaction still writes only when that has ended', async () => {
    const { id, key } = await aMerchant();
    const slow = await database.admin.connect();
    await slow.query('BEGIN');
    const late = await post(id, { 'receivable.easypay': 5, merchant: -5 }, { by: slow });
    const early = await post(id, { 'receivable.easypay': 5, merchant: -5 });
    const meanwhile = (await read(key)).body;
    expect(meanwhile).toMatchObject({ data: [], has_more: false });
    await slow.query('COMMIT');
    slow.release();
    const events = (await read(key, { cursor: meanwhile.next_cursor })).body.data.map(({ event_id }) => event_id);
    expect(events).toEqual([late, late, early, early]);
  });
});
