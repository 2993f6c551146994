import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createMerchant } from '../../prisma/merchants.ts';
import { withSubscriptionPayer } from '../../prisma/subscription-payer.ts';
import { previewSubscription } from '../../prisma/subscription-preview.ts';
import { stepSubscription } from '../../prisma/subscription-steps.ts';
import { acceptSubscription, claimOverdueSubscriptions } from '../../prisma/subscriptions.ts';
import { BrokenInvariant } from '../../workflows/domain/invariant.ts';
import type { SubscriptionSnapshot } from '../../workflows/subscription-ports.ts';
import { insertTestClock } from '../support/clock-subscription.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { aCard, aChange, wishes } from '../support/subscription-life.ts';
import {
  accepted as acceptedIn,
  aPlan as aPlanIn,
  aStep,
  aSubscription,
  endCharge,
  rowOf,
  scope,
  settled as settledIn,
  start,
  took as tookIn,
  wentOn as wentOnIn,
} from './subscription-world.ts';

let database: TestDatabase;
let planId: string;
beforeAll(async () => {
  database = await startDatabase();
  for (const id of ['mer_1', 'mer_2']) await createMerchant(database.db, { id, name: 'Merchant' });
  planId = await aPlan();
});
afterAll(() => database?.close());

type World<Act> = Act extends (world: TestDatabase, ...rest: infer Rest) => infer Answer
  ? (...rest: Rest) => Answer
  : never;
const aPlan: World<typeof aPlanIn> = (...given) => aPlanIn(database, ...given);
const accepted = (request: Partial<Parameters<typeof acceptedIn>[1]> = {}) =>
  acceptedIn(database, { planId, ...request });
const took: World<typeof tookIn> = (...given) => tookIn(database, ...given);
const wentOn: World<typeof wentOnIn> = (...given) => wentOnIn(database, ...given);
const settled: World<typeof settledIn> = (...given) => settledIn(database, ...given);
const step = (...given: Parameters<typeof aStep>) => stepSubscription(database.db, aStep(...given));
const charging = async (request: Parameters<typeof accepted>[0] = {}) => wentOn(await accepted(request));
const active = async (request: Parameters<typeof accepted>[0] = {}) => settled(await charging(request));
const aWish = (name: string = randomUUID()) => ({ wishId: name });

async function linesOf(sql: string, values: readonly unknown[]): Promise<string[]> {
  const { rows } = await database.admin.query<{ line: string }>(sql, [...values]);
  return rows.map(({ line }) => line);
}
const eventsOf = (id: string) =>
  linesOf(`SELECT sequence || ' ' || type AS line FROM events WHERE object_id = $1 ORDER BY sequence`, [id]);
const invoicesOf = (id: string) =>
  linesOf(
    `SELECT COALESCE(cycle::text, reason) || ' ' || status || ' ' || amount || ' ' || refund_due_amount AS line FROM invoices
     WHERE subscription_id = $1 ORDER BY number`,
    [id],
  );
const invoiceIdsOf = (id: string) =>
  linesOf('SELECT id AS line FROM invoices WHERE subscription_id = $1 ORDER BY number', [id]);
const dueOf = async ({ id }: SubscriptionSnapshot) =>
  (
    await database.admin.query<{ due_step: string | null; due_at: Date | null; wake_at: Date | null }>(
      'SELECT due_step, due_at, wake_at FROM subscriptions WHERE id = $1',
      [id],
    )
  ).rows[0];

/** The merchant refunds so much of a payment, which is on its way still. */
const refundByHand = (paymentId: string, amountMinor: number) =>
  database.admin.query(
    'UPDATE payments SET refund_reserved_amount = refund_reserved_amount + $2, version = version + 1 WHERE id = $1',
    [paymentId, amountMinor],
  );

