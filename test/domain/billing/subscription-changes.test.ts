import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { InvoiceDraft } from '../../../workflows/domain/billing/invoicing.ts';
import { unusedPart } from '../../../workflows/domain/billing/proration.ts';
import type { Invoice } from '../../../workflows/domain/billing/subscription.ts';
import type { ChangeWish } from '../../../workflows/domain/billing/subscription-act.ts';
import { aCard, aChange, aPlan, SubscriptionLife, wishes } from '../../support/subscription-life.ts';

const month = { unit: 'month', count: 1 } as const;
const more = aPlan({ planId: 'pln_more', amountMinor: 6000n });
const less = aPlan({ planId: 'pln_less', amountMinor: 1000n });
const same = aPlan({ planId: 'pln_same' });
const newer = aPlan({ version: 2, amountMinor: 4500n });
const twice = aPlan({ planId: 'pln_twice', cycles: 2, amountMinor: 6000n });
const yearly = aPlan({ planId: 'pln_yearly', amountMinor: 36_000n, interval: { unit: 'year', count: 1 } });
const weekly = aPlan({ planId: 'pln_weekly', amountMinor: 900n, interval: { unit: 'week', count: 1 } });
const dear = aPlan({ planId: 'pln_dear', amountMinor: 40_000n, interval: month });
const others = [more, less, same, newer, twice, yearly, weekly, dear];

/** In the middle of its first month, from 31 January to 28 February, which is paid. */
const inFebruary = () => new SubscriptionLife({ others }).renewed().at('2026-02-14T10:00:00Z');
const linesOf = ({ lines }: InvoiceDraft) =>
  lines.map(({ kind, quantity, amountMinor }) => [kind, quantity, amountMinor]);
const daysOf = ({ periodStart, periodEnd }: Invoice | InvoiceDraft) =>
  [periodStart, periodEnd].map((instant) => instant.toISOString().slice(0, 10));
const sumOf = ({ subscription }: SubscriptionLife) =>
  subscription.refundsDue.reduce((sum, { amountMinor }) => sum + BigInt(amountMinor), 0n);

