import {
  clockMoved,
  getSubscription,
  moveBillingDate,
  retrySubscription,
  type SubscriptionWorkflowInput,
  skipPeriod,
  subscriptionStartOptions,
  subscriptionWorkflowType,
} from '../../workflows/subscription-contract.ts';
import { type Biller, billerOf } from '../support/subscription-call.ts';
import { until } from '../support/until.ts';
import type { TestMerchant, World } from '../support/world.ts';
import { act, finished, type Path } from './steps.ts';

const start = '2027-01-31T10:00:00.000Z';
const half = '2027-02-14T10:00:00.000Z';
const periodEnd = '2027-02-28T10:00:00.000Z';
const good = 'tok_visa_4242';
const declined = 'tok_visa_insufficient_9995';

/** The ways of a subscription. Most go by a test clock; those with timers of their own say so. */
export const subscriptionPaths: Readonly<Record<string, Path>> = {
  'subscription-renewed': async (world) => {
    const { id, advance } = await subscribed(world);
    await advance('2027-03-31T10:00:00.000Z');
    return id;
  },
  'subscription-of-a-trial-with-a-fee': async (world) => {
    const { id, advance } = await subscribed(world, { plan: { trial_days: 14, sign_up_fee: '5.00' } });
    await advance(half);
    return id;
  },
  /** By a timer. */
  'subscription-that-starts-later': async (world) => {
    const { id } = await subscribed(world, { startsInMs: 3_000 });
    return isCalm(world, id, 1);
  },
  'subscription-declined-then-retried-then-paid': async (world) => {
    const { id, advance, setToken } = await subscribed(world, { token: declined });
    await setToken(good);
    await advance('2027-02-01T10:00:00.000Z');
    return id;
  },
  'subscription-unpaid-then-canceled': async (world) => neverPaid(world, await impatientMerchant(world, 'cancel')),
  'subscription-unpaid-then-paused': async (world) => neverPaid(world, await impatientMerchant(world, 'pause')),
  'subscription-unpaid-then-paid': async (world) => {
    const merchant = await impatientMerchant(world, 'unpaid');
    const id = await neverPaid(world, merchant);
    await pays(billerOf(world, merchant), id);
    return id;
  },
  'subscription-paused-and-resumed': async (world) => {
    const { id, advance, call } = await subscribed(world);
    await advance(half);
    await call(id, 'POST', '/pause');
    await advance('2027-03-14T10:00:00.000Z');
    await call(id, 'POST', '/resume');
    await advance('2027-03-31T10:00:00.000Z');
    return id;
  },
  'subscription-paused-until-a-date-and-shifted': async (world) => {
    const { id, advance, call } = await subscribed(world);
    await advance(half);
    await call(id, 'POST', '/pause', { resumes_at: '2027-02-16T10:00:00.000Z', anchor: 'shift' });
    await advance('2027-03-02T10:00:00.000Z');
    return id;
  },
  'subscription-changed-now': async (world) => {
    const { id, advance, call } = await subscribed(world);
    await advance(half);
    await call(id, 'PUT', '', { quantity: 2 });
    await advance(periodEnd);
    return id;
  },
  'subscription-whose-change-was-declined': async (world) => {
    const { id, advance, call, setToken } = await subscribed(world);
    await advance(half);
    await setToken(declined);
    await call(id, 'PUT', '', { quantity: 2 });
    return id;
  },
  'subscription-changed-at-the-period-s-end': async (world) => {
    const { id, advance, call } = await subscribed(world);
    await call(id, 'PUT', '', { quantity: 2, effective: 'period_end' });
    await advance(periodEnd);
    return id;
  },
  'subscription-paid-by-another-method-in-dunning': async (world) => {
    const { id } = await subscribed(world, { token: declined });
    await pays(billerOf(world), id);
    return id;
  },
  'subscription-canceled-with-a-refund': async (world) => {
    const { id, advance, call } = await subscribed(world);
    await advance(half);
    await call(id, 'DELETE', '?refund=unused');
    return finished(world, id);
  },
  'subscription-canceled-at-the-period-s-end': async (world) => {
    const { id, advance, call } = await subscribed(world);
    await call(id, 'DELETE', '?when=period_end');
    await advance(periodEnd);
    return finished(world, id);
  },
  'subscription-completed': async (world) => {
    const { id, advance } = await subscribed(world, { plan: { cycles: 1 } });
    await advance(periodEnd);
    return finished(world, id);
  },
  'subscription-refused': async (world) => {
    const { id: taken, biller } = await subscribed(world);
    const input = { subscriptionId: `${taken}x`, merchantId: biller.merchant.id, isTest: true };
    await world.temporal.workflow.start(subscriptionWorkflowType, optionsOf(input));
    return finished(world, input.subscriptionId);
  },
  'subscription-retried-by-an-operator': async (world) => {
    const { id, settled, setToken } = await subscribed(world, { token: declined });
    await setToken(good);
    await world.temporal.workflow.getHandle(id).executeUpdate(retrySubscription, { args: [act] });
    await settled();
    return id;
  },
  /** By a timer, which the operator's act cancels. */
  'subscription-skipped-by-an-operator': async (world) => {
    const { id } = await subscribed(world, { startsInMs: 3_600_000 });
    await world.temporal.workflow.getHandle(id).executeUpdate(skipPeriod, { args: [act] });
    return id;
  },
  /** By a timer. */
  'subscription-whose-date-an-operator-moved': async (world) => {
    const { id } = await subscribed(world, { startsInMs: 3_600_000 });
    const to = new Date(Date.now() + 2_000).toISOString();
    await world.temporal.workflow.getHandle(id).executeUpdate(moveBillingDate, { args: [{ ...act, to }] });
    return isCalm(world, id, 1);
  },
  'subscription-redriven-by-ids-alone': async (world) => {
    const { id, advance, again } = await subscribed(world);
    await world.temporal.workflow.getHandle(id).terminate('recorded for replay');
    await again();
    await advance(periodEnd);
    return id;
  },
  'subscription-whose-charge-was-found-running': async (world) => {
    const { id, again, advanceOn, settled } = await subscribed(world);
    await world.bank.park({ operation: 'charge', point: 'before_commit' });
    await advanceOn(periodEnd);
    await until('the charge is parked', async () => (await world.bank.parked()).length > 0);
    await world.temporal.workflow.getHandle(id).terminate('recorded for replay');
    await again();
    await until('its row is watched', async () => {
      const { raw } = await world.temporal.workflow.getHandle(id).describe();
      return raw.pendingActivities?.some(({ activityType }) => activityType?.name === 'awaitPayment');
    });
    await world.bank.release();
    await settled();
    return id;
  },
  'subscription-before-it-continued-as-new': async (world) => {
    const { id, runId } = await continued(world);
    return { id, runId };
  },
  'subscription-after-it-continued-as-new': async (world) => {
    const { id, advance } = await continued(world);
    await advance(periodEnd);
    return id;
  },
};