/** Holds a subscription and its invoices against their events and audit entries: one of each for every version. */
async function expectCoherent({ id, version }: SubscriptionSnapshot): Promise<void> {
  for (const object of [id, ...(await invoiceIdsOf(id))]) {
    const { rows } = await database.admin.query<Record<string, unknown>>(
      `SELECT e.sequence, e.data ->> 'status' AS status, e.correlation_id, count(a.id)::int AS entries, min(a.from_status) AS from_status,
         min(a.to_status) AS to_status, min(a.object_id) AS object_id
       FROM events e LEFT JOIN payment_audit_trail a ON a.event_id = e.id WHERE e.object_id = $1 GROUP BY e.id ORDER BY e.sequence`,
      [object],
    );
    if (object === id) expect(rows).toHaveLength(version);
    expect(rows).toEqual(
      rows.map(({ status }, at) => ({
        sequence: at + 1,
        status,
        correlation_id: 'req_1',
        entries: 1,
        from_status: rows[at - 1]?.['status'] ?? null,
        to_status: status,
        object_id: object,
      })),
    );
    const table = object === id ? 'subscriptions' : 'invoices';
    const [now] = await linesOf(`SELECT version || ' ' || status AS line FROM ${table} WHERE id = $1`, [object]);
    expect(now).toBe(`${rows.length} ${String(rows.at(-1)?.['status'])}`);
  }
}

describe('a step', () => {
  test('writes the row, its invoice, and an event and an audit entry of each', async () => {
    const begun = await accepted();
    const row = await wentOn(begun);
    expect(row).toMatchObject({ version: 2, status: 'active', cyclesBilled: 1, due: null });
    expect(row.charge?.request).toMatchObject({ amountMinor: '2599', currency: 'USD', subscriptionId: row.id });
    expect(await invoicesOf(row.id)).toEqual(['1 open 2599 0']);
    expect(await eventsOf(row.id)).toEqual(['1 subscription.active', '2 subscription.renewed']);
    await expectCoherent(row);
    expect(await took(row, null), 'as it is read again').toEqual(row);
  });

  test('that is taken again, on the row as it was then, changes nothing more', async () => {
    const begun = await accepted();
    const row = await wentOn(begun);
    expect(rowOf(await step(begun, { kind: 'open_period' }))).toEqual(row);
    expect(rowOf(await step(row, { kind: 'open_period' }))).toEqual(row);
    await expectCoherent(row);
  });

  test('that ten take at once is taken once', async () => {
    const begun = await accepted();
    const rows = (await Promise.all(Array.from({ length: 10 }, () => step(begun, { kind: 'open_period' })))).map(rowOf);
    expect(new Set(rows.map(({ version }) => version))).toEqual(new Set([2]));
    expect(new Set(rows.map(({ charge }) => charge?.paymentId)).size).toBe(1);
    expect(await invoicesOf(begun.id)).toHaveLength(1);
    await expectCoherent(rows[0] ?? begun);
  });

  test('is not taken before its time, nor of another merchant’s subscription', async () => {
    const row = await active();
    expect(await took(row, { kind: 'open_period' }, { now: '2026-02-28T09:59:59.999Z' })).toEqual(row);
    await expect(step(row, { kind: 'open_period' }, { merchantId: 'mer_2' })).rejects.toThrow(BrokenInvariant);
  });

  test('goes by the test clock where there is one', async () => {
    const { id: customerId } = await database.db.prisma.customer.create({
      data: {
        id: `cus_${randomUUID()}`,
        merchantId: 'mer_1',
        isTest: true,
        idempotencyKey: randomUUID(),
        requestHash: 'h',
        testClockId: await insertTestClock(database, 'mer_1', { now: '2030-01-01T00:00:00.000Z' }),
        createdAt: new Date(),
        updatedAt: new Date(),
      },
    });
    const row = await settled(await took(await accepted({ customerId }), { kind: 'open_period' }));
    expect(row).toMatchObject({ clockNow: '2030-01-01T00:00:00.000Z', nextBillingDate: '2030-02-01T00:00:00.000Z' });
    expect(await took(row, { kind: 'open_period' }, { now: '2040-01-01T00:00:00.000Z' })).toEqual(row);
  });
});

const suspend = (status: 'suspended' | 'active') =>
  database.admin.query(`UPDATE merchants SET status = $1 WHERE id = 'mer_1'`, [status]);

