import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aCard, aChange, aPlan, SubscriptionLife, wishes } from '../../support/subscription-life.ts';

const more = aPlan({ planId: 'pln_more', amountMinor: 6000n });
const less = aPlan({ planId: 'pln_less', amountMinor: 1000n });
const yearly = aPlan({ planId: 'pln_yearly', amountMinor: 30000n, interval: { unit: 'year', count: 1 } });
const others = [more, less, yearly];
const charging = () => new SubscriptionLife({ others }).goOn();
const backOf = ({ made }: SubscriptionLife) => made.reduce((sum, { refundDueMinor }) => sum + refundDueMinor, 0n);

/** At the end of a year's half, a month after a month of something dear was asked for, whose charge is on its way. */
const inMarch = () => {
  const dear = aPlan({ planId: 'pln_dear', amountMinor: 40_000n });
  const year = new SubscriptionLife({ plan: yearly, others: [dear], now: '2026-01-01T00:00:00Z' }).renewed();
  return year
    .at('2026-06-01T00:00:00Z')
    .do(aChange({ planId: dear.planId }))
    .at('2026-07-03T00:00:00Z');
};
const another = aChange({ paymentMethod: aCard('tok_2') });

describe('a pause while a charge is on its way', () => {
  test('that is paid: it is paused, and owes nothing', () => {
    const life = charging().do(wishes.pause).paid();
    expect(life.subscription).toMatchObject({ status: 'paused', openInvoiceId: null, dunning: null });
    expect(life.lastInvoice.status).toBe('paid');
    expect(life.do(wishes.resume).subscription.status).toBe('active');
  });

  test('that is declined: no try is made until it is resumed, with its debt', () => {
    const life = charging().do(wishes.pause).declined();
    expect(life.subscription.status).toBe('paused');
    expect(life.lastInvoice.status).toBe('open');
    expect(() => life.goOn()).toThrow('nothing is due');
    life.at('2026-02-02T10:00:00Z').do(wishes.resume);
    expect(life.subscription.status).toBe('past_due');
    expect(life.goOn().paid().subscription.status).toBe('active');
  });

  test('that ends after it was resumed again: it is active until then', () => {
    const life = charging().do(wishes.pause).do(wishes.resume);
    expect(life.subscription).toMatchObject({ status: 'active', openInvoiceId: expect.any(String) });
    expect(life.declined().subscription.status).toBe('past_due');
  });

  test('that is declined when another card was given: that one is tried when it is resumed', () => {
    const life = charging().do(wishes.pause).do(another).declined('lost_or_stolen_card');
    expect(life.subscription).toMatchObject({ status: 'paused', chargePaymentId: null });
    life.at('2026-02-05T10:00:00Z').do(wishes.resume);
    expect(life.subscription).toMatchObject({ status: 'past_due', dunning: { step: 0 } });
    expect(life.paid().subscription.status).toBe('active');
  });

  test('another card that is given to one that is paused with a debt is tried when it is resumed', () => {
    const life = charging().declined('lost_or_stolen_card').do(wishes.pause).do(another);
    expect(life.subscription.chargePaymentId).toBeNull();
    expect(life.do(wishes.resume).subscription.chargePaymentId).not.toBeNull();
    const later = charging().declined().do({ kind: 'pause', resumesAt: '2026-02-05T10:00:00Z', anchor: 'keep' });
    expect(later.do(another).goOn().paid().subscription.status).toBe('active');
  });
});

