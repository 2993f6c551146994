import { describe, expect, test } from 'vitest';
import type { Invoice } from '../../../workflows/domain/billing/subscription.ts';
import { aCard, aChange, aPlan, SubscriptionLife, wishes } from '../../support/subscription-life.ts';

const dateOf = (instant: Date | null) => instant?.toISOString().slice(0, 10) ?? null;
const spanOf = ({ cycle, periodStart, periodEnd }: Invoice) => `${cycle}: ${dateOf(periodStart)} ${dateOf(periodEnd)}`;
const nextOf = ({ subscription }: SubscriptionLife) => dateOf(subscription.nextBillingDate);

describe('periods', () => {
  test('begin on the anchor’s day, or on the last of a month that lacks it', () => {
    const life = new SubscriptionLife({ now: '2027-12-31T10:00:00Z' }).renewed(4);
    expect(life.made.map(spanOf)).toEqual([
      '1: 2027-12-31 2028-01-31',
      '2: 2028-01-31 2028-02-29',
      '3: 2028-02-29 2028-03-31',
      '4: 2028-03-31 2028-04-30',
    ]);
    expect(nextOf(life)).toBe('2028-04-30');
  });

  test('that were missed while nothing ran are billed in order, each when the one before is paid', () => {
    const life = new SubscriptionLife().renewed().at('2026-05-03T00:00:00Z').renewed(3);
    expect(life.made.map(spanOf)).toEqual([
      '1: 2026-01-31 2026-02-28',
      '2: 2026-02-28 2026-03-31',
      '3: 2026-03-31 2026-04-30',
      '4: 2026-04-30 2026-05-31',
    ]);
    expect(dateOf(life.now)).toBe('2026-05-03');
    expect(nextOf(life)).toBe('2026-05-31');
  });

  test('end with the last of its cycles, which runs out before it is completed', () => {
    const life = new SubscriptionLife({ plan: aPlan({ cycles: 2 }) }).renewed(2);
    expect(life.subscription).toMatchObject({ status: 'active', cyclesBilled: 2, nextBillingDate: null });
    life.goOn();
    expect(life.subscription).toMatchObject({ status: 'completed', endedAt: new Date('2026-03-31T10:00:00Z') });
    expect(life.events).toEqual(['renewed', 'paid', 'renewed', 'paid', 'completed']);
  });

  test('are not completed before the last of them is paid', () => {
    const life = new SubscriptionLife({ plan: aPlan({ cycles: 1 }) }).goOn().declined();
    life.goOn().declined().goOn().paid().goOn();
    expect(life.events).toEqual(['renewed', 'past_due', 'retried', 'declined', 'retried', 'active', 'completed']);
  });

  test('cost what one costs for as many as there are', () => {
    const life = new SubscriptionLife({ quantity: 3 }).renewed();
    expect(life.lastInvoice).toMatchObject({ amountMinor: 9000n, lines: [{ quantity: 3, amountMinor: '9000' }] });
  });
});

