import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SubscriptionObject } from '../../api/subscription-object.ts';
import { callApi } from '../support/api-call.ts';
import { calling, codeOf, refusalOf } from '../support/keyed-call.ts';
import type { PlayedSubscriptions } from '../support/played-subscriptions.ts';
import { insertPlan } from '../support/subscription-rows.ts';
import { subscriptionsUnderTest } from '../support/subscriptions-under-test.ts';
import { until } from '../support/until.ts';

const { database, api, merchant, workflows, played } = subscriptionsUnderTest();
const call = calling(api);
let planId: string;
beforeEach(async () => {
  planId = await aPlan(2599);
});

const day = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * day).toISOString();
const card = { type: 'credit_card', card_token: 'tok_visa_4242' };

/** A plan every month. */
async function aPlan(amount: number, columns: Record<string, unknown> = {}, currency = 'USD'): Promise<string> {
  const id = await insertPlan(database, { merchant_id: merchant.id, ...columns });
  await database.admin.query('UPDATE plan_versions SET amount = $2, currency = $3 WHERE plan_id = $1', [
    id,
    amount,
    currency,
  ]);
  return id;
}

interface Options {
  readonly idempotencyKey?: string;
  readonly prefer?: string;
}

async function send(method: string, of: string, body?: unknown, options: Options = {}) {
  const { idempotencyKey = randomUUID(), prefer = 'wait=1' } = options;
  const headers = { 'idempotency-key': idempotencyKey, prefer };
  const path = `/api/v1/subscriptions${of}`;
  const answer = await callApi<{ data: SubscriptionObject }>(api.url, merchant.key, { method, path, body, headers });
  return Object.assign(answer, { isReplay: answer.headers.get('idempotent-replayed') === 'true' });
}

const create = (changes: Record<string, unknown> = {}) =>
  send(
    'POST',
    '',
    { plan_id: planId, customer_id: 'customer-1', payment_method: card, ...changes },
    { prefer: 'respond-async' },
  );
const act = (id: string, name: string, body: unknown = {}, options: Options = {}) =>
  send('POST', `/${id}/${name}`, body, options);
const put = (id: string, body: unknown, options: Options = {}) => send('PUT', `/${id}`, body, options);
const cancel = (id: string, query = '', options: Options = {}) => send('DELETE', `/${id}${query}`, undefined, options);
const get = async (id: string) => (await send('GET', `/${id}`)).body.data;
const events = async (id: string) => {
  const found = await database.db.prisma.event.findMany({ where: { objectId: id }, orderBy: { sequence: 'asc' } });
  return found.map(({ type }) => type.replace('subscription.', ''));
};

/** One in its trial. */
const trialing = async (changes = {}) => (await create({ trial_days: 14, ...changes })).body.data.id;

/** One whose first period was opened, and charged with that end. */
async function begun(end: Parameters<PlayedSubscriptions['endCharge']>[1] = 'paid', changes = {}): Promise<string> {
  const { id } = (await create(changes)).body.data;
  await played.step(id, 'open_period');
  await played.endCharge(id, end);
  return id;
}