describe('a change that costs more', () => {
  test('is charged at once for the rest of the period, and counts when it is paid', () => {
    const life = inFebruary().do(aChange({ planId: more.planId }));
    expect(life.lastInvoice).toMatchObject({ reason: 'change', cycle: null, amountMinor: 1500n });
    expect(linesOf(life.lastInvoice)).toEqual([
      ['proration_credit', 1, '-1500'],
      ['proration_charge', 1, '3000'],
    ]);
    expect(daysOf(life.lastInvoice)).toEqual(['2026-02-14', '2026-02-28']);
    expect(life.subscription).toMatchObject({ planId: 'pln_tea', amountMinor: 3000n });
    life.paid();
    expect(life.subscription).toMatchObject({ planId: more.planId, amountMinor: 6000n, pendingChange: null });
    expect(life.goOn().lastInvoice).toMatchObject({ cycle: 2, amountMinor: 6000n });
    expect(daysOf(life.lastInvoice)).toEqual(['2026-02-28', '2026-03-31']);
  });

  test('that is declined leaves everything as it was, and no debt', () => {
    const life = inFebruary();
    const before = life.subscription;
    life.do(aChange({ planId: more.planId })).declined();
    expect(life.subscription).toEqual({ ...before, lastOutcome: '15.00 USD: insufficient_funds' });
    expect(life.lastInvoice).toMatchObject({ status: 'void', failureCode: 'insufficient_funds' });
  });

  test('can be a newer version of its own plan, or more of the same', () => {
    const version = inFebruary()
      .do(aChange({ planVersion: 2 }))
      .paid();
    expect(version.subscription).toMatchObject({ planVersion: 2, amountMinor: 4500n });
    expect(version.lastInvoice.amountMinor).toBe(750n);
    const quantity = inFebruary()
      .do(aChange({ quantity: 3 }))
      .paid();
    expect(quantity.subscription).toMatchObject({ quantity: 3, amountMinor: 9000n });
    expect(linesOf(quantity.lastInvoice)).toEqual([
      ['proration_credit', 1, '-1500'],
      ['proration_charge', 3, '4500'],
    ]);
  });

  test('can wait for the next period, which begins with it', () => {
    const life = inFebruary().do(aChange({ planId: more.planId, effective: 'period_end' }));
    expect(life.subscription).toMatchObject({
      planId: 'pln_tea',
      pendingChange: { planId: more.planId, invoiceId: null },
    });
    life.goOn();
    expect(life.subscription).toMatchObject({ planId: more.planId, pendingChange: null, amountMinor: 6000n });
    expect(life.lastInvoice).toMatchObject({ cycle: 2, amountMinor: 6000n });
  });

  test('comes with another card, which pays it', () => {
    const life = inFebruary().do(aChange({ planId: more.planId, paymentMethod: aCard('tok_2') }));
    expect(life.subscription).toMatchObject({ paymentMethod: { cardToken: 'tok_2' }, isPaymentMethodNew: false });
  });

  test('that is declined leaves what was to come with the next period', () => {
    const life = inFebruary().do(aChange({ planId: less.planId }));
    const { pendingChange } = life.subscription;
    life.do(aChange({ planId: more.planId })).declined();
    expect(life.subscription.pendingChange).toEqual(pendingChange);
    expect(life.goOn().lastInvoice).toMatchObject({ cycle: 2, amountMinor: 1000n });
    expect(life.subscription).toMatchObject({ planId: less.planId, pendingChange: null });
  });

  test('that is paid takes the place of what was to come with the next period', () => {
    const life = inFebruary()
      .do(aChange({ planId: less.planId }))
      .do(aChange({ planId: more.planId }))
      .paid();
    expect(life.subscription.pendingChange).toBeNull();
    expect(life.goOn().lastInvoice).toMatchObject({ cycle: 2, amountMinor: 6000n });
  });

  test('is prorated after a pause as if time had stood still', () => {
    const life = inFebruary().do(wishes.pause).at('2026-06-14T10:00:00Z');
    life.do({ kind: 'resume', anchor: 'shift' }).do(aChange({ planId: more.planId }));
    expect(life.lastInvoice.amountMinor).toBe(1500n);
    expect(daysOf(life.lastInvoice)).toEqual(['2026-06-14', '2026-06-28']);
  });
});

describe('a change that costs less', () => {
  test('comes with the next period, at its price', () => {
    const life = inFebruary().do(aChange({ planId: less.planId }));
    expect(life.made).toHaveLength(1);
    expect(life.goOn().lastInvoice).toMatchObject({ cycle: 2, amountMinor: 1000n });
    expect(life.subscription).toMatchObject({ planId: less.planId, pendingChange: null });
  });

  test('now is refused, with what to do instead', () => {
    const result = inFebruary().take(aChange({ planId: less.planId, effective: 'now' }));
    expect(result).toMatchObject({
      kind: 'refused',
      code: 'change_refused',
      detail: expect.stringContaining('period_end'),
    });
  });

  test('is taken back by a change to what it has', () => {
    const life = inFebruary()
      .do(aChange({ planId: less.planId }))
      .do(aChange({ planId: 'pln_tea', planVersion: 1 }));
    expect(life.subscription.pendingChange).toBeNull();
    expect(life.goOn().lastInvoice.amountMinor).toBe(3000n);
  });
});

