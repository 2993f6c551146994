import { describe, expect, test } from 'vitest';
import { currencyExponents, exponentOf, isCurrency } from '../../workflows/domain/currencies.ts';

const codesWithoutTwoDecimals: ReadonlyMap<number, readonly string[]> = new Map([
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'.split(' ')],
  [3, 'BHD IQD JOD KWD LYD OMR TND'.split(' ')],
  [4, ['CLF', 'UYW']],
]);

describe('the table of currencies', () => {
  test('holds the 165 codes of ISO 4217 list one that have a minor unit, each three upper-case letters', () => {
    expect(currencyExponents.size).toBe(165);
    expect([...currencyExponents.keys()].filter((code) => !/^[A-Z]{3}$/.test(code))).toEqual([]);
  });

  test.each([...codesWithoutTwoDecimals])(
    'gives exponent %i to exactly the codes that ISO gives it to',
    (exponent, codes) => {
      const found = [...currencyExponents].filter(([, value]) => value === exponent).map(([code]) => code);
      expect(found.toSorted()).toEqual(codes.toSorted());
    },
  );

  test('gives exponent 2 to all the others, also where Intl shows other decimals', () => {
    expect([...currencyExponents.values()].filter((exponent) => exponent === 2)).toHaveLength(139);
    const shownOtherwise = 'AFN ALL COP HUF IDR IRR KPW LAK LBP MGA MMK MRU PKR RSD SOS SYP TWD UZS YER'.split(' ');
    expect(shownOtherwise.filter((code) => exponentOf(code) !== 2)).toEqual([]);
  });

  test.each(['EUR', 'USD', 'SLE', 'VED', 'VES', 'ZWG', 'XCG', 'XAD', 'BYN', 'MRU', 'STN', 'USN', 'CHE', 'MXV'])(
    'accepts %s, which is active',
    (code) => {
      expect(isCurrency(code)).toBe(true);
    },
  );

  test.each(['HRK', 'SLL', 'ZWL', 'CUC', 'ANG', 'BGN', 'VEF', 'BYR', 'MRO', 'STD', 'LTL', 'DEM', 'USS'])(
    'refuses %s, which is withdrawn',
    (code) => {
      expect(isCurrency(code)).toBe(false);
    },
  );

  test.each('XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX'.split(' '))(
    'refuses %s, which has no minor unit',
    (code) => {
      expect(isCurrency(code)).toBe(false);
    },
  );

  test.each(['', 'usd', 'US', 'USDD', ' USD', 'USD\n', 'BTC', '840', 'toString', '__proto__', 'constructor'])(
    'refuses %j, which is no code',
    (code) => {
      expect(isCurrency(code)).toBe(false);
    },
  );
});

describe('exponentOf', () => {
  test('throws for a currency that is not in the table', () => {
    expect(() => exponentOf('HRK')).toThrow(/isCurrency/);
  });
});
