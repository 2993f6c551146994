import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { changeMerchantSettings } from '../../prisma/merchants.ts';
import { callApi, type List, readAll } from '../support/api-call.ts';
import { apiUnderTest, merchantPerTest } from '../support/api-under-test.ts';
import { calling, codeOf, postKeyed, refusalOf } from '../support/keyed-call.ts';
import { type Creation, testCreation, testExternalId } from './creation-contract.ts';

const { database, api } = apiUnderTest();
const merchant = merchantPerTest(api);
const call = calling(api);

interface Plan {
  readonly id: string;
  readonly version: number;
  readonly amount: string;
  readonly created_at: string;
  readonly updated_at: string;
}

const path = '/api/v1/plans';
const someId = 'pln_00000000000000000000000000';
const tea = {
  external_id: 'tea-1',
  name: 'Tea of the month',
  description: 'Two tins, every month',
  amount: '25.90',
  currency: 'EUR',
  interval: { unit: 'month', count: 3 },
  trial_days: 14,
  sign_up_fee: '5.00',
  cycles: 12,
  metadata: { shelf: 'b' },
};
const least = { name: 'Tea', amount: '100', currency: 'JPY', interval: { unit: 'year' } };

const post = (body: unknown, idempotencyKey: string = randomUUID(), apiKey = merchant.key) =>
  postKeyed<Plan>(api.url, apiKey, { path, body, idempotencyKey });
const made = async (body: unknown = tea): Promise<Plan> => (await post(body)).body.data;
const get = (id: string, apiKey = merchant.key) => call<Plan>(apiKey, 'GET', `${path}/${id}`);
const put = (id: string, body: unknown, apiKey = merchant.key) => call<Plan>(apiKey, 'PUT', `${path}/${id}`, body);
const list = (query: Record<string, string | number> = {}, apiKey = merchant.key) =>
  readAll<Plan>(api.url, apiKey, path, query);
const versions = (id: string, query: Record<string, string | number> = {}) =>
  readAll<Plan>(api.url, merchant.key, `${path}/${id}/versions`, query);

