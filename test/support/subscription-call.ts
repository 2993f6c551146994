import { randomUUID } from 'node:crypto';
import { type CallAnswer, callApi } from './api-call.ts';
import type { TestMerchant, World } from './world.ts';

/** A subscription as the API shows it, as far as tests look at it. */
export interface SubscriptionObject {
  readonly id: string;
  readonly status: string;
  readonly customer_id: string;
  readonly quantity: number;
  readonly cycles_billed: number;
  readonly next_billing_date: string | null;
  readonly current_period_end: string | null;
  readonly open_invoice_id: string | null;
  readonly dunning: { readonly step: number; readonly next_try_at: string | null; readonly ends_at: string } | null;
}

/** A merchant's calls about plans, test clocks and subscriptions. Each throws where it is not answered as it should be. */
export interface Biller {
  readonly merchant: TestMerchant;
  /** 31.00 USD every month, unless the test wants otherwise; its id. */
  plan(changes?: Record<string, unknown>): Promise<string>;
  /** A clock that stands at this instant; its id. */
  clock(at: string): Promise<string>;
  /** Sets it going, and waits for nothing. */
  advance(clockId: string, to: string): Promise<void>;
  /** Waits until it has arrived and everything that is due there is done. */
  settled(clockId: string): Promise<void>;
  /** A customer who goes by a clock, and has no name and no address; the id. */
  customer(clockId: string): Promise<string>;
  /** Subscribes and waits until the first charge has ended. */
  subscribe(body: Record<string, unknown>): Promise<SubscriptionObject>;
  read(id: string): Promise<SubscriptionObject>;
  /** Acts on a subscription, however that is answered. A key makes it repeatable. */
  act(
    id: string,
    method: 'POST' | 'PUT' | 'DELETE',
    path?: string,
    body?: Record<string, unknown>,
    key?: string,
  ): Promise<CallAnswer<{ readonly data: SubscriptionObject }>>;
}

/** The calls of one merchant, by default the world's. */
export function billerOf(world: World, merchant: TestMerchant = world.merchant): Biller {
  const call = (method: string, path: string, body?: unknown, key: string = randomUUID()) =>
    callApi<{ readonly data: SubscriptionObject }>(world.apiUrl, merchant.testKey, {
      method,
      path: `/api/v1${path}`,
      body,
      headers: { 'idempotency-key': key, prefer: 'wait=60' },
    });
  /** Whatever it is that was made, it has an id. */
  const done = async (asked: ReturnType<typeof call>): Promise<SubscriptionObject> => {
    const { status, body } = await asked;
    if (status >= 300) throw new Error(`answered ${status}: ${JSON.stringify(body)}`);
    return body.data;
  };
  const idOf = async (asked: ReturnType<typeof call>) => (await done(asked)).id;
  const monthly = { name: 'Tea', amount: '31.00', currency: 'USD', interval: { unit: 'month' } };
  return {
    merchant,
    plan: (changes = {}) => idOf(call('POST', '/plans', { ...monthly, ...changes })),
    clock: (at) => idOf(call('POST', '/test-clocks', { frozen_time: at })),
    async advance(clockId, to) {
      const path = `/api/v1/test-clocks/${clockId}/advance`;
      const headers = { prefer: 'respond-async' };
      await done(callApi(world.apiUrl, merchant.testKey, { method: 'POST', path, body: { to }, headers }));
    },
    async settled(clockId) {
      const { status } = await call('POST', `/test-clocks/${clockId}/settle`, {});
      if (status !== 200) throw new Error(`${clockId} did not settle within a minute: ${status}`);
    },
    customer: (clockId) => idOf(call('POST', '/customers', { test_clock_id: clockId })),
    subscribe: (body) =>
      done(
        call('POST', '/subscriptions', {
          customer_id: 'customer-1',
          payment_method: { type: 'credit_card', card_token: 'tok_visa_4242' },
          ...body,
        }),
      ),
    read: (id) => done(call('GET', `/subscriptions/${id}`)),
    act: (id, method, path = '', body = method === 'DELETE' ? undefined : {}, key = randomUUID()) =>
      call(method, `/subscriptions/${id}${path}`, body, key),
  };
}

/** What our database says of a subscription's invoices, in their order, and the bank of their charges. */
export interface InvoiceStory {
  readonly reason: string;
  readonly cycle: number | null;
  readonly status: string;
  /** In minor units. */
  readonly amount: number;
  readonly attempts: number;
  /** How many charges of it the bank has committed, over all its payments. */
  readonly charged: number;
  /** In minor units, of what was refunded at the bank. */
  readonly refunded: number;
}

/** All invoices of a subscription, with what really moved. */
export async function invoicesOf(world: World, subscriptionId: string): Promise<InvoiceStory[]> {
  const { rows } = await world.admin.query<{
    reason: string;
    cycle: number | null;
    status: string;
    amount: string;
    attempts: number;
    payments: string[];
    movements: string[];
  }>(
    `SELECT i.reason, i.cycle, i.status, i.amount, i.attempts,
       ARRAY(SELECT p.id FROM payments p WHERE p.invoice_id = i.id) AS payments,
       ARRAY(SELECT m.id FROM movements m JOIN payments p ON p.id = m.payment_id WHERE p.invoice_id = i.id) AS movements
     FROM invoices i WHERE i.subscription_id = $1 ORDER BY i.number`,
    [subscriptionId],
  );
  const booked = await world.bank.movements();
  return rows.map(({ amount, payments, movements, ...invoice }) => ({
    ...invoice,
    amount: Number(amount),
    charged: booked.filter(({ kind, reference }) => kind === 'charge' && payments.includes(reference)).length,
    refunded: booked
      .filter(({ kind, reference }) => kind === 'refund' && movements.includes(reference))
      .reduce((sum, { amount_minor }) => sum + Number(amount_minor), 0),
  }));
}
