import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { paymentTaskQueue, sweepWorkflowType } from '../../workflows/contract.ts';
import { chargeKeyOf, invoiceIdOf, movementIdOf, paymentIdOf } from '../../workflows/domain/ids.ts';
import {
  cancelSubscription,
  getSubscription,
  pauseSubscription,
  resumeSubscription,
} from '../../workflows/subscription-contract.ts';
import { getPayment } from '../support/api-client.ts';
import { type Hold, holdSubscription } from '../support/hold.ts';
import { expectInvariants } from '../support/invariants.ts';
import { resetOpenToEachPoint, resetToEachPoint } from '../support/resets.ts';
import {
  type Biller,
  billerOf,
  type InvoiceStory,
  invoicesOf,
  type SubscriptionObject,
} from '../support/subscription-call.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
let biller: Biller;
beforeAll(async () => {
  world = await startWorld();
  biller = billerOf(world);
});
afterEach(async () => {
  await world?.bank.heal();
  await world?.bank.release();
});
afterAll(() => world?.close());

const start = '2027-01-31T10:00:00.000Z';
const periodEnd = '2027-02-28T10:00:00.000Z';
const declined = 'tok_visa_insufficient_9995';
const good = 'tok_visa_4242';
const act = { actor: 'operator:ann', reason: 'a race' };

/** The id of the payment that is made for a period of a subscription in this try. */
function chargeOf({ id }: { readonly id: string }, cycle: number, attempt = 1): string {
  const idempotencyKey = chargeKeyOf(invoiceIdOf(id, cycle), attempt);
  return paymentIdOf({ merchantId: biller.merchant.id, isTest: true, idempotencyKey });
}

/** Subscriptions of a plan that go by one clock, which stands at the first day of their first period. */
async function subscribed(count: number, { token = good, plan = {} }: { token?: string; plan?: object } = {}) {
  const clockId = await biller.clock(start);
  const [planId, customerId] = await Promise.all([biller.plan({ ...plan }), biller.customer(clockId)]);
  const paymentMethod = { type: 'credit_card', card_token: token };
  const body = { plan_id: planId, customer_id: customerId, payment_method: paymentMethod };
  const subscriptions = await Promise.all(Array.from({ length: count }, () => biller.subscribe(body)));
  return { clockId, subscriptions };
}

async function advanced(clockId: string, to: string): Promise<void> {
  await biller.advance(clockId, to);
  await biller.settled(clockId);
}

const readAgain = ({ id }: SubscriptionObject) => biller.read(id);
const storyOf = ({ id }: SubscriptionObject) => invoicesOf(world, id);

/**
 * An act on each of several subscriptions, against what becomes due of them all when their clock is advanced: the first two are acted
 * on before that, the last two when all is settled, and the others meanwhile, one after another in two rows.
 */
async function race(
  { clockId, subscriptions }: { clockId: string; subscriptions: readonly SubscriptionObject[] },
  to: string,
  doIt: (subscription: SubscriptionObject) => Promise<unknown>,
): Promise<void> {
  const early = subscriptions.slice(0, 2);
  const late = subscriptions.slice(-2);
  const meanwhile = subscriptions.slice(2, -2).values();
  await Promise.all(early.map(doIt));
  await biller.advance(clockId, to);
  const inTurn = async () => {
    for (const subscription of meanwhile) await doIt(subscription);
  };
  await Promise.all([inTurn(), inTurn()]);
  await biller.settled(clockId);
  await Promise.all(late.map(doIt));
  await biller.settled(clockId);
}

/** That each of them came to an end that is one of these, and that each end was come to. */
function expectEnds<End>(found: readonly End[], ends: readonly End[]): void {
  for (const end of found) expect(ends).toContainEqual(end);
  for (const end of ends) expect(found).toContainEqual(end);
}

type Brief = Pick<InvoiceStory, 'cycle' | 'status' | 'attempts' | 'charged'>;
const paid = (cycle: number, attempts = 1): Brief => ({ cycle, status: 'paid', attempts, charged: 1 });
const briefly = (story: readonly InvoiceStory[]): Brief[] =>
  story.map(({ cycle, status, attempts, charged }) => ({ cycle, status, attempts, charged }));

