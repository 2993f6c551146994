import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  brandOfToken,
  type ProviderCapabilities,
  type Route,
  type RoutingCondition,
  type RoutingDetails,
  type RoutingRules,
  routeOf,
} from '../../workflows/domain/routing.ts';

const capabilities = new Map<string, ProviderCapabilities>([
  ['easypay', { methods: ['credit_card'], brands: null, currencies: null }],
  [
    'paypal',
    {
      methods: ['credit_card', 'paypal'],
      brands: ['visa', 'mastercard', 'amex', 'discover'],
      currencies: { USD: 2, EUR: 2, JPY: 0, HUF: 0, TWD: 0 },
    },
  ],
]);
const both = ['easypay', 'paypal'];
const byDefault: RoutingRules = { rules: [], default: both };

const details = (changes: Partial<RoutingDetails> = {}): RoutingDetails => ({
  method: 'credit_card',
  brand: 'visa',
  amountMinor: 2599n,
  currency: 'USD',
  ...changes,
});
const routed = (changes: Partial<RoutingDetails>, rules: RoutingRules = byDefault): Route =>
  routeOf(details(changes), rules, capabilities);

describe('who can take a payment:', () => {
  test.each<[string, Partial<RoutingDetails>, string[], Record<string, string>]>([
    ['a card that all take', {}, ['easypay', 'paypal'], {}],
    ['a wallet', { method: 'paypal', brand: null }, ['paypal'], { easypay: 'does not take the method paypal' }],
    [
      'an unknown method',
      { method: 'iou' },
      [],
      { easypay: 'does not take the method iou', paypal: 'does not take the method iou' },
    ],
    ['a brand that one does not take', { brand: 'diners' }, ['easypay'], { paypal: 'does not take the brand diners' }],
    ['a brand that the token does not name', { brand: null }, ['easypay', 'paypal'], {}],
    ['a currency that one does not take', { currency: 'ISK' }, ['easypay'], { paypal: 'does not take ISK' }],
    ['forints without fillér', { currency: 'HUF', amountMinor: 50_000n }, ['easypay', 'paypal'], {}],
    [
      'forints with fillér, where one counts whole forints',
      { currency: 'HUF', amountMinor: 50_001n },
      ['easypay'],
      { paypal: 'counts HUF with 0 decimals, too few for 500.01' },
    ],
    ['yen, which have none', { currency: 'JPY', amountMinor: 501n }, ['easypay', 'paypal'], {}],
  ])('%s', (_, changes, candidates, ineligible) => {
    const route = routed(changes);
    expect(route.candidates).toEqual(candidates);
    expect(Object.fromEntries(route.ineligible.map(({ provider, reason }) => [provider, reason]))).toEqual(ineligible);
    expect(route).toMatchObject({ rule: null, reason: 'no rule applies: the default order' });
  });

  test('a currency named like a member of every object is none that a provider takes', () => {
    expect(routed({ currency: 'constructor' }).ineligible).toEqual([
      { provider: 'paypal', reason: 'does not take constructor' },
    ]);
  });

  test('a provider that is not installed is left out, with the reason', () => {
    const route = routed({}, { rules: [], default: ['adyen', 'easypay'] });
    expect(route.candidates).toEqual(['easypay']);
    expect(route.ineligible).toEqual([{ provider: 'adyen', reason: 'is not installed' }]);
  });

  test('a provider that is named twice is tried once', () => {
    expect(routed({}, { rules: [], default: ['paypal', 'easypay', 'paypal'] }).candidates).toEqual([
      'paypal',
      'easypay',
    ]);
  });
});

describe('a rule', () => {
  const only = (when: RoutingCondition): RoutingRules => ({
    rules: [{ when, providers: ['paypal'] }],
    default: ['easypay'],
  });
  const from10To20: RoutingCondition = { currencies: ['USD'], amount_min: '10.00', amount_max: '20.00' };

  test.each<[string, RoutingCondition, Partial<RoutingDetails>, boolean]>([
    ['without a condition', {}, {}, true],
    ['for its method', { methods: ['credit_card', 'paypal'] }, {}, true],
    ['for another method', { methods: ['paypal'] }, {}, false],
    ['for its brand', { brands: ['amex', 'visa'] }, {}, true],
    ['for another brand', { brands: ['amex'] }, {}, false],
    ['for a brand, where none is known', { brands: ['visa'] }, { brand: null }, false],
    ['for its currency', { currencies: ['EUR', 'USD'] }, {}, true],
    ['for another currency', { currencies: ['EUR'] }, {}, false],
    ['below its least amount', from10To20, { amountMinor: 999n }, false],
    ['at its least amount', from10To20, { amountMinor: 1000n }, true],
    ['at its greatest amount', from10To20, { amountMinor: 2000n }, true],
    ['above its greatest amount', from10To20, { amountMinor: 2001n }, false],
    ['for an amount in another currency', from10To20, { amountMinor: 1500n, currency: 'EUR' }, false],
    ['for whole yen', { currencies: ['JPY'], amount_min: '500' }, { currency: 'JPY', amountMinor: 500n }, true],
    ['of which one part does not fit', { methods: ['credit_card'], brands: ['amex'] }, {}, false],
  ])('%s applies or not, as it says', (_, when, changes, applies) => {
    const route = routed(changes, only(when));
    expect(route.rule).toBe(applies ? 1 : null);
    expect(route.candidates).toEqual([applies ? 'paypal' : 'easypay']);
  });

  test('that applies first wins, also where a later one is narrower, and says why in words', () => {
    const route = routed(
      {},
      {
        rules: [
          { when: { currencies: ['EUR'] }, providers: ['easypay'] },
          { when: { currencies: ['USD'], amount_max: '50.00' }, providers: ['paypal', 'easypay'] },
          { when: { methods: ['credit_card'], brands: ['visa'], currencies: ['USD'] }, providers: ['easypay'] },
        ],
        default: ['easypay'],
      },
    );
    expect(route).toEqual({
      rule: 2,
      reason: 'rule 2: currency USD, amount to 50.00',
      candidates: ['paypal', 'easypay'],
      ineligible: [],
    });
  });

  test('that applies is not followed by the default, also where none of its providers can take the payment', () => {
    const route = routed({ currency: 'ISK' }, only({}));
    expect(route).toMatchObject({ rule: 1, reason: 'rule 1: always', candidates: [] });
    expect(route.ineligible).toHaveLength(1);
  });
});