describe('while its merchant is suspended', () => {
  afterEach(() => suspend('active'));

  test('nothing of a subscription is charged; it is looked at again in an hour, and goes on when the merchant is active', async () => {
    const row = await accepted();
    await suspend('suspended');
    const held = await took(row, { kind: 'open_period' });
    expect(held).toMatchObject({ version: row.version, charge: null });
    expect(Date.parse(held.due?.at ?? '') - Date.parse(start)).toBe(3_600_000);
    await suspend('active');
    expect((await took(row, null)).due).toEqual(row.due);
    expect((await took(row, { kind: 'open_period' })).charge).not.toBeNull();
  });

  test('a charge that is on its way comes to its end, and is not tried again', async () => {
    const row = await charging();
    await suspend('suspended');
    const declined = await settled(row, 'insufficient_funds');
    expect(declined.status).toBe('past_due');
    const now = declined.due?.at ?? '';
    expect(await took(declined, { kind: 'retry_charge' }, { now })).toMatchObject({ charge: null });
    await suspend('active');
    expect((await took(declined, { kind: 'retry_charge' }, { now })).charge).not.toBeNull();
  });

  test('its dunning and its term come to their ends', async () => {
    const leaving = await took(await active(), wishes.cancelAtPeriodEnd, aWish());
    await suspend('suspended');
    const now = leaving.due?.at ?? '';
    expect((await took(leaving, { kind: 'end_term' }, { now })).status).toBe('canceled');
  });
});

describe('a charge', () => {
  test('is settled by what its payment’s row says, once', async () => {
    const row = await charging();
    const paymentId = await endCharge(database, row, 'paid');
    const paid = await took(row, { kind: 'settle_charge', paymentId });
    expect(paid).toMatchObject({ charge: null, lastOutcome: '25.99 USD: paid', due: { step: 'open_period' } });
    expect(await took(paid, { kind: 'settle_charge', paymentId })).toEqual(paid);
    expect(await invoicesOf(row.id)).toEqual(['1 paid 2599 0']);
    const [invoiceId = ''] = await invoiceIdsOf(row.id);
    expect(await eventsOf(invoiceId)).toEqual(['1 invoice.open', '2 invoice.paid']);
    await expectCoherent(paid);
  });

  test.each(['pending', 'requires_action', 'held', 'authorized', 'unresolved'])(
    'whose payment is %s is on its way still',
    async (status) => {
      const row = await charging();
      const paymentId = await endCharge(database, row, 'paid');
      const client = await database.admin.connect();
      await client.query('BEGIN');
      await client.query('SET LOCAL session_replication_role = replica');
      await client.query('UPDATE payments SET status = $2 WHERE id = $1', [paymentId, status]);
      await client.query('COMMIT');
      client.release();
      expect(await took(row, { kind: 'settle_charge', paymentId })).toEqual(row);
    },
  );

  test('that has no payment yet is on its way still', async () => {
    const row = await charging();
    expect(await took(row, { kind: 'settle_charge', paymentId: row.charge?.paymentId ?? '' })).toEqual(row);
  });

  test('that is declined is tried again on the day that the merchant’s ladder says, as another payment', async () => {
    const first = await charging();
    const owing = await settled(first, 'insufficient_funds');
    expect(owing).toMatchObject({ status: 'past_due', due: { step: 'retry_charge', at: '2026-02-01T10:00:00.000Z' } });
    const again = await wentOn(owing);
    expect(again.charge?.paymentId).not.toBe(first.charge?.paymentId);
    const paid = await settled(again);
    expect(paid.status).toBe('active');
    const [invoiceId = ''] = await invoiceIdsOf(paid.id);
    expect(await eventsOf(invoiceId)).toEqual(['1 invoice.open', '2 invoice.payment_failed', '3 invoice.paid']);
    expect(await eventsOf(paid.id)).toEqual([
      '1 subscription.active',
      '2 subscription.renewed',
      '3 subscription.past_due',
      '4 subscription.retried',
      '5 subscription.active',
    ]);
    await expectCoherent(paid);
  });

  test('is the same payment when another card comes meanwhile, which is charged by the next one', async () => {
    const row = await charging();
    const changed = await took(row, aChange({ paymentMethod: aCard('tok_2') }), aWish());
    expect(changed.charge?.paymentId).toBe(row.charge?.paymentId);
    const tried = await settled(changed, 'insufficient_funds');
    expect(tried.charge?.paymentId).not.toBe(row.charge?.paymentId);
    const [invoiceId = ''] = await invoiceIdsOf(row.id);
    const told = await linesOf(
      `SELECT (data ->> 'payment_id') || ' ' || (data ->> 'attempts') AS line FROM events
       WHERE object_id = $1 AND type = 'invoice.payment_failed'`,
      [invoiceId],
    );
    expect(told, 'the event is of the payment that failed').toEqual([`${row.charge?.paymentId} 1`]);
  });
});

