import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { MailSender, PayerMail } from '../../activities/notifications/mail.ts';
import { tell } from '../../activities/notifications/tell.ts';
import type { Telling } from '../../activities/notifications/telling.ts';
import { findDelivery } from '../../prisma/deliveries.ts';
import { changeMerchantSettings, createMerchant } from '../../prisma/merchants.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { deliveryDeps } from '../support/deliveries.ts';
import {
  closeInvoice,
  insertInvoice,
  insertSubscription,
  insertSubscriptionEvent,
} from '../support/subscription-rows.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await startDatabase();
  await createMerchant(database.db, { id: 'mer_1', name: 'Tea & Sons' });
});
afterAll(() => database?.close());

let customerId: string;
beforeEach(async () => {
  customerId = `cus_${randomUUID()}`;
  const of = { merchantId: 'mer_1', isTest: true, idempotencyKey: customerId, requestHash: 'h' };
  await database.db.prisma.customer.create({ data: { id: customerId, ...of, email: 'ada@example.com', name: 'Ada' } });
});

/** What a delivery of this event is told, and the mail that is sent for it; null: none. */
async function toldOf(eventId: string): Promise<{ telling: Telling; mail: PayerMail | null }> {
  let mail: PayerMail | null = null;
  const mails: MailSender = {
    send: async (given) => {
      mail = given;
      return { kind: 'delivered', statusCode: null };
    },
    close: () => undefined,
  };
  const { rows } = await database.admin.query<{ id: string }>('SELECT id FROM deliveries WHERE event_id = $1', [
    eventId,
  ]);
  const delivery = await findDelivery(database.db, rows[0]?.id ?? '');
  if (delivery === null) throw new Error('no mail is queued');
  const telling = await tell(deliveryDeps(database, { mails }), delivery, 1_000);
  return { telling, mail };
}

/** One that is behind with its invoice. */
const overdue = { description: 'Two tins', time_zone: 'Pacific/Auckland' };
const aSubscription = (columns: Readonly<Record<string, unknown>> = {}) =>
  insertSubscription(database, { ...overdue, customer_id: customerId, ...columns });

interface Owed {
  readonly subscriptionId: string;
  readonly invoiceId: string;
}

async function owed(columns: Readonly<Record<string, unknown>> = {}): Promise<Owed> {
  const subscriptionId = await aSubscription();
  const failed = { customer_id: customerId, failure_code: 'limit_exceeded', attempts: 1, ...columns };
  const invoiceId = await insertInvoice(database, { subscription_id: subscriptionId, ...failed });
  await setSubscription(subscriptionId, 'open_invoice_id = $2', invoiceId);
  return { subscriptionId, invoiceId };
}

async function setSubscription(id: string, assignment: string, ...values: readonly unknown[]): Promise<void> {
  await database.admin.query(`UPDATE subscriptions SET version = version + 1, ${assignment} WHERE id = $1`, [
    id,
    ...values,
  ]);
}

const dunning = (nextTryAt: string | null) =>
  JSON.stringify({ step: 0, since: '2026-03-01T10:00:00.000Z', nextTryAt, endsAt: '2026-03-11T12:00:00.000Z' });
const failureOf = ({ invoiceId }: Owed) => insertSubscriptionEvent(database, 'invoice.payment_failed', invoiceId);