describe('a new plan', () => {
  test('is answered, read and listed as it was given', async () => {
    const answer = await post(tea, 'key-1');
    expect(answer.status).toBe(201);
    const plan = answer.body.data;
    expect(plan).toEqual({
      ...tea,
      id: expect.stringMatching(/^pln_[0-9a-z]{26}$/),
      status: 'active',
      version: 1,
      created_at: expect.stringMatching(/Z$/),
      updated_at: plan.created_at,
      is_test: true,
    });
    expect(answer.headers.get('location')).toBe(`${path}/${plan.id}`);
    expect((await get(plan.id)).body.data).toEqual(plan);
    expect(await list()).toEqual([plan]);
  });

  test('needs a name, a price and a period alone; amounts have the decimals of their currency', async () => {
    expect(await made(least)).toMatchObject({
      external_id: null,
      description: null,
      amount: '100',
      interval: { unit: 'year', count: 1 },
      trial_days: 0,
      sign_up_fee: '0',
      cycles: null,
      metadata: {},
    });
    expect(await made({ ...least, amount: '1.5', currency: 'KWD', sign_up_fee: '0.0' })).toMatchObject({
      amount: '1.500',
      sign_up_fee: '0.000',
    });
  });

  const creation: Creation = { path, body: () => tea, change: { amount: '1.00' } };
  testCreation(api, creation);
  testExternalId(api, creation);

  test('is answered to a repeat as it is now', async () => {
    const { id } = (await post(tea, 'key-1')).body.data;
    await put(id, { amount: '30.00' });
    expect((await post(tea, 'key-1')).body.data).toMatchObject({ id, version: 2, amount: '30.00' });
  });

  test('has a currency of its merchant’s, unless it was made before the merchant chose them', async () => {
    await post(tea, 'key-1');
    await changeMerchantSettings(database.db, merchant.id, { currencies: ['USD'] });
    expect(codeOf(await post(tea, 'key-1'))).toBe('201');
    expect(refusalOf(await post({ ...tea, external_id: 'tea-2' }))).toEqual([422, 'validation_failed', ['/currency']]);
    expect(codeOf(await post({ ...tea, external_id: 'tea-2', currency: 'USD' }))).toBe('201');
  });

  test.each<[string, object]>([
    ['/name', { name: undefined }],
    ['/name', { name: ' ' }],
    ['/name', { name: 'x'.repeat(201) }],
    ['/name', { name: 'T\u0000ea' }],
    ['/description', { description: 'x'.repeat(501) }],
    ['/external_id', { external_id: '' }],
    ['/amount', { amount: undefined }],
    ['/amount', { amount: '0' }],
    ['/amount', { amount: '-1.00' }],
    ['/amount', { amount: 25.9 }],
    ['/amount', { amount: '25.901' }],
    ['/amount', { amount: '9'.repeat(20) }],
    ['/currency', { currency: 'eur' }],
    ['/currency', { currency: undefined }],
    ['/interval', { interval: undefined }],
    ['/interval/unit', { interval: { unit: 'fortnight', count: 1 } }],
    ['/interval/count', { interval: { unit: 'day', count: 0 } }],
    ['/interval/count', { interval: { unit: 'day', count: 367 } }],
    ['/interval/count', { interval: { unit: 'day', count: 1.5 } }],
    ['/interval/days', { interval: { unit: 'day', count: 1, days: 2 } }],
    ['/trial_days', { trial_days: -1 }],
    ['/trial_days', { trial_days: 731 }],
    ['/sign_up_fee', { sign_up_fee: '-1' }],
    ['/sign_up_fee', { sign_up_fee: '0.001' }],
    ['/sign_up_fee', { sign_up_fee: '00' }],
    ['/sign_up_fee', { sign_up_fee: 0 }],
    ['/cycles', { cycles: 0 }],
    ['/cycles', { cycles: 10_001 }],
    ['/metadata/deep', { metadata: { deep: {} } }],
    ['/id', { id: someId }],
    ['/status', { status: 'archived' }],
    ['/version', { version: 2 }],
    ['/is_test', { is_test: true }],
  ])('is refused, naming %s, for what it may not be', async (pointer, changed) => {
    expect(refusalOf(await post({ ...tea, ...changed }))).toEqual([422, 'validation_failed', [pointer]]);
    expect(await list()).toEqual([]);
  });

  test('holds no card number', async () => {
    expect(codeOf(await post({ ...tea, name: '4111 1111 1111 1111' }))).toBe('422 card_number_refused');
  });
});