test('what a charge is paid with, and whom it is told to, is read where it is accepted, and stands in no history', async () => {
  const row = await charging();
  const { request } = row.charge ?? {};
  if (request === undefined) throw new Error('a subscription that charges has a charge');
  const nothing = { cardToken: '', customerEmail: null, customerName: null };
  expect(request).toMatchObject(nothing);
  expect(JSON.stringify(row)).not.toContain('tok_1');
  const paypal = { ...aCard('tok_paypal_2'), type: 'paypal' as const };
  await took(row, aChange({ paymentMethod: paypal }), aWish());
  const whole = await withSubscriptionPayer(database.db, 'mer_1', request);
  expect(whole).toMatchObject({ paymentMethod: 'paypal', cardToken: 'tok_paypal_2' });
  const { subscriptionId: _none, ...other } = request;
  expect(await withSubscriptionPayer(database.db, 'mer_1', other)).toEqual(other);
  expect(await withSubscriptionPayer(database.db, 'mer_2', request), 'of another merchant').toMatchObject(nothing);
});

describe('a wish', () => {
  test('is granted once by its id, also when others came between', async () => {
    const row = await active();
    const paused = await took(row, wishes.pause, aWish('pause:1'));
    const resumed = await took(paused, wishes.resume, aWish('resume:1'));
    expect(await took(row, wishes.pause, aWish('pause:1'))).toEqual(resumed);
    expect((await took(row, wishes.pause, aWish('pause:2'))).status).toBe('paused');
    const events = ['subscription.paused', 'subscription.active', 'subscription.paused'];
    expect((await eventsOf(row.id)).slice(3)).toEqual(events.map((type, at) => `${at + 4} ${type}`));
  });

  test('that had nothing to change is granted once too: brought again, it takes nothing of what came after it back', async () => {
    const row = await active();
    const stay = aChange({ cancelAtPeriodEnd: false });
    expect((await took(row, stay, aWish('change:stay'))).version).toBe(row.version);
    const leaving = await took(row, wishes.cancelAtPeriodEnd, aWish('cancel:leave'));
    expect(leaving.due?.step).toBe('end_term');
    expect(await took(row, stay, aWish('change:stay'))).toEqual(leaving);
    expect((await took(row, stay, aWish('change:other'))).due?.step).toBe('open_period');
  });

  test('that ten send at once under one id is granted once', async () => {
    const row = await active();
    const more = aChange({ quantity: 3 });
    const rows = await Promise.all(Array.from({ length: 10 }, () => took(row, more, aWish('change:1'))));
    expect(new Set(rows.map(({ version }) => version))).toEqual(new Set([row.version + 1]));
    expect(await invoicesOf(row.id)).toEqual(['1 paid 2599 0', 'change open 5198 0']);
    await expectCoherent(rows[0] ?? row);
  });

  test('and eight others at once are all granted, one after another', async () => {
    const row = await active();
    const cards = Array.from({ length: 8 }, (_, at) => aChange({ paymentMethod: aCard(`tok_${at}`) }));
    const rows = await Promise.all(cards.map((wish) => took(row, wish, aWish())));
    const versions = rows.map(({ version }) => version).toSorted((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 8 }, (_, at) => row.version + 1 + at));
    await expectCoherent(await took(row, null));
  });

  test('and what is due at once: neither is lost', async () => {
    const row = await active();
    const now = row.due?.at ?? '';
    const answers = await Promise.all([
      step(row, { kind: 'open_period' }, { now }),
      step(row, aChange({ paymentMethod: aCard('tok_2') }), { ...aWish(), now }),
    ]);
    const last = await took(row, null);
    const isOpened = last.charge !== null;
    const opened = isOpened ? last : await took(last, { kind: 'open_period' }, { now });
    expect(opened.cyclesBilled).toBe(2);
    expect(opened.charge).not.toBeNull();
    expect(answers.map(({ kind }) => kind)).toEqual(['stepped', 'stepped']);
    await expectCoherent(opened);
  });

  test('that is refused changes nothing, and says why', async () => {
    const row = await charging();
    const answer = await step(row, aChange({ quantity: 2 }), aWish());
    expect(answer).toEqual({ kind: 'refused', code: 'invoice_open', detail: 'An invoice is open.', subscription: row });
    await expectCoherent(row);
  });

  test('for a plan that is not there, archived, or another merchant’s is refused; its own archived plan stays', async () => {
    const row = await active();
    const archived = await aPlan();
    await database.admin.query(`UPDATE plans SET status = 'archived' WHERE id = ANY ($1)`, [[archived, planId]]);
    for (const wish of [{ planId: archived }, { planId: 'pln_none' }, { planVersion: 9 }]) {
      expect(await step(row, aChange(wish), aWish())).toMatchObject({ kind: 'refused', code: 'plan_not_available' });
    }
    expect((await took(row, aChange({ quantity: 2 }), aWish())).charge?.request.amountMinor).toBe('2599');
    await database.admin.query(`UPDATE plans SET status = 'active' WHERE id = $1`, [planId]);
  });

  test('of an operator has its reason in the audit trail; a merchant’s has not', async () => {
    const row = await active();
    await took(row, wishes.pause, { ...aWish(), actor: 'operator:1', reason: 'asked by phone' });
    await took(row, wishes.resume, { ...aWish(), actor: 'api_key:1', reason: 'for Ada' });
    await took(row, wishes.pause, { ...aWish(), actor: 'ann', reason: 'a letter' });
    await took(row, wishes.resume, { ...aWish(), actor: 'user:1', reason: 'for Ada' });
    const details = await linesOf(
      `SELECT action || ' ' || actor || ' ' || details AS line FROM payment_audit_trail WHERE object_id = $1
       ORDER BY created_at, id`,
      [row.id],
    );
    expect(details).toContain('pause_subscription operator:1 {"reason": "asked by phone"}');
    expect(details).toContain('resume_subscription api_key:1 {}');
    expect(details).toContain('pause_subscription ann {"reason": "a letter"}');
    expect(details).toContain('resume_subscription user:1 {}');
  });
});

