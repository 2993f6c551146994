import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { PaymentObject } from '../../api/payment-object.ts';
import type { SubscriptionObject } from '../../api/subscription-object.ts';
import type { SubscriptionClient } from '../../api/temporal/subscription-client.ts';
import { changeMerchantSettings } from '../../prisma/merchants.ts';
import { subscriptionIdOf } from '../../workflows/domain/ids.ts';
import { callApi, readAll } from '../support/api-call.ts';
import { insertTestClock } from '../support/clock-subscription.ts';
import { calling, codeOf, refusalOf } from '../support/keyed-call.ts';
import { insertMovedPayment } from '../support/moved-payment.ts';
import type { PlayedSubscriptions } from '../support/played-subscriptions.ts';
import { insertPlan } from '../support/subscription-rows.ts';
import { subscriptionsUnderTest } from '../support/subscriptions-under-test.ts';
import { type Creation, testCreation, testExternalId } from './creation-contract.ts';

const { database, api, merchant, workflows, played } = subscriptionsUnderTest();
const call = calling(api);
let planId: string;
beforeEach(async () => {
  planId = await aPlan();
});

const path = '/api/v1/subscriptions';
const someId = 'sub_00000000000000000000000000';
const day = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * day).toISOString();
const card = { type: 'credit_card', card_token: 'tok_visa_4242', card_exp_month: 12, card_exp_year: 2098 };

/** A plan of 25.99 USD every month, unless its columns or terms say otherwise. */
async function aPlan(columns: Record<string, unknown> = {}, terms = 'amount = 2599', owner = merchant.id) {
  const id = await insertPlan(database, { merchant_id: owner, ...columns });
  await database.admin.query(`UPDATE plan_versions SET ${terms} WHERE plan_id = $1`, [id]);
  return id;
}

interface Options {
  readonly idempotencyKey?: string;
  readonly apiKey?: string;
  readonly prefer?: string;
}

function send(method: string, of: string, body?: unknown, options: Options = {}) {
  const { idempotencyKey = randomUUID(), apiKey = merchant.key, prefer = 'wait=1' } = options;
  const headers = { 'idempotency-key': idempotencyKey, prefer };
  return callApi<{ data: SubscriptionObject }>(api.url, apiKey, { method, path: `${path}${of}`, body, headers });
}

const aBody = (changes: Record<string, unknown> = {}) => ({
  plan_id: planId,
  customer_id: 'customer-1',
  payment_method: card,
  ...changes,
});
const create = (changes: Record<string, unknown> = {}, options: Options = {}) =>
  send('POST', '', aBody(changes), options);
const get = async (id: string, apiKey = merchant.key) =>
  (await call<SubscriptionObject>(apiKey, 'GET', `${path}/${id}`)).body.data;
const list = (query: Record<string, string | number> = {}) =>
  readAll<SubscriptionObject>(api.url, merchant.key, path, query).then((found) => found.map(({ id }) => id));
const isReplay = ({ headers }: { headers: Headers }) => headers.get('idempotent-replayed') === 'true';

/** One that waits for its first period. */
async function waiting(changes: Record<string, unknown> = {}): Promise<string> {
  const { status, body } = await create({ trial_days: 14, ...changes });
  expect(status).toBe(201);
  return body.data.id;
}

/** One whose first period was opened, and charged with that end. */
async function begun(end: Parameters<PlayedSubscriptions['endCharge']>[1] = 'paid', changes = {}): Promise<string> {
  const { body } = await create(changes, { prefer: 'respond-async' });
  await played.step(body.data.id, 'open_period');
  await played.endCharge(body.data.id, end);
  return body.data.id;
}

