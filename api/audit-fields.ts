import { isIP } from 'node:net';
import { scrub } from '../runtime/scrub.ts';
import { containsCardNumber } from '../workflows/domain/card-number.ts';
import { currencyExponents } from '../workflows/domain/currencies.ts';
import { eventTypes } from '../workflows/domain/event.ts';
import { movementStates } from '../workflows/domain/movement.ts';
import { paymentStatuses } from '../workflows/domain/payment-status.ts';
import { invoiceStatuses, subscriptionStatuses } from '../workflows/domain/subscription-status.ts';
import { problemCatalogue } from './errors.ts';
import { merchantRoles, permissions, platformRoles } from './permissions.ts';

/** What of a value the log keeps: itself or a part of it; undefined: nothing. */
type Rule = (value: unknown) => unknown;

function formed(pattern: RegExp): Rule {
  return (value) =>
    typeof value === 'string' && pattern.test(value) && !containsCardNumber(value) ? value : undefined;
}

function oneOf(...words: readonly string[]): Rule {
  const known = new Set(words);
  return (value) => (typeof value === 'string' && known.has(value) ? value : undefined);
}

/** Those elements that may be kept; nothing at all of a list of which none may be. */
function listOf(rule: Rule): Rule {
  return (values) => {
    if (!Array.isArray(values)) return undefined;
    const kept = values.slice(0, listedMax).filter((value) => rule(value) !== undefined);
    return kept.length === 0 && values.length > 0 ? undefined : kept;
  };
}

const listedMax = 100;

const flag: Rule = (value) => (typeof value === 'boolean' ? value : undefined);
const count: Rule = (value) => (Number.isInteger(value) && Math.abs(Number(value)) <= 1e9 ? value : undefined);
const amount = formed(/^\d{1,12}(\.\d{1,4})?$/);
const instant = formed(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/);
/** An id of ours: three letters, and at least 80 bits in Crockford's base32. */
const ownId = formed(/^[a-z]{3}_[0-9a-hjkmnp-tv-z]{16,26}$/);

/** Of keys, users, merchants, customers, plans, endpoints, discrepancies and providers' events. */
const otherStatuses = 'active suspended revoked invited blanked archived disabled open closed processed ignored'.split(
  ' ',
);

/**
 * Everything of requests and answers that the log of calls may keep, each under a rule that no free text passes: words of
 * closed lists, amounts, numbers, instants, and ids that we made. What is not listed, or breaks its rule, is not kept.
 */
const fields: Readonly<Record<string, Rule>> = {
  id: ownId,
  payment_id: ownId,
  capture_id: ownId,
  merchant_id: ownId,
  customer_id: ownId,
  plan_id: ownId,
  subscription_id: ownId,
  invoice_id: ownId,
  resource_id: ownId,
  session_id: ownId,

  amount,
  authorized_amount: amount,
  captured_amount: amount,
  voided_amount: amount,
  refunded_amount: amount,
  sign_up_fee: amount,
  version: count,
  trial_days: count,
  cycles: count,
  cycles_billed: count,
  plan_version: count,
  quantity: count,
  when: oneOf('now', 'period_end'),
  effective: oneOf('now', 'period_end'),
  refund: oneOf('none', 'unused'),
  anchor: oneOf('keep', 'shift'),
  cancel_at_period_end: flag,
  starts_at: instant,
  resumes_at: instant,
  next_billing_date: instant,
  currency: oneOf(...currencyExponents.keys()),
  payment_method: oneOf('credit_card', 'paypal'),
  capture: oneOf('automatic', 'manual'),
  purpose: oneOf('purchase', 'subscription', 'donation', 'top_up', 'other'),
  status: oneOf(...paymentStatuses, ...movementStates, ...subscriptionStatuses, ...invoiceStatuses, ...otherStatuses),
  outcome: oneOf(...paymentStatuses),
  type: oneOf(...eventTypes),
  event_types: listOf(oneOf(...eventTypes)),

  is_test: flag,
  role: oneOf(...Object.keys(merchantRoles), ...Object.keys(platformRoles)),
  permissions: listOf(oneOf(...Object.keys(permissions))),
  requires_signature: flag,
  rate_limit_per_minute: count,
  rate_limit_per_hour: count,
  rate_limit_per_day: count,
  expires_at: instant,

  /** Of a problem. */
  code: oneOf(...Object.keys(problemCatalogue)),
  /** How many elements a page of a list had. */
  count,
};

/** The members of an object that may be kept, as they may. Anything but an object has none. */
export function auditedFields(given: unknown): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || Buffer.isBuffer(given)) return {};
  const kept = Object.entries(given).map(([name, value]) => {
    const rule = Object.hasOwn(fields, name) ? fields[name] : undefined;
    return [name, rule?.(value)] as const;
  });
  return Object.fromEntries(kept.filter(([, value]) => value !== undefined));
}

/** An id that has the form of ours, or null. */
export function auditedId(id: unknown): string | null {
  const kept = ownId(id);
  return typeof kept === 'string' ? kept : null;
}

/** Name and version of the program, the first word of `User-Agent`; null where it has another form. */
export function auditedUserAgent(userAgent: string | undefined): string | null {
  const [product = ''] = (userAgent ?? '').split(' ', 1);
  return /^[A-Za-z0-9._-]{1,40}\/[0-9.]{1,20}$/.test(product) && scrub(product) === product ? product : null;
}

/** The client's address, IPv4 in its own form; null where it is none that the database knows. */
export function auditedAddress(origin: string): string | null {
  const address = origin.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(address) === 0 || address.includes('%') ? null : address;
}