describe('a change of plan', () => {
  test('that is paid counts, with the new plan’s periods', async () => {
    const yearly = await aPlan({ amountMinor: 25_000n, intervalUnit: 'year' });
    const asked = await took(await active(), aChange({ planId: yearly }), {
      ...aWish(),
      now: '2026-02-14T10:00:00.000Z',
    });
    expect(asked.charge?.request.amountMinor).toBe('23700'); // 250.00 less half of 25.99, which is rounded up
    const row = await settled(asked, 'paid', '2026-02-14T10:00:05.000Z');
    expect(row).toMatchObject({ price: '250.00 USD every year', nextBillingDate: '2027-02-14T10:00:00.000Z' });
    expect(await took(row, null)).toEqual(row);
    await expectCoherent(row);
  });

  test('that waits for the next period is previewed, and is then what was previewed', async () => {
    const less = await aPlan({ amountMinor: 999n });
    const row = await took(await active(), aChange({ planId: less }), aWish());
    const preview = await previewSubscription(database.db, scope, row.id, aChange({}), new Date(start));
    expect(preview).toMatchObject({ kind: 'preview', effective: null, nextInvoice: { amountMinor: 999n } });
    const renewed = await wentOn(row);
    expect(renewed.charge?.request.amountMinor).toBe('999');
    expect(renewed.price).toBe('9.99 USD every month');
    expect(await took(renewed, null, { now: '2026-02-28T10:00:00.000Z' })).toEqual(renewed);
  });

  test('that is declined leaves what was to come with the next period', async () => {
    const [less, more] = [await aPlan({ amountMinor: 999n }), await aPlan({ amountMinor: 9999n })];
    const row = await took(await active(), aChange({ planId: less }), aWish());
    const asked = await took(row, aChange({ planId: more }), aWish());
    const declined = await settled(asked, 'insufficient_funds');
    expect((await wentOn(declined)).charge?.request.amountMinor).toBe('999');
  });

  test('credits nothing of a period that nobody paid, in the preview too', async () => {
    const unpaid = await took(await settled(await charging(), 'insufficient_funds'), { kind: 'skip' }, aWish());
    const now = '2026-02-14T10:00:00.000Z';
    const preview = await previewSubscription(database.db, scope, unpaid.id, aChange({ quantity: 2 }), new Date(now));
    expect(preview).toMatchObject({ invoiceNow: { amountMinor: 2599n, lines: [{ kind: 'proration_charge' }] } });
    const asked = await took(unpaid, aChange({ quantity: 2 }), { ...aWish(), now });
    expect(asked.charge?.request.amountMinor).toBe('2599');
    const paidOne = await previewSubscription(
      database.db,
      scope,
      (await active()).id,
      aChange({ quantity: 2 }),
      new Date(now),
    );
    expect(paidOne).toMatchObject({ invoiceNow: { amountMinor: 1299n } }); // 25.99 less half of it, which is rounded up
  });

  test.each([
    [2599, '5000', ['proration_charge']], // 99.99 for half of the period, and nothing is left of 25.99
    [2000, '4401', ['proration_credit', 'proration_charge']], // 5.99 are
    [1000, '3700', ['proration_credit', 'proration_charge']], // more is left than is unused
  ])('credits nothing that was given back by hand, in the preview too: %d', async (byHand, amount, kinds) => {
    const more = await aPlan({ amountMinor: 9999n });
    const row = await charging();
    const paidRow = await settled(row);
    await refundByHand(row.charge?.paymentId ?? '', byHand);
    const now = '2026-02-14T10:00:00.000Z';
    const preview = await previewSubscription(database.db, scope, row.id, aChange({ planId: more }), new Date(now));
    expect(preview).toMatchObject({
      invoiceNow: { amountMinor: BigInt(amount), lines: kinds.map((kind) => ({ kind })) },
    });
    const asked = await took(paidRow, aChange({ planId: more }), { ...aWish(), now });
    expect(asked.charge?.request.amountMinor).toBe(amount);
  });

  test('is not paid back twice when it is canceled in a later period', async () => {
    const yearly = await aPlan({ amountMinor: 36_500n, intervalUnit: 'year' });
    const monthly = await aPlan({ amountMinor: 40_000n });
    const year = await active({ planId: yearly });
    const asked = await took(year, aChange({ planId: monthly }), { ...aWish(), now: '2026-08-01T10:00:00.000Z' });
    const changed = await settled(asked, 'paid', '2026-08-01T10:00:00.000Z');
    const later = await settled(await wentOn(changed), 'paid', '2026-09-01T10:00:00.000Z');
    const canceled = await took(later, wishes.cancelWithRefund, { ...aWish(), now: '2026-09-16T10:00:00.000Z' });
    expect(canceled.refunds.map(({ amountMinor }) => amountMinor)).toEqual(['20000']);
    expect(await invoicesOf(later.id)).toEqual(['1 paid 36500 0', 'change paid 21700 0', '2 paid 40000 20000']);
    const over = await took(canceled, { kind: 'settle_refunds', isWhole: true });
    expect(over).toMatchObject({ status: 'canceled', refunds: [], isOver: true, due: null });
    await expectCoherent(over);
  });
});