describe('a race has one end:', () => {
  test('a pause and a due charge: it is paused, and the period was charged once or was never begun', async () => {
    const racing = await subscribed(12);
    await race(racing, periodEnd, async ({ id }) => expect((await biller.act(id, 'POST', '/pause')).status).toBe(200));
    const now = await Promise.all(racing.subscriptions.map(readAgain));
    expect(new Set(now.map(({ status }) => status))).toEqual(new Set(['paused']));
    expect(now.every(({ open_invoice_id }) => open_invoice_id === null)).toBe(true);
    const stories = await Promise.all(racing.subscriptions.map(storyOf));
    expectEnds(stories.map(briefly), [[paid(1)], [paid(1), paid(2)]]);
  });

  test('a cancellation and a retry: it is canceled, and the invoice was paid once or is void', async () => {
    const racing = await subscribed(12, { token: declined });
    await world.admin.query(
      `UPDATE subscriptions SET payment_method = jsonb_set(payment_method, '{card_token}', to_jsonb($2::text))
       WHERE id = ANY ($1)`,
      [racing.subscriptions.filter((_, index) => index % 2 === 0).map(({ id }) => id), good],
    );
    await race(racing, '2027-02-01T10:00:00.000Z', async ({ id }) =>
      expect((await biller.act(id, 'DELETE')).status).toBe(200),
    );
    const now = await Promise.all(racing.subscriptions.map(readAgain));
    expect(new Set(now.map(({ status }) => status))).toEqual(new Set(['canceled']));
    const stories = await Promise.all(racing.subscriptions.map(storyOf));
    const ends = (attempts: number) => [{ cycle: 1, status: 'void', attempts, charged: 0 }];
    expectEnds(stories.map(briefly), [ends(1), ends(2), [paid(1, 2)]]);
    for (const { id } of now) await world.temporal.workflow.getHandle(id).result();
  });

  test('a change of the quantity and a period’s end: the next period is billed for the new one, in whatever parts', async () => {
    const racing = await subscribed(12);
    await advanced(racing.clockId, '2027-02-28T09:59:59.000Z'); // nothing worth a cent is left of the period
    const twice = { quantity: 2, effective: 'now' };
    await race(racing, periodEnd, ({ id }) =>
      until('it is changed', async () => {
        const { status, problem } = await biller.act(id, 'PUT', '', twice).then((answer) => ({
          status: answer.status,
          problem: answer.status >= 400 ? answer.problem.code : null,
        }));
        if (problem !== null) expect(['invoice_open', 'charge_in_progress']).toContain(problem);
        return status === 200;
      }),
    );
    const now = await Promise.all(racing.subscriptions.map(readAgain));
    for (const subscription of now) {
      expect(subscription).toMatchObject({ status: 'active', quantity: 2, cycles_billed: 2, open_invoice_id: null });
    }
    const stories = await Promise.all(racing.subscriptions.map(storyOf));
    expect(stories.flat().every(({ status, charged }) => status === 'paid' && charged === 1)).toBe(true);
    expectEnds(
      stories.map((story) => story.map(({ reason, amount }) => `${reason} ${amount}`)),
      [
        ['period 3100', 'period 6200'],
        ['period 3100', 'period 3100', 'change 3100'],
      ],
    );
  });

  test('another payment method and a retry by the old one: the invoice is paid once, and dunning is over', async () => {
    const racing = await subscribed(12, { token: declined });
    const byAnother = { payment_method: { type: 'credit_card', card_token: good } };
    await race(racing, '2027-02-01T10:00:00.000Z', async ({ id }) =>
      expect((await biller.act(id, 'PUT', '', byAnother)).status).toBe(200),
    );
    const now = await Promise.all(racing.subscriptions.map(readAgain));
    for (const subscription of now) {
      expect(subscription).toMatchObject({ status: 'active', dunning: null, open_invoice_id: null });
    }
    const stories = await Promise.all(racing.subscriptions.map(storyOf));
    expectEnds(stories.map(briefly), [[paid(1, 2)], [paid(1, 3)]]);
  });

  test('twenty pauses and resumptions of one subscription, under ten keys: each key acts once', async () => {
    const { subscriptions } = await subscribed(1);
    const [subscription] = subscriptions;
    if (subscription === undefined) throw new Error('there is none');
    const keys = Array.from({ length: 10 }, (_, index) => `key-${subscription.id}-${index}`);
    const path = (index: number) => (index % 2 === 0 ? '/pause' : '/resume');
    const answers = await Promise.all(
      [...keys, ...keys].map((key, index) => biller.act(subscription.id, 'POST', path(index % 10), {}, key)),
    );
    const { rows } = await world.admin.query<{ from_status: string; to_status: string }>(
      `SELECT a.from_status, a.to_status FROM payment_audit_trail a JOIN events e ON e.id = a.event_id
       WHERE a.object_id = $1 AND a.action IN ('pause_subscription', 'resume_subscription') ORDER BY e.sequence`,
      [subscription.id],
    );
    expect(rows.length).toBeGreaterThanOrEqual(1);
    expect(rows.length).toBeLessThanOrEqual(keys.length);
    const refused = answers.filter(({ status }) => status >= 400).map(({ problem }) => problem.code);
    for (const code of refused) expect(['subscription_not_pausable', 'subscription_not_paused']).toContain(code);
    for (const [index, { from_status, to_status }] of rows.entries()) {
      expect(`${from_status} → ${to_status}`).toBe(index % 2 === 0 ? 'active → paused' : 'paused → active');
    }
  });
});

