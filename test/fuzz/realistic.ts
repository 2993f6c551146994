import fc from 'fast-check';
import type { World } from '../support/world.ts';
import type { Hints } from './values.ts';

/**
 * The providers' test tokens but the one that never answers: its payments come to rest only long after a run. One is
 * unknown to every provider.
 */
const tokens = [
  'tok_visa_4242',
  'tok_mastercard_5454',
  'tok_amex_0005',
  'tok_visa_declined_0002',
  'tok_visa_insufficient_9995',
  'tok_visa_expired_0069',
  'tok_visa_cvc_0127',
  'tok_visa_lost_9987',
  'tok_visa_limit_0061',
  'tok_visa_issuer_away_0091',
  'tok_visa_error_0096',
  'tok_visa_pending_7000',
  'tok_visa_later_9996',
  'tok_visa_capture_declined_0057',
  'tok_visa_refund_declined_0058',
  'tok_paypal_wallet_1',
  'tok_paypal_declined_2',
  'tok_visa_nobody_knows',
];

/** Whole amounts are amounts of every currency; those with cents of most. */
const amounts = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 99_999 }).map(String) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 999_999 }).map((cents) => (cents / 100).toFixed(2)) },
);

const words = fc.constantFrom('asked for by the customer', 'seen at the provider', 'Änderung №\u00a07', 'x');

/** A small part: many of them fit into one payment of the ground. */
const part = fc.integer({ min: 1, max: 500 }).map((cents) => (cents / 100).toFixed(2));

/** What two members say may be said by one of them alone. */
const none = fc.constant(undefined);

const paymentMethod = fc.record({
  type: fc.constant('credit_card'),
  card_token: fc.constantFrom(...tokens),
  card_exp_month: fc.integer({ min: 1, max: 12 }),
  card_exp_year: fc.integer({ min: 2040, max: 2099 }),
});

/** Within the five years in which a subscription may begin. */
const later = fc.integer({ min: 1, max: 1_000 }).map((days) => new Date(Date.now() + days * 86_400_000).toISOString());

/** What a schema cannot say about a value, by the name of the member or parameter. */
export function realisticValues({ inboxUrl }: World): Hints {
  return {
    amount: amounts,
    amount_min: amounts,
    amount_max: amounts,
    currency: fc.constantFrom('USD', 'USD', 'EUR', 'GBP', 'JPY', 'KWD', 'HUF', 'TWD'),
    card_token: fc.constantFrom(...tokens),
    is_test: fc.constant(true),
    external_id: fc.oneof(
      { weight: 9, arbitrary: fc.uuid() },
      { weight: 1, arbitrary: fc.constantFrom('order-1', 'order-2') },
    ),
    customer_id: fc.constantFrom('customer-1', 'customer-2', 'customer-3'),
    customer_name: fc.constantFrom('Ada Lovelace', 'Zoë Müller', '山田 太郎', "O'Brien", 'عمر'),
    processor: fc.constantFrom('easypay', 'paypal'),
    status: fc.constantFrom('captured', 'failed', 'captured,failed', 'pending'),
    type: fc.constantFrom('payment.pending', 'payment.captured', 'payment.failed'),
    // Live mode wants https; a name would have to be looked up, outside this machine.
    url: fc
      .tuple(fc.constantFrom(inboxUrl, inboxUrl.replace('http:', 'https:')), fc.stringMatching(/^[a-z]{1,8}$/))
      .map(([origin, name]) => `${origin}/${name}`),
    // Rare ones: a run measures the API, and not how many deliveries a machine can make.
    event_types: fc.constant(['payment.rerouted']),
    return_url: fc.stringMatching(/^[a-z]{1,8}$/).map((name) => `https://shop.test/${name}?order=1`),
    // Soon: a run waits for all payments to come to rest.
    retry: fc.constant({ schedule: [1], attempts_max: 2 }),
    time_zone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York'),
    starts_at: later,
    resumes_at: later,
    plan_version: fc.constant(1),
    card_exp_month: fc.integer({ min: 1, max: 12 }),
    card_exp_year: fc.integer({ min: 2040, max: 2099 }),
    reason: words,
    evidence: words,
    permissions: fc.subarray(['payments:read', 'payments:write', 'refunds:read', 'events:read'], { minLength: 1 }),
    ip_whitelist: fc.constantFrom([], ['127.0.0.0/8', '::1']),
    ip_blacklist: fc.constantFrom([], ['203.0.113.7']),
    allowed_hours: fc.constantFrom(null, { time_zone: 'UTC', weekdays: ['mon'], from: '08:00', to: '18:00' }),
    expires_at: fc.constantFrom(null, '2998-01-01T00:00:00Z'),
    email: fc.uuid().map((id) => `${id}@example.com`),
    role: fc.constantFrom('admin', 'support', 'read_only'),
    settings: fc.constantFrom({}, { wait: 5 }, { payer_emails: false }),
    account: fc.constantFrom('merchant', 'receivable.easypay', 'refunds', 'fees'),
    'idempotency-key': fc.oneof(
      { weight: 9, arbitrary: fc.uuid() },
      { weight: 1, arbitrary: fc.constantFrom('used-often-1', '"used-often-2"') },
    ),
    prefer: fc.constantFrom('wait=0', 'wait=1', 'wait=2', 'respond-async', 'respond-async, wait=1', 'return=minimal'),
  };
}

/** The same for one operation alone, by its id. Who decides here says what really happened: the money must be right in the end. */
export const valuesOfOperations: Readonly<Record<string, Hints>> = {
  createBatch: {
    kind: fc.constant('payments'),
    reference: fc.uuid(),
    rate_per_second: fc.integer({ min: 100, max: 1_000 }),
  },
  listBatches: { kind: fc.constant('payments'), status: fc.constantFrom('running', 'completed', 'canceled') },
  capturePayment: { amount: part },
  refundPayment: { amount: part },
  resolvePayment: { outcome: fc.constant('captured') },
  resolveRefund: { outcome: fc.constant('refunded') },
  updateMerchant: { status: fc.constantFrom('active', 'suspended') },
  listMerchants: { status: fc.constantFrom('active', 'suspended') },
  updateUser: { status: fc.constantFrom('active', 'suspended') },
  createPlan: { sign_up_fee: fc.constantFrom('0', '0', '5') },
  updatePlan: { sign_up_fee: fc.constantFrom('0', '7'), status: fc.constantFrom('active', 'active', 'archived') },
  listPlans: { status: fc.constantFrom('active', 'archived') },
  createCustomer: { test_clock_id: none },
  createSubscription: { trial_days: none, payment_method: paymentMethod },
  updateSubscription: { effective: none, payment_method: paymentMethod },
  listSubscriptions: { status: fc.constantFrom('active', 'past_due,paused', 'canceled') },
  listInvoices: { status: fc.constantFrom('void', 'open,paid', 'uncollectible') },
  createTestClock: { frozen_time: fc.constant('2026-01-31T09:00:00Z') },
  advanceTestClock: { to: fc.constantFrom('2026-02-28T09:00:00Z', '2026-03-31T09:00:00Z', '2027-12-31T09:00:00Z') },
  listDiscrepancies: { status: fc.constantFrom('open', 'closed') },
  receiveProviderEvent: {
    type: fc.constantFrom('charge.approved', 'charge.declined', 'refund.approved', 'capture.approved', 'payout.paid'),
    status: fc.constantFrom('approved', 'declined', 'pending'),
  },
};
