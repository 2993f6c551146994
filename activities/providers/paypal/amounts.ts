import { exponentOf, isCurrency } from '../../../workflows/domain/currencies.ts';
import { formatMinor, parseMoney } from '../../../workflows/domain/money.ts';
import { ProviderFault } from '../provider.ts';

const twoDecimals = 'AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD'.split(' ');
const noDecimals = 'HUF JPY TWD'.split(' ');

/**
 * The currencies that PayPal takes, each with the decimals that it writes. HUF and TWD have two in ISO 4217 and none here.
 * Source: PayPal's page "Currency codes", developer.paypal.com/docs/api/reference/currency-codes/, without the ruble,
 * which its present edition leaves out.
 */
export const paypalCurrencies: Readonly<Record<string, number>> = Object.fromEntries([
  ...twoDecimals.map((currency) => [currency, 2]),
  ...noDecimals.map((currency) => [currency, 0]),
]);

/**
 * Minor units of ISO 4217 as PayPal writes an amount: 2599n USD is "25.99", 260000n HUF "2600". Throws a `rejected`
 * `ProviderFault` for a currency that PayPal does not take and for an amount that its decimals cannot express: it is
 * never rounded.
 */
export function toPaypalValue(amountMinor: bigint, currency: string): string {
  const decimals = Object.hasOwn(paypalCurrencies, currency) ? paypalCurrencies[currency] : undefined;
  if (decimals === undefined) throw new ProviderFault('rejected', `PayPal does not take ${currency}`);
  const [whole = '', fraction = ''] = formatMinor(amountMinor, currency).split('.');
  if (/[1-9]/.test(fraction.slice(decimals))) {
    throw new ProviderFault('rejected', `PayPal counts ${currency} with ${decimals} decimals, too few for this amount`);
  }
  return decimals === 0 ? whole : `${whole}.${fraction.slice(0, decimals).padEnd(decimals, '0')}`;
}

/**
 * The minor units of ISO 4217 behind an amount that PayPal wrote, with as many decimals as it likes as long as none is
 * lost: "2600" HUF is 260000n, "100.00" JPY 100n. Null when it is no positive amount of a known currency.
 */
export function fromPaypalValue(value: string, currency: string): bigint | null {
  if (!isCurrency(currency)) return null;
  const [whole = '', fraction = '', ...more] = value.split('.');
  const exponent = exponentOf(currency);
  if (more.length > 0 || /[^0]/.test(fraction.slice(exponent))) return null;
  const kept = fraction.slice(0, exponent);
  const parsed = parseMoney(kept === '' ? whole : `${whole}.${kept}`, currency);
  return parsed.ok ? parsed.money.amountMinor : null;
}
