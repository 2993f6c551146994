import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paymentStartOptions, paymentWorkflowType } from '../../workflows/contract.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import { BrokenInvariant } from '../../workflows/domain/invariant.ts';
import {
  cancelSubscription,
  changeSubscription,
  clockMoved,
  getSubscription,
  moveBillingDate,
  pauseSubscription,
  resumeSubscription,
  retrySubscription,
  type SubscriptionAct,
  skipPeriod,
} from '../../workflows/subscription-contract.ts';
import type { SubscriptionSnapshot } from '../../workflows/subscription-ports.ts';
import { until } from '../support/until.ts';
import { type Engine, startEngine } from './engine.ts';
import type { FakeSubscription, SubscriptionScript } from './fake-subscription.ts';
import { approves } from './provider-steps.ts';
import { gate, type Script } from './script.ts';
import type { SubscriptionUnderTest } from './subscription-under-test.ts';
import { refusalOf } from './workflow-under-test.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(() => engine?.close());

const act = { actor: 'operator:ann', reason: 'the merchant asked' };
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
const dueIn = (ms: number) => ({ step: 'open_period' as const, at: new Date(Date.now() + ms).toISOString() });
const canceled = { status: 'canceled' };

/** A subscription whose workflow waits. */
async function waiting(script: SubscriptionScript = {}): Promise<SubscriptionUnderTest> {
  const subscription = engine.aSubscription(script);
  await subscription.start();
  await isWaiting(subscription);
  return subscription;
}

const doing = async ({ handle }: SubscriptionUnderTest) => (await handle.query(getSubscription)).doing;

const isWaiting = (subscription: SubscriptionUnderTest) =>
  until('it waits', async () => (await doing(subscription)).startsWith('waiting'));

/** A database that is away for the quick tries, and then stands still until the test opens it: others may come meanwhile. */
function heldUp() {
  const { step, open, reached } = gate<unknown, FakeSubscription>(() => undefined);
  return { before: [isAway, isAway, step], open, reached };
}

function isAway(): never {
  throw ApplicationFailure.create({ type: 'database_unavailable', message: 'away', nextRetryDelay: 10 });
}

/** Ends it as a merchant does. */
async function ended(subscription: SubscriptionUnderTest): Promise<void> {
  await subscription.update(cancelSubscription, act);
  expect(await subscription.result()).toEqual(canceled);
}

describe('a subscription that is not accepted', () => {
  const refuses: SubscriptionScript = { accept: () => ({ kind: 'refused', code: 'plan_not_available' }) };

  test('ends with the reason, takes no step, and tells it to who waits', async () => {
    const subscription = engine.aSubscription(refuses);
    expect(await subscription.awaited('outcome')).toEqual({ kind: 'refused', code: 'plan_not_available' });
    expect(await subscription.result()).toEqual({ refused: 'plan_not_available' });
    expect(subscription.fake.asked).toEqual([]);
  });

  test('cannot be acted on', async () => {
    const subscription = engine.aSubscription(refuses);
    const refusal = refusalOf(subscription.startWithUpdate(pauseSubscription, act));
    expect(await refusal).toEqual({ type: 'not_found', message: 'there is no such subscription' });
    expect(subscription.fake.asked).toEqual([]);
  });

  test('is refused to who asks with another body, and stays what it is', async () => {
    const subscription = await waiting();
    expect(await subscription.awaited('accepted', 'another hash')).toEqual({
      kind: 'refused',
      code: 'idempotency_key_reused',
    });
    expect(await subscription.awaited('accepted')).toEqual({ kind: 'stored' });
    await ended(subscription);
  });
});

