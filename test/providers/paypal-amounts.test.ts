import { describe, expect, test } from 'vitest';
import { fromPaypalValue, paypalCurrencies, toPaypalValue } from '../../activities/providers/paypal/amounts.ts';
import { ProviderFault } from '../../activities/providers/provider.ts';
import { amountMinorMax } from '../../workflows/domain/money.ts';

/** Written out by hand, so that no rule of the code is in it: what 123456 minor units and the smallest amount are. */
const table: readonly [currency: string, minor: bigint, value: string, smallestMinor: bigint, smallestValue: string][] =
  [
    ['AUD', 123_456n, '1234.56', 1n, '0.01'],
    ['BRL', 123_456n, '1234.56', 1n, '0.01'],
    ['CAD', 123_456n, '1234.56', 1n, '0.01'],
    ['CHF', 123_456n, '1234.56', 1n, '0.01'],
    ['CNY', 123_456n, '1234.56', 1n, '0.01'],
    ['CZK', 123_456n, '1234.56', 1n, '0.01'],
    ['DKK', 123_456n, '1234.56', 1n, '0.01'],
    ['EUR', 123_456n, '1234.56', 1n, '0.01'],
    ['GBP', 123_456n, '1234.56', 1n, '0.01'],
    ['HKD', 123_456n, '1234.56', 1n, '0.01'],
    ['HUF', 123_400n, '1234', 100n, '1'],
    ['ILS', 123_456n, '1234.56', 1n, '0.01'],
    ['JPY', 123_456n, '123456', 1n, '1'],
    ['MXN', 123_456n, '1234.56', 1n, '0.01'],
    ['MYR', 123_456n, '1234.56', 1n, '0.01'],
    ['NOK', 123_456n, '1234.56', 1n, '0.01'],
    ['NZD', 123_456n, '1234.56', 1n, '0.01'],
    ['PHP', 123_456n, '1234.56', 1n, '0.01'],
    ['PLN', 123_456n, '1234.56', 1n, '0.01'],
    ['SEK', 123_456n, '1234.56', 1n, '0.01'],
    ['SGD', 123_456n, '1234.56', 1n, '0.01'],
    ['THB', 123_456n, '1234.56', 1n, '0.01'],
    ['TWD', 123_400n, '1234', 100n, '1'],
    ['USD', 123_456n, '1234.56', 1n, '0.01'],
  ];

const refusalOf = (amountMinor: bigint, currency: string): unknown => {
  try {
    return toPaypalValue(amountMinor, currency);
  } catch (error) {
    return error instanceof ProviderFault ? error.kind : error;
  }
};

describe('an amount for PayPal', () => {
  test('has a row here for every currency, and none more', () => {
    expect(Object.keys(paypalCurrencies).toSorted()).toEqual(table.map(([currency]) => currency));
  });

  test.each(table)('in %s is the same there and back', (currency, minor, value, smallestMinor, smallestValue) => {
    expect(toPaypalValue(minor, currency)).toBe(value);
    expect(fromPaypalValue(value, currency)).toBe(minor);
    expect(toPaypalValue(smallestMinor, currency)).toBe(smallestValue);
    expect(fromPaypalValue(smallestValue, currency)).toBe(smallestMinor);
  });

  test('as large as we store any is the same there and back', () => {
    expect(toPaypalValue(amountMinorMax, 'USD')).toBe('92233720368547758.07');
    expect(fromPaypalValue('92233720368547758.07', 'USD')).toBe(amountMinorMax);
  });

  test('of any size is the same there and back, where PayPal can express it', () => {
    const seed = Date.now() % 1_000_000;
    let state = seed;
    const next = () => (state = (state * 48_271 + 11) % 2_147_483_647);
    for (let round = 0; round < 500; round++) {
      const [currency = 'USD', , , smallest = 1n] = table[next() % table.length] ?? [];
      const amount = BigInt(next()) * BigInt(next() % 10_000_000) * smallest + smallest;
      const there = toPaypalValue(amount, currency);
      expect(fromPaypalValue(there, currency), `seed ${seed}: ${amount} ${currency} as ${there}`).toBe(amount);
    }
  });

  test.each([
    ['HUF', 1n],
    ['HUF', 99n],
    ['HUF', 123_450n],
    ['TWD', 10n],
    ['TWD', 123_401n],
  ])('in %s of %i minor units cannot be expressed: rejected, not rounded', (currency, amountMinor) => {
    expect(refusalOf(amountMinor, currency)).toBe('rejected');
  });

  test.each(['KWD', 'CLP', 'RUB', 'constructor'])('in %s is rejected: PayPal does not take it', (currency) => {
    expect(refusalOf(1_000n, currency)).toBe('rejected');
  });
});

describe('an amount from PayPal', () => {
  test.each([
    ['100', 'USD', 10_000n],
    ['25.9', 'USD', 2_590n],
    ['25.9900', 'USD', 2_599n],
    ['100.00', 'JPY', 100n],
    ['2600.00', 'HUF', 260_000n],
    ['2600.5', 'HUF', 260_050n],
  ])('written as %s %s is read as it is', (value, currency, minor) => {
    expect(fromPaypalValue(value, currency)).toBe(minor);
  });

  test.each([
    ['25.999', 'USD'],
    ['100.5', 'JPY'],
    ['1e3', 'USD'],
    ['0x10', 'USD'],
    ['-1.00', 'USD'],
    ['+1.00', 'USD'],
    [' 1.00', 'USD'],
    ['1,00', 'USD'],
    ['1.0.0', 'USD'],
    ['1.', 'JPYX'],
    ['', 'USD'],
    ['.', 'USD'],
    ['0.00', 'USD'],
    ['25.99', 'usd'],
    ['25.99', 'XXX'],
    ['92233720368547758.08', 'USD'],
  ])('written as %j %s is none', (value, currency) => {
    expect(fromPaypalValue(value, currency)).toBeNull();
  });
});