/** What a subscription leaves behind, in every book. */
async function factsOf(subscription: SubscriptionObject) {
  const { rows } = await world.admin.query<{ line: string }>(
    `SELECT sequence || ' ' || type AS line FROM events
     WHERE object_id = $1 OR object_id IN (SELECT id FROM invoices WHERE subscription_id = $1) ORDER BY position`,
    [subscription.id],
  );
  return {
    subscription: await readAgain(subscription),
    events: rows.map(({ line }) => line),
    story: await storyOf(subscription),
  };
}

/** A subscription that stands between two effects of its second period. */
interface Standing {
  readonly point: string;
  readonly subscription: SubscriptionObject;
  isThere(): Promise<boolean>;
  letGo(): Promise<void>;
}

/** A statement that waits inside the database for less than this goes on waiting for a second (its time-out: 3 s). */
const youngMs = 2_000;

const isParked = async (reference: string) =>
  (await world.bank.parked()).some((parked) => parked.reference === reference);

function heldBy(held: Hold, statement: 'lost' | 'carried out'): Pick<Standing, 'isThere' | 'letGo'> {
  return {
    isThere: async () => (await held.waiting(youngMs)).some((query) => query.includes('UPDATE subscriptions SET')),
    letGo: () => (statement === 'lost' ? held.letGoAlone() : held.letGo()),
  };
}

/** One that was canceled in the middle of its period, whose refund stands at the bank. */
async function refunding() {
  const { clockId, subscriptions } = await subscribed(1);
  const [subscription] = subscriptions;
  if (subscription === undefined) throw new Error('there is none');
  await advanced(clockId, '2027-02-14T10:00:00.000Z');
  const refundId = movementIdOf('refund', chargeOf(subscription, 1), `§${invoiceIdOf(subscription.id, 1)}:unused`);
  await world.bank.park({ operation: 'refund', point: 'after_commit', reference: refundId });
  const handle = world.temporal.workflow.getHandle(subscription.id);
  const { status } = await handle.executeUpdate(cancelSubscription, { args: [{ ...act, refund: 'unused' }] });
  expect(status).toBe('canceled');
  const isThere = () => isParked(refundId);
  await until('the refund is parked', isThere);
  return { point: 'in the refund', subscription, isThere, letGo: () => world.bank.release(refundId) };
}