describe('what is due', () => {
  test('is done when it is due, once, and charged by a payment of its own', async () => {
    const due = dueIn(1_500);
    const { fake, ...subscription } = await waiting({ row: { due } });
    await until('the charge is settled', () => fake.done.includes('settle_charge'));
    const [opened] = fake.askedFor('open_period');
    expect(opened?.at).toBeGreaterThanOrEqual(Date.parse(due.at));
    expect(fake.done).toEqual(['open_period', 'settle_charge']);
    expect(fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
    expect(fake.watched).toEqual([]);
    await ended({ fake, ...subscription });
  });

  test('is done at once where its time is over, and who waits for the outcome is answered when that is known', async () => {
    const { step, open, reached } = gate(approves);
    const subscription = engine.aSubscription({ row: { due: dueIn(-60_000) }, payment: { charge: [step] } });
    const outcome = subscription.awaited('outcome');
    await reached;
    expect(await subscription.awaited('accepted')).toEqual({ kind: 'stored' });
    expect(subscription.fake.done).toEqual(['open_period']);
    open();
    expect(await outcome).toEqual({ kind: 'stored' });
    expect(subscription.fake.done).toEqual(['open_period', 'settle_charge']);
    await ended(subscription);
  });

  test('is not done where the row has moved on meanwhile: the row is read instead', async () => {
    const movesOn = (fake: FakeSubscription) => fake.change({ due: null });
    const { fake, ...subscription } = engine.aSubscription({ row: { due: dueIn(-1) }, before: [movesOn] });
    await subscription.start();
    await isWaiting({ fake, ...subscription });
    expect(fake.done).toEqual([]);
    await ended({ fake, ...subscription });
  });

  test('is done after an outage of the database, however long', async () => {
    const { fake, ...subscription } = engine.aSubscription({
      row: { due: dueIn(-1) },
      before: [isAway, isAway, isAway, isAway, isAway],
    });
    await subscription.start();
    await until('the charge is settled', () => fake.done.includes('settle_charge'));
    expect(fake.askedFor('open_period').map(({ isLocal }) => isLocal)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(fake.payments).toHaveLength(1);
    await ended({ fake, ...subscription });
  });

  test('parks the workflow where a broken invariant is found, which goes on after a fixed deploy', async () => {
    const broken = () => {
      throw ApplicationFailure.nonRetryable(new BrokenInvariant('a test').message, 'broken_invariant');
    };
    const { fake, ...subscription } = engine.aSubscription({ row: { due: dueIn(-1) }, before: [broken] });
    await subscription.start();
    await subscription.historyWith('WORKFLOW_TASK_FAILED');
    await until('the charge is settled', () => fake.done.includes('settle_charge'));
    expect(fake.payments).toHaveLength(1);
    await ended({ fake, ...subscription });
  });
});

describe('somebody’s wish', () => {
  test('is done at once while it waits for what is due in an hour', async () => {
    const subscription = await waiting({ row: { due: dueIn(3_600_000), nextBillingDate: inAnHour() } });
    const { nextBillingDate } = subscription.fake.row;
    expect(await subscription.update(pauseSubscription, act)).toEqual({ status: 'paused', nextBillingDate });
    expect(await subscription.history()).toContain('TIMER_CANCELED');
    expect(subscription.fake.asked).toMatchObject([
      { step: { kind: 'pause', resumesAt: null, anchor: 'keep' }, fromVersion: null, ...act },
    ]);
    await ended(subscription);
  });

  test('is done at once while a charge is on its way, which goes on and is settled once', async () => {
    const { step, open, reached } = gate(approves);
    const subscription = engine.aSubscription({ row: { due: dueIn(-1) }, payment: { charge: [step] } });
    await subscription.start();
    await reached;
    expect(await subscription.update(pauseSubscription, act)).toMatchObject({ status: 'paused' });
    expect(await subscription.refusal(retrySubscription, act)).toEqual({
      type: 'charge_in_progress',
      message: 'A charge is on its way.',
    });
    expect(subscription.fake.done).toEqual(['open_period', 'pause']);
    open();
    await until('the charge is settled', () => subscription.fake.done.includes('settle_charge'));
    expect(subscription.fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
    expect(subscription.fake.watched).toEqual([]);
    await ended(subscription);
  });

  test('to cancel while a charge is on its way is done at once; the workflow ends when the charge has', async () => {
    const { step, open, reached } = gate(approves);
    const subscription = engine.aSubscription({ row: { due: dueIn(-1) }, payment: { charge: [step] } });
    await subscription.start();
    await reached;
    expect(await subscription.update(cancelSubscription, act)).toMatchObject(canceled);
    expect(await subscription.refusal(pauseSubscription, act)).toEqual({
      type: 'subscription_ended',
      message: 'the subscription is canceled',
    });
    open();
    expect(await subscription.result()).toEqual(canceled);
    expect(subscription.fake.done).toEqual(['open_period', 'cancel', 'settle_charge']);
  });

  test('is granted in the order in which they came', async () => {
    const { before, open, reached } = heldUp();
    const subscription = await waiting({ before });
    const { handle } = subscription;
    const begun = [await handle.startUpdate(pauseSubscription, { args: [act], waitForStage: 'ACCEPTED' })];
    await reached;
    for (const update of [resumeSubscription, skipPeriod])
      begun.push(await handle.startUpdate(update, { args: [act], waitForStage: 'ACCEPTED' }));
    open();
    const answers = await Promise.all(begun.map((one) => one.result()));
    expect(answers.map(({ status }) => status)).toEqual(['paused', 'active', 'active']);
    expect(subscription.fake.done).toEqual(['pause', 'resume', 'skip']);
    await ended(subscription);
  });

  test('that is repeated under its key is done once, also by another update', async () => {
    const subscription = await waiting();
    const keyed = { ...act, key: 'key-1' };
    await subscription.update(pauseSubscription, keyed);
    await subscription.update(pauseSubscription, keyed);
    expect(subscription.fake.done).toEqual(['pause']);
    await subscription.update(resumeSubscription, keyed); // another act, though its key is the same
    await subscription.update(pauseSubscription, act);
    await subscription.update(resumeSubscription, act);
    expect(subscription.fake.done).toEqual(['pause', 'resume', 'pause', 'resume']);
    await ended(subscription);
  });

  test('that the rules refuse is refused in their words, and changes nothing', async () => {
    const detail = 'The subscription is unpaid.';
    const { fake, ...subscription } = await waiting({
      rules: { pause: () => ({ code: 'subscription_not_pausable', detail }) },
    });
    expect(await subscription.refusal(pauseSubscription, act)).toEqual({
      type: 'subscription_not_pausable',
      message: detail,
    });
    expect(fake.row.version).toBe(1);
    await ended({ fake, ...subscription });
  });

  test('that came too late is refused as such', async () => {
    const { before, open, reached } = heldUp();
    const subscription = await waiting({ before });
    const { handle } = subscription;
    const canceling = await handle.startUpdate(cancelSubscription, { args: [act], waitForStage: 'ACCEPTED' });
    await reached;
    const late = await handle.startUpdate(pauseSubscription, { args: [act], waitForStage: 'ACCEPTED' });
    open();
    expect(await canceling.result()).toMatchObject(canceled);
    expect(await refusalOf(late.result())).toEqual({
      type: 'subscription_ended',
      message: 'the subscription has ended',
    });
    expect(subscription.fake.done).toEqual(['cancel']);
    expect(await subscription.result()).toEqual(canceled);
  });
});

describe('a charge', () => {
  /** A subscription whose row has a charge on its way, and that charge's workflow, which another run has begun. */
  async function beside(script: SubscriptionScript = {}) {
    const { step, open, reached } = gate(approves);
    const subscription = engine.aSubscription({ payment: { charge: [step] }, ...script });
    const charge = subscription.fake.newCharge();
    subscription.fake.change({ charge });
    const { paymentId, request } = charge;
    const input = { paymentId, merchantId: 'mer_1', isTest: true, request };
    const options = paymentStartOptions({ paymentId, merchantId: 'mer_1', currency: 'USD', summary: 'a charge' });
    const begin = () => engine.client.workflow.start(paymentWorkflowType, { ...options, args: [input] });
    return { subscription, charge, begin, open, reached };
  }

  const isSettled = ({ fake }: SubscriptionUnderTest) =>
    until('the charge is settled', () => fake.row.charge === null && fake.done.includes('settle_charge'));

  test('that is running already is not begun again: its row says how it ends', async () => {
    const { subscription, charge, begin, open, reached } = await beside();
    await begin();
    await reached;
    await subscription.redrive();
    await until('its row is watched', () => subscription.fake.watched.length > 0);
    open();
    await isSettled(subscription);
    expect(subscription.fake.watched[0]).toBe(charge.paymentId);
    expect(subscription.fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
    await ended(subscription);
  });

  test('that has ended already is found so, and nothing is charged again', async () => {
    const { subscription, begin, open } = await beside();
    open();
    await (await begin()).result();
    await subscription.redrive();
    await isSettled(subscription);
    expect(subscription.fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
    await ended(subscription);
  });

  test('whose workflow is terminated is found again when somebody has started that anew', async () => {
    const { subscription, charge, begin, open, reached } = await beside();
    await subscription.start();
    await reached;
    await engine.client.workflow.getHandle(charge.paymentId).terminate('by an operator');
    await until('its row is watched', () => subscription.fake.watched.length > 0);
    open();
    await begin();
    await isSettled(subscription);
    expect(subscription.fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
    await ended(subscription);
  });

  test('whose workflow is terminated is begun anew when nobody else does', async () => {
    const { subscription, charge, open, reached } = await beside({ watch: () => ({ isDecided: false }) });
    await subscription.start();
    await reached;
    await engine.client.workflow.getHandle(charge.paymentId).terminate('by an operator');
    open();
    await isSettled(subscription);
    expect(subscription.fake.watched).toEqual([charge.paymentId]);
    expect(subscription.fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
    await ended(subscription);
  });

  test('goes on after its subscription’s workflow was terminated, and a second run settles it', async () => {
    const { subscription, open, reached } = await beside();
    await subscription.start();
    await reached;
    await subscription.handle.terminate('by an operator');
    await subscription.redrive();
    await until('its row is watched', () => subscription.fake.watched.length > 0);
    open();
    await isSettled(subscription);
    expect(subscription.fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
    await ended(subscription);
  });

  test('that nobody decides for long does not keep it from going on as a new run, which follows it again', async () => {
    let isDecided = false;
    const { subscription, begin, open, reached } = await beside({
      watch: () => ({ isDecided }),
      rules: { settle_charge: () => (isDecided ? { charge: null } : {}) },
    });
    await begin();
    await reached;
    await subscription.redrive();
    const wishes = Array.from({ length: 100 }, (_, index) => index).values();
    const wishing = async () => {
      for (const index of wishes) await subscription.update(skipPeriod, { ...act, key: `key-${index}` });
    };
    await Promise.all([wishing(), wishing(), wishing(), wishing()]);
    await until('it goes on as a new run', () => subscription.fake.accepted.length > 1, { withinMs: 20_000 });
    open();
    isDecided = true;
    await isSettled(subscription);
    expect(subscription.fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
    await ended(subscription);
  });

  test('that another one has followed meanwhile is left, and the new one followed', async () => {
    const subscription = engine.aSubscription({
      row: { due: dueIn(-1) },
      rules: { settle_charge: (fake) => ({ charge: fake.payments.length < 3 ? fake.newCharge() : null }) },
    });
    await subscription.start();
    await isSettled(subscription);
    expect(subscription.fake.payments.map(({ sent }) => sent)).toEqual([[1], [1], [1]]);
    await ended(subscription);
  });
});

describe('what is unused of a canceled subscription', () => {
  /** Canceled, with a paid charge of which a part is to be given back. */
  async function refundable(payments: Script = {}) {
    const subscription = await waiting({ row: { due: dueIn(-1) }, payment: payments });
    const { fake } = subscription;
    await until('it is paid', () => fake.done.includes('settle_charge'));
    const [payment] = fake.payments;
    if (payment === undefined) throw new Error('there is no payment');
    const idempotencyKey = '§inv_1:unused';
    const refundId = movementIdOf('refund', payment.id, idempotencyKey);
    const request = {
      idempotencyKey,
      requestHash: 'inv_1:1000',
      correlationId: 'c',
      actor: `subscription:${fake.id}`,
      origin: 'workflow',
      reason: 'unused',
      amountMinor: '1000',
      captureId: null,
    };
    const due = { refundId, paymentId: payment.id, amountMinor: '1000', currency: 'USD', request };
    fake.change({ refunds: [due] });
    return { subscription, payment, due };
  }

  test('is given back once, before the workflow ends', async () => {
    const { subscription, payment } = await refundable();
    await subscription.update(cancelSubscription, { ...act, refund: 'unused' });
    expect(await subscription.result()).toEqual(canceled);
    expect(subscription.fake.done.slice(-2)).toEqual(['cancel', 'settle_refunds']);
    expect(payment.movements.rows).toMatchObject([{ kind: 'refund', amountMinor: '1000', state: 'succeeded' }]);
    expect(payment.movements.sent).toHaveLength(1);
  });

  test('is as much as is left, where somebody has refunded of the payment before', async () => {
    const { subscription, payment } = await refundable();
    const before = engine.aRefund(payment, { amountMinor: '2099' });
    await before.start();
    await before.result();
    await subscription.update(cancelSubscription, { ...act, refund: 'unused' });
    expect(await subscription.result()).toEqual(canceled);
    expect(payment.movements.rows.map(({ amountMinor }) => amountMinor)).toEqual(['2099', '500']);
    expect(subscription.fake.askedFor('settle_refunds').at(-1)?.step).toMatchObject({ isWhole: true });
  });

  test('is over where all of the payment was refunded before', async () => {
    const { subscription, payment } = await refundable();
    const before = engine.aRefund(payment, {});
    await before.start();
    await before.result();
    await subscription.update(cancelSubscription, { ...act, refund: 'unused' });
    expect(await subscription.result()).toEqual(canceled);
    expect(payment.movements.rows).toHaveLength(1);
    expect(subscription.fake.askedFor('settle_refunds').at(-1)?.step).toMatchObject({ isWhole: true });
  });

  test('that cannot be given back is no refund: the step says so', async () => {
    const refused = () => ({ kind: 'refused', code: 'payment_not_refundable' }) as const;
    const { subscription } = await refundable({ open: [refused] });
    await subscription.update(cancelSubscription, { ...act, refund: 'unused' });
    expect(await subscription.result()).toEqual(canceled);
    expect(subscription.fake.askedFor('settle_refunds').at(-1)?.step).toMatchObject({ isWhole: false });
  });

  test('is given back once where a run before has done it and was terminated', async () => {
    const { subscription, payment, due } = await refundable();
    await subscription.update(cancelSubscription, { ...act, refund: 'unused' });
    expect(await subscription.result()).toEqual(canceled);
    subscription.fake.change({ refunds: [due], isOver: false }); // the step that says so was lost
    await subscription.redrive();
    expect(await subscription.result()).toEqual(canceled);
    expect(payment.movements.sent).toHaveLength(1);
  });
});

describe('a subscription of a test clock', () => {
  const january = '2027-01-01T00:00:00.000Z';
  const february = '2027-02-01T00:00:00.000Z';
  const march = '2027-03-01T00:00:00.000Z';

  test('looks when its clock has moved, and has no timer of its own', async () => {
    const row = { clockNow: january, due: { step: 'open_period' as const, at: february } };
    const { fake, ...subscription } = await waiting({ row });
    await subscription.handle.signal(clockMoved);
    await until('it has looked', () => fake.asked.length === 1);
    expect(fake.asked).toMatchObject([{ step: null, actor: 'workflow' }]);
    expect(fake.done).toEqual([]);
    fake.change({ clockNow: february });
    await subscription.handle.signal(clockMoved);
    await until('the charge is settled', () => fake.done.includes('settle_charge'));
    expect(fake.done).toEqual(['open_period', 'settle_charge']);
    expect(await subscription.history()).not.toContain('TIMER_STARTED');
    await ended({ fake, ...subscription });
  });

  test('goes by its clock, not by the real time', async () => {
    const past = { step: 'open_period' as const, at: '2020-02-01T00:00:00.000Z' };
    const { fake, ...subscription } = await waiting({ row: { clockNow: '2020-01-01T00:00:00.000Z', due: past } });
    expect(await subscription.startWithUpdate(skipPeriod, act)).toMatchObject({ status: 'active' });
    expect(fake.done).toEqual(['skip']);
    await ended({ fake, ...subscription });
  });

  test('looks again when its clock moved while a charge was on its way', async () => {
    const { step, open, reached } = gate(approves);
    const row = { clockNow: january, due: { step: 'open_period' as const, at: january } };
    const { fake, ...subscription } = engine.aSubscription({ row, payment: { charge: [step] } });
    await subscription.start();
    await reached;
    fake.row = { ...fake.row, clockNow: march }; // of the clock: the row's version stays
    await subscription.handle.signal(clockMoved);
    open();
    await until('it has looked', () => fake.asked.some(({ step: asked }) => asked === null));
    expect((await subscription.handle.query(getSubscription)).version).toBe(fake.row.version);
    await ended({ fake, ...subscription });
  });
});

describe('a long life', () => {
  const runIdOf = async ({ handle }: SubscriptionUnderTest) => (await handle.describe()).runId;

  test('goes on as a new run with the ids alone, and no wish is lost or granted twice around it', async () => {
    const subscription = await waiting({ row: { due: dueIn(3_600_000) } });
    const first = await runIdOf(subscription);
    const wishes = Array.from({ length: 130 }, (_, index) => index);
    const rest = wishes.values();
    const wishing = async () => {
      for (const index of rest) await subscription.update(skipPeriod, { ...act, key: `key-${index}` });
    };
    await Promise.all([wishing(), wishing(), wishing(), wishing()]);
    expect(subscription.fake.done).toEqual(wishes.map(() => 'skip'));
    expect(await runIdOf(subscription)).not.toBe(first);
    const { request, ...ids } = subscription.fake.accepted[0] ?? {};
    expect(request).toBeDefined();
    expect(subscription.fake.accepted[1]).toEqual({ ...ids, now: expect.any(String) });
    expect(subscription.fake.accepted[1]).not.toHaveProperty('request');
    await ended(subscription);
  });

  test('keeps what operators find it by', async () => {
    const left = (fake: FakeSubscription) => (fake.done.length < 110 ? dueIn(-60_000) : null);
    const subscription = engine.aSubscription({
      row: { due: dueIn(-60_000) },
      rules: { open_period: (fake) => ({ due: left(fake) }) },
    });
    await subscription.start();
    await until('it goes on as a new run', () => subscription.fake.accepted.length > 1);
    await isWaiting(subscription);
    const { typedSearchAttributes, raw } = await subscription.handle.describe();
    expect(typedSearchAttributes.getAll().map(({ key }) => key.name)).toEqual(
      expect.arrayContaining(['SubscriptionId', 'MerchantId']),
    );
    expect(raw.executionConfig?.defaultWorkflowTaskTimeout?.seconds?.toString()).toBe('5');
    await ended(subscription);
  });

  test('answers who waits for the outcome while it makes up for more periods than a run has', async () => {
    const left = (fake: FakeSubscription) => (fake.done.length < 129 ? dueIn(-60_000) : null);
    const subscription = engine.aSubscription({
      row: { due: dueIn(-60_000) },
      rules: { open_period: (fake) => ({ due: left(fake) }) },
    });
    expect(await subscription.awaited('outcome')).toEqual({ kind: 'stored' });
    expect(subscription.fake.done).toHaveLength(130);
    await ended(subscription);
  });
});

describe('an act is refused', () => {
  let subscription: SubscriptionUnderTest;
  beforeAll(async () => {
    subscription = await waiting();
  });
  afterAll(() => subscription?.handle.terminate('end of the test'));

  const card = ['4242', '4242', '4242', '4242'].join('');
  /** What a person may send whose tool knows no types. */
  const untyped = (value: unknown) => JSON.parse(JSON.stringify(value)) as SubscriptionAct & { to: string };
  const paymentMethod = { type: 'credit_card', cardToken: 'tok_1', expiry: null };

  const allUpdates = [
    pauseSubscription,
    resumeSubscription,
    cancelSubscription,
    changeSubscription,
    retrySubscription,
    skipPeriod,
    moveBillingDate,
  ] as const;

  test.each(allUpdates.map(({ name }, index) => [name, index] as const))(
    '%s of nobody, without a reason, or with a card number in it',
    async (_, index) => {
      const update = allUpdates[index] ?? pauseSubscription;
      const refusalWith = (changes: object) =>
        subscription.refusal(
          update as typeof moveBillingDate,
          untyped({ ...act, to: inAnHour(), quantity: 2, ...changes }),
        );
      expect(await refusalWith({ actor: ' ' })).toEqual({
        type: 'refused',
        message: 'actor is missing: say who acts',
      });
      expect(await refusalWith({ reason: undefined })).toEqual({
        type: 'refused',
        message: 'reason is missing: say why',
      });
      expect(await refusalWith({ reason: 'no\0thing' })).toEqual({
        type: 'refused',
        message: 'the text holds a character that cannot be stored: leave it out',
      });
      expect(await refusalWith({ reason: `paid by ${card}` })).toEqual({
        type: 'refused',
        message: 'the text holds a card number: leave it out',
      });
    },
  );

  test.each<[string, (typeof allUpdates)[number], object, RegExp]>([
    ['a pause until no instant', pauseSubscription, { resumesAt: 'soon' }, /^resumesAt must be an instant/],
    ['a pause until a day', pauseSubscription, { resumesAt: '2027-01-31' }, /^resumesAt must be an instant/],
    [
      'a pause until a time of nowhere',
      pauseSubscription,
      { resumesAt: '2027-01-31T09:00:00' },
      /^resumesAt must be an/,
    ],
    [
      'a pause until a day that is none',
      pauseSubscription,
      { resumesAt: '2027-02-30T09:00:00Z' },
      /^resumesAt must be/,
    ],
    [
      'a pause until a year that is none in UTC',
      pauseSubscription,
      { resumesAt: '9999-12-31T23:59:59-12:00' },
      /^resumesAt must be/,
    ],
    ['a pause until null', pauseSubscription, { resumesAt: null }, /^resumesAt must be an instant/],
    ['a pause with a wrong word', pauseSubscription, { anchor: 'move' }, /^anchor must be one of: keep, shift$/],
    ['a resumption with a wrong word', resumeSubscription, { anchor: 1 }, /^anchor must be one of: keep, shift$/],
    ['an end at no time', cancelSubscription, { when: 'later' }, /^when must be one of: now, period_end$/],
    ['an end with a wrong refund', cancelSubscription, { refund: 'all' }, /^refund must be one of: none, unused$/],
    ['a date that is missing', moveBillingDate, {}, /^to must be an instant such as 2027-01-31T09:00:00Z$/],
    ['a date that is a number', moveBillingDate, { to: 1_800_000_000_000 }, /^to must be an instant/],
    ['a change of nothing', changeSubscription, { effective: 'now' }, /^nothing is to be changed/],
    ['a change at no time', changeSubscription, { quantity: 2, effective: 'x' }, /^effective must be one of/],
    ['a quantity of none', changeSubscription, { quantity: 0 }, /^quantity must be a whole number/],
    ['a quantity in parts', changeSubscription, { quantity: 1.5 }, /^quantity must be a whole number/],
    ['a quantity as a text', changeSubscription, { quantity: '2' }, /^quantity must be a whole number/],
    ['a plan that is no id', changeSubscription, { planId: 'gold' }, /^planId must be a plan’s id/],
    ['a plan that is a number', changeSubscription, { planId: 5 }, /^planId must be a plan’s id/],
    ['a version as a text', changeSubscription, { planVersion: 'two' }, /^planVersion must be a whole number/],
    ['a version in parts', changeSubscription, { planVersion: 1.5 }, /^planVersion must be a whole number/],
    ['an end at the period’s end', changeSubscription, { cancelAtPeriodEnd: true }, /^cancelAtPeriodEnd can only be/],
    ['an end that is a text', changeSubscription, { cancelAtPeriodEnd: 'no' }, /^cancelAtPeriodEnd can only be/],
    ['no payment method', changeSubscription, { paymentMethod: null }, /^paymentMethod must be/],
    [
      'another kind of payment method',
      changeSubscription,
      { paymentMethod: { ...paymentMethod, type: 'cash' } },
      /^paymentMethod.type must be one of: credit_card, paypal$/,
    ],
    [
      'a token that is none',
      changeSubscription,
      { paymentMethod: { ...paymentMethod, cardToken: 'a b' } },
      /^paymentMethod.cardToken must be a token/,
    ],
    [
      'a card number as a token',
      changeSubscription,
      { paymentMethod: { ...paymentMethod, cardToken: card } },
      /^paymentMethod.cardToken is a card number/,
    ],
    [
      'an expiry in no month',
      changeSubscription,
      { paymentMethod: { ...paymentMethod, expiry: { year: 2030, month: 13 } } },
      /^paymentMethod.expiry must be/,
    ],
    [
      'an expiry without a year',
      changeSubscription,
      { paymentMethod: { ...paymentMethod, expiry: { month: 3 } } },
      /^paymentMethod.expiry must be/,
    ],
  ])('that wants %s', async (_, update, changes, message) => {
    const given = untyped({ ...act, ...changes });
    const refusal = await subscription.refusal(update as typeof moveBillingDate, given);
    expect(refusal).toEqual({ type: 'refused', message: expect.stringMatching(message) });
    expect(subscription.fake.asked).toEqual([]);
  });

  test('before it is in the history', async () => {
    expect((await subscription.history()).filter((type) => type.includes('UPDATE'))).toEqual([]);
  });
});

test('canceling the workflow in Temporal stops nothing: ending a subscription is an act of its own', async () => {
  const due = dueIn(1_500);
  const { fake, ...subscription } = await waiting({ row: { due } });
  await subscription.handle.cancel();
  await subscription.historyWith('WORKFLOW_EXECUTION_CANCEL_REQUESTED');
  expect(await subscription.update(skipPeriod, act)).toMatchObject({ status: 'active' });
  await until('what is due is charged', () => fake.done.includes('settle_charge'));
  expect(fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
  await ended({ fake, ...subscription });
});

test('canceling the workflow in Temporal while a charge is on its way neither ends nor repeats that', async () => {
  const { step, open, reached } = gate(approves);
  const { fake, ...subscription } = engine.aSubscription({ row: { due: dueIn(-1) }, payment: { charge: [step] } });
  await subscription.start();
  await reached;
  await subscription.handle.cancel();
  await subscription.historyWith('WORKFLOW_EXECUTION_CANCEL_REQUESTED');
  open();
  await until('the charge is settled', () => fake.done.includes('settle_charge'));
  expect(fake.payments.map(({ sent }) => sent)).toEqual([[1]]);
  await ended({ fake, ...subscription });
});

test('its board shows operators where it stands, without anything personal', async () => {
  const row: Partial<SubscriptionSnapshot> = {
    due: dueIn(3_600_000),
    nextBillingDate: '2027-02-01T00:00:00.000Z',
    lastOutcome: '25.99 USD: paid',
    externalId: 'a`b|c',
  };
  const subscription = await waiting({ row });
  const view = await subscription.handle.query(getSubscription);
  expect(view).toEqual({
    subscriptionId: subscription.fake.id,
    status: 'active',
    doing: 'waiting until open period',
    version: 1,
  });
  const metadata = await subscription.handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  const board = metadata.currentDetails ?? '';
  expect(board).toContain('### 25.99 USD every month · **active**');
  expect(board).toContain('| now | waiting until open period |');
  expect(board).toContain('| last charge | 25.99 USD: paid |');
  expect(board).toContain('`a b c`');
  expect(board).not.toContain('tok_secret_1');
  await ended(subscription);
});