describe('what a change credits', () => {
  const givenUp = () => new SubscriptionLife({ others, dunning: { finalAction: 'pause' } }).goOn().declined().givenUp();
  const amountsOf = ({ lines }: Invoice) => lines.map(({ kind, amountMinor }) => [kind, amountMinor]);

  test('is nothing of a period whose invoice was given up', () => {
    const life = givenUp().do(wishes.resume).at('2026-02-14T10:00:00Z');
    life.do(aChange({ planId: more.planId })).paid();
    expect(amountsOf(life.lastInvoice)).toEqual([['proration_charge', '3000']]);
    life.at('2026-02-21T10:00:00Z').do(wishes.cancelWithRefund);
    expect(sumOf(life)).toBe(1500n);
  });

  test('is nothing of a period that an operator did not have billed, also for a period of another length', () => {
    const life = new SubscriptionLife({ others }).goOn().declined().do(wishes.skip).at('2026-02-14T10:00:00Z');
    life.do(aChange({ planId: yearly.planId }));
    expect(amountsOf(life.lastInvoice)).toEqual([['proration_charge', '36000']]);
  });

  test('is what was paid, of a period that lasts longer than what was paid for', () => {
    const life = inFebruary().do(wishes.skip);
    life.do(aChange({ planId: more.planId })).paid();
    expect(amountsOf(life.lastInvoice)).toEqual([
      ['proration_credit', '-1500'],
      ['proration_charge', ((6000n * 45n) / 59n).toString()],
    ]);
    life.at('2026-03-03T10:00:00Z').do(wishes.cancelWithRefund);
    expect(sumOf(life)).toBe((6000n * 28n) / 59n);
  });

  test('does not make dearer what costs less or as much: it comes with the next period, or for nothing', () => {
    const life = givenUp().do(wishes.resume).at('2026-02-14T10:00:00Z');
    expect(life.take(aChange({ planId: less.planId, effective: 'now' }))).toMatchObject({ code: 'change_refused' });
    expect(life.do(aChange({ planId: same.planId })).subscription).toMatchObject({ planId: same.planId });
    expect(life.do(aChange({ planId: less.planId })).subscription).toMatchObject({
      planId: same.planId,
      pendingChange: { planId: less.planId },
    });
    expect(life.made).toHaveLength(1);
  });
});

