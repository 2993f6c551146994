import { expect, test } from 'vitest';
import {
  columnsOf,
  type PlanTermsJson,
  planTermsOf,
  type SubscriptionJson,
  subscriptionOf,
} from '../../prisma/subscription-row.ts';
import { aCard, aChange, aPlan, SubscriptionLife, wishes } from '../support/subscription-life.ts';

const dear = aPlan({ amountMinor: 9_007_199_254_740_993n, signUpFeeMinor: 9_223_372_036_854_775_807n, trialDays: 3 });
const less = aPlan({ planId: 'pln_less', amountMinor: 1n });
const expiring = { ...aCard('tok_1'), expiry: { year: 2026, month: 3 } };
const lives = (): SubscriptionLife => new SubscriptionLife({ plan: dear, others: [less], paymentMethod: expiring });

test.each<[what: string, life: SubscriptionLife]>([
  ['is fresh', lives()],
  ['is in a trial', new SubscriptionLife({ plan: dear, trialEnd: '2026-02-14T10:00:00Z' })],
  ['has a charge on its way', lives().goOn()],
  ['climbs the ladder', lives().goOn().declined()],
  [
    'has a change to come',
    lives()
      .goOn()
      .paid()
      .do(aChange({ planId: 'pln_less' })),
  ],
  [
    'is paused until a day',
    lives()
      .goOn()
      .paid()
      .do({ ...wishes.pause, resumesAt: '2026-02-20T00:00:00Z' }),
  ],
  ['is canceled, with a refund to come', lives().goOn().paid().do(wishes.cancelWithRefund)],
])('a subscription that %s comes back from its row as JSON as it was', (_, { subscription }) => {
  const { id, merchantId, isTest, customerId, currency, timeZone, createdAt } = subscription;
  const identity = { id, merchant_id: merchantId, is_test: isTest, customer_id: customerId, currency };
  const columns = { ...columnsOf(subscription), ...identity, time_zone: timeZone, created_at: createdAt };
  const row: SubscriptionJson = JSON.parse(JSON.stringify(columns));
  expect(subscriptionOf(row, dear)).toEqual(subscription);
});

test('a plan comes back from its row as JSON as it is, with amounts beyond what a double holds', () => {
  const row: PlanTermsJson = {
    plan_id: 'pln_tea',
    version: 1,
    name: 'Tea',
    status: 'active',
    amount: '9007199254740993',
    currency: 'USD',
    interval_unit: 'month',
    interval_count: 1,
    trial_days: 3,
    sign_up_fee: '9223372036854775807',
    cycles: null,
  };
  expect(planTermsOf(row)).toEqual(dear);
});