test('the worker killed before and after each effect of a renewal, and in a refund: each is done once', async () => {
  const { clockId, subscriptions } = await subscribed(6);
  const [first, second, third, fourth, fifth, sixth] = subscriptions;
  if (!(first && second && third && fourth && fifth && sixth)) throw new Error('there are too few');
  const beforeStep = async (subscription: SubscriptionObject, statement: 'lost' | 'carried out') => ({
    point: `before the step that begins the period, its statement ${statement}`,
    subscription,
    ...heldBy(await holdSubscription(world, subscription.id), statement),
  });
  const inTheCall = async (subscription: SubscriptionObject, point: 'before_commit' | 'after_commit') => {
    const reference = chargeOf(subscription, 2);
    await world.bank.park({ operation: 'charge', point, reference });
    const isThere = () => isParked(reference);
    return { point: `in the charge, ${point}`, subscription, isThere, letGo: () => world.bank.release(reference) };
  };
  const beforeSettle = async (subscription: SubscriptionObject, statement: 'lost' | 'carried out') => {
    const inCall = await inTheCall(subscription, 'after_commit');
    return async (): Promise<Standing> => {
      await until('the charge is parked', inCall.isThere);
      const held = heldBy(await holdSubscription(world, subscription.id), statement);
      await inCall.letGo();
      return { ...inCall, point: `before the step that settles the charge, its statement ${statement}`, ...held };
    };
  };
  const standing: Standing[] = [
    await beforeStep(first, 'lost'),
    await beforeStep(second, 'carried out'),
    await inTheCall(third, 'before_commit'),
    await inTheCall(fourth, 'after_commit'),
  ];
  const settling = [await beforeSettle(fifth, 'lost'), await beforeSettle(sixth, 'carried out')];
  const inRefund = await refunding();
  await biller.advance(clockId, periodEnd);
  standing.push(...(await Promise.all(settling.map((stand) => stand()))));
  await until('every subscription stands at its point', async () =>
    (await Promise.all([...standing, inRefund].map((one) => one.isThere()))).every(Boolean),
  );
  await world.worker.kill();
  await Promise.all([...standing, inRefund].map((one) => one.letGo()));
  await world.worker.start();
  await biller.settled(clockId);
  for (const { point, subscription } of standing) {
    expect(briefly(await storyOf(subscription)), point).toEqual([paid(1), paid(2)]);
    expect(await readAgain(subscription), point).toMatchObject({ status: 'active', cycles_billed: 2 });
  }
  const { subscription: refunded } = inRefund;
  expect(await world.temporal.workflow.getHandle(refunded.id).result()).toEqual({ status: 'canceled' });
  expect(await storyOf(refunded)).toMatchObject([{ ...paid(1), amount: 3100, refunded: 1550 }]);
  expect(await resetToEachPoint(world, refunded.id, () => factsOf(refunded))).toBeGreaterThanOrEqual(3);
});