describe('the mail of a charge that failed', () => {
  test('says to whom, how much, why, and when the next try is, on the clocks of the subscription', async () => {
    const { telling, mail } = await toldOf(await failureOf(await owed({ next_attempt_at: '2026-03-01T12:00:00Z' })));
    expect(telling).toEqual({ kind: 'delivered', statusCode: null });
    expect(mail).toMatchObject({
      kind: 'invoice-failure',
      to: 'ada@example.com',
      merchantName: 'Tea & Sons',
      amount: '25.99 USD',
      description: 'Two tins',
      correlationId: 'req_1',
      isTest: true,
    });
    expect(mail?.reason).toContain('The card is over its limit.');
    expect(mail?.outlook).toBe('The next try is on 2 March 2026. To pay in another way, please turn to Tea & Sons.');
  });

  test.each([
    ['cancel', 'canceled'],
    ['unpaid', 'stay unpaid'],
    ['pause', 'paused'],
  ] as const)('says until when there is time, and that it will %s otherwise', async (action, word) => {
    await changeMerchantSettings(database.db, 'mer_1', {
      dunning: { retry_days: [1, 3], grace_days: 7, final_action: action },
    });
    const one = await owed();
    await setSubscription(one.subscriptionId, `status = 'past_due', dunning = $2`, dunning(null));
    const { mail } = await toldOf(await failureOf(one));
    expect(mail?.outlook).toMatch(
      /^It will not be tried again in this way\. Please give Tea & Sons another way to pay by 12 March 2026: otherwise your subscription will /,
    );
    expect(mail?.outlook).toContain(word);
  });

  test('says how things stand by now: another try, a pause, an end', async () => {
    const [charged, paused, given, voided] = [await owed(), await owed(), await owed(), await owed()];
    await setSubscription(charged.subscriptionId, `charge_payment_id = 'pay_1'`);
    await setSubscription(paused.subscriptionId, `status = 'paused', paused_at = now()`);
    await closeInvoice(database, voided.invoiceId, 'void');
    const outlooks: (string | undefined)[] = [];
    for (const one of [charged, paused, given, voided])
      outlooks.push((await toldOf(await failureOf(one))).mail?.outlook);
    expect(outlooks).toEqual([
      'Another try is under way.',
      'Your subscription is paused: there is no other try until it goes on.',
      'It will not be tried again in this way. Please give Tea & Sons another way to pay.',
      'It will not be tried again.',
    ]);
  });

  test('is not sent when the invoice is paid by now', async () => {
    const one = await owed();
    const eventId = await failureOf(one);
    await closeInvoice(database, one.invoiceId, 'paid');
    expect(await toldOf(eventId)).toEqual({ telling: { kind: 'skipped', problem: 'the invoice is paid' }, mail: null });
  });

  test('goes to the address as it is when it is sent, and to nobody who was blanked meanwhile', async () => {
    const moved = await failureOf(await owed());
    await database.db.prisma.customer.update({ where: { id: customerId }, data: { email: 'new@example.com' } });
    expect((await toldOf(moved)).mail?.to).toBe('new@example.com');
    await database.db.prisma.customer.update({ where: { id: customerId }, data: { email: null } });
    expect(await toldOf(moved)).toEqual({
      telling: { kind: 'skipped', problem: 'there is nobody to write to' },
      mail: null,
    });
  });
});

describe('the mail of a card that expires', () => {
  const card = { type: 'credit_card', card_token: 'tok_canary', card_exp_month: 3, card_exp_year: 2027 };
  const expiring = (subscriptionId: string) =>
    insertSubscriptionEvent(database, 'subscription.card_expiring', subscriptionId);

  test('says of what subscription, what it costs, and when: nothing else of the card', async () => {
    const { mail } = await toldOf(await expiring(await aSubscription({ payment_method: card })));
    expect(mail).toMatchObject({
      kind: 'card-expiring',
      to: 'ada@example.com',
      amount: '25.99 USD every month',
      outlook: 'It expires at the end of 03/2027.',
    });
    expect(JSON.stringify(mail)).not.toContain('canary');
  });

  test.each<[string, string]>([
    ['was replaced by one of which nobody knows when it expires', `payment_method = payment_method - 'card_exp_month'`],
    ['was replaced by one whose notice is to come', `card_notice_at = '2030-01-01'`],
    ['is not needed any more', `status = 'canceled', ended_at = now()`],
  ])('is not sent when the card %s', async (_, assignment) => {
    const id = await aSubscription({ payment_method: card });
    const eventId = await expiring(id);
    await setSubscription(id, assignment);
    expect(await toldOf(eventId)).toMatchObject({ telling: { kind: 'skipped' }, mail: null });
  });
});