describe('a cancellation while a charge is on its way', () => {
  test('that is declined: the invoice is void, and nothing more happens', () => {
    const life = charging().declined().goOn().do(wishes.cancelWithRefund);
    expect(life.subscription).toMatchObject({ status: 'canceled', openInvoiceId: expect.any(String) });
    life.declined();
    expect(life.subscription).toMatchObject({ openInvoiceId: null, chargePaymentId: null, refundsDue: [] });
    expect(life.lastInvoice.status).toBe('void');
  });

  test('that is paid: what was unused at the cancellation is given back, however late the charge was', () => {
    const life = charging().declined().goOn().at('2026-02-14T10:00:00Z').do(wishes.cancelWithRefund);
    life.at('2026-02-20T00:00:00Z').paid();
    expect(life.lastInvoice).toMatchObject({ status: 'paid', refundDueMinor: 1500n });
    expect(life.subscription.refundsDue).toMatchObject([{ amountMinor: '1500' }]);
    expect(life.subscription.status).toBe('canceled');
  });

  test('that is paid: nothing is given back unless it was asked for', () => {
    const life = charging().do(wishes.cancelNow).paid();
    expect(life.subscription).toMatchObject({ status: 'canceled', refundsDue: [], openInvoiceId: null });
  });

  test('of a change: both what was paid before and what is paid then are given back, together what is unused', () => {
    const life = charging()
      .paid()
      .at('2026-02-14T10:00:00Z')
      .do(aChange({ planId: more.planId }));
    life.do(wishes.cancelWithRefund).paid();
    expect(life.subscription.refundsDue.map(({ amountMinor }) => amountMinor)).toEqual(['1500', '1500']);
    expect(life.subscription).toMatchObject({ planId: 'pln_tea', pendingChange: null });
  });

  test('of a change to another length: what the change credited is not given back besides', () => {
    const life = inMarch().do(wishes.cancelWithRefund);
    expect(life.subscription).toMatchObject({ status: 'canceled', cancelRefund: 'unused', refundsDue: [] });
    life.paid();
    expect(backOf(life)).toBe(0n);
    expect(life.made.map(({ status }) => status)).toEqual(['paid', 'paid']);
  });

  test('of a change to another length that is declined: what was paid before is given back as if it had not been asked for', () => {
    const life = inMarch().do(wishes.cancelWithRefund).declined();
    expect(backOf(life)).toBe(14_959n); // 182 of 365 days of 300.00
    expect(life.made.map(({ status }) => status)).toEqual(['paid', 'void']);
    expect(life.subscription).toMatchObject({ refundsDue: [{ amountMinor: '14959' }], openInvoiceId: null });
  });

  test('is given back once: nothing again of what was due back before its charge ended', () => {
    const life = inMarch();
    const [year] = life.made;
    if (year === undefined) throw new Error('the year is billed');
    life.do(wishes.cancelWithRefund);
    life.invoices.set(year.id, { ...year, refundDueMinor: 14_959n });
    life.declined();
    expect(life.subscription.refundsDue).toEqual([]);
    expect(backOf(life)).toBe(14_959n);
  });

  test('at the end of the period waits for it', () => {
    const life = charging().do(wishes.cancelAtPeriodEnd).at('2026-03-03T00:00:00Z');
    expect(() => life.goOn()).toThrow('nothing is due');
    expect(life.paid().goOn().subscription.status).toBe('canceled');
    expect(life.made).toHaveLength(1);
  });
});