describe('a plan', () => {
  test.each([
    ['GET', ''],
    ['PUT', ''],
    ['GET', '/versions'],
  ])('of another merchant, of the other mode, or of nobody is not there: %s %s', async (method, rest) => {
    const { id } = await made();
    const others = [await api.keyFor(`mer_${randomUUID()}`), await api.keyFor(merchant.id, { isTest: false })];
    const body = method === 'GET' ? undefined : {};
    for (const apiKey of others)
      expect(codeOf(await call(apiKey, method, `${path}/${id}${rest}`, body))).toBe('404 not_found');
    for (const wrong of [someId, 'pln_1', 'cus_00000000000000000000000000'])
      expect(codeOf(await call(merchant.key, method, `${path}/${wrong}${rest}`, body))).toBe('404 not_found');
  });

  test('with new terms gets a new version, and keeps the ones before', async () => {
    const plan = await made();
    const changed = (await put(plan.id, { amount: '30', sign_up_fee: '0', interval: { unit: 'year' } })).body.data;
    expect(changed).toMatchObject({
      version: 2,
      amount: '30.00',
      sign_up_fee: '0.00',
      interval: { unit: 'year', count: 1 },
      trial_days: 14,
      created_at: plan.created_at,
    });
    expect(changed.updated_at >= plan.updated_at).toBe(true);
    expect((await get(plan.id)).body.data).toEqual(changed);
    expect(await versions(plan.id)).toMatchObject([
      { version: 2, amount: '30.00', currency: 'EUR', cycles: 12 },
      { version: 1, amount: '25.90', currency: 'EUR', cycles: 12, created_at: plan.created_at },
    ]);
  });

  test('with the same terms again, or another name, gets none', async () => {
    const plan = await made();
    const { external_id: _externalId, ...same } = tea;
    expect((await put(plan.id, same)).body.data).toEqual(plan);
    expect((await put(plan.id, {})).body.data).toEqual(plan);
    const renamed = { name: 'Coffee', description: null, metadata: null, status: 'archived' };
    expect((await put(plan.id, renamed)).body.data).toMatchObject({
      version: 1,
      name: 'Coffee',
      description: null,
      metadata: {},
      status: 'archived',
    });
    expect((await put(plan.id, { cycles: null, trial_days: 0 })).body.data).toMatchObject({
      version: 2,
      cycles: null,
      trial_days: 0,
    });
    expect(await versions(plan.id)).toHaveLength(2);
  });

  test.each<[string, object]>([
    ['/currency', { currency: 'USD' }],
    ['/amount', { amount: '0.00' }],
    ['/amount', { amount: '1.234' }],
    ['/amount', { amount: null }],
    ['/sign_up_fee', { sign_up_fee: '1.234' }],
    ['/name', { name: null }],
    ['/status', { status: 'deleted' }],
    ['/interval/unit', { interval: { count: 2 } }],
    ['/external_id', { external_id: 'tea-2' }],
    ['/version', { version: 7 }],
  ])('is not changed, naming %s, to what it may not be', async (pointer, changed) => {
    const plan = await made();
    expect(refusalOf(await put(plan.id, changed))).toEqual([422, 'validation_failed', [pointer]]);
    expect((await get(plan.id)).body.data).toEqual(plan);
  });
});

describe('a list', () => {
  test('of plans is newest first, page by page, and shows what fits', async () => {
    const plans: Plan[] = [];
    for (let index = 0; index < 5; index++) plans.unshift(await made({ ...least, external_id: `tea-${index}` }));
    expect(await list({ limit: 2 })).toEqual(plans);
    await put(plans[1]?.id ?? '', { status: 'archived' });
    expect((await list({ status: 'archived' })).map(({ id }) => id)).toEqual([plans[1]?.id]);
    expect((await list({ status: 'active', limit: 1 })).map(({ id }) => id)).toEqual(
      plans.filter((_, index) => index !== 1).map(({ id }) => id),
    );
    expect((await list({ external_id: 'tea-3' })).map(({ id }) => id)).toEqual([plans[1]?.id]);
    expect(await list({ external_id: 'tea-3', status: 'active' })).toEqual([]);
    expect(refusalOf(await call(merchant.key, 'GET', `${path}?status=deleted`))).toEqual([
      422,
      'validation_failed',
      ['status'],
    ]);
  });

  test('of versions is newest first, page by page, with cursors of that plan alone', async () => {
    const { id } = await made(least);
    const other = await made(least);
    for (let amount = 101; amount <= 104; amount++) await put(id, { amount: String(amount) });
    expect((await versions(id, { limit: 2 })).map(({ version }) => version)).toEqual([5, 4, 3, 2, 1]);
    const first = await callApi<List<Plan>>(api.url, merchant.key, { path: `${path}/${id}/versions?limit=2` });
    const cursor = first.body.next_cursor;
    expect(refusalOf(await call(merchant.key, 'GET', `${path}/${other.id}/versions?limit=2&cursor=${cursor}`))).toEqual(
      [422, 'validation_failed', ['cursor']],
    );
  });
});
