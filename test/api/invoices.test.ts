import { randomUUID } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf } from '../../workflows/domain/failure.ts';
import { readAll } from '../support/api-call.ts';
import { apiUnderTest, merchantPerTest } from '../support/api-under-test.ts';
import { findBrowser, launchBrowser, lowestContrast, openPage } from '../support/browser.ts';
import { calling, codeOf, postKeyed, refusalOf } from '../support/keyed-call.ts';
import { closeInvoice, insertInvoice, insertSubscription } from '../support/subscription-rows.ts';

const { database, api } = apiUnderTest();
const merchant = merchantPerTest(api);
const call = calling(api);

interface Invoice {
  readonly id: string;
  readonly number: number;
}

const path = '/api/v1/invoices';
const someId = 'inv_00000000000000000000000000';
const anInvoice = (columns: Parameters<typeof insertInvoice>[1] = {}) =>
  insertInvoice(database, { merchant_id: merchant.id, ...columns });
const get = (id: string, apiKey = merchant.key) => call<Invoice>(apiKey, 'GET', `${path}/${id}`);
const list = (query: Record<string, string | number> = {}) => readAll<Invoice>(api.url, merchant.key, path, query);
const pageOf = (id: string, apiKey = merchant.key) =>
  fetch(`${api.url}${path}/${id}/page`, { headers: { authorization: `Bearer ${apiKey}` } });

describe('an invoice', () => {
  test('is read as it is: amounts in decimals, the number as a number, the failure with its words', async () => {
    const subscriptionId = await insertSubscription(database, { merchant_id: merchant.id });
    const nextAttemptAt = new Date('2026-02-01T10:00:00Z');
    const id = await anInvoice({
      subscription_id: subscriptionId,
      amount: 2099,
      lines: JSON.stringify([
        {
          kind: 'proration_charge',
          description: 'Tea',
          quantity: 2,
          amountMinor: '2599',
          period: { start: '2026-01-31T10:00:00.000Z', end: '2026-02-28T10:00:00.000Z' },
        },
        { kind: 'proration_credit', description: 'Coffee', quantity: 1, amountMinor: '-500', period: null },
      ]),
      payment_id: 'pay_1',
      attempts: 2,
      next_attempt_at: nextAttemptAt,
      failure_code: 'insufficient_funds',
    });
    const { message } = failureOf('insufficient_funds');
    expect((await get(id)).body.data).toEqual({
      id,
      number: 1,
      subscription_id: subscriptionId,
      customer_id: 'customer-1',
      reason: 'period',
      cycle: 1,
      status: 'open',
      amount: '20.99',
      currency: 'USD',
      period_start: '2026-01-31T10:00:00.000Z',
      period_end: '2026-02-28T10:00:00.000Z',
      lines: [
        {
          kind: 'proration_charge',
          description: 'Tea',
          quantity: 2,
          amount: '25.99',
          period_start: '2026-01-31T10:00:00.000Z',
          period_end: '2026-02-28T10:00:00.000Z',
        },
        {
          kind: 'proration_credit',
          description: 'Coffee',
          quantity: 1,
          amount: '-5.00',
          period_start: null,
          period_end: null,
        },
      ],
      payment_id: 'pay_1',
      attempts: 2,
      next_attempt_at: nextAttemptAt.toISOString(),
      failure: { code: 'insufficient_funds', message, decline_class: 'retry_same' },
      refund_due_amount: '0.00',
      issued_at: expect.stringMatching(/Z$/),
      paid_at: null,
      closed_at: null,
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      is_test: true,
    });
  });

  test.each(['', '/page'])(
    'of another merchant, of the other mode, or of nobody is not there: GET %s',
    async (rest) => {
      const id = await anInvoice();
      const others = [await api.keyFor(`mer_${randomUUID()}`), await api.keyFor(merchant.id, { isTest: false })];
      for (const apiKey of others)
        expect(codeOf(await call(apiKey, 'GET', `${path}/${id}${rest}`))).toBe('404 not_found');
      for (const wrong of [someId, 'inv_1', 'pay_00000000000000000000000000'])
        expect(codeOf(await call(merchant.key, 'GET', `${path}/${wrong}${rest}`))).toBe('404 not_found');
    },
  );
});