interface Wanted {
  readonly token?: string;
  readonly plan?: Record<string, unknown>;
  readonly biller?: Biller;
  /** By the real time, with a first period that begins so late; else it begins at once, by a clock that stands at `start`. */
  readonly startsInMs?: number;
}

/** Subscribes somebody without a name or an address, and waits until the first charge has ended. */
async function subscribed(
  world: World,
  { token = good, plan = {}, biller = billerOf(world), startsInMs }: Wanted = {},
) {
  const clockId = await biller.clock(start);
  const byClock = { customer_id: await biller.customer(clockId) };
  const { id } = await biller.subscribe({
    plan_id: await biller.plan(plan),
    payment_method: { type: 'credit_card', card_token: token },
    ...(startsInMs === undefined ? byClock : { starts_at: new Date(Date.now() + startsInMs).toISOString() }),
  });
  const settled = () => biller.settled(clockId);
  const input = { subscriptionId: id, merchantId: biller.merchant.id, isTest: true };
  return {
    id,
    biller,
    settled,
    advanceOn: (to: string) => biller.advance(clockId, to),
    advance: async (to: string) => {
      await biller.advance(clockId, to);
      await settled();
    },
    call: async (...asked: Parameters<Biller['act']>) => {
      const answer = await biller.act(...asked);
      if (answer.status >= 300) throw new Error(`answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    },
    /** As if the same card were judged otherwise from now on. */
    setToken: async (next: string) => {
      await world.admin.query(
        `UPDATE subscriptions SET payment_method = jsonb_set(payment_method, '{card_token}', to_jsonb($2::text)) WHERE id = $1`,
        [id, next],
      );
    },
    /** Starts it as the sweep does. */
    again: () => world.temporal.workflow.start(subscriptionWorkflowType, optionsOf(input)),
  };
}

function optionsOf(input: SubscriptionWorkflowInput) {
  const args: [SubscriptionWorkflowInput] = [input];
  return { ...subscriptionStartOptions({ ...input, summary: 'again' }), args };
}

/** A merchant whose ladder has one try, and ends two days after the decline. */
function impatientMerchant(world: World, finalAction: 'cancel' | 'unpaid' | 'pause'): Promise<TestMerchant> {
  return world.createMerchant({ dunning: { retry_days: [1], grace_days: 1, final_action: finalAction } });
}

/** One that nobody pays until its ladder has ended. */
async function neverPaid(world: World, merchant: TestMerchant): Promise<string> {
  const { id, advance } = await subscribed(world, { token: declined, biller: billerOf(world, merchant) });
  await advance('2027-02-02T10:00:00.000Z');
  return id;
}

async function pays(biller: Biller, id: string): Promise<void> {
  const { status } = await biller.act(id, 'PUT', '', { payment_method: { type: 'credit_card', card_token: good } });
  if (status !== 200) throw new Error(`the payment method was not changed: ${status}`);
}

/** Waits until so many periods are billed and its workflow waits again. */
function isCalm(world: World, id: string, cycles: number): Promise<string> {
  return until(`${id} has ${cycles} periods`, async () => {
    const { doing } = await world.temporal.workflow.getHandle(id).query(getSubscription);
    const { rows } = await world.admin.query<{ cycles_billed: number; charge_payment_id: string | null }>(
      'SELECT cycles_billed, charge_payment_id FROM subscriptions WHERE id = $1',
      [id],
    );
    const isBilled = rows[0]?.cycles_billed === cycles && rows[0].charge_payment_id === null;
    return isBilled && doing.startsWith('waiting') ? id : null;
  });
}

/** One that was told of its clock until it went on as a new run; `runId`: of its first run. */
async function continued(world: World) {
  const subscription = await subscribed(world);
  const handle = world.temporal.workflow.getHandle(subscription.id);
  const { runId } = await handle.describe();
  await until(
    'it goes on as a new run',
    async () => {
      await handle.signal(clockMoved);
      return (await handle.describe()).runId !== runId;
    },
    { everyMs: 1 },
  );
  return { ...subscription, runId };
}