describe('a pause', () => {
  test('is told to the workflow as it was asked for, and answered as done', async () => {
    const id = await trialing();
    const at = inDays(3);
    const answer = await act(id, 'pause', { resumes_at: at, anchor: 'shift' });
    expect([answer.status, answer.isReplay, answer.headers.get('location')]).toEqual([
      200,
      false,
      `/api/v1/subscriptions/${id}`,
    ]);
    expect(answer.body.data).toMatchObject({ status: 'paused', paused_at: expect.any(String), resumes_at: at });
    const [known, asked, waits] = workflows.pause.mock.calls[0] ?? [];
    expect(known).toEqual({
      subscriptionId: id,
      merchantId: merchant.id,
      isTest: true,
      summary: `25.99 USD every month · ${id}`,
    });
    expect(asked).toEqual({
      actor: `api_key:${merchant.key.split('_')[2]}`,
      reason: 'requested by the merchant',
      key: expect.stringMatching(/^wish_/),
      resumesAt: at,
      anchor: 'shift',
    });
    expect(waits).toBe('outcome');
  });

  test('is done once under its key, though it was over before the repeat', async () => {
    const id = await trialing();
    const options = { idempotencyKey: 'key-1' };
    await act(id, 'pause', {}, options);
    await act(id, 'resume', {}, options); // another act has keys of its own
    const again = await act(id, 'pause', {}, options);
    expect([again.status, again.isReplay, again.body.data.status]).toEqual([200, true, 'trialing']);
    expect(workflows.pause).toHaveBeenCalledTimes(1);
    expect(await events(id)).toEqual(['trialing', 'paused', 'trialing']);
  });

  test('of what is paused is refused in the words of the rules, and so is a resumption of what is not', async () => {
    const id = await trialing();
    const { problem } = await act(id, 'resume');
    expect([problem.status, problem.code, problem.detail]).toEqual([
      409,
      'subscription_not_paused',
      'The subscription is trialing.',
    ]);
    await act(id, 'pause');
    expect(codeOf(await act(id, 'pause'))).toBe('409 subscription_not_pausable');
  });

  test('that is taken on and not done at the deadline is 202', async () => {
    const id = await trialing();
    workflows.pause.mockResolvedValue({ kind: 'accepted' });
    const answer = await act(id, 'pause', {}, { prefer: 'respond-async' });
    expect([answer.status, answer.body.data.status]).toEqual([202, 'trialing']);
    expect(workflows.pause.mock.calls[0]?.[2]).toBe('accepted');
  });

  test('that nobody took names the subscription and its key', async () => {
    const id = await trialing();
    workflows.pause.mockResolvedValue({ kind: 'not_taken', cause: new Error('away') });
    const options = { idempotencyKey: 'key-1', prefer: 'wait=0' };
    const { problem, headers } = await act(id, 'pause', {}, options);
    expect(problem).toMatchObject({ status: 503, code: 'not_accepted', subscription_id: id });
    expect(headers.get('idempotency-key')).toBe('key-1');
  });

  test.each([
    ['/resumes_at', { resumes_at: '2020-01-01T00:00:00Z' }],
    ['/resumes_at', { resumes_at: 'later' }],
    ['/resumes_at', { resumes_at: null }],
    ['/anchor', { anchor: 'none' }],
    ['/reason', { reason: 'why not' }],
  ])('is refused, naming %s, for what it may not be', async (pointer, body) => {
    expect(refusalOf(await act(await trialing(), 'pause', body))).toEqual([422, 'validation_failed', [pointer]]);
    expect(workflows.pause).not.toHaveBeenCalled();
  });
});

describe('a resumption', () => {
  test('shifts the dates where it says so, whatever was said with the pause', async () => {
    const id = await trialing();
    const { next_billing_date: before } = await get(id);
    await act(id, 'pause', { anchor: 'keep' });
    const answer = await act(id, 'resume', { anchor: 'shift' });
    expect([answer.status, answer.body.data.status]).toEqual([200, 'trialing']);
    expect(Date.parse(answer.body.data.next_billing_date ?? '')).toBeGreaterThan(Date.parse(before ?? ''));
    expect(refusalOf(await act(id, 'resume', { anchor: 'none' }))[2]).toEqual(['/anchor']);
    expect(refusalOf(await act(id, 'resume', { at: inDays(1) }))[2]).toEqual(['/at']);
  });
});

describe('a cancellation', () => {
  test('is at once as a rule, and for a repeat, whoever sends it, done already', async () => {
    const id = await begun();
    const answer = await cancel(id, '?refund=unused');
    expect([answer.status, answer.isReplay]).toEqual([200, false]);
    expect(answer.body.data).toMatchObject({
      status: 'canceled',
      ended_at: expect.any(String),
      next_billing_date: null,
    });
    expect(workflows.cancel.mock.calls[0]?.[1]).toMatchObject({ when: 'now', refund: 'unused' });
    const again = await cancel(id);
    expect([again.status, again.isReplay, again.body.data]).toEqual([200, true, answer.body.data]);
    expect(workflows.cancel).toHaveBeenCalledTimes(1);
  });

  test('at the end of the period lets it go on until then, and can be taken back', async () => {
    const id = await begun();
    const answer = await cancel(id, '?when=period_end');
    expect([answer.status, answer.body.data]).toMatchObject([200, { status: 'active', cancel_at_period_end: true }]);
    expect((await cancel(id, '?when=period_end')).isReplay).toBe(true);
    expect((await put(id, { cancel_at_period_end: false })).body.data.cancel_at_period_end).toBe(false);
    expect((await cancel(id, '?when=period_end')).isReplay).toBe(false);
    expect((await cancel(id)).body.data.status).toBe('canceled');
  });

  test.each([
    ['when', '?when=later'],
    ['refund', '?refund=all'],
    ['refund', '?when=period_end&refund=unused'],
    ['why', '?why=x'],
  ])('is refused, naming %s, for what it may not be', async (name, query) => {
    expect(refusalOf(await cancel(await trialing(), query))).toEqual([422, 'validation_failed', [name]]);
    expect(workflows.cancel).not.toHaveBeenCalled();
  });

  test('ends every other act, but for those that were done before', async () => {
    const id = await begun();
    const options = { idempotencyKey: 'key-1' };
    await act(id, 'pause', {}, options);
    await cancel(id);
    for (const name of ['pause', 'resume', 'retry', 'preview'])
      expect(codeOf(await act(id, name))).toBe('409 subscription_ended');
    expect(codeOf(await put(id, { quantity: 2 }))).toBe('409 subscription_ended');
    expect(await act(id, 'pause', {}, options)).toMatchObject({ status: 200, isReplay: true });
    expect((await put(id, { description: 'Gone' })).body.data.description).toBe('Gone');
  });
});

