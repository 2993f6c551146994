import { exponentOf, isCurrency } from './currencies.ts';

/** An amount of money: a whole number of minor units of an ISO 4217 currency (2599 USD is 25.99 dollars). */
export interface Money {
  readonly amountMinor: bigint;
  readonly currency: string;
}

/** What `parseMoney` answers: the money, or the field at fault and a sentence about it that never repeats the input. */
export type ParsedMoney =
  | { readonly ok: true; readonly money: Money }
  | { readonly ok: false; readonly field: 'amount' | 'currency'; readonly problem: string };

/** The largest amount, in minor units: what a BIGINT column holds (2^63 - 1). */
export const amountMinorMax = 9_223_372_036_854_775_807n;

/** The longest amount on the wire, in characters: the 19 digits of `amountMinorMax` and a dot. */
const amountLengthMax = 20;

const amountPattern = /^(0|[1-9]\d*)(?:\.(\d+))?$/;

/**
 * Reads an amount from the wire: a plain decimal string ("25.99", "25.9", "100") without sign, exponent, spaces or
 * leading zeros, with at most as many decimals as the currency has, above zero and at most `amountMinorMax`. Never
 * throws and never rounds; the currency is judged first, because the amount cannot be read without it.
 */
export function parseMoney(amount: string, currency: string): ParsedMoney {
  if (!isCurrency(currency)) {
    return { ok: false, field: 'currency', problem: 'Must be an active ISO 4217 currency code in upper case.' };
  }
  if (amount.length > amountLengthMax) {
    return refusedAmount(`Must be at most ${amountLengthMax} characters long.`);
  }
  const match = amountPattern.exec(amount);
  if (match === null) {
    return refusedAmount('Must be a plain decimal number such as "25.99", without sign, spaces or leading zeros.');
  }
  const [, whole = '', decimals = ''] = match;
  const exponent = exponentOf(currency);
  if (decimals.length > exponent) {
    return refusedAmount(decimalsProblem(exponent));
  }
  const amountMinor = BigInt(whole + decimals.padEnd(exponent, '0'));
  if (amountMinor <= 0n) {
    return refusedAmount('Must be greater than zero.');
  }
  if (amountMinor > amountMinorMax) {
    return refusedAmount('Must not be so large.');
  }
  return { ok: true, money: { amountMinor, currency } };
}

/**
 * Writes minor units as a decimal string with exactly the currency's decimals: 2599n USD is "25.99", 100n JPY "100",
 * 0n KWD "0.000", -5n USD "-0.05". Throws as `exponentOf` does for an unknown currency.
 */
export function formatMinor(amountMinor: bigint, currency: string): string {
  const exponent = exponentOf(currency);
  const sign = amountMinor < 0n ? '-' : '';
  const digits = (amountMinor < 0n ? -amountMinor : amountMinor).toString().padStart(exponent + 1, '0');
  const wholeLength = digits.length - exponent;
  return sign + (exponent === 0 ? digits : `${digits.slice(0, wholeLength)}.${digits.slice(wholeLength)}`);
}

/** Writes money for people: "25.99 USD". Throws as `exponentOf` does for an unknown currency. */
export function formatMoney(money: Money): string {
  return `${formatMinor(money.amountMinor, money.currency)} ${money.currency}`;
}

function refusedAmount(problem: string): ParsedMoney {
  return { ok: false, field: 'amount', problem };
}

function decimalsProblem(exponent: number): string {
  return exponent === 0
    ? 'Must have no decimals in this currency.'
    : `Must have at most ${exponent} decimals in this currency.`;
}