describe('the first billing', () => {
  const fee = aPlan({ signUpFeeMinor: 500n });

  test('has the sign-up fee on it', () => {
    const life = new SubscriptionLife({ plan: fee }).renewed(2);
    expect(life.made.map(({ amountMinor, lines }) => [amountMinor, lines.map(({ kind }) => kind)])).toEqual([
      [3500n, ['sign_up_fee', 'plan']],
      [3000n, ['plan']],
    ]);
  });

  test('comes when the trial is over; the fee before it comes at once, as an invoice of its own', () => {
    const life = new SubscriptionLife({ plan: fee, trialEnd: '2026-02-14T10:00:00Z' }).renewed();
    expect(life.now).toEqual(new Date('2026-01-31T10:00:00Z'));
    expect(life.lastInvoice).toMatchObject({ reason: 'sign_up', cycle: null, amountMinor: 500n, status: 'paid' });
    expect(life.subscription).toMatchObject({ status: 'trialing', cyclesBilled: 0 });
    life.renewed();
    expect(spanOf(life.lastInvoice)).toBe('1: 2026-02-14 2026-03-14');
    expect(life.lastInvoice.amountMinor).toBe(3000n);
    expect(life.events).toEqual(['renewed', 'paid', 'active', 'paid']);
  });

  test('is not asked for a fee that the plan of a change during the trial does not have', () => {
    const others = [aPlan({ planId: 'pln_free_of_fee' })];
    const life = new SubscriptionLife({ plan: fee, others, trialEnd: '2026-02-14T10:00:00Z' });
    life.do(aChange({ planId: 'pln_free_of_fee' })).goOn();
    expect(life.made.map(({ reason, amountMinor }) => [reason, amountMinor])).toEqual([['period', 3000n]]);
  });

  test('of a trial whose fee nobody paid waits until the fee is paid; then the trial goes on, if it is not over', () => {
    const life = new SubscriptionLife({ plan: fee, trialEnd: '2026-02-14T10:00:00Z' }).goOn().declined();
    expect(life.subscription.status).toBe('past_due');
    life.goOn().paid();
    expect(life.subscription.status).toBe('trialing');
    const late = new SubscriptionLife({ plan: fee, trialEnd: '2026-02-02T00:00:00Z' }).goOn().declined();
    late.goOn().declined().goOn().paid();
    expect(late.subscription.status).toBe('active');
    expect(spanOf(late.goOn().lastInvoice)).toBe('1: 2026-02-02 2026-03-02');
  });
});

describe('the ladder', () => {
  test('tries on its days and cancels when its grace is over', () => {
    const life = new SubscriptionLife().goOn().declined();
    const days: (string | null)[] = [];
    for (let tries = 0; tries < 4; tries++) days.push(dateOf(life.goOn().declined().now));
    expect(days).toEqual(['2026-02-01', '2026-02-03', '2026-02-05', '2026-02-07']);
    life.goOn();
    expect(dateOf(life.now)).toBe('2026-02-10');
    expect(life.subscription).toMatchObject({ status: 'canceled', openInvoiceId: null, dunning: null });
    expect(life.lastInvoice).toMatchObject({ status: 'uncollectible', attempts: 5, nextAttemptAt: null });
    expect(life.invoiceEvents).toEqual([
      'period 1 open',
      ...Array.from({ length: 5 }, () => 'period 1 payment_failed'),
      'period 1 uncollectible',
    ]);
  });

  test('makes no try after a decline that is final for the card, and leaves the time for another one', () => {
    const life = new SubscriptionLife().goOn().declined('lost_or_stolen_card');
    expect(life.subscription.dunning).toMatchObject({ nextTryAt: null });
    expect(life.lastInvoice.nextAttemptAt).toBeNull();
    life.at('2026-02-04T00:00:00Z').do(aChange({ paymentMethod: aCard('tok_2') }));
    expect(life.subscription.chargePaymentId).not.toBeNull();
    expect(life.paid().subscription).toMatchObject({ status: 'active', dunning: null });
  });

  test('begins after a charge that was withdrawn, or failed without a decline, too', () => {
    const canceled = new SubscriptionLife().goOn();
    const { chargePaymentId } = canceled.subscription;
    const step = { kind: 'settle_charge', paymentId: chargePaymentId ?? '' } as const;
    canceled.do(step, { status: 'canceled', failureCode: null, declineClass: null });
    expect(canceled.subscription).toMatchObject({ status: 'past_due', lastOutcome: '30.00 USD: failed' });
    const failed = new SubscriptionLife().goOn();
    failed.do(step, { status: 'failed', failureCode: 'provider_unavailable', declineClass: null });
    expect(failed.subscription.dunning).toMatchObject({ nextTryAt: '2026-02-01T10:00:00.000Z' });
  });

  test('says when the next try is, on the invoice too', () => {
    const life = new SubscriptionLife().goOn().declined();
    expect(life.lastInvoice.nextAttemptAt).toEqual(new Date('2026-02-01T10:00:00Z'));
    expect(life.goOn().lastInvoice.nextAttemptAt).toBeNull();
  });

  test('ends in a pause where the merchant wants that: nothing is owed, and it can be resumed', () => {
    const life = new SubscriptionLife({ dunning: { finalAction: 'pause' } }).goOn().declined().givenUp();
    expect(life.subscription).toMatchObject({ status: 'paused', openInvoiceId: null, dunning: null });
    expect(life.lastInvoice.status).toBe('uncollectible');
    life.do(wishes.resume);
    expect(life.subscription.status).toBe('active');
    expect(spanOf(life.goOn().lastInvoice)).toBe('2: 2026-02-28 2026-03-31');
  });

  test('ends as unpaid where the merchant wants that: the invoice stays open, and no period is billed', () => {
    const life = new SubscriptionLife({ dunning: { finalAction: 'unpaid' } }).goOn().declined().givenUp();
    expect(life.subscription.status).toBe('unpaid');
    expect(life.lastInvoice.status).toBe('open');
    expect(() => life.goOn()).toThrow('nothing is due');
  });
});