describe('refunds', () => {
  test('after pauses in which time stood still are of what is unused of each invoice', async () => {
    const at = (now: string) => ({ ...aWish(), now });
    const shifts = { ...wishes.pause, anchor: 'shift' } as const;
    const paused = await took(await active(), shifts, at('2026-02-07T10:00:00.000Z')); // 21 days are left of 28
    const resumed = await took(paused, wishes.resume, at('2026-03-07T10:00:00.000Z'));
    const asked = await took(resumed, aChange({ quantity: 2 }), at('2026-03-14T10:00:00.000Z')); // 14 are left
    const changed = await settled(asked, 'paid', '2026-03-14T10:00:00.000Z');
    const again = await took(changed, shifts, at('2026-03-21T10:00:00.000Z')); // 7 are left
    const canceled = await took(again, wishes.cancelWithRefund, at('2026-06-21T10:00:00.000Z'));
    expect(await invoicesOf(canceled.id)).toEqual(['1 paid 2599 1', 'change paid 1299 1299']);
    expect(canceled.refunds.map(({ amountMinor }) => amountMinor)).toEqual(['1299', '1']);
    await expectCoherent(canceled);
  });

  const now = '2026-02-14T10:00:00.000Z';
  const canceledInChange = async (wish: Parameters<typeof aChange>[0]) =>
    took(await took(await active(), aChange(wish), { ...aWish(), now }), wishes.cancelWithRefund, { ...aWish(), now });
  const refundsOf = ({ refunds }: SubscriptionSnapshot) => refunds.map(({ amountMinor }) => amountMinor);

  test('that came to the row meanwhile are not settled with those that were made', async () => {
    const canceled = await canceledInChange({ quantity: 3 });
    const both = await settled(canceled, 'paid', now);
    expect(refundsOf(both)).toEqual(['2599', '1300']);
    expect(await took(canceled, { kind: 'settle_refunds', isWhole: true }, { now })).toEqual(both);
    expect((await took(both, { kind: 'settle_refunds', isWhole: true }, { now })).isOver).toBe(true);
  });

  test('wait for the charge that is on its way: paid, what it credited counts; declined, what was paid before is given back', async () => {
    const yearly = await aPlan({ amountMinor: 36_500n, intervalUnit: 'year' });
    const canceled = await canceledInChange({ planId: yearly });
    expect([canceled.status, canceled.refunds, canceled.isOver]).toEqual(['canceled', [], false]);
    expect(await invoicesOf(canceled.id)).toEqual(['1 paid 2599 0', 'change open 35200 0']);
    const paid = await settled(canceled, 'paid', '2026-03-14T10:00:00.000Z');
    expect(refundsOf(paid)).toEqual(['35200', '1300']);
    expect(await invoicesOf(paid.id)).toEqual(['1 paid 2599 1300', 'change paid 35200 35200']);
    await expectCoherent(paid);
    const declined = await settled(await canceledInChange({ planId: yearly }), 'insufficient_funds', now);
    expect(refundsOf(declined)).toEqual(['1300']);
    expect(await invoicesOf(declined.id)).toEqual(['1 paid 2599 1300', 'change void 35200 0']);
    await expectCoherent(declined);
    expect((await took(declined, { kind: 'settle_refunds', isWhole: true }, { now })).isOver).toBe(true);
  });

  test('are of what is left of a payment, where it was refunded by hand', async () => {
    const row = await charging();
    const paid = await settled(row);
    await refundByHand(row.charge?.paymentId ?? '', 2000);
    const canceled = await took(paid, wishes.cancelWithRefund, { ...aWish(), now });
    expect(refundsOf(canceled)).toEqual(['599']);
    expect(await invoicesOf(canceled.id)).toEqual(['1 paid 2599 599']);
  });
});