describe('what was given back by hand', () => {
  const lines = ({ lastInvoice }: SubscriptionLife) =>
    linesOf(lastInvoice).map(([, , amountMinor]) => Number(amountMinor));
  const upgraded = (byHand: bigint) => {
    const life = inFebruary();
    life.refundedByHand(life.lastInvoice, byHand);
    return life.do(aChange({ planId: more.planId })).paid();
  };
  const backAt = (life: SubscriptionLife, now: string) => sumOf(life.at(now).do(wishes.cancelWithRefund));

  test('is not credited: in full, and in part as far as it is more than what was used', () => {
    expect(lines(upgraded(3000n))).toEqual([3000]);
    expect(lines(upgraded(2400n))).toEqual([-600, 3000]);
    expect(lines(upgraded(1500n))).toEqual([-1500, 3000]);
  });

  test('is not given back again with what the change paid for', () => {
    for (const byHand of [3000n, 2400n, 1500n, 0n]) {
      expect(backAt(upgraded(byHand), '2026-02-14T10:00:00Z')).toBe(3000n);
      expect(backAt(upgraded(byHand), '2026-02-21T10:00:00Z')).toBe(1500n);
    }
  });

  test('of what the change paid for is left out too, and no more', () => {
    const life = upgraded(0n);
    life.refundedByHand(life.lastInvoice, 1500n).at('2026-02-21T10:00:00Z');
    expect(sumOf(life.do(wishes.cancelWithRefund))).toBe(1500n);
    for (const { refundDueMinor } of life.made) expect([0n, 1500n]).toContain(refundDueMinor);
    expect(life.lastInvoice.refundDueMinor).toBe(0n);
  });

  const parts = fc.bigInt({ min: 0n, max: 1_000n });
  const moments = fc.integer({ min: 0, max: 28 * 24 * 3_600_000 });

  // A failing property prints its seed and its smallest counterexample.
  test('whenever and however much: a cancellation gives back the unused part of what is paid for now', () => {
    fc.assert(
      fc.property(parts, moments, moments, fc.constantFrom(more, yearly, dear), (byHand, askedMs, waitMs, plan) => {
        const life = new SubscriptionLife({ others }).renewed();
        const first = life.lastInvoice;
        life.refundedByHand(first, (first.amountMinor * byHand) / 1_000n);
        const asked = new Date(life.now.getTime() + Math.min(askedMs, 28 * 24 * 3_600_000 - 1));
        life.at(asked).take(aChange({ planId: plan.planId }));
        fc.pre(life.subscription.chargePaymentId !== null);
        const left = first.amountMinor - (first.amountMinor * byHand) / 1_000n;
        const [charge, credit] = life.lastInvoice.lines.toReversed();
        expect(-BigInt(credit?.amountMinor ?? 0) <= left).toBe(true);
        const now = new Date(asked.getTime() + waitMs);
        life.paid().at(now).do(wishes.cancelWithRefund);
        const { start, end } = charge?.period ?? { start: '', end: '' };
        const span = { start: new Date(start), end: new Date(end) };
        const expected = unusedPart(BigInt(charge?.amountMinor ?? 0), span, now);
        expect(Math.abs(Number(sumOf(life) - expected)), 'within what is rounded').toBeLessThanOrEqual(2);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a change that costs nothing', () => {
  test.each(['now', null] as const)('counts at once where the price is the same: %s', (effective) => {
    const life = inFebruary().do(aChange({ planId: same.planId, effective }));
    expect(life.subscription).toMatchObject({ planId: same.planId, pendingChange: null });
    expect(life.made).toHaveLength(1);
  });

  test.each([more, less, yearly, weekly])('counts at once during a trial: $planId', (plan) => {
    const life = new SubscriptionLife({ others, trialEnd: '2026-02-14T10:00:00Z' }).do(
      aChange({ planId: plan.planId }),
    );
    expect(life.subscription).toMatchObject({ status: 'trialing', planId: plan.planId, amountMinor: plan.amountMinor });
    expect(life.subscription.nextBillingDate).toEqual(new Date('2026-02-14T10:00:00Z'));
    expect(life.renewed().lastInvoice).toMatchObject({ cycle: 1, amountMinor: plan.amountMinor });
    expect(life.lastInvoice.periodStart).toEqual(new Date('2026-02-14T10:00:00Z'));
  });

  test('to periods of another length, in a trial of which a period was skipped: they begin when the trial ends', () => {
    const life = new SubscriptionLife({ others, trialEnd: '2026-02-14T10:00:00Z' }).do(wishes.skip);
    life.do(aChange({ planId: weekly.planId })).renewed(2);
    expect(life.made.map(daysOf)).toEqual([
      ['2026-03-14', '2026-03-21'],
      ['2026-03-21', '2026-03-28'],
    ]);
  });
});

describe('a change to periods of another length', () => {
  test('begins a whole one when it is asked for, less what is unused of the old', () => {
    const life = inFebruary().do(aChange({ planId: yearly.planId }));
    expect(linesOf(life.lastInvoice)).toEqual([
      ['proration_credit', 1, '-1500'],
      ['proration_charge', 1, '36000'],
    ]);
    life.at('2026-02-14T11:00:00Z').paid();
    expect(daysOf(life.lastInvoice)).toEqual(['2026-02-14', '2027-02-14']);
    expect(life.subscription).toMatchObject({
      currentPeriodStart: new Date('2026-02-14T10:00:00Z'),
      currentPeriodEnd: new Date('2027-02-14T10:00:00Z'),
      nextBillingDate: new Date('2027-02-14T10:00:00Z'),
      cyclesBilled: 1,
    });
    expect(daysOf(life.goOn().lastInvoice)).toEqual(['2027-02-14', '2028-02-14']);
  });

  test('asks for a whole one, also where it ends with the old one', () => {
    const fortnightly = aPlan({ planId: 'pln_fortnightly', amountMinor: 4000n, interval: { unit: 'week', count: 2 } });
    const life = new SubscriptionLife({ others: [fortnightly] }).renewed().at('2026-02-14T10:00:00Z');
    life.do(aChange({ planId: fortnightly.planId }));
    expect(linesOf(life.lastInvoice)).toEqual([
      ['proration_credit', 1, '-1500'],
      ['proration_charge', 1, '4000'],
    ]);
    expect(daysOf(life.lastInvoice)).toEqual(['2026-02-14', '2026-02-28']);
  });

  test('at the end of the period counts them from there', () => {
    const life = inFebruary()
      .do(aChange({ planId: weekly.planId, effective: 'period_end' }))
      .renewed(2);
    expect(life.made.slice(1).map(daysOf)).toEqual([
      ['2026-02-28', '2026-03-07'],
      ['2026-03-07', '2026-03-14'],
    ]);
  });

  test('is not paid back twice: neither at once nor when the first of them is over', () => {
    const year = new SubscriptionLife({ plan: yearly, others }).renewed().at('2026-08-01T10:00:00Z');
    const credit = (36_000n * 183n) / 365n;
    const life = year.do(aChange({ planId: dear.planId })).paid();
    const lastly = life.subscription;
    expect(life.lastInvoice.lines[0]?.amountMinor).toBe((-credit).toString());
    life.do(wishes.cancelWithRefund);
    expect(sumOf(life)).toBe(40_000n);
    life.subscription = lastly;
    life.renewed().at('2026-09-16T10:00:00Z').do(wishes.cancelWithRefund);
    expect(sumOf(life)).toBe(20_000n);
  });

  test('shorter ones: what a cancellation gives back is the unused part of what is paid for now', () => {
    const life = new SubscriptionLife({ plan: yearly, others }).renewed().at('2026-08-01T10:00:00Z');
    life
      .do(aChange({ planId: dear.planId }))
      .paid()
      .at('2026-08-17T10:00:00Z')
      .do(wishes.cancelWithRefund);
    expect(sumOf(life)).toBe((40_000n * 15n) / 31n + 1n);
    for (const { refundDueMinor, amountMinor } of life.made) expect(refundDueMinor <= amountMinor).toBe(true);
  });
});

describe('a change to periods of another length that costs exactly what is unused of the old', () => {
  const asDear = [
    aPlan({ ...weekly, amountMinor: 1500n }),
    aPlan({ planId: 'pln_other', amountMinor: 1500n, interval: { unit: 'day', count: 30 } }),
    aPlan({ ...yearly, amountMinor: 3000n }),
  ];
  const given = [
    ['a week, at half of the month', asDear[0], '2026-02-14T10:00:00Z'],
    ['30 days, at half of the month', asDear[1], '2026-02-14T10:00:00Z'],
    ['a year, in the first minutes', asDear[2], '2026-01-31T10:03:00Z'],
  ] as const;
  const begun = (now: string) => new SubscriptionLife({ others: asDear }).renewed().at(now);

  test.each(given)('comes with the next period, which is billed: %s', (_, plan, now) => {
    const life = begun(now).do(aChange({ planId: plan?.planId ?? '' }));
    expect(life.made).toHaveLength(1);
    expect(life.subscription).toMatchObject({ planId: 'pln_tea', pendingChange: { planId: plan?.planId } });
    expect(life.subscription.currentPeriodEnd).toEqual(new Date('2026-02-28T10:00:00Z'));
    const next = life.goOn().lastInvoice;
    expect(next).toMatchObject({ cycle: 2, amountMinor: plan?.amountMinor, lines: [{ kind: 'plan' }] });
    expect(next.periodStart).toEqual(new Date('2026-02-28T10:00:00Z'));
  });

  test.each(given)('is not to be had now: %s', (_, plan, now) => {
    const life = begun(now);
    const wish = aChange({ planId: plan?.planId ?? '', effective: 'now' });
    const result = life.take(wish);
    expect(result).toMatchObject({
      code: 'change_refused',
      detail: expect.stringMatching(/not cost more.*period_end/),
    });
    expect(life.preview(wish)).toEqual(result);
  });
});

describe('the number of cycles', () => {
  test('of another plan counts from the change', () => {
    const life = inFebruary()
      .renewed()
      .do(aChange({ planId: twice.planId }))
      .paid();
    expect(life.subscription).toMatchObject({ cyclesBilled: 2, cyclesTotal: 4 });
    life.renewed(2).goOn();
    expect(life.subscription).toMatchObject({ status: 'completed', cyclesBilled: 4 });
  });

  test('of a plan with periods of another length counts the one that the change pays for', () => {
    const once = aPlan({ ...yearly, planId: 'pln_once', cycles: 1 });
    const life = new SubscriptionLife({ others: [once] }).renewed().at('2026-02-14T10:00:00Z');
    expect(life.preview(aChange({ planId: once.planId }))).toMatchObject({
      nextInvoice: null,
      after: { cyclesTotal: 1, nextBillingDate: null },
    });
    life.do(aChange({ planId: once.planId })).paid();
    expect(life.subscription).toMatchObject({ cyclesBilled: 1, cyclesTotal: 1, nextBillingDate: null });
    life.goOn();
    expect(life.subscription).toMatchObject({ status: 'completed', endedAt: new Date('2027-02-14T10:00:00Z') });
    expect(life.made.map(({ cycle }) => cycle)).toEqual([1, null]);
  });

  test('of a plan with periods of another length is billed once less, in numbers without a gap', () => {
    const thrice = aPlan({ ...weekly, planId: 'pln_thrice', amountMinor: 9000n, cycles: 3 });
    const life = new SubscriptionLife({ others: [thrice] }).renewed().at('2026-02-14T10:00:00Z');
    life
      .do(aChange({ planId: thrice.planId }))
      .paid()
      .renewed(2)
      .goOn();
    expect(life.subscription).toMatchObject({ status: 'completed', endedAt: new Date('2026-03-07T10:00:00Z') });
    expect(life.made.map(({ cycle }) => cycle)).toEqual([1, null, 2, 3]);
  });

  test('of a plan with periods of another length counts all of them where the first is to come', () => {
    const twoWeeks = aPlan({ ...weekly, planId: 'pln_two_weeks', cycles: 2 });
    const life = new SubscriptionLife({ others: [twoWeeks] }).renewed();
    life
      .do(aChange({ planId: twoWeeks.planId, effective: 'period_end' }))
      .renewed(2)
      .goOn();
    expect(life.subscription).toMatchObject({ status: 'completed', cyclesBilled: 3 });
  });

  test('of another plan does not count where no period is to come', () => {
    const life = new SubscriptionLife({ plan: aPlan({ cycles: 1 }), others }).renewed();
    life.do(aChange({ planId: more.planId })).paid();
    expect(life.subscription).toMatchObject({ planId: more.planId, cyclesTotal: 1, nextBillingDate: null });
    expect(life.goOn().subscription.status).toBe('completed');
  });

  test('stays what it is with another quantity', () => {
    const life = new SubscriptionLife({ plan: aPlan({ cycles: 5 }), others })
      .renewed(2)
      .do(aChange({ quantity: 2 }))
      .paid();
    expect(life.subscription.cyclesTotal).toBe(5);
  });
});

describe('amounts', () => {
  const largest = 9_223_372_036_854_775_807n;
  const huge = aPlan({ planId: 'pln_huge', amountMinor: largest });

  test('beyond what a double holds are exact', () => {
    const life = new SubscriptionLife({ plan: huge }).renewed().at('2026-02-14T10:00:00Z').do(wishes.cancelWithRefund);
    expect(life.made[0]?.amountMinor).toBe(largest);
    expect(sumOf(life)).toBe(4_611_686_018_427_387_904n);
  });

  test('beyond what a column holds are refused', () => {
    const life = new SubscriptionLife({ others: [huge] }).renewed();
    const result = life.take(aChange({ planId: huge.planId, quantity: 2 }));
    expect(result).toMatchObject({ kind: 'refused', code: 'change_refused' });
  });
});

describe('a preview', () => {
  const given: readonly (readonly [name: string, life: () => SubscriptionLife, wish: ChangeWish])[] = [
    ['more, now', inFebruary, aChange({ planId: more.planId })],
    ['more, later', inFebruary, aChange({ planId: more.planId, effective: 'period_end' })],
    ['less', inFebruary, aChange({ planId: less.planId })],
    ['as many', inFebruary, aChange({ quantity: 7 })],
    ['the same price', inFebruary, aChange({ planId: same.planId })],
    ['a year', inFebruary, aChange({ planId: yearly.planId })],
    ['a week, later', inFebruary, aChange({ planId: weekly.planId, effective: 'period_end' })],
    ['nothing', inFebruary, aChange({})],
    ['nothing, with a change to come', () => inFebruary().do(aChange({ planId: less.planId })), aChange({})],
    [
      'in a trial',
      () => new SubscriptionLife({ others, trialEnd: '2026-02-14T10:00:00Z' }),
      aChange({ planId: yearly.planId }),
    ],
    [
      'before the first billing',
      () => new SubscriptionLife({ others }),
      aChange({ planId: weekly.planId, quantity: 2 }),
    ],
    ['at the end of the period', () => inFebruary().at('2026-02-28T10:00:00Z'), aChange({ planId: more.planId })],
  ];

  test.each(given)('is what happens then: %s', (_, begin, wish) => {
    const life = begin();
    const preview = life.preview(wish);
    if (preview.kind === 'refused') throw new Error(preview.detail);
    const before = life.made.length;
    life.take(wish);
    const invoiceNow = life.made.at(before);
    if (preview.invoiceNow === null) expect(life.made).toHaveLength(before);
    else expect(invoiceNow).toMatchObject(preview.invoiceNow);
    if (life.subscription.chargePaymentId !== null) life.paid();
    if (preview.effective === 'now') {
      const { lastOutcome: _outcome, ...after } = preview.after;
      expect(life.subscription).toMatchObject(after);
    }
    life.goOn();
    const { date, ...nextInvoice } = preview.nextInvoice ?? {};
    expect([life.now, life.lastInvoice]).toMatchObject([date, nextInvoice]);
  });

  test('shows no next invoice where none will come', () => {
    const life = inFebruary().do(wishes.cancelAtPeriodEnd);
    expect(life.preview(aChange({ quantity: 2 }))).toMatchObject({ effective: 'now', nextInvoice: null });
  });

  test.each([
    ['subscription_ended', () => inFebruary().do(wishes.cancelNow), aChange({ quantity: 2 })],
    ['invoice_open', () => inFebruary().goOn(), aChange({ quantity: 2 })],
    ['change_refused', () => inFebruary().do(wishes.pause), aChange({ quantity: 2 })],
    ['change_refused', inFebruary, aChange({ planId: less.planId, effective: 'now' })],
  ])('is refused as the change is: %s', (code, begin, wish) => {
    const life = begin();
    const preview = life.preview(wish);
    expect(preview).toMatchObject({ kind: 'refused', code });
    expect(life.take(wish)).toEqual(preview);
  });

  test('changes nothing', () => {
    const life = inFebruary();
    const before = structuredClone(life.subscription);
    life.preview(aChange({ planId: yearly.planId }));
    expect(life.subscription).toEqual(before);
  });
});