describe('one that is unpaid', () => {
  const unpaid = () => new SubscriptionLife({ dunning: { finalAction: 'unpaid' } }).goOn().declined().givenUp();

  test('goes on once it is paid: periods that began meanwhile are not billed', () => {
    const life = unpaid().at('2026-05-03T00:00:00Z').do(wishes.retryNow).paid();
    expect(life.subscription.status).toBe('active');
    expect(nextOf(life)).toBe('2026-05-31');
    expect(spanOf(life.goOn().lastInvoice)).toBe('2: 2026-05-31 2026-06-30');
  });

  test('goes on once its invoice is given up: periods that began meanwhile are not billed either', () => {
    const life = unpaid().at('2026-05-03T00:00:00Z').do(wishes.skip);
    expect(life.subscription).toMatchObject({ status: 'active', openInvoiceId: null });
    expect(life.lastInvoice.status).toBe('void');
    expect(nextOf(life)).toBe('2026-05-31');
  });

  test('stays so when another try is declined', () => {
    const life = unpaid().do(wishes.retryNow).declined();
    expect(life.subscription).toMatchObject({ status: 'unpaid', dunning: null, chargePaymentId: null });
    expect(life.lastInvoice).toMatchObject({ status: 'open', nextAttemptAt: null });
  });

  test('is paid by a new card at once', () => {
    const life = unpaid()
      .do(aChange({ paymentMethod: aCard('tok_2') }))
      .paid();
    expect(life.subscription.status).toBe('active');
  });
});