describe('an operator’s', () => {
  test('resets to each workflow task of a subscription of two periods end the same', async () => {
    const { clockId, subscriptions } = await subscribed(1, { plan: { cycles: 2 } });
    const [subscription] = subscriptions;
    if (subscription === undefined) throw new Error('there is none');
    const handle = world.temporal.workflow.getHandle(subscription.id);
    await advanced(clockId, '2027-03-31T10:00:00.000Z');
    expect(await handle.result()).toEqual({ status: 'completed' });
    expect(briefly(await storyOf(subscription))).toEqual([paid(1), paid(2)]);
    const resets = await resetToEachPoint(world, subscription.id, () => factsOf(subscription));
    expect(resets).toBeGreaterThanOrEqual(6);
  });

  test('resets to each workflow task of one that waits for its third period change nothing: that is charged once', async () => {
    const { clockId, subscriptions } = await subscribed(1);
    const [subscription] = subscriptions;
    if (subscription === undefined) throw new Error('there is none');
    const handle = world.temporal.workflow.getHandle(subscription.id);
    await handle.executeUpdate(pauseSubscription, { args: [act] }); // a reset applies both again, under their ids
    const again = handle.executeUpdate(pauseSubscription, { args: [act] });
    await expect(again, 'and what was refused is refused again').rejects.toThrow();
    await handle.executeUpdate(resumeSubscription, { args: [act] });
    await advanced(clockId, periodEnd);
    const facts = await factsOf(subscription);
    const resets = await resetOpenToEachPoint(world, subscription.id, async () => {
      await until('it waits again', async () => (await handle.query(getSubscription)).doing.startsWith('waiting'));
      expect(await factsOf(subscription)).toEqual(facts);
    });
    expect(resets).toBeGreaterThanOrEqual(6);
    await advanced(clockId, '2027-03-31T10:00:00.000Z');
    expect(briefly(await storyOf(subscription))).toEqual([paid(1), paid(2), paid(3)]);
    expect(await readAgain(subscription)).toMatchObject({ status: 'active', cycles_billed: 3 });
  });

  test('termination is made up for by the sweep: what was due meanwhile is charged once', async () => {
    const planId = await biller.plan({ interval: { unit: 'day' } });
    const subscriptions = await Promise.all(Array.from({ length: 4 }, () => biller.subscribe({ plan_id: planId })));
    const ids = subscriptions.map(({ id }) => id);
    for (const id of ids.slice(1)) await world.temporal.workflow.getHandle(id).terminate('an operator’s termination');
    await world.admin.query(
      `UPDATE subscriptions SET anchor = anchor - d, current_period_start = current_period_start - d,
         current_period_end = current_period_end - d, next_billing_date = next_billing_date - d, due_at = due_at - d,
         wake_at = wake_at - d
       FROM (VALUES (interval '1 day 2 minutes')) AS v (d) WHERE id = ANY ($1)`,
      [ids.slice(1)], // a day and two minutes went by
    );
    const sweep = (workflowId: string) =>
      world.temporal.workflow.execute(sweepWorkflowType, { workflowId, taskQueue: paymentTaskQueue });
    await Promise.all([sweep('sweep-a'), sweep('sweep-b')]);
    await until('the second periods are paid', async () => {
      const now = await Promise.all(subscriptions.slice(1).map(readAgain));
      return now.every(({ cycles_billed, open_invoice_id }) => cycles_billed === 2 && open_invoice_id === null);
    });
    await sweep('sweep-c');
    const stories = await Promise.all(subscriptions.map(storyOf));
    expect(stories.map(briefly)).toEqual([[paid(1)], ...ids.slice(1).map(() => [paid(1), paid(2)])]);
  });
});

describe('afterwards', () => {
  test('each payment names its subscription and its invoice, and numbers follow each other without a gap', async () => {
    const { rows } = await world.admin.query<{ id: string; subscription_id: string; invoice_id: string; last: string }>(
      `SELECT p.id, i.subscription_id, i.id AS invoice_id, i.payment_id AS last
       FROM payments p JOIN invoices i ON i.id = p.invoice_id AND i.subscription_id = p.subscription_id`,
    );
    const { rows: counted } = await world.admin.query<{ payments: number; numbers: string; last: string }>(
      `SELECT (SELECT count(*)::int FROM payments) AS payments, (SELECT count(DISTINCT number) FROM invoices) AS numbers,
         (SELECT last_number FROM invoice_counters) AS last`,
    );
    expect(counted).toEqual([{ payments: rows.length, numbers: counted[0]?.last, last: counted[0]?.last }]);
    const [one] = rows;
    if (one === undefined) throw new Error('there is no payment');
    const { payment } = await getPayment(world.apiUrl, one.id, biller.merchant.testKey);
    expect(payment).toMatchObject({
      subscription_id: one.subscription_id,
      invoice_id: one.invoice_id,
      purpose: 'subscription',
    });
  });

  test('each change of a subscription and of an invoice has one event and one audit entry', async () => {
    const { rows } = await world.admin.query<{ id: string; version: number; events: number[]; audited: number[] }>(
      `SELECT o.id, o.version,
         ARRAY(SELECT sequence FROM events e WHERE e.object_id = o.id ORDER BY sequence) AS events,
         ARRAY(SELECT e.sequence FROM payment_audit_trail a JOIN events e ON e.id = a.event_id
           WHERE a.object_id = o.id ORDER BY e.sequence) AS audited
       FROM (SELECT id, version FROM subscriptions UNION ALL SELECT id, version FROM invoices) o`,
    );
    expect(rows.length).toBeGreaterThan(100);
    for (const { id, version, events, audited } of rows) {
      const versions = Array.from({ length: version }, (_, index) => index + 1);
      expect({ id, events, audited }).toEqual({ id, events: versions, audited: versions });
    }
  });

  test('our database, the events, the ledger and the bank’s book agree', async () => {
    await expectInvariants(world);
  });
});