describe('a new subscription', () => {
  test('is answered, read and listed as it was given, without its token', async () => {
    const given = {
      quantity: 3,
      time_zone: 'Europe/Berlin',
      starts_at: '2027-01-31T09:00:00+01:00',
      external_id: 'sub-7',
      description: 'Tea for three',
      metadata: { desk: '4' },
    };
    const answer = await create(given, { idempotencyKey: 'key-1' });
    expect(answer.status).toBe(201);
    const { data } = answer.body;
    const { starts_at: _start, ...kept } = given;
    expect(data).toEqual({
      ...kept,
      id: subscriptionIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey: 'key-1' }),
      customer_id: 'customer-1',
      plan_id: planId,
      plan_version: 1,
      status: 'trialing',
      billing_cycle: 'month',
      amount: '77.97',
      currency: 'USD',
      cycles_billed: 0,
      cycles_total: null,
      trial_end: '2027-01-31T08:00:00.000Z',
      current_period_start: null,
      current_period_end: null,
      next_billing_date: '2027-01-31T08:00:00.000Z',
      payment_method: { type: 'credit_card', card_exp_month: 12, card_exp_year: 2098 },
      cancel_at_period_end: false,
      canceled_at: null,
      ended_at: null,
      paused_at: null,
      resumes_at: null,
      pending_change: null,
      open_invoice_id: null,
      dunning: null,
      last_outcome: null,
      test_clock_id: null,
      created_at: expect.stringMatching(/Z$/),
      updated_at: data.created_at,
      is_test: true,
    });
    expect(answer.headers.get('location')).toBe(`${path}/${data.id}`);
    expect(isReplay(answer)).toBe(false);
    expect(await get(data.id)).toEqual(data);
    expect(await readAll(api.url, merchant.key, path, {})).toEqual([data]);
  });

  test('is handed to its workflow with the plan as it is now, who asks, and a summary', async () => {
    const answer = await create({ quantity: 2 }, { idempotencyKey: 'key-1', prefer: 'respond-async' });
    expect(workflows.submit.mock.calls[0]?.[0]).toEqual({
      subscriptionId: answer.body.data.id,
      merchantId: merchant.id,
      isTest: true,
      summary: `51.98 USD every month · ${answer.body.data.id}`,
      request: {
        idempotencyKey: 'key-1',
        requestHash: expect.stringMatching(/^[0-9a-f]{64}$/),
        externalId: null,
        correlationId: answer.headers.get('x-request-id'),
        actor: `api_key:${merchant.key.split('_')[2]}`,
        origin: expect.any(String),
        customerId: 'customer-1',
        planId,
        planVersion: 1,
        quantity: 2,
        timeZone: 'UTC',
        startsAt: null,
        trialDays: null,
        paymentMethod: { type: 'credit_card', cardToken: 'tok_visa_4242', expiry: { year: 2098, month: 12 } },
        description: null,
        metadata: {},
      },
    });
    expect(workflows.submit.mock.calls[0]?.[1]).toBe('accepted');
  });

  test('is 202 while its first charge is to be made or on its way, and 201 when that has ended, also by a decline', async () => {
    const options = { idempotencyKey: 'key-1', prefer: 'respond-async' };
    const accepted = await create({}, options);
    expect([accepted.status, accepted.body.data.status]).toEqual([202, 'active']);
    const { id } = accepted.body.data;
    await played.step(id, 'open_period');
    const charging = await create({}, options);
    expect([charging.status, isReplay(charging)]).toEqual([202, true]);
    expect(charging.body.data).toMatchObject({ cycles_billed: 1, open_invoice_id: expect.stringMatching(/^inv_/) });
    await played.endCharge(id, 'insufficient_funds');
    const sent = workflows.submit.mock.calls.length;
    const ended = await create({}, options);
    expect([ended.status, ended.body.data]).toMatchObject([
      201,
      { status: 'past_due', last_outcome: '25.99 USD: insufficient_funds', dunning: { step: 0 } },
    ]);
    expect(workflows.submit.mock.calls.length).toBe(sent); // the row says it all
  });

  test('waits for its first charge as long as its caller wants', async () => {
    workflows.submit.mockImplementationOnce(async (subscription, until) => {
      await played.client.submit(subscription, until, 0);
      await played.step(subscription.subscriptionId, 'open_period');
      await played.endCharge(subscription.subscriptionId, 'paid');
      return { kind: 'stored' };
    });
    const answer = await create({}, { prefer: 'wait=30' });
    expect([answer.status, answer.body.data]).toMatchObject([
      201,
      { status: 'active', last_outcome: '25.99 USD: paid' },
    ]);
    expect(workflows.submit.mock.calls[0]?.[1]).toBe('outcome');
  });

  const creation: Creation = {
    path,
    body: async ({ merchantId, isTest }) =>
      aBody({ plan_id: await aPlan({ is_test: isTest }, undefined, merchantId), trial_days: 7 }),
    change: { trial_days: 8 },
  };
  testCreation(api, creation);
  testExternalId(api, creation);

  test('is answered to a repeat as it is now, though it could not be made any more', async () => {
    const options = { idempotencyKey: 'key-1' };
    const { body } = await create({ trial_days: 7 }, options);
    await database.admin.query(`UPDATE plans SET status = 'archived' WHERE id = $1`, [planId]);
    await send('POST', `/${body.data.id}/pause`, {});
    const again = await create({ trial_days: 7 }, options);
    expect([again.status, isReplay(again), again.body.data.status]).toEqual([201, true, 'paused']);
    expect(codeOf(await create())).toBe('422 plan_not_available');
  });

  test('names itself where nobody knows whether it was accepted', async () => {
    const { subscription_id: id } = await refusedAs('not_accepted', { kind: 'not_taken', cause: new Error('away') });
    expect(id).toMatch(/^sub_/);
    await refusedAs('acceptance_unknown', { kind: 'no_answer', cause: new Error('late') });
  });

  async function refusedAs(code: string, answer: Awaited<ReturnType<SubscriptionClient['submit']>>) {
    const idempotencyKey = randomUUID();
    workflows.submit.mockResolvedValue(answer);
    const { problem } = await create({}, { idempotencyKey, prefer: 'wait=0' });
    expect(problem).toMatchObject({
      code,
      subscription_id: subscriptionIdOf({ merchantId: merchant.id, isTest: true, idempotencyKey }),
    });
    return problem as typeof problem & { subscription_id?: string };
  }

  test.each([
    ['/plan_id', { plan_id: undefined }],
    ['/plan_id', { plan_id: 7 }],
    ['/customer_id', { customer_id: '' }],
    ['/payment_method', { payment_method: undefined }],
    ['/payment_method/type', { payment_method: { ...card, type: 'cash' } }],
    ['/payment_method/card_token', { payment_method: { ...card, card_token: 'not a token' } }],
    ['/payment_method/card_exp_year', { payment_method: { ...card, card_exp_year: undefined } }],
    ['/payment_method/card_exp_month', { payment_method: { ...card, card_exp_month: undefined } }],
    ['/payment_method/card_exp_month', { payment_method: { ...card, card_exp_month: 13 } }],
    ['/payment_method/card_exp_year', { payment_method: { ...card, card_exp_year: 2021 } }],
    ['/payment_method/number', { payment_method: { ...card, number: '1' } }],
    ['/quantity', { quantity: 0 }],
    ['/quantity', { quantity: 1.5 }],
    ['/quantity', { quantity: 1_000_001 }],
    ['/time_zone', { time_zone: 'Europe/Atlantis' }],
    ['/time_zone', { time_zone: '+01:00' }],
    ['/starts_at', { starts_at: '31 January' }],
    ['/starts_at', { starts_at: '2027-02-30T00:00:00Z' }],
    ['/starts_at', { starts_at: '2020-01-31T00:00:00Z' }],
    ['/starts_at', { starts_at: '2198-01-31T00:00:00Z' }],
    ['/trial_days', { trial_days: -1 }],
    ['/trial_days', { trial_days: 731 }],
    ['/trial_days', { trial_days: 7, starts_at: '2027-01-31T00:00:00Z' }],
    ['/external_id', { external_id: 'x'.repeat(101) }],
    ['/description', { description: '' }],
    ['/metadata/deep', { metadata: { deep: {} } }],
    ['/status', { status: 'active' }],
    ['/amount', { amount: '1.00' }],
    ['/plan_version', { plan_version: 1 }],
  ])('is refused, naming %s, for what it may not be', async (pointer, changes) => {
    expect(refusalOf(await create(changes))).toEqual([422, 'validation_failed', [pointer]]);
    expect(workflows.submit).not.toHaveBeenCalled();
  });

  test('is refused where its price would be no amount any more, fee included, or in a currency that is not agreed on', async () => {
    const large = await aPlan({}, 'amount = 9223372036854775807');
    const withFee = await aPlan({}, 'amount = 9223372036854775806, sign_up_fee = 2');
    expect(refusalOf(await create({ plan_id: large, quantity: 2 }))).toEqual([422, 'validation_failed', ['/quantity']]);
    expect(refusalOf(await create({ plan_id: withFee }))).toEqual([422, 'validation_failed', ['/quantity']]);
    await changeMerchantSettings(
      database.db,
      merchant.id,
      { currencies: ['EUR'] },
      {
        actor: 'a test',
        correlationId: 'c',
        at: new Date(),
      },
    );
    const refusal = await create();
    expect(refusalOf(refusal)).toEqual([422, 'validation_failed', ['/plan_id']]);
    expect(refusal.problem.errors?.[0]?.detail).toContain('USD');
  });

  test('needs an active plan of its merchant and mode', async () => {
    const others = [
      await aPlan({ is_test: false }),
      await aPlan({ status: 'archived' }),
      await (async () => {
        const other = `mer_${randomUUID()}`;
        await api.keyFor(other);
        return aPlan({}, 'amount = 1', other);
      })(),
      'pln_00000000000000000000000000',
      'tea',
    ];
    for (const plan_id of others)
      expect(refusalOf(await create({ plan_id }))).toEqual([422, 'plan_not_available', ['/plan_id']]);
    expect(workflows.submit).not.toHaveBeenCalled();
  });

  test('needs a customer who is there, where it names one of ours', async () => {
    const { data } = (await call<{ id: string }>(merchant.key, 'POST', '/api/v1/customers', { name: 'Ada' })).body;
    expect((await create({ customer_id: data.id, trial_days: 7 })).body.data.customer_id).toBe(data.id);
    const blanked = (await call<{ id: string }>(merchant.key, 'POST', '/api/v1/customers', { name: 'Eve' })).body.data
      .id;
    await call(merchant.key, 'DELETE', `/api/v1/customers/${blanked}`);
    for (const customer_id of [blanked, 'cus_00000000000000000000000000'])
      expect(refusalOf(await create({ customer_id }))).toEqual([422, 'customer_not_available', ['/customer_id']]);
  });

  test('whose customer has an id that only looks like one of ours is the merchant’s own business', async () => {
    for (const customer_id of ['cus_NffrFeUfNV2Hib', 'cus_000000000000000000000000000'])
      expect((await create({ customer_id, trial_days: 7 })).body.data).toMatchObject({ customer_id });
  });

  test('of a customer with a test clock goes by its time', async () => {
    const clockId = await insertTestClock(database, merchant.id, { now: '2030-01-31T10:00:00Z' });
    const customer = await call<{ id: string; test_clock_id: string }>(merchant.key, 'POST', '/api/v1/customers', {
      test_clock_id: clockId,
    });
    expect(customer.body.data.test_clock_id).toBe(clockId);
    const of = { customer_id: customer.body.data.id };
    expect(refusalOf(await create({ ...of, starts_at: inDays(30) }))[2]).toEqual(['/starts_at']);
    const old = { ...card, card_exp_month: 12, card_exp_year: 2029 };
    expect(refusalOf(await create({ ...of, payment_method: old }))[2]).toEqual(['/payment_method/card_exp_year']);
    const { body } = await create({ ...of, starts_at: '2034-01-31T10:00:00Z' });
    expect(body.data).toMatchObject({ test_clock_id: clockId, created_at: '2030-01-31T10:00:00.000Z' });
  });

  test('must be of the mode of its key, and holds no card number', async () => {
    expect(refusalOf(await create({ is_test: false }))).toEqual([422, 'wrong_mode', ['/is_test']]);
    expect(codeOf(await create({ description: '4111 1111 1111 1111' }))).toBe('422 card_number_refused');
  });
});