describe('after a pause', () => {
  const resume = (anchor: 'keep' | 'shift') => ({ kind: 'resume', anchor }) as const;
  const pausedOn = (day: string) => new SubscriptionLife().renewed().at(`${day}T10:00:00Z`).do(wishes.pause);

  test('dates that are kept are those of the calendar: what began meanwhile is not billed', () => {
    const life = pausedOn('2026-02-10').at('2026-04-10T10:00:00Z').do(resume('keep'));
    expect(life.subscription).toMatchObject({ status: 'active', pausedAt: null, cyclesBilled: 1 });
    expect(spanOf(life.goOn().lastInvoice)).toBe('2: 2026-04-30 2026-05-31');
  });

  describe('dates that are kept: a period that had begun before it, and waited for an open invoice,', () => {
    const weekly = aPlan({ interval: { unit: 'week', count: 1 } });
    const owing = (days = 4) => {
      const life = new SubscriptionLife({ plan: weekly }).goOn().declined();
      for (let day = 0; day < days; day++) life.goOn().declined();
      return life;
    };

    test('is billed where none began during it', () => {
      const life = owing().at('2026-02-07T12:00:00Z').do(wishes.pause).at('2026-02-07T12:01:00Z').do(resume('keep'));
      expect(nextOf(life.do(wishes.retryNow).paid())).toBe('2026-02-07');
      expect([1, 2].map(() => spanOf(life.goOn().paid().lastInvoice))).toEqual([
        '2: 2026-02-07 2026-02-14',
        '3: 2026-02-14 2026-02-21',
      ]);
    });

    test('is billed where it is resumed by itself before the next one', () => {
      const life = owing().at('2026-02-07T12:00:00Z');
      life.do({ kind: 'pause', resumesAt: '2026-02-09T12:00:00Z', anchor: 'keep' }).at('2026-03-01T00:00:00Z').goOn();
      expect(spanOf(life.do(wishes.retryNow).paid().goOn().lastInvoice)).toBe('2: 2026-02-07 2026-02-14');
    });

    test('is billed after a pause that was the ladder’s end', () => {
      const life = new SubscriptionLife({ plan: weekly, dunning: { finalAction: 'pause' } }).goOn().declined();
      life.givenUp().at('2026-02-12T00:00:00Z').do(resume('keep'));
      expect(spanOf(life.goOn().lastInvoice)).toBe('2: 2026-02-07 2026-02-14');
    });

    test.each(['2026-02-14T10:00:00.001Z', '2026-02-20T00:00:00Z'])(
      'is left out with the one that began during it: resumed at %s',
      (resumedAt) => {
        const life = owing().at('2026-02-07T12:00:00Z').do(wishes.pause).at(resumedAt).do(resume('keep'));
        expect(spanOf(life.do(wishes.retryNow).paid().goOn().lastInvoice)).toBe('2: 2026-02-21 2026-02-28');
      },
    );

    test('is left out with the one that began in the instant in which it was paused, and not with that in which it was resumed', () => {
      const began = owing(3).at('2026-02-07T10:00:00Z').do(wishes.pause).at('2026-02-07T10:00:00.001Z');
      expect(nextOf(began.do(resume('keep')))).toBe('2026-02-14');
      const begins = owing().at('2026-02-08T10:00:00Z').do(wishes.pause).at('2026-02-14T10:00:00Z');
      expect(nextOf(begins.do(resume('keep')))).toBe('2026-02-07');
    });
  });

  test('a period that begins in the instant of it is billed', () => {
    const life = pausedOn('2026-02-10').at('2026-03-31T10:00:00Z').do(resume('keep'));
    expect(spanOf(life.goOn().lastInvoice)).toBe('2: 2026-03-31 2026-04-30');
  });

  test('dates that are shifted are later by as long as it was', () => {
    const life = pausedOn('2026-02-10').at('2026-03-20T10:00:00Z').do(resume('shift'));
    expect(life.subscription.currentPeriodStart).toEqual(new Date('2026-03-10T10:00:00Z'));
    expect(life.subscription.currentPeriodEnd).toEqual(new Date('2026-04-07T10:00:00Z'));
    expect(spanOf(life.goOn().paid().goOn().lastInvoice)).toBe('3: 2026-05-07 2026-06-07');
  });

  test('dates that are shifted are so where a period was overdue: those within the pause are not billed', () => {
    const life = new SubscriptionLife({ plan: aPlan({ interval: { unit: 'day', count: 1 } }) }).goOn().declined();
    life.at('2026-02-02T10:00:00Z').do(wishes.pause).at('2026-03-04T10:00:00Z').do(resume('shift'));
    life.goOn().paid();
    const days = [1, 2, 3].map(() => spanOf(life.goOn().paid().lastInvoice));
    expect(days).toEqual(['2: 2026-03-03 2026-03-04', '3: 2026-03-04 2026-03-05', '4: 2026-03-05 2026-03-06']);
  });

  test('dunning that is shifted goes on where it stood', () => {
    const life = new SubscriptionLife().goOn().declined().do(wishes.pause);
    life.at('2026-03-02T10:00:00Z').do(resume('shift'));
    expect(life.subscription.status).toBe('past_due');
    expect(life.goOn().now).toEqual(new Date('2026-03-03T10:00:00Z'));
    expect(life.declined().subscription.dunning).toMatchObject({ nextTryAt: '2026-03-05T10:00:00.000Z' });
  });

  test('a trial goes on: kept, to its end; shifted, for as long as was left of it', () => {
    const trial = () => new SubscriptionLife({ trialEnd: '2026-02-14T10:00:00Z' }).at('2026-02-04T10:00:00Z');
    const kept = trial().do(wishes.pause).at('2026-02-08T10:00:00Z').do(resume('keep'));
    expect([kept.subscription.status, nextOf(kept)]).toEqual(['trialing', '2026-02-14']);
    const shifted = trial().do(wishes.pause).at('2026-02-24T10:00:00Z').do(resume('shift'));
    expect([shifted.subscription.status, nextOf(shifted)]).toEqual(['trialing', '2026-03-06']);
    expect(shifted.subscription.trialEnd).toEqual(new Date('2026-03-06T10:00:00Z'));
  });

  test('it is resumed by itself on the day that was said, in the way that was said', () => {
    const until = '2026-03-10T10:00:00.000Z';
    const life = new SubscriptionLife().renewed().at('2026-02-10T10:00:00Z');
    life.do({ kind: 'pause', resumesAt: until, anchor: 'shift' }).goOn();
    expect(life.now.toISOString()).toBe(until);
    expect([life.subscription.status, nextOf(life)]).toEqual(['active', '2026-03-28']);
  });

  test.each([
    ['keep', '2026-03-31'],
    ['shift', '2026-03-28'],
  ] as const)('it counts as resumed on that day when nothing ran then: %s', (anchor, next) => {
    const life = new SubscriptionLife().renewed().at('2026-02-10T10:00:00Z');
    life.do({ kind: 'pause', resumesAt: '2026-03-10T10:00:00Z', anchor }).at('2026-06-15T00:00:00Z').goOn();
    expect(nextOf(life)).toBe(next);
    expect(life.goOn().lastInvoice.cycle).toBe(2);
  });

  test('its last period runs out: kept, at once where it is over; shifted, for as long as was left of it', () => {
    const last = () => new SubscriptionLife({ plan: aPlan({ cycles: 1 }) }).renewed().at('2026-02-10T10:00:00Z');
    const kept = last().do(wishes.pause).at('2026-04-10T10:00:00Z').do(resume('keep')).goOn();
    expect([kept.subscription.status, dateOf(kept.now)]).toEqual(['completed', '2026-04-10']);
    const shifted = last().do(wishes.pause).at('2026-04-10T10:00:00Z').do(resume('shift')).goOn();
    expect([shifted.subscription.status, dateOf(shifted.now)]).toEqual(['completed', '2026-04-28']);
  });
});

