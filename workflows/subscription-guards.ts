import { containsCardNumber } from './domain/card-number.ts';
import { refuse } from './guards.ts';
import type { ChangeAct } from './subscription-contract.ts';

/** Who acts by hand may send anything. What the database cannot take would stop the workflow, so it is refused here. */
type Given<Named> = { readonly [Name in keyof Named]?: unknown };

const instantPattern = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

/** Refuses what is no instant, or none where one is needed. */
export function requireInstant(name: string, value: unknown, need: 'needed' | 'optional' = 'optional'): void {
  if (value === undefined && need === 'optional') return;
  if (!isInstant(value)) refuse(`${name} must be an instant such as 2027-01-31T09:00:00Z`);
}

/** Whether it is one, of a day that there is, and in a year that the database has. */
function isInstant(value: unknown): boolean {
  const [, day] = (typeof value === 'string' && instantPattern.exec(value)) || [];
  if (day === undefined || !new Date(day).toISOString().startsWith(day)) return false;
  const year = new Date(String(value)).getUTCFullYear();
  return year >= 1 && year <= 9999;
}

/** Refuses a word that is not one of a few. */
export function requireOneOf(name: string, value: unknown, words: readonly unknown[]): void {
  if (value !== undefined && !words.includes(value)) refuse(`${name} must be one of: ${words.join(', ')}`);
}

/** Refuses a change of nothing, or one that cannot be read. */
export function requireChange(act: Given<ChangeAct>): void {
  const { planId, planVersion, quantity, effective, paymentMethod, cancelAtPeriodEnd } = act;
  const asked = [planId, planVersion, quantity, paymentMethod, cancelAtPeriodEnd];
  if (asked.every((value) => value === undefined))
    refuse('nothing is to be changed: name a plan, a quantity or a payment method');
  requireOneOf('effective', effective, ['now', 'period_end']);
  if (planId !== undefined && (typeof planId !== 'string' || !/^pln_[0-9a-z]{26}$/.test(planId))) {
    refuse('planId must be a plan’s id, such as the API shows it');
  }
  requireWhole('planVersion', planVersion);
  requireWhole('quantity', quantity);
  if (cancelAtPeriodEnd !== undefined && cancelAtPeriodEnd !== false) {
    refuse('cancelAtPeriodEnd can only be taken back, with false: cancel with when: period_end');
  }
  if (paymentMethod !== undefined) requirePaymentMethod(paymentMethod);
}

const wholeMax = 1_000_000;

function requireWhole(name: string, value: unknown): void {
  if (value === undefined || isWhole(value, 1, wholeMax)) return;
  refuse(`${name} must be a whole number from 1 to ${wholeMax}`);
}

function requirePaymentMethod(given: unknown): void {
  const fields = fieldsOf(given);
  if (fields === null) refuse('paymentMethod must be { type, cardToken, expiry }');
  const { type, cardToken, expiry } = fields;
  requireOneOf('paymentMethod.type', type ?? '', ['credit_card', 'paypal']);
  if (typeof cardToken !== 'string' || !/^[A-Za-z0-9_-]{1,128}$/.test(cardToken)) {
    refuse('paymentMethod.cardToken must be a token: 1 to 128 letters, digits, dashes or underscores');
  }
  if (containsCardNumber(cardToken)) refuse('paymentMethod.cardToken is a card number: give a token of it');
  if (!isExpiry(expiry)) refuse('paymentMethod.expiry must be null or { year, month }, such as 2030 and 12');
}

function isExpiry(expiry: unknown): boolean {
  if (expiry === null) return true;
  const { year, month } = fieldsOf(expiry) ?? {};
  return isWhole(year, 2000, 2100) && isWhole(month, 1, 12);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null ? { ...value } : null;
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}