describe('amounts', () => {
  test('beyond what a double holds stay exact, in rows, charges and refunds', async () => {
    const amountMinor = 9_007_199_254_740_993n;
    const dear = await aPlan({ amountMinor, signUpFeeMinor: 9_007_199_254_740_995n });
    const row = await charging({ planId: dear, quantity: 3 });
    expect(row.charge?.request.amountMinor).toBe((amountMinor * 4n + 2n).toString());
    const canceled = await took(await settled(row), wishes.cancelWithRefund, aWish());
    expect(canceled.refunds.map((refund) => refund.amountMinor)).toEqual([(amountMinor * 3n).toString()]);
    expect(await invoicesOf(row.id)).toEqual([`1 paid ${amountMinor * 4n + 2n} ${amountMinor * 3n}`]);
    expect(await took(canceled, null)).toEqual(canceled);
  });
});

describe('the numbers of invoices', () => {
  test('follow each other without a gap, whoever is first and whatever is rolled back', async () => {
    const rows = await Promise.all(Array.from({ length: 30 }, () => accepted()));
    const rolledBack = async () => {
      const client = await database.admin.connect();
      await client.query('BEGIN');
      await client.query(`UPDATE invoice_counters SET last_number = last_number + 1 WHERE merchant_id = 'mer_1'`);
      await client.query('ROLLBACK');
      client.release();
    };
    await Promise.all(
      rows.flatMap((row) => [wentOn(row), step(row, { kind: 'open_period' }), wentOn(row), rolledBack()]),
    );
    const { rows: numbers } = await database.admin.query<{ number: string }>(
      `SELECT number FROM invoices WHERE merchant_id = 'mer_1' AND is_test ORDER BY number`,
    );
    expect(numbers.length).toBeGreaterThanOrEqual(30);
    expect(numbers.map(({ number }) => Number(number))).toEqual(numbers.map((_, at) => at + 1));
    const counter = await linesOf(
      `SELECT last_number::text AS line FROM invoice_counters WHERE merchant_id = 'mer_1'`,
      [],
    );
    expect(counter).toEqual([String(numbers.length)]);
  });

  test('begin at 1 for each merchant and mode', async () => {
    const other = await aPlan();
    await database.admin.query(`UPDATE plans SET merchant_id = 'mer_2' WHERE id = $1`, [other]);
    const input = { ...aSubscription({ planId: other }), merchantId: 'mer_2' };
    const answer = await acceptSubscription(database.db, input);
    if (answer.kind !== 'accepted') throw new Error(answer.code);
    await took(answer.subscription, { kind: 'open_period' }, { merchantId: 'mer_2' });
    expect(await linesOf(`SELECT number::text AS line FROM invoices WHERE merchant_id = 'mer_2'`, [])).toEqual(['1']);
  });
});