describe('what is unused after a pause in which time stood still', () => {
  const shift = { kind: 'resume', anchor: 'shift' } as const;
  const inApril = () => new SubscriptionLife({ now: '2026-04-01T00:00:00Z', others }).renewed();
  const pausedInApril = () =>
    inApril()
      .at('2026-04-02T00:00:00Z')
      .do({ ...wishes.pause, anchor: 'shift' });
  const backOf = ({ subscription }: SubscriptionLife) =>
    subscription.refundsDue.map(({ amountMinor }) => Number(amountMinor));
  const others = [aPlan({ planId: 'pln_more', amountMinor: 6000n }), aPlan({ planId: 'pln_most', amountMinor: 9000n })];

  test('is given back: nothing of the pause was used', () => {
    const life = pausedInApril().at('2026-05-02T00:00:00Z').do(shift).at('2026-05-03T00:00:00Z');
    expect(backOf(life.do(wishes.cancelWithRefund))).toEqual([2800]);
    const again = pausedInApril().at('2026-05-02T00:00:00Z').do(shift).do(wishes.pause);
    again.at('2026-08-02T00:00:00Z').do(shift).at('2026-08-03T00:00:00Z');
    expect(backOf(again.do(wishes.cancelWithRefund))).toEqual([2800]);
  });

  test('is given back while it lasts, as it was when it began', () => {
    expect(backOf(pausedInApril().at('2026-07-02T00:00:00Z').do(wishes.cancelWithRefund))).toEqual([2900]);
  });

  test('is not more where the pause should have ended before, or the dates were kept', () => {
    const late = inApril().at('2026-04-02T00:00:00Z');
    late.do({ kind: 'pause', resumesAt: '2026-04-12T00:00:00Z', anchor: 'shift' }).at('2026-04-22T00:00:00Z');
    expect(backOf(late.do(wishes.cancelWithRefund))).toEqual([1900]);
    const kept = inApril().at('2026-04-02T00:00:00Z').do(wishes.pause).at('2026-04-11T00:00:00Z');
    expect(backOf(kept.do(wishes.cancelWithRefund))).toEqual([2000]);
  });

  test('is given back of a charge too that was on its way when it was paused and canceled', () => {
    const life = new SubscriptionLife({ now: '2026-04-01T00:00:00Z' }).goOn().at('2026-04-02T00:00:00Z');
    life
      .do({ ...wishes.pause, anchor: 'shift' })
      .at('2026-06-02T00:00:00Z')
      .do(wishes.cancelWithRefund);
    expect(backOf(life.at('2026-06-03T00:00:00Z').paid())).toEqual([2900]);
  });

  test('is of each invoice what time stood still since it was issued', () => {
    const life = pausedInApril().at('2026-05-02T00:00:00Z').do(shift); // 29 days are left of 30
    life
      .at('2026-05-16T00:00:00Z')
      .do(aChange({ planId: 'pln_more' }))
      .paid(); // 15 days are left
    expect(life.lastInvoice.amountMinor).toBe(1500n);
    life
      .do({ ...wishes.pause, anchor: 'shift' })
      .at('2026-07-16T00:00:00Z')
      .do(shift);
    life
      .at('2026-07-21T00:00:00Z')
      .do(aChange({ planId: 'pln_most' }))
      .paid(); // 10 days are left
    expect(life.lastInvoice.lines.map(({ amountMinor }) => amountMinor)).toEqual(['-2000', '3000']);
    life.at('2026-07-26T00:00:00Z').do(wishes.cancelWithRefund); // 5 days are left
    expect(backOf(life).reduce((sum, amount) => sum + amount, 0)).toBe(1500);
  });

  test('counts from the beginning of a period that a change began, whose charge was on its way over the pause', () => {
    const yearly = aPlan({ planId: 'pln_yearly', amountMinor: 36_500n, interval: { unit: 'year', count: 1 } });
    const life = new SubscriptionLife({ others: [yearly] }).renewed().at('2026-02-14T10:00:00Z');
    life
      .do(aChange({ planId: yearly.planId }))
      .do(wishes.pause)
      .at('2026-02-24T10:00:00Z')
      .do(shift)
      .paid();
    expect(life.subscription.currentPeriodStart).toEqual(new Date('2026-02-24T10:00:00Z'));
    life.at('2026-02-25T10:00:00Z').do(wishes.cancelWithRefund);
    expect(backOf(life).reduce((sum, amount) => sum + amount, 0)).toBe(36_400);
  });
});

