import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { currencyExponents } from '../../workflows/domain/currencies.ts';
import { amountMinorMax, formatMinor, formatMoney, parseMoney } from '../../workflows/domain/money.ts';

describe('parseMoney', () => {
  test.each([
    ['25.99', 'USD', 2599n],
    ['25.9', 'USD', 2590n],
    ['25', 'USD', 2500n],
    ['0.01', 'USD', 1n],
    ['0.1', 'EUR', 10n],
    ['100', 'JPY', 100n],
    ['1', 'JPY', 1n],
    ['1.234', 'KWD', 1234n],
    ['1.2', 'KWD', 1200n],
    ['0.001', 'BHD', 1n],
    ['0.0001', 'CLF', 1n],
    ['1.5', 'HUF', 150n],
    ['9007199254740993', 'JPY', 9007199254740993n],
    ['92233720368547758.07', 'USD', amountMinorMax],
    ['9223372036854775807', 'JPY', amountMinorMax],
    ['922337203685477.5807', 'UYW', amountMinorMax],
  ])('reads %s %s as %s minor units', (amount, currency, amountMinor) => {
    expect(parseMoney(amount, currency)).toEqual({ ok: true, money: { amountMinor, currency } });
  });

  test.each([
    ['', 'USD', /plain decimal/],
    ['.', 'USD', /plain decimal/],
    ['.5', 'USD', /plain decimal/],
    ['5.', 'USD', /plain decimal/],
    ['5.', 'JPY', /plain decimal/],
    ['1.2.3', 'USD', /plain decimal/],
    ['-1', 'USD', /plain decimal/],
    ['+1', 'USD', /plain decimal/],
    ['01', 'USD', /plain decimal/],
    ['00.5', 'USD', /plain decimal/],
    ['1e3', 'USD', /plain decimal/],
    ['0x10', 'USD', /plain decimal/],
    ['1n', 'USD', /plain decimal/],
    [' 1', 'USD', /plain decimal/],
    ['1 ', 'USD', /plain decimal/],
    ['1\n', 'USD', /plain decimal/],
    ['1,000', 'USD', /plain decimal/],
    ['1_000', 'USD', /plain decimal/],
    ['NaN', 'USD', /plain decimal/],
    ['Infinity', 'USD', /plain decimal/],
    ['$5', 'USD', /plain decimal/],
    ['５', 'USD', /plain decimal/],
    ['٥', 'USD', /plain decimal/],
    ['25.999', 'USD', /at most 2 decimals/],
    ['25.990', 'USD', /at most 2 decimals/],
    ['1.2345', 'KWD', /at most 3 decimals/],
    ['1.23456', 'CLF', /at most 4 decimals/],
    ['100.0', 'JPY', /no decimals/],
    ['0', 'USD', /greater than zero/],
    ['0.00', 'USD', /greater than zero/],
    ['0', 'JPY', /greater than zero/],
    ['92233720368547758.08', 'USD', /so large/],
    ['9223372036854775808', 'JPY', /so large/],
    ['92233720368547759', 'USD', /so large/],
    ['111111111111111111.11', 'USD', /characters long/],
    [`0.${'0'.repeat(1_000_000)}1`, 'USD', /characters long/],
  ])('refuses the amount %j %s and says why', (amount, currency, problem) => {
    expect(parseMoney(amount, currency)).toEqual({
      ok: false,
      field: 'amount',
      problem: expect.stringMatching(problem),
    });
  });

  test.each(['', 'usd', 'HRK', 'XAU', 'USD ', 'toString'])(
    'refuses the currency %j, whatever the amount',
    (currency) => {
      const refusal = { ok: false, field: 'currency', problem: expect.stringMatching(/ISO 4217/) };
      expect(parseMoney('1', currency)).toEqual(refusal);
      expect(parseMoney('not a number', currency)).toEqual(refusal);
    },
  );

  test('never repeats the input in a problem', () => {
    for (const [amount, currency] of [
      ['4242424242424242.4242', 'USD'],
      ['314159.26535', 'USD'],
      ['secret', 'USD'],
      ['1', 'secret'],
    ] as const) {
      const parsed = parseMoney(amount, currency);
      expect(parsed.ok ? '' : parsed.problem).toMatch(/^Must (?!.*(4242|26535|secret)).+\.$/);
    }
  });
});

describe('formatting', () => {
  test.each([
    [2599n, 'USD', '25.99'],
    [5n, 'USD', '0.05'],
    [0n, 'USD', '0.00'],
    [100n, 'JPY', '100'],
    [0n, 'JPY', '0'],
    [0n, 'KWD', '0.000'],
    [1234n, 'KWD', '1.234'],
    [1n, 'CLF', '0.0001'],
    [-2599n, 'USD', '-25.99'],
    [-5n, 'USD', '-0.05'],
    [-100n, 'JPY', '-100'],
    [amountMinorMax, 'USD', '92233720368547758.07'],
  ])('writes %s minor units of %s as %s', (amountMinor, currency, text) => {
    expect(formatMinor(amountMinor, currency)).toBe(text);
  });

  test('throws for an unknown currency rather than guess its decimals', () => {
    expect(() => formatMinor(1n, 'HRK')).toThrow(/Unknown currency/);
  });

  test('puts the currency behind the amount for people', () => {
    expect(formatMoney({ amountMinor: 2599n, currency: 'USD' })).toBe('25.99 USD');
    expect(formatMoney({ amountMinor: 100n, currency: 'JPY' })).toBe('100 JPY');
  });
});

describe('parsing and formatting together', () => {
  const currencies = fc.constantFrom(...currencyExponents.keys());

  // A failing property prints its seed and its smallest counterexample.
  test('reading what was written gives the same money, for every currency and every amount in range', () => {
    const amounts = fc.oneof(fc.bigInt({ min: 1n, max: amountMinorMax }), fc.bigInt({ min: 1n, max: 20_000n }));
    fc.assert(
      fc.property(amounts, currencies, (amountMinor, currency) => {
        expect(parseMoney(formatMinor(amountMinor, currency), currency)).toEqual({
          ok: true,
          money: { amountMinor, currency },
        });
      }),
      { numRuns: 2_000 },
    );
    for (const currency of currencyExponents.keys()) {
      for (const amountMinor of [1n, 9n, 10n, 99n, 100n, 9_999n, 10_000n, amountMinorMax]) {
        const parsed = parseMoney(formatMinor(amountMinor, currency), currency);
        expect(parsed).toEqual({ ok: true, money: { amountMinor, currency } });
      }
    }
  });

  test('writing what was read gives the same number, with all the decimals of the currency', () => {
    const whole = fc.nat({ max: 1_000_000_000 });
    fc.assert(
      fc.property(whole, fc.stringMatching(/^\d{0,5}$/), currencies, (units, decimals, currency) => {
        const amount = decimals === '' ? `${units}` : `${units}.${decimals}`;
        const exponent = currencyExponents.get(currency) ?? 0;
        const parsed = parseMoney(amount, currency);
        const isZero = units === 0 && !/[1-9]/.test(decimals);
        expect(parsed.ok).toBe(decimals.length <= exponent && !isZero);
        if (parsed.ok) {
          const written = formatMinor(parsed.money.amountMinor, currency);
          expect(written).toBe(exponent === 0 ? `${units}` : `${units}.${decimals.padEnd(exponent, '0')}`);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('parseMoney answers any two strings without throwing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.oneof(currencies, fc.string()), (amount, currency) => {
        const parsed = parseMoney(amount, currency);
        expect(parsed.ok).toBe(parsed.ok && /^\d+(\.\d+)?$/.test(amount));
      }),
    );
  });
});