describe('what the sweep looks for', () => {
  const quietUntil = new Date('2040-01-01T00:00:00.000Z');
  const overdue = async (dueBefore: string) => {
    const claim = { dueBefore: new Date(dueBefore), quietUntil, limit: 1_000 };
    return (await claimOverdueSubscriptions(database.db, claim)).map(({ id }) => id);
  };

  test('is what is due and was not done, or a charge that is long on its way; nothing of one that is over', async () => {
    const row = await active();
    expect(await dueOf(row)).toEqual({
      due_step: 'open_period',
      due_at: new Date('2026-02-28T10:00:00.000Z'),
      wake_at: new Date('2026-02-28T10:00:00.000Z'),
    });
    expect(await overdue('2026-02-28T10:00:00.000Z')).not.toContain(row.id);
    await suspend('suspended');
    expect(await overdue('2026-02-28T10:00:00.001Z'), 'while its merchant is suspended').not.toContain(row.id);
    await suspend('active');
    expect(await overdue('2026-02-28T10:00:00.001Z')).toContain(row.id);
    expect(await overdue('2026-02-28T10:00:00.001Z'), 'a while later').not.toContain(row.id);
    const renewed = await took(row, { kind: 'open_period' }, { now: '2026-02-28T10:00:00.000Z' });
    expect(await dueOf(row)).toEqual({ due_step: null, due_at: null, wake_at: new Date('2026-02-28T10:05:00.000Z') });
    const canceled = await took(await settled(renewed), wishes.cancelNow, aWish());
    expect(await dueOf(canceled)).toEqual({ due_step: null, due_at: null, wake_at: null });
  });
});
