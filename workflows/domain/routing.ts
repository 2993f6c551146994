import { exponentOf } from './currencies.ts';
import { formatMinor, parseMoney } from './money.ts';

/** What a provider can charge, as data. Null: every one. */
export interface ProviderCapabilities {
  readonly methods: readonly string[];
  readonly brands: readonly string[] | null;
  /** The currencies it takes, each with the decimals that it counts them with, which need not be those of ISO 4217. */
  readonly currencies: Readonly<Record<string, number>> | null;
}

/** What a choice of provider is made from. */
export interface RoutingDetails {
  readonly method: string;
  /** Null: not known from the token. */
  readonly brand: string | null;
  readonly amountMinor: bigint;
  readonly currency: string;
}

/** When a rule applies: all that it names must fit. Amounts are decimal strings, of the one currency that it names. */
export interface RoutingCondition {
  readonly methods?: readonly string[] | undefined;
  readonly brands?: readonly string[] | undefined;
  readonly currencies?: readonly string[] | undefined;
  readonly amount_min?: string | undefined;
  readonly amount_max?: string | undefined;
}

/** A merchant's rules, in order: the first that applies names the providers, also in order; else the default does. */
export interface RoutingRules {
  readonly rules: readonly { readonly when: RoutingCondition; readonly providers: readonly string[] }[];
  readonly default: readonly string[];
}

/** Which providers may charge a payment, in order, and why. Kept with the payment. */
export interface Route {
  /** The number of the rule that applied, from 1; null: the default. */
  readonly rule: number | null;
  readonly reason: string;
  readonly candidates: readonly string[];
  readonly ineligible: readonly { readonly provider: string; readonly reason: string }[];
}

/**
 * Chooses the providers for a payment: the merchant's first rule that applies (or the default) names them, and those that
 * cannot take it are left out, each with the reason. No candidate may be left.
 */
export function routeOf(
  details: RoutingDetails,
  rules: RoutingRules,
  capabilities: ReadonlyMap<string, ProviderCapabilities>,
): Route {
  const index = rules.rules.findIndex(({ when }) => applies(when, details));
  const rule = rules.rules[index];
  const named = [...new Set(rule?.providers ?? rules.default)];
  const judged = named.map((provider) => ({ provider, reason: obstacleAt(capabilities.get(provider), details) }));
  return {
    rule: rule === undefined ? null : index + 1,
    reason: rule === undefined ? 'no rule applies: the default order' : `rule ${index + 1}: ${inWords(rule.when)}`,
    candidates: judged.flatMap(({ provider, reason }) => (reason === null ? [provider] : [])),
    ineligible: judged.flatMap(({ provider, reason }) => (reason === null ? [] : [{ provider, reason }])),
  };
}

function applies(when: RoutingCondition, details: RoutingDetails): boolean {
  const { method, brand, currency, amountMinor } = details;
  return (
    (when.methods?.includes(method) ?? true) &&
    (when.brands === undefined || (brand !== null && when.brands.includes(brand))) &&
    (when.currencies?.includes(currency) ?? true) &&
    (when.amount_min === undefined || amountMinor >= minorOf(when.amount_min, currency)) &&
    (when.amount_max === undefined || amountMinor <= minorOf(when.amount_max, currency))
  );
}

/** A stored rule's amount; it was validated with its one currency, which is this one: `applies` compared it before. */
function minorOf(amount: string, currency: string): bigint {
  const parsed = parseMoney(amount, currency);
  return parsed.ok ? parsed.money.amountMinor : 0n;
}

/** Why this provider cannot take the payment; null when it can. */
function obstacleAt(provider: ProviderCapabilities | undefined, details: RoutingDetails): string | null {
  const { method, brand, currency, amountMinor } = details;
  if (provider === undefined) return 'is not installed';
  if (!provider.methods.includes(method)) return `does not take the method ${method}`;
  if (provider.brands !== null && brand !== null && !provider.brands.includes(brand)) {
    return `does not take the brand ${brand}`;
  }
  if (provider.currencies === null) return null;
  const decimals = Object.hasOwn(provider.currencies, currency) ? provider.currencies[currency] : undefined;
  if (decimals === undefined) return `does not take ${currency}`;
  return isCountedIn(amountMinor, exponentOf(currency) - decimals)
    ? null
    : `counts ${currency} with ${decimals} decimals, too few for ${formatMinor(amountMinor, currency)}`;
}

function isCountedIn(amountMinor: bigint, missingDecimals: number): boolean {
  return missingDecimals <= 0 || amountMinor % 10n ** BigInt(missingDecimals) === 0n;
}

function inWords(when: RoutingCondition): string {
  const parts = [
    when.methods && `method ${when.methods.join(' or ')}`,
    when.brands && `brand ${when.brands.join(' or ')}`,
    when.currencies && `currency ${when.currencies.join(' or ')}`,
    when.amount_min && `amount from ${when.amount_min}`,
    when.amount_max && `amount to ${when.amount_max}`,
  ].filter((part) => part !== undefined && part !== '');
  return parts.length === 0 ? 'always' : parts.join(', ');
}

/** The brand that a card token names (`tok_visa_…`), or null. */
export function brandOfToken(cardToken: string): string | null {
  const brand = /^tok_([a-z]+)_/.exec(cardToken)?.[1];
  return brand !== undefined && brands.has(brand) ? brand : null;
}

const brands: ReadonlySet<string> = new Set([
  'visa',
  'mastercard',
  'amex',
  'discover',
  'diners',
  'jcb',
  'unionpay',
  'maestro',
]);