describe('a change of plan that races the end of the period', () => {
  const upgrade = () =>
    charging()
      .paid()
      .at('2026-02-28T09:00:00Z')
      .do(aChange({ planId: more.planId }));

  test('asked for in its last hour and paid after it: the next period is the new plan’s', () => {
    const life = upgrade().at('2026-03-02T00:00:00Z').paid();
    expect(life.subscription).toMatchObject({ planId: more.planId, amountMinor: 6000n, pendingChange: null });
    expect(life.goOn().lastInvoice).toMatchObject({ cycle: 2, amountMinor: 6000n });
    expect(life.lastInvoice.periodStart).toEqual(new Date('2026-02-28T10:00:00Z'));
  });

  test('asked for in its last hour and declined: nothing has changed', () => {
    const life = upgrade().at('2026-03-02T00:00:00Z').declined();
    expect(life.lastInvoice).toMatchObject({ reason: 'change', status: 'void' });
    expect(life.subscription).toMatchObject({
      status: 'active',
      planId: 'pln_tea',
      pendingChange: null,
      dunning: null,
    });
    expect(life.goOn().lastInvoice).toMatchObject({ cycle: 2, amountMinor: 3000n });
  });

  test('asked for when it is over and not yet billed: the next period is the new plan’s, and costs nothing before', () => {
    const life = charging()
      .paid()
      .at('2026-02-28T10:00:00Z')
      .do(aChange({ planId: more.planId }));
    expect(life.subscription).toMatchObject({ planId: 'pln_tea', pendingChange: { planId: more.planId } });
    expect(life.goOn().lastInvoice).toMatchObject({ cycle: 2, amountMinor: 6000n });
  });

  test('asked for while the charge of the new period is on its way: it has to wait', () => {
    const life = charging().paid().goOn();
    expect(life.take(aChange({ planId: more.planId }))).toMatchObject({ kind: 'refused', code: 'invoice_open' });
  });

  test('paid while it is paused: it has the new plan when it is resumed', () => {
    const life = charging()
      .paid()
      .at('2026-02-14T10:00:00Z')
      .do(aChange({ planId: yearly.planId }));
    life.do(wishes.pause).paid();
    expect(life.subscription).toMatchObject({ status: 'paused', planId: yearly.planId });
    life.do(wishes.resume);
    expect(life.subscription.nextBillingDate).toEqual(new Date('2027-02-14T10:00:00Z'));
  });
});

describe('another card while a charge is on its way', () => {
  test('that is declined: it is tried at once, without a step of the ladder', () => {
    const life = charging().do(another);
    expect(life.subscription.isPaymentMethodNew).toBe(true);
    const before = life.subscription.chargePaymentId;
    life.declined('lost_or_stolen_card');
    expect(life.subscription).toMatchObject({ isPaymentMethodNew: false, dunning: null, status: 'active' });
    expect(life.subscription.chargePaymentId).not.toBe(before);
    expect(life.lastInvoice).toMatchObject({ attempts: 2, paymentId: life.subscription.chargePaymentId });
    expect(life.paid().subscription).toMatchObject({ status: 'active', openInvoiceId: null });
  });

  test('that is declined, as that card is then: the ladder begins', () => {
    const life = charging().do(another).declined().declined();
    expect(life.subscription).toMatchObject({ status: 'past_due', chargePaymentId: null });
  });

  test('that is paid: it is for the next period', () => {
    const life = charging().do(another).paid();
    expect(life.subscription).toMatchObject({ isPaymentMethodNew: false, paymentMethod: { cardToken: 'tok_2' } });
  });

  test('of a retry: it is tried at once, and the ladder goes on where it was', () => {
    const life = charging().declined().goOn().do(another).declined();
    expect(life.subscription).toMatchObject({ status: 'past_due', dunning: { step: 1 } });
    expect(life.subscription.chargePaymentId).not.toBeNull();
    expect(life.declined().subscription.dunning).toMatchObject({ step: 1, nextTryAt: '2026-02-03T10:00:00.000Z' });
  });

  test('of one that is unpaid: it is tried at once', () => {
    const life = new SubscriptionLife({ dunning: { retryDays: [], finalAction: 'unpaid' } }).goOn().declined().goOn();
    life.do(wishes.retryNow).do(another).declined();
    expect(life.subscription.chargePaymentId).not.toBeNull();
    expect(life.paid().subscription.status).toBe('active');
  });
});