describe('a retry', () => {
  test('is 200 when the charge has ended, and charges nothing more on a repeat of its key', async () => {
    const id = await begun('insufficient_funds');
    workflows.retry.mockImplementationOnce(async (known, asked, ...rest) => {
      const answer = await played.client.retry(known, asked, ...rest);
      void until('the charge is begun', async () => (await isCharging(id)) || null).then(() =>
        played.endCharge(id, 'paid'),
      );
      return answer;
    });
    const options = { idempotencyKey: 'key-1', prefer: 'wait=30' };
    const answer = await act(id, 'retry', {}, options);
    expect([answer.status, answer.body.data]).toMatchObject([200, { status: 'active', open_invoice_id: null }]);
    const again = await act(id, 'retry', {}, options);
    expect([again.status, again.isReplay, again.body.data]).toEqual([200, true, answer.body.data]);
    expect(workflows.retry).toHaveBeenCalledTimes(1);
    expect(codeOf(await act(id, 'retry'))).toBe('409 nothing_to_retry');
    expect(await attempts(id)).toBe(2);
  });

  test('is 202 while the charge is on its way, and a repeat then attaches to it', async () => {
    const id = await begun('insufficient_funds');
    const options = { idempotencyKey: 'key-1', prefer: 'respond-async' };
    expect((await act(id, 'retry', {}, options)).status).toBe(202);
    expect((await act(id, 'retry', {}, options)).status).toBe(202);
    expect(await attempts(id)).toBe(2);
    expect(codeOf(await act(id, 'retry'))).toBe('409 charge_in_progress');
    await played.endCharge(id, 'insufficient_funds');
    const ended = await act(id, 'retry', {}, options);
    expect([ended.status, ended.isReplay, ended.body.data.status]).toEqual([200, true, 'past_due']);
    expect(refusalOf(await act(id, 'retry', { amount: '1.00' }))[2]).toEqual(['/amount']);
  });

  const isCharging = async (id: string) =>
    (await database.db.prisma.subscription.findUniqueOrThrow({ where: { id } })).chargePaymentId !== null;
  const attempts = async (id: string) =>
    (await database.db.prisma.invoice.findFirstOrThrow({ where: { subscriptionId: id } })).attempts;
});