describe('the end', () => {
  test('at the end of the period comes when the next one would begin, which is not billed', () => {
    const life = new SubscriptionLife().renewed().do(wishes.cancelAtPeriodEnd);
    expect(life.subscription).toMatchObject({ status: 'active', cancelAtPeriodEnd: true });
    expect(life.take(wishes.cancelAtPeriodEnd).kind).toBe('nothing');
    life.goOn();
    expect([life.subscription.status, dateOf(life.now), life.made.length]).toEqual(['canceled', '2026-02-28', 1]);
    expect(life.subscription.refundsDue).toEqual([]);
  });

  test('at the end of the period can be taken back', () => {
    const life = new SubscriptionLife()
      .renewed()
      .do(wishes.cancelAtPeriodEnd)
      .do(aChange({ cancelAtPeriodEnd: false }));
    expect(life.goOn().subscription).toMatchObject({ status: 'active', cyclesBilled: 2 });
  });

  test('of a trial costs nothing', () => {
    const life = new SubscriptionLife({ trialEnd: '2026-02-14T10:00:00Z' }).do(wishes.cancelAtPeriodEnd).goOn();
    expect([life.subscription.status, dateOf(life.now), life.made.length]).toEqual(['canceled', '2026-02-14', 0]);
  });

  test('leaves an invoice that nobody pays void', () => {
    const life = new SubscriptionLife().goOn().declined().do(wishes.cancelNow);
    expect(life.lastInvoice.status).toBe('void');
    expect(life.subscription).toMatchObject({ openInvoiceId: null, nextBillingDate: null, dunning: null });
  });

  test('gives back what is unused of the period, to the minor unit', () => {
    const life = new SubscriptionLife().renewed().at('2026-02-14T10:00:00Z').do(wishes.cancelWithRefund);
    const { id: invoiceId, paymentId } = life.lastInvoice;
    expect(life.subscription.refundsDue).toEqual([{ invoiceId, paymentId, amountMinor: '1500' }]);
    expect(life.lastInvoice.refundDueMinor).toBe(1500n);
    expect(life.do({ kind: 'settle_refunds', isWhole: true }).subscription.refundsDue).toEqual([]);
  });

  test('does not give back the sign-up fee', () => {
    const life = new SubscriptionLife({ plan: aPlan({ signUpFeeMinor: 500n }) }).renewed().do(wishes.cancelWithRefund);
    expect(life.subscription.refundsDue).toMatchObject([{ amountMinor: '3000' }]);
  });

  test('leaves no change pending that will never come', () => {
    const others = [aPlan({ planId: 'pln_less', amountMinor: 1n })];
    const life = new SubscriptionLife({ others })
      .renewed()
      .do(aChange({ planId: 'pln_less' }))
      .do(wishes.cancelNow);
    expect(life.subscription.pendingChange).toBeNull();
  });
});

