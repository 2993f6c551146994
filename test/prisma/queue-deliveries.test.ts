import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginAttempt } from '../../prisma/attempts.ts';
import { changeMerchantSettings, createMerchant } from '../../prisma/merchants.ts';
import { recordTransition } from '../../prisma/transitions.ts';
import { failureOf } from '../../workflows/domain/failure.ts';
import { eventIdOf } from '../../workflows/domain/ids.ts';
import type { PaymentRequest, PaymentSnapshot, Transition } from '../../workflows/ports.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import {
  closeInvoice,
  insertInvoice,
  insertSubscription,
  insertSubscriptionEvent,
} from '../support/subscription-rows.ts';
import { until } from '../support/until.ts';
import { aPendingPayment, aTransition, canceling, chargeOf, delaying, merchantId } from './steps.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of [merchantId, 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
});
afterAll(() => database?.close());

const payers = `payers_of_${merchantId}`;

interface EndpointColumns {
  readonly merchant_id?: string;
  readonly is_test?: boolean;
  readonly event_types?: readonly string[];
  readonly status?: 'active' | 'disabled';
}

/** An endpoint for all events of `mer_1` in test mode, unless the test wants another; returns its id. */
async function anEndpoint(columns: EndpointColumns = {}): Promise<string> {
  const id = `whe_${randomUUID()}`;
  const { merchant_id = merchantId, is_test = true, event_types = [], status = 'active' } = columns;
  await database.admin.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, is_test, idempotency_key, request_hash, url, event_types, secret, status,
       created_at, updated_at)
     VALUES ($1, $2, $3, $1, 'h', 'https://example.com/hook', $4, 'sealed', $5, now(), now())`,
    [id, merchant_id, is_test, event_types, status],
  );
  return id;
}

async function withEndpoints(all: readonly EndpointColumns[], work: (ids: string[]) => Promise<void>): Promise<void> {
  const ids: string[] = [];
  for (const columns of all) ids.push(await anEndpoint(columns));
  try {
    await work(ids);
  } finally {
    await database.admin.query(`UPDATE webhook_endpoints SET status = 'disabled' WHERE id = ANY ($1)`, [ids]);
  }
}

interface Row {
  readonly type: string;
  readonly channel: string;
  readonly receiver: string;
  readonly endpoint_id: string | null;
  readonly state: string;
  readonly tries: number;
  readonly shard: number;
}

/** Every delivery of a payment's events, in the events' order. */
async function deliveriesOf({ id }: PaymentSnapshot): Promise<Row[]> {
  const { rows } = await database.admin.query<Row>(
    `SELECT e.type, d.channel, d.receiver, d.endpoint_id, d.state, d.tries, d.shard
     FROM deliveries d JOIN events e ON e.id = d.event_id
     WHERE d.object_id = $1 AND e.object_id = $1 AND d.merchant_id = e.merchant_id AND d.is_test = e.is_test
     ORDER BY e.sequence, d.channel, d.receiver`,
    [id],
  );
  return rows;
}

const toldOf = async (payment: PaymentSnapshot) =>
  (await deliveriesOf(payment)).map(({ type, receiver }) => `${type} ${receiver}`);

async function step(payment: PaymentSnapshot, changes: Partial<Transition>): Promise<PaymentSnapshot> {
  const answer = await recordTransition(database.db, aTransition(payment, changes));
  if (answer.kind !== 'done') throw new Error(`the step is ${answer.kind}`);
  return answer.payment;
}

const failing = {
  ...canceling,
  toStatus: 'failed',
  failure: failureOf('provider_unavailable'),
  action: 'expire',
} as const;

/** Delayed, then captured. */
async function delayedAndCaptured(request: Partial<PaymentRequest> = {}): Promise<PaymentSnapshot> {
  const payment = await aPendingPayment(database.db, request);
  const delayed = await step(payment, delaying(null));
  const attempt = { attemptId: chargeOf(payment), paymentId: payment.id, sender: 'a', number: 1, provider: 'easypay' };
  await beginAttempt(database.db, merchantId, { ...attempt, sendWithinMs: 3_000, isUrgent: false });
  return step(delayed, {});
}

describe('an event', () => {
  test('is queued once for every endpoint that wants its type', async () => {
    await withEndpoints(
      [{}, { event_types: ['payment.captured', 'payment.failed'] }, { event_types: ['payment.delayed'] }],
      async ([all, ends, delays]) => {
        const payment = await delayedAndCaptured();
        expect((await toldOf(payment)).toSorted()).toEqual(
          [
            `payment.pending ${all}`,
            `payment.delayed ${all}`,
            `payment.delayed ${delays}`,
            `payment.captured ${all}`,
            `payment.captured ${ends}`,
          ].toSorted(),
        );
        for (const row of await deliveriesOf(payment)) {
          expect(row).toMatchObject({ channel: 'webhook', endpoint_id: row.receiver, state: 'pending', tries: 0 });
          expect([0, 1, 2, 3]).toContain(row.shard);
        }
      },
    );
  });

  test('is queued for nobody of another merchant or the other mode, and for no endpoint that is disabled', async () => {
    const others: EndpointColumns[] = [{ merchant_id: 'mer_2' }, { is_test: false }, { status: 'disabled' }];
    await withEndpoints(others, async () => {
      expect(await toldOf(await delayedAndCaptured())).toEqual([]);
    });
  });

  test('that nobody wrote is queued for nobody: a step that came too late, or was written before', async () => {
    await withEndpoints([{}], async ([endpoint]) => {
      const payment = await aPendingPayment(database.db, { customerEmail: 'payer@example.com' });
      await step(payment, canceling);
      expect(await recordTransition(database.db, aTransition(payment, failing))).toMatchObject({ kind: 'moved_on' });
      expect(await recordTransition(database.db, aTransition(payment, canceling))).toMatchObject({
        kind: 'already_mine',
      });
      expect(await toldOf(payment)).toEqual([`payment.pending ${endpoint}`, `payment.canceled ${endpoint}`]);
    });
  });

  test('rings the bell of every shard that has something to tell, when it is committed', async () => {
    await withEndpoints([{}, {}], async () => {
      const listener = new pg.Client({ connectionString: database.url });
      await listener.connect();
      try {
        const rung = new Set<string>();
        listener.on('notification', ({ channel, payload }) => rung.add(`${channel} ${payload}`));
        await listener.query('LISTEN deliveries');
        const payment = await aPendingPayment(database.db);
        const shards = new Set((await deliveriesOf(payment)).map(({ shard }) => `deliveries ${shard}`));
        await until('all are rung', () => rung.size >= shards.size);
        expect(rung).toEqual(shards);
      } finally {
        await listener.end();
      }
    });
  });

  test('has one row per receiver, with an id that follows from both', async () => {
    await withEndpoints([{}], async ([endpoint = '']) => {
      const payment = await aPendingPayment(database.db);
      const { rows } = await database.admin.query<{ id: string; event_id: string }>(
        'SELECT id, event_id FROM deliveries WHERE object_id = $1',
        [payment.id],
      );
      expect(rows).toEqual([
        { id: expect.stringMatching(/^dlv_[0-9a-f]{32}$/), event_id: eventIdOf(payment.id, 1, 'payment.pending') },
      ]);
      const twice = database.admin.query(
        `INSERT INTO deliveries (id, merchant_id, is_test, event_id, object_id, channel, receiver, shard, created_at, updated_at)
         SELECT id || 'x', merchant_id, is_test, event_id, object_id, channel, receiver, shard, now(), now()
         FROM deliveries WHERE receiver = $1`,
        [endpoint],
      );
      await expect(twice).rejects.toMatchObject({ code: '23505' });
    });
  });
});

describe('an e-mail to the payer', () => {
  const customerEmail = 'payer@example.com';

  test('is queued for a delay and a capture, and for nothing else that happens on the way', async () => {
    const payment = await delayedAndCaptured({ customerEmail });
    expect(await toldOf(payment)).toEqual([`payment.delayed ${payers}`, `payment.captured ${payers}`]);
    expect(await deliveriesOf(payment)).toMatchObject([
      { channel: 'email', endpoint_id: null, state: 'pending' },
      { channel: 'email', endpoint_id: null, state: 'pending' },
    ]);
  });

  test.each<[string, Partial<Transition>, string[]]>([
    ['a failure', failing, [`payment.failed ${payers}`]],
    ['a cancellation', canceling, []],
  ])('of %s is queued as it should be', async (_, changes, told) => {
    const payment = await aPendingPayment(database.db, { customerEmail });
    await step(payment, changes);
    expect(await toldOf(payment)).toEqual(told);
  });

  test('is not queued for a payment without an address', async () => {
    expect(await toldOf(await delayedAndCaptured({ customerEmail: null }))).toEqual([]);
  });

  test('is not queued for a merchant who wants none, and is again when they want it', async () => {
    await changeMerchantSettings(database.db, merchantId, { payer_emails: false });
    try {
      expect(await toldOf(await delayedAndCaptured({ customerEmail }))).toEqual([]);
    } finally {
      await changeMerchantSettings(database.db, merchantId, { payer_emails: true });
    }
    expect(await toldOf(await delayedAndCaptured({ customerEmail }))).toHaveLength(2);
  });

  test('stands beside the webhooks of the same event', async () => {
    await withEndpoints([{ event_types: ['payment.failed'] }], async ([endpoint]) => {
      const payment = await aPendingPayment(database.db, { customerEmail });
      await step(payment, failing);
      expect(await toldOf(payment)).toEqual([`payment.failed ${payers}`, `payment.failed ${endpoint}`]);
    });
  });
});

describe('an e-mail to whoever pays by subscription', () => {
  /** A customer of `mer_1` in test mode; returns its id. */
  async function aCustomer(columns: { email?: string | null; isTest?: boolean; of?: string } = {}): Promise<string> {
    const { email = 'ada@example.com', isTest = true, of = merchantId } = columns;
    const id = `cus_${randomUUID()}`;
    const data = { id, merchantId: of, isTest, idempotencyKey: id, requestHash: 'h', email };
    await database.db.prisma.customer.create({ data });
    return id;
  }
  const toldAbout = async (id: string) => {
    const { rows } = await database.admin.query<{ told: string }>(
      `SELECT e.type || ' ' || d.receiver AS told FROM deliveries d JOIN events e ON e.id = d.event_id
       WHERE d.object_id = $1 ORDER BY e.sequence, d.channel`,
      [id],
    );
    return rows.map(({ told }) => told);
  };

  test('is queued for a charge that failed and a card that expires, and for nothing else that happens', async () => {
    const customer_id = await aCustomer();
    const subscriptionId = await insertSubscription(database, { customer_id });
    const invoiceId = await insertInvoice(database, { customer_id, subscription_id: subscriptionId });
    for (const word of ['open', 'payment_failed', 'uncollectible', 'void', 'paid'])
      await insertSubscriptionEvent(database, `invoice.${word}`, invoiceId);
    for (const word of ['active', 'past_due', 'declined', 'card_expiring', 'canceled'])
      await insertSubscriptionEvent(database, `subscription.${word}`, subscriptionId);
    expect(await toldAbout(invoiceId)).toEqual([`invoice.payment_failed ${payers}`]);
    expect(await toldAbout(subscriptionId)).toEqual([`subscription.card_expiring ${payers}`]);
  });

  test('is not queued for a customer without an address, of somebody else, or of the merchant’s own text', async () => {
    const customers = [
      await aCustomer({ email: null }),
      await aCustomer({ of: 'mer_2' }),
      await aCustomer({ isTest: false }),
      'ada@example.com',
    ];
    for (const customer_id of customers) {
      const invoiceId = await insertInvoice(database, { customer_id });
      await insertSubscriptionEvent(database, 'invoice.payment_failed', invoiceId);
      expect(await toldAbout(invoiceId)).toEqual([]);
    }
  });

  test('is not queued for a merchant who wants none', async () => {
    const invoiceId = await insertInvoice(database, { customer_id: await aCustomer() });
    await changeMerchantSettings(database.db, merchantId, { payer_emails: false });
    try {
      await insertSubscriptionEvent(database, 'invoice.payment_failed', invoiceId);
    } finally {
      await changeMerchantSettings(database.db, merchantId, { payer_emails: true });
    }
    expect(await toldAbout(invoiceId)).toEqual([]);
  });

  test('is the invoice’s alone: its payment’s failure is not told a second time, its capture is', async () => {
    const subscriptionId = await insertSubscription(database);
    const invoiceId = await insertInvoice(database, { subscription_id: subscriptionId });
    const ofInvoice = { customerEmail: 'ada@example.com', subscriptionId, invoiceId };
    const failed = await aPendingPayment(database.db, ofInvoice);
    await step(failed, failing);
    expect(await toldOf(failed)).toEqual([]);
    expect(await toldOf(await delayedAndCaptured(ofInvoice))).toEqual([
      `payment.delayed ${payers}`,
      `payment.captured ${payers}`,
    ]);
    await closeInvoice(database, invoiceId, 'paid');
  });
});
