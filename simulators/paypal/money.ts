import { z } from 'zod';
import { HttpError } from '../http.ts';

/** An amount as PayPal writes it: `value` is a decimal string with PayPal's own number of decimals. */
export const moneySchema = z.strictObject({
  currency_code: z.string().regex(/^[A-Z]{3}$/, 'must be three capital letters'),
  value: z
    .string()
    .max(32)
    .regex(/^(0|[1-9][0-9]{0,14})(\.[0-9]+)?$/, 'must be a decimal number as a string'),
});
/** An amount as PayPal writes it. */
export type Money = z.infer<typeof moneySchema>;

interface Decimals {
  readonly paypal: number;
  readonly iso: number;
}

const two: Decimals = { paypal: 2, iso: 2 };
const twoInIsoOnly: Decimals = { paypal: 0, iso: 2 };

// Source: PayPal's table of supported currencies. Three take no decimals there, two of them against ISO 4217.
const decimals: ReadonlyMap<string, Decimals> = new Map([
  ...'AUD BRL CAD CNY CZK DKK EUR HKD ILS MYR MXN NZD NOK PHP PLN GBP SGD SEK CHF THB USD'
    .split(' ')
    .map((code): [string, Decimals] => [code, two]),
  ['HUF', twoInIsoOnly],
  ['TWD', twoInIsoOnly],
  ['JPY', { paypal: 0, iso: 0 }],
]);

/** The amount in minor units of ISO 4217, as the bank books it. Throws a 422 that names the field when PayPal does not
 * take the currency, so many decimals, or nothing at all. */
export function minorUnitsOf({ currency_code: code, value }: Money, field = 'amount'): bigint {
  const { paypal, iso } = decimalsOf(code, field);
  const [whole = '', fraction = ''] = value.split('.');
  if (fraction.length > paypal) {
    const issue = paypal === 0 ? 'DECIMALS_NOT_SUPPORTED' : 'DECIMAL_PRECISION';
    throw new HttpError(422, issue, `${code} takes ${paypal} decimals`, `${field}.value`);
  }
  const amount = BigInt(whole + fraction.padEnd(iso, '0'));
  if (amount === 0n) {
    throw new HttpError(422, 'CANNOT_BE_ZERO_OR_NEGATIVE', 'Must be greater than zero', `${field}.value`);
  }
  return amount;
}

/** Minor units of ISO 4217 as PayPal writes them. They must be of a currency that PayPal takes, and fit its decimals. */
export function moneyOf(amountMinor: bigint, code: string): Money {
  const { paypal, iso } = decimalsOf(code);
  return written(amountMinor / 10n ** BigInt(iso - paypal), code, paypal);
}

/** The amount as PayPal shows it, with all its decimals. */
export function canonical(money: Money): Money {
  return shifted(money, 0n);
}

/** The amount and one of PayPal's smallest units more. */
export function oneMore(money: Money): Money {
  return shifted(money, 1n);
}

function shifted({ currency_code: code, value }: Money, by: bigint): Money {
  const { paypal } = decimalsOf(code);
  const [whole = '', fraction = ''] = value.split('.');
  return written(BigInt(whole + fraction.padEnd(paypal, '0')) + by, code, paypal);
}

function written(units: bigint, code: string, decimalsShown: number): Money {
  const digits = String(units).padStart(decimalsShown + 1, '0');
  const cut = digits.length - decimalsShown;
  return { currency_code: code, value: decimalsShown === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}` };
}

function decimalsOf(code: string, field = 'amount'): Decimals {
  const known = decimals.get(code);
  if (known !== undefined) return known;
  throw new HttpError(422, 'CURRENCY_NOT_SUPPORTED', `PayPal takes no ${code}`, `${field}.currency_code`);
}