describe('operators', () => {
  test('skip the next period: it is not billed, and what is paid lasts until the one after', () => {
    const life = new SubscriptionLife().renewed().do(wishes.skip);
    expect(life.subscription.currentPeriodEnd).toEqual(new Date('2026-03-31T10:00:00Z'));
    expect(spanOf(life.goOn().lastInvoice)).toBe('2: 2026-03-31 2026-04-30');
  });

  test('skip the open invoice: it is void, and the next period comes when it would have', () => {
    const life = new SubscriptionLife().goOn().declined().do(wishes.skip);
    expect(life.lastInvoice.status).toBe('void');
    expect(spanOf(life.goOn().lastInvoice)).toBe('2: 2026-02-28 2026-03-31');
  });

  test('move the date: all later ones count from there', () => {
    const life = new SubscriptionLife().renewed().do({ kind: 'move_date', to: '2026-02-15T08:00:00Z' });
    expect(life.subscription.currentPeriodEnd).toEqual(new Date('2026-02-15T08:00:00Z'));
    expect(life.renewed(2).made.map(spanOf).slice(1)).toEqual(['2: 2026-02-15 2026-03-15', '3: 2026-03-15 2026-04-15']);
  });

  test('move the end of a trial', () => {
    const life = new SubscriptionLife({ trialEnd: '2026-02-14T10:00:00Z' });
    life.do({ kind: 'move_date', to: '2026-04-01T00:00:00Z' });
    expect(life.subscription.trialEnd).toEqual(new Date('2026-04-01T00:00:00Z'));
    expect(spanOf(life.goOn().lastInvoice)).toBe('1: 2026-04-01 2026-05-01');
  });

  test('cannot move a date to what is over', () => {
    const life = new SubscriptionLife().renewed();
    const result = life.take({ kind: 'move_date', to: life.now.toISOString() });
    expect(result).toMatchObject({ kind: 'refused', code: 'change_refused' });
  });
});

describe('the notice that a card expires', () => {
  const expiring = { ...aCard('tok_1'), expiry: { year: 2026, month: 3 } };

  test('comes once, 30 days before the card’s last month is over', () => {
    const life = new SubscriptionLife({ paymentMethod: expiring }).renewed(2);
    life.goOn();
    expect([life.events.at(-1), life.now.toISOString()]).toEqual(['card_expiring', '2026-03-02T00:00:00.000Z']);
    expect(life.goOn().events.at(-1)).toBe('renewed');
  });

  test('comes at once where that day is over, and after the charge that is on its way', () => {
    const paymentMethod = { ...aCard('tok_1'), expiry: { year: 2025, month: 12 } };
    const life = new SubscriptionLife({ paymentMethod }).goOn().paid().goOn();
    expect(life.events).toEqual(['renewed', 'paid', 'card_expiring']);
  });

  test('does not come for a card that was given up', () => {
    const life = new SubscriptionLife({ paymentMethod: expiring }).renewed();
    expect(life.do(aChange({ paymentMethod: aCard('tok_2') })).subscription.cardNoticeAt).toBeNull();
  });

  test('comes while it is paused too', () => {
    const life = new SubscriptionLife({ paymentMethod: expiring }).renewed().do(wishes.pause).goOn();
    expect([life.events.at(-1), life.subscription.status]).toEqual(['card_expiring', 'paused']);
  });
});