describe('a wish after the final action', () => {
  test('of one that was canceled is refused, and it can be paid no more', () => {
    const life = charging().declined().givenUp();
    for (const wish of [another, wishes.retryNow, wishes.resume]) {
      expect(life.take(wish)).toMatchObject({ kind: 'refused', code: 'subscription_ended' });
    }
  });

  test('of one that was paused: another card is kept for when it is resumed', () => {
    const life = new SubscriptionLife({ dunning: { finalAction: 'pause' } }).goOn().declined().givenUp().do(another);
    expect(life.subscription).toMatchObject({ chargePaymentId: null, paymentMethod: { cardToken: 'tok_2' } });
    expect(life.take(wishes.retryNow)).toMatchObject({ code: 'nothing_to_retry' });
  });
});

const dayMs = 86_400_000;
const intervals = fc.record({
  unit: fc.constantFrom('day', 'week', 'month', 'year'),
  count: fc.integer({ min: 1, max: 40 }),
});
const terms = fc.record({ amountMinor: fc.bigInt({ min: 1n, max: 10n ** 8n }), interval: intervals });
const moments = fc.integer({ min: 0, max: 40 * dayMs });

/** What is charged, what happens while the charge is on its way, and when; each moment is counted from the one before. */
const races = fc.record({
  old: terms,
  next: terms,
  charge: fc.constantFrom('change', 'period'),
  askedMs: moments,
  pause: fc.option(fc.record({ pausedMs: moments, lengthMs: fc.option(moments) })),
  canceledMs: moments,
  byHand: fc.bigInt({ min: 0n, max: 100n }),
});
type Race = typeof races extends fc.Arbitrary<infer One> ? One : never;

/** Up to where the charge is on its way, or, of a change, would be if it had been asked for. */
function beforeCharge({ old, next, charge, askedMs, byHand }: Race, isAsked = true): SubscriptionLife {
  const plan = aPlan({ planId: 'pln_next', ...next });
  const life = new SubscriptionLife({ plan: aPlan(old), others: [plan] }).renewed();
  life.refundedByHand(life.lastInvoice, (life.lastInvoice.amountMinor * byHand) / 100n);
  if (charge === 'period') return life.goOn();
  life.at(new Date(life.now.getTime() + askedMs));
  if (isAsked) life.take(aChange({ planId: plan.planId, effective: 'now' }));
  return life;
}

function canceledAfter(life: SubscriptionLife, { pause, canceledMs }: Race): SubscriptionLife {
  const wait = (ms: number) => life.at(new Date(life.now.getTime() + ms));
  if (pause !== null) wait(pause.pausedMs).do({ ...wishes.pause, anchor: 'shift' });
  if (pause !== null && pause.lengthMs !== null) wait(pause.lengthMs).do(wishes.resume);
  return wait(canceledMs).do(wishes.cancelWithRefund);
}

// A failing property prints its seed and its smallest counterexample.
describe('what a cancellation gives back', () => {
  const runs = { numRuns: 1_000 };

  test('is the same whether a charge was paid before it or is paid afterwards', () => {
    fc.assert(
      fc.property(races, moments, (race, paidMs) => {
        const late = beforeCharge(race);
        fc.pre(late.subscription.chargePaymentId !== null);
        const early = canceledAfter(beforeCharge(race).paid(), race);
        expect(canceledAfter(late, race).subscription.refundsDue).toEqual([]);
        late.at(new Date(late.now.getTime() + paidMs)).paid();
        expect(late.subscription.refundsDue).toEqual(early.subscription.refundsDue);
        expect(backOf(late)).toBe(backOf(early));
      }),
      runs,
    );
  });

  test('is the same whether a change was never asked for or is declined afterwards', () => {
    fc.assert(
      fc.property(races, (given) => {
        const race = { ...given, charge: 'change' } as const;
        const life = beforeCharge(race);
        fc.pre(life.subscription.chargePaymentId !== null);
        const expected = canceledAfter(beforeCharge(race, false), race);
        canceledAfter(life, race).declined();
        expect(life.subscription.refundsDue).toEqual(expected.subscription.refundsDue);
        expect(backOf(life)).toBe(backOf(expected));
      }),
      runs,
    );
  });
});