describe('a subscription', () => {
  test.each([
    ['GET', ''],
    ['PUT', ''],
    ['DELETE', ''],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['POST', '/retry'],
    ['POST', '/preview'],
  ])('of another merchant, of the other mode, or of nobody is not there: %s %s', async (method, act) => {
    const id = await waiting();
    const others = [await api.keyFor(`mer_${randomUUID()}`), await api.keyFor(merchant.id, { isTest: false })];
    const body = method === 'POST' || method === 'PUT' ? {} : undefined;
    for (const [of, apiKey] of [
      ...others.map((one) => [id, one] as const),
      [someId, merchant.key],
      ['x', merchant.key],
    ] as const)
      expect(codeOf(await send(method, `/${of}${act}`, body, { apiKey }))).toBe('404 not_found');
  });

  test('is found by each filter, and by all at once', async () => {
    const tea = await waiting({ customer_id: 'customer-2', external_id: 'sub-7', trial_days: 60 });
    const other = await aPlan();
    const coffee = await waiting({ plan_id: other });
    await send('POST', `/${coffee}/pause`, {});
    expect(await list()).toEqual([coffee, tea]);
    expect(await list({ limit: 1 })).toEqual([coffee, tea]);
    expect(await list({ status: 'paused' })).toEqual([coffee]);
    expect(await list({ status: 'trialing,paused' })).toEqual([coffee, tea]);
    expect(await list({ customer_id: 'customer-2' })).toEqual([tea]);
    expect(await list({ plan_id: other })).toEqual([coffee]);
    expect(await list({ next_billing_from: inDays(30) })).toEqual([tea]);
    expect(await list({ next_billing_to: inDays(30) })).toEqual([coffee]);
    expect(
      await list({ created_from: inDays(-1), created_to: inDays(1), status: 'trialing', external_id: 'sub-7' }),
    ).toEqual([tea]);
    expect(await list({ created_to: inDays(-1) })).toEqual([]);
  });

  test.each([
    ['status', { status: 'asleep' }],
    ['next_billing_from', { next_billing_from: 'tomorrow' }],
    ['customer_id', { customer_id: '' }],
    ['cursor', { cursor: 'x' }],
    ['limit', { limit: '101' }],
    ['color', { color: 'red' }],
  ])('is not looked for by a wrong %s', async (name, query) => {
    const answer = await callApi(api.url, merchant.key, { path: `${path}?${new URLSearchParams(query).toString()}` });
    expect(refusalOf(answer)).toEqual([422, 'validation_failed', [name]]);
  });

  test('shows its payments, and they name it and their invoice', async () => {
    const id = await begun();
    await insertMovedPayment(
      database,
      { status: 'captured', authorized: 1, captured: 1 },
      { merchant_id: merchant.id },
    );
    const payments = await readAll<PaymentObject>(api.url, merchant.key, '/api/v1/payments', { subscription_id: id });
    expect(payments).toMatchObject([{ subscription_id: id, invoice_id: expect.stringMatching(/^inv_/) }]);
    expect(await readAll(api.url, merchant.key, '/api/v1/payments', {})).toHaveLength(2);
  });
});