describe('the list of invoices', () => {
  test('is newest first, page by page, of the merchant and mode alone', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.unshift(await anInvoice());
    await anInvoice({ is_test: false });
    await api.keyFor('mer_other');
    await insertInvoice(database, { merchant_id: 'mer_other' });
    const all = await list({ limit: 2 });
    expect(all.map(({ id }) => id)).toEqual(ids);
    expect(all.map(({ number }) => number)).toEqual([5, 4, 3, 2, 1]);
    expect(all[0]).toEqual((await get(ids[0] ?? '')).body.data);
  });

  test('shows what fits all filters', async () => {
    const subscriptionId = await insertSubscription(database, { merchant_id: merchant.id, customer_id: 'customer-2' });
    const of = { subscription_id: subscriptionId, customer_id: 'customer-2' };
    const old = await anInvoice({ ...of, status: 'paid', created_at: new Date('2026-01-31T10:00:00Z') });
    const gone = await anInvoice({ ...of, cycle: 2, status: 'void', created_at: new Date('2026-02-28T10:00:00Z') });
    const open = await anInvoice({ ...of, cycle: 3, created_at: new Date('2026-03-31T10:00:00Z') });
    const other = await anInvoice({ created_at: new Date('2026-03-31T10:00:00.001Z') });
    const found = async (query: Record<string, string>) => (await list(query)).map(({ id }) => id);
    expect(await found({ subscription_id: subscriptionId })).toEqual([open, gone, old]);
    expect(await found({ customer_id: 'customer-2', status: 'paid,open' })).toEqual([open, old]);
    expect(await found({ customer_id: 'customer-1' })).toEqual([other]);
    expect(await found({ status: 'void' })).toEqual([gone]);
    expect(await found({ created_from: '2026-02-28T10:00:00Z', created_to: '2026-03-31T10:00:00.001Z' })).toEqual([
      open,
      gone,
    ]);
    expect(await found({ subscription_id: subscriptionId, customer_id: 'customer-1' })).toEqual([]);
  });

  test.each([
    ['status', 'status=late'],
    ['status', 'status=open,'],
    ['created_from', 'created_from=yesterday'],
    ['subscription_id', 'subscription_id='],
    ['number', 'number=1'],
  ])('refuses, naming %s, what it cannot be asked for', async (parameter, query) => {
    expect(refusalOf(await call(merchant.key, 'GET', `${path}?${query}`))).toEqual([
      422,
      'validation_failed',
      [parameter],
    ]);
  });
});

describe('the page of an invoice', () => {
  const ada = { name: 'Ada <b>Lovelace</b>', email: 'ada@example.com' };
  async function aCustomer(): Promise<string> {
    const asked = { path: '/api/v1/customers', body: ada, idempotencyKey: randomUUID() };
    return (await postKeyed<{ id: string }>(api.url, merchant.key, asked)).body.data.id;
  }

  test('shows what is asked for, of whom, by whom, for when, and how it stands', async () => {
    await database.admin.query(`UPDATE merchants SET name = 'Tea & Sons' WHERE id = $1`, [merchant.id]);
    const customer_id = await aCustomer();
    const zone = { time_zone: 'Pacific/Auckland', customer_id };
    const subscription_id = await insertSubscription(database, { merchant_id: merchant.id, ...zone });
    const id = await anInvoice({
      subscription_id,
      customer_id,
      lines: JSON.stringify([
        { kind: 'plan', description: '<script>alert(1)</script>', quantity: 3, amountMinor: '2599', period: null },
      ]),
      period_end: new Date('2026-02-28T11:30:00Z'),
      payment_id: 'pay_1',
    });
    const answer = await pageOf(id);
    const page = await answer.text();
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    for (const shown of [
      '<html lang="en">',
      '<title>Invoice 1</title>',
      'Tea &amp; Sons',
      'Ada &lt;b&gt;Lovelace&lt;/b&gt;',
      ada.email,
      '&lt;script&gt;alert(1)&lt;/script&gt;',
      '<td>3</td><td>25.99 USD</td>',
      '>31 January 2026</time> – <time datetime="2026-02-28T11:30:00.000Z">1 March 2026</time>',
      'Pacific/Auckland',
      'To be paid',
      'pay_1',
      subscription_id,
      'This is a test',
    ])
      expect(page).toContain(shown);
    expect(page).not.toMatch(/<script|<b>|https?:|\bon\w+=/);
    await closeInvoice(database, id, 'paid');
    expect(await (await pageOf(id)).text()).toContain('>Paid, <time');
  });

  test('names a customer as it is known today: by id alone once it was blanked, or is none of ours', async () => {
    const customer_id = await aCustomer();
    const id = await anInvoice({ customer_id, status: 'void' });
    await database.admin.query(
      `UPDATE subscriptions SET status = 'canceled', ended_at = now(), version = version + 1 WHERE customer_id = $1`,
      [customer_id],
    );
    expect(codeOf(await call(merchant.key, 'DELETE', `/api/v1/customers/${customer_id}`))).toBe('200');
    const page = await (await pageOf(id)).text();
    expect(page).toContain(customer_id);
    expect(page).not.toMatch(/Ada|ada@/);
    expect(await (await pageOf(await anInvoice({ customer_id: 'customer-9' }))).text()).toContain('customer-9');
  });

  test('lets a browser take nothing from anywhere, and its own style alone', async () => {
    const { headers } = await pageOf(await anInvoice());
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  const program = findBrowser();
  describe.skipIf(program === null)('in a browser', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchBrowser(program ?? '');
    });
    afterAll(() => browser?.close());

    test.each(['light', 'dark'] as const)('has its style, and text that weak eyes can read, in %s', async (scheme) => {
      const id = await anInvoice({ customer_id: await aCustomer(), payment_id: 'pay_1' });
      const page = await openPage(browser, scheme);
      const problems: string[] = [];
      page.on('console', (message) => problems.push(message.text()));
      await page.setExtraHTTPHeaders({ authorization: `Bearer ${merchant.key}` });
      await page.goto(`${api.url}${path}/${id}/page`);
      const background = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      expect(background).toBe(scheme === 'light' ? 'rgb(243, 245, 248)' : 'rgb(17, 21, 26)');
      expect(await lowestContrast(page)).toBeGreaterThanOrEqual(4.5);
      expect(await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')).toBe(false);
      expect(problems).toEqual([]);
      await page.context().close();
    });
  });
});