describe('a change', () => {
  test('that costs more is charged at once, and counts when that is paid', async () => {
    const id = await begun();
    const answer = await put(id, { quantity: 2 }, { prefer: 'respond-async' });
    expect(answer.status).toBe(202);
    expect(answer.body.data).toMatchObject({
      quantity: 1,
      pending_change: { plan_id: planId, plan_version: 1, quantity: 2 },
    });
    expect(answer.body.data.pending_change?.invoice_id).toBe(answer.body.data.open_invoice_id);
    await played.endCharge(id, 'paid');
    expect(await get(id)).toMatchObject({ quantity: 2, amount: '51.98', pending_change: null });
  });

  test('that costs less begins with the next period, and not before', async () => {
    const id = await begun('paid', { quantity: 2 });
    const answer = await put(id, { quantity: 1 });
    expect([answer.status, answer.body.data]).toMatchObject([
      200,
      { quantity: 2, pending_change: { quantity: 1, invoice_id: null } },
    ]);
    expect(codeOf(await put(id, { quantity: 1, effective: 'now' }))).toBe('409 change_refused');
  });

  test('of everything at once is one wish, and what is only said is written beside it', async () => {
    const other = await aPlan(999);
    const id = await trialing();
    const answer = await put(id, {
      plan_id: other,
      plan_version: 1,
      quantity: 3,
      payment_method: { type: 'paypal', card_token: 'tok_paypal_1' },
      description: 'More tea',
      metadata: { desk: '5' },
    });
    expect([answer.status, answer.body.data]).toMatchObject([
      200,
      {
        plan_id: other,
        quantity: 3,
        amount: '29.97',
        payment_method: { type: 'paypal', card_exp_month: null, card_exp_year: null },
        description: 'More tea',
        metadata: { desk: '5' },
      },
    ]);
    expect(workflows.change.mock.calls[0]?.[1]).toEqual({
      actor: expect.any(String),
      reason: expect.any(String),
      key: expect.any(String),
      planId: other,
      planVersion: 1,
      quantity: 3,
      paymentMethod: { type: 'paypal', cardToken: 'tok_paypal_1', expiry: null },
    });
    expect(await events(id)).toEqual(['trialing', 'changed']);
  });

  test('of what is only said needs no workflow, brings no event, and is audited by the names of the fields', async () => {
    const id = await trialing({ description: 'Tea', metadata: { desk: '4' } });
    const answer = await put(id, { description: null, metadata: { desk: '5' } });
    expect([answer.status, answer.body.data]).toMatchObject([200, { description: null, metadata: { desk: '5' } }]);
    await put(id, { description: null, metadata: { desk: '5' } });
    expect((await put(id, {})).body.data).toEqual(await get(id));
    expect((await put(id, { metadata: null })).body.data.metadata).toEqual({});
    expect(workflows.change).not.toHaveBeenCalled();
    expect(await events(id)).toEqual(['trialing']);
    const trail = await database.db.prisma.paymentAuditTrail.findMany({
      where: { objectId: id, action: 'update_subscription' },
      orderBy: { createdAt: 'asc' },
    });
    expect(trail.map(({ details, eventId, outcome }) => [details, eventId, outcome])).toEqual([
      [{ fields: ['description', 'metadata'] }, null, 'Subscription Successful'],
      [{ fields: [] }, null, 'Subscription Successful'], // remembered, as it has a key
      [{ fields: ['metadata'] }, null, 'Subscription Successful'],
    ]);
  });

  test('of what is said is made once under its key, with a change of the plan beside it too', async () => {
    const id = await trialing({ description: 'Tea' });
    for (const body of [{ description: 'More tea' }, { description: 'Most tea', cancel_at_period_end: false }]) {
      const options = { idempotencyKey: `key-${Object.keys(body).length}` };
      expect(await put(id, body, options)).toMatchObject({ status: 200, isReplay: false });
      await put(id, { description: 'Coffee' });
      const again = await put(id, body, options);
      expect([again.isReplay, again.body.data.description]).toEqual([true, 'Coffee']);
    }
  });

  test('that is refused changes nothing of what is said either', async () => {
    const id = await begun('insufficient_funds');
    expect(codeOf(await put(id, { quantity: 2, description: 'More tea' }))).toBe('409 invoice_open');
    expect((await get(id)).description).toBeNull();
  });

  test('of the payment method charges what is owed at once', async () => {
    const id = await begun('expired_card');
    const answer = await put(id, { payment_method: card }, { prefer: 'respond-async' });
    expect([answer.status, answer.body.data.status]).toEqual([202, 'past_due']);
    await played.endCharge(id, 'paid');
    expect(await get(id)).toMatchObject({ status: 'active', dunning: null });
  });

  test.each([
    ['/plan_id', { plan_id: 7 }],
    ['/plan_version', { plan_version: 0 }],
    ['/plan_version', { plan_version: 2 ** 31 }],
    ['/quantity', { quantity: 0 }],
    ['/effective', { quantity: 2, effective: 'soon' }],
    ['/effective', { effective: 'now' }],
    ['/payment_method', { payment_method: null }],
    ['/payment_method/card_exp_year', { payment_method: { ...card, card_exp_month: 1, card_exp_year: 2021 } }],
    ['/payment_method/card_exp_month', { payment_method: { ...card, card_exp_year: 2090 } }],
    ['/cancel_at_period_end', { cancel_at_period_end: true }],
    ['/description', { description: '' }],
    ['/metadata/deep', { metadata: { deep: {} } }],
    ['/status', { status: 'active' }],
    ['/amount', { amount: '1.00' }],
    ['/next_billing_date', { next_billing_date: '2030-01-01T00:00:00Z' }],
  ])('is refused, naming %s, for what it may not be', async (pointer, body) => {
    expect(refusalOf(await put(await trialing(), body))).toEqual([422, 'validation_failed', [pointer]]);
    expect(workflows.change).not.toHaveBeenCalled();
  });

  test('needs an active plan in the same currency, at a price that is an amount', async () => {
    const id = await trialing();
    const refusals = [
      ['plan_not_available', '/plan_id', { plan_id: 'pln_00000000000000000000000000' }],
      ['plan_not_available', '/plan_id', { plan_id: await aPlan(1, { status: 'archived' }) }],
      ['plan_not_available', '/plan_version', { plan_version: 2 }],
      ['validation_failed', '/plan_id', { plan_id: await aPlan(1, {}, 'EUR') }],
    ] as const;
    for (const [code, pointer, body] of refusals) {
      expect(refusalOf(await put(id, body))).toEqual([422, code, [pointer]]);
      expect(refusalOf(await act(id, 'preview', body))).toEqual([422, code, [pointer]]);
    }
    await database.admin.query('UPDATE plan_versions SET amount = 9223372036854775807 WHERE plan_id = $1', [planId]);
    expect(refusalOf(await put(id, { quantity: 2 }))).toEqual([422, 'validation_failed', ['/quantity']]);
  });

  test('of the quantity stays possible when its plan was archived', async () => {
    const id = await trialing();
    await database.admin.query(`UPDATE plans SET status = 'archived' WHERE id = $1`, [planId]);
    expect((await put(id, { quantity: 2 })).body.data.quantity).toBe(2);
  });

  test('is found done by a repeat that could not be made any more', async () => {
    const other = await aPlan(999);
    const id = await trialing();
    const options = { idempotencyKey: 'key-1' };
    await put(id, { plan_id: other }, options);
    await database.admin.query(`UPDATE plans SET status = 'archived' WHERE id = $1`, [other]);
    await put(id, { plan_id: planId });
    const again = await put(id, { plan_id: other }, options);
    expect([again.status, again.isReplay, again.body.data.plan_id]).toEqual([200, true, planId]);
    expect(workflows.change).toHaveBeenCalledTimes(2);
  });
});