describe('for every payment, under every set of rules,', () => {
  const names = ['easypay', 'paypal', 'adyen', 'stripe', 'worldpay'];
  const words = (...all: string[]) => fc.option(fc.subarray(all, { minLength: 1 }), { nil: undefined });
  const condition: fc.Arbitrary<RoutingCondition> = fc
    .record({
      methods: words('credit_card', 'paypal'),
      brands: words('visa', 'amex', 'diners'),
      currencies: words('USD', 'EUR', 'HUF'),
      amount_min: fc.option(fc.integer({ min: 0, max: 60 }).map(String), { nil: undefined }),
      amount_max: fc.option(fc.integer({ min: 0, max: 60 }).map(String), { nil: undefined }),
    })
    // As settings are validated: an amount needs exactly one currency.
    .map((when) => (when.currencies?.length === 1 ? when : { ...when, amount_min: undefined, amount_max: undefined }));
  const providers = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 5 });
  const rules: fc.Arbitrary<RoutingRules> = fc.record({
    rules: fc.array(fc.record({ when: condition, providers }), { maxLength: 4 }),
    default: providers,
  });
  const payment: fc.Arbitrary<RoutingDetails> = fc.record({
    method: fc.constantFrom('credit_card', 'paypal'),
    brand: fc.constantFrom('visa', 'amex', 'diners', null),
    amountMinor: fc.bigInt({ min: 1n, max: 7_000n }),
    currency: fc.constantFrom('USD', 'EUR', 'HUF'),
  });

  /** The rule that should win, found the slow way. All currencies here have two decimals. */
  function expectedRule(
    { method, brand, currency, amountMinor }: RoutingDetails,
    { rules: all }: RoutingRules,
  ): number {
    return all.findIndex(({ when }) => {
      if (when.methods && !when.methods.includes(method)) return false;
      if (when.brands && !(brand !== null && when.brands.includes(brand))) return false;
      if (when.currencies && !when.currencies.includes(currency)) return false;
      if (when.amount_min && amountMinor < BigInt(when.amount_min) * 100n) return false;
      return !(when.amount_max && amountMinor > BigInt(when.amount_max) * 100n);
    });
  }

  test('each provider that was named is a candidate or left out with a reason, once, in the order of the names', () => {
    fc.assert(
      fc.property(payment, rules, (of, settings) => {
        const route = routeOf(of, settings, capabilities);
        const index = expectedRule(of, settings);
        expect(route.rule).toBe(index === -1 ? null : index + 1);
        const named = [...new Set(settings.rules[index]?.providers ?? settings.default)];
        const left = route.ineligible.map(({ provider }) => provider);
        expect([...route.candidates, ...left].toSorted()).toEqual(named.toSorted());
        expect(route.candidates).toEqual(named.filter((name) => route.candidates.includes(name)));
        expect(left).toEqual(named.filter((name) => left.includes(name)));
        for (const { reason } of route.ineligible) expect(reason).not.toBe('');
        expect(route.candidates.filter((name) => !capabilities.has(name))).toEqual([]);
      }),
    );
  });

  test('the same details give the same route', () => {
    fc.assert(
      fc.property(payment, rules, (of, settings) => {
        expect(routeOf({ ...of }, structuredClone(settings), capabilities)).toEqual(
          routeOf(of, settings, capabilities),
        );
      }),
    );
  });
});

test.each([
  ['tok_visa_4242', 'visa'],
  ['tok_amex_slow_0005', 'amex'],
  ['tok_paypal_wallet_1', null],
  ['tok_1', null],
  ['tok_visa', null],
  ['visa_4242', null],
  ['tok_constructor_1', null],
  ['', null],
])('the token %s names the brand %s', (token, brand) => {
  expect(brandOfToken(token)).toBe(brand);
});