describe('a preview', () => {
  interface Preview {
    readonly effective: string | null;
    readonly invoice_now: { amount: string; lines: { kind: string; amount: string }[] } | null;
    readonly next_invoice: { date: string; amount: string; lines: { kind: string; amount: string }[] } | null;
    readonly subscription_after: Record<string, unknown>;
  }
  const preview = (id: string, body: unknown = {}) =>
    call<Preview>(merchant.key, 'POST', `/api/v1/subscriptions/${id}/preview`, body);

  test('of nothing is the next invoice, and does nothing', async () => {
    const id = await begun();
    const before = await get(id);
    const answer = await preview(id);
    expect([answer.status, answer.body.data]).toEqual([
      200,
      {
        effective: null,
        invoice_now: null,
        next_invoice: {
          date: before.next_billing_date,
          amount: '25.99',
          lines: [
            {
              kind: 'plan',
              description: 'Tea',
              quantity: 1,
              amount: '25.99',
              period_start: before.next_billing_date,
              period_end: expect.any(String),
            },
          ],
        },
        subscription_after: {
          plan_id: planId,
          plan_version: 1,
          quantity: 1,
          amount: '25.99',
          next_billing_date: before.next_billing_date,
        },
      },
    ]);
    expect(await get(id)).toEqual(before);
  });

  test('of more is what would be charged at once, and the change then charges just that', async () => {
    const id = await begun();
    const {
      effective,
      invoice_now: now,
      next_invoice: next,
      subscription_after: after,
    } = (await preview(id, { quantity: 2 })).body.data;
    expect(effective).toBe('now');
    expect(now?.lines.map(({ kind }) => kind)).toEqual(['proration_credit', 'proration_charge']);
    expect([next?.amount, after]).toMatchObject(['51.98', { quantity: 2, amount: '51.98' }]);
    const { open_invoice_id } = (await put(id, { quantity: 2 }, { prefer: 'respond-async' })).body.data;
    const invoice = await database.db.prisma.invoice.findUniqueOrThrow({ where: { id: open_invoice_id ?? '' } });
    const shown = Math.round(Number(now?.amount) * 100);
    expect(Math.abs(Number(invoice.amount) - shown)).toBeLessThanOrEqual(1); // a few moments later
  });

  test('of less is the next invoice with it', async () => {
    const id = await begun('paid', { quantity: 2 });
    const { data } = (await preview(id, { quantity: 1 })).body;
    expect(data).toMatchObject({ effective: 'period_end', invoice_now: null, next_invoice: { amount: '25.99' } });
    expect(codeOf(await preview(id, { quantity: 1, effective: 'now' }))).toBe('409 change_refused');
  });

  test('is refused where the change would be, and for what it may not be', async () => {
    const id = await begun('insufficient_funds');
    expect(codeOf(await preview(id, { quantity: 2 }))).toBe('409 invoice_open');
    expect(refusalOf(await preview(id, { effective: 'now' }))).toEqual([422, 'validation_failed', ['/effective']]);
    expect(refusalOf(await preview(id, { payment_method: card }))).toEqual([
      422,
      'validation_failed',
      ['/payment_method'],
    ]);
  });
});
