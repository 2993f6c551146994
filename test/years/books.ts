import { readAll } from '../support/api-call.ts';
import type { Movement } from '../support/bank.ts';
import type { Bill, Life } from './life.ts';
import type { MerchantCalls, ShownSubscription } from './merchant-calls.ts';

interface ShownInvoice {
  readonly id: string;
  readonly number: number;
  readonly reason: string;
  readonly cycle: number | null;
  readonly status: string;
  readonly amount: string;
  readonly period_start: string;
  readonly period_end: string;
  readonly payment_id: string | null;
  readonly attempts: number;
  readonly refund_due_amount: string;
  readonly issued_at: string;
}

interface ShownPayment {
  readonly id: string;
  readonly status: string;
  readonly amount: string;
  readonly captured_amount: string;
  readonly refunded_amount: string;
}

/** The bank's book by reference: the id of a payment or of a refund. */
export type Book = ReadonlyMap<string, readonly Movement[]>;

/** All is in a currency of two decimals. */
const minorOf = (amount: string) => BigInt(amount.replace('.', ''));
const iso = (instant: number | null) => (instant === null ? null : new Date(instant).toISOString());

/** What a subscription, on paper and as it is shown, says of itself: one text each, to be compared. */
export function standOnPaper(life: Life, planIdOf: (name: string) => string): string {
  const { status, quantity, cyclesBilled, periodEnd, next, open, debt, offer } = life;
  const dunning = debt === null ? null : [iso(debt.nextTry), iso(debt.endsAt)];
  const stands = [status, quantity, planIdOf(offer.name), cyclesBilled, iso(periodEnd), iso(next), open !== null];
  return JSON.stringify([...stands, dunning]);
}

export function standShown(shown: ShownSubscription): string {
  const { status, quantity, plan_id: plan, cycles_billed: cycles, current_period_end: end, dunning } = shown;
  const ladder = dunning === null ? null : [dunning.next_try_at, dunning.ends_at];
  return JSON.stringify([
    status,
    quantity,
    plan,
    cycles,
    end,
    shown.next_billing_date,
    shown.open_invoice_id !== null,
    ladder,
  ]);
}

/**
 * Holds everything that was billed and charged for a subscription against the calculation: invoices, payments and the bank's own
 * book. Returns what disagrees.
 */
export async function disagreements(calls: MerchantCalls, book: Book, id: string, life: Life): Promise<string[]> {
  const query = { subscription_id: id, limit: 100 };
  const [invoices, payments] = await Promise.all([
    readAll<ShownInvoice>(calls.apiUrl, calls.apiKey, '/api/v1/invoices', query),
    readAll<ShownPayment>(calls.apiUrl, calls.apiKey, '/api/v1/payments', query),
  ]);
  const shown = invoices.toSorted((one, other) => one.number - other.number).map((invoice) => lineShown(invoice));
  const onPaper = life.bills.map((bill) => lineOnPaper(bill));
  const found = difference(`${id} invoices`, onPaper, shown);
  found.push(...difference(`${id} payments`, triesOnPaper(life), payments.map(tryShown).toSorted()));
  for (const payment of payments) found.push(...(await atTheBank(calls, id, payment, book)));
  const givenBack = life.bills.reduce((sum, { refund }) => sum + refund, 0n);
  const refunded = payments.reduce((sum, { refunded_amount: amount }) => sum + minorOf(amount), 0n);
  if (givenBack !== refunded) found.push(`${id}: ${refunded} was given back, and should be ${givenBack}`);
  return found;
}

function lineOnPaper({ reason, cycle, status, amount, start, end, tries, refund, issuedAt }: Bill): string {
  return JSON.stringify([
    reason,
    cycle,
    status,
    String(amount),
    iso(start),
    iso(end),
    tries.length,
    String(refund),
    iso(issuedAt),
  ]);
}

function lineShown(invoice: ShownInvoice): string {
  const {
    reason,
    cycle,
    status,
    amount,
    period_start: start,
    period_end: end,
    attempts,
    issued_at: issuedAt,
  } = invoice;
  const refund = String(minorOf(invoice.refund_due_amount));
  return JSON.stringify([reason, cycle, status, String(minorOf(amount)), start, end, attempts, refund, issuedAt]);
}

/** Every try is a payment of its own. */
function triesOnPaper({ bills }: Life): string[] {
  return bills
    .flatMap(({ amount, tries }) => tries.map(({ isPaid }) => `${amount} ${isPaid ? 'paid' : 'failed'}`))
    .toSorted();
}

function tryShown({ amount, status }: ShownPayment): string {
  const isPaid = ['captured', 'partially_refunded', 'refunded'].includes(status);
  return `${minorOf(amount)} ${isPaid ? 'paid' : status}`;
}

/** A payment moved what it says, once, and nothing where it failed; so did its refunds. */
async function atTheBank(calls: MerchantCalls, id: string, payment: ShownPayment, book: Book): Promise<string[]> {
  const charges = movedOf(book, payment.id, 'charge');
  const expected = payment.status === 'failed' ? [] : [minorOf(payment.amount)];
  const refundsPath = `/api/v1/payments/${payment.id}/refunds`;
  const isRefunded = minorOf(payment.refunded_amount) > 0n;
  const refunds = isRefunded ? await readAll<{ id: string }>(calls.apiUrl, calls.apiKey, refundsPath) : [];
  const refunded = refunds.flatMap((refund) => movedOf(book, refund.id, 'refund'));
  return [
    ...difference(`${id}: the bank's charges of ${payment.id}`, expected.map(String), charges.map(String)),
    ...difference(
      `${id}: the bank's refunds of ${payment.id}`,
      isRefunded ? [payment.refunded_amount.replace('.', '').replace(/^0+/, '')] : [],
      refunded.map(String),
    ),
  ];
}

function movedOf(book: Book, reference: string, kind: string): bigint[] {
  return (book.get(reference) ?? []).filter((one) => one.kind === kind).map((one) => BigInt(one.amount_minor));
}

function difference(what: string, expected: readonly string[], shown: readonly string[]): string[] {
  const at = expected.findIndex((line, index) => line !== shown[index]);
  if (at === -1 && expected.length === shown.length) return [];
  const place = at === -1 ? expected.length : at;
  return [
    `${what}, ${expected.length} expected and ${shown.length} shown; number ${place + 1} should be ${expected[place]}, and is ${shown[place]}`,
  ];
}

/** Whether a merchant's invoices are numbered from 1 without a gap. Returns what is wrong. */
export async function gapsIn(calls: MerchantCalls): Promise<string[]> {
  const all = await readAll<ShownInvoice>(calls.apiUrl, calls.apiKey, '/api/v1/invoices', { limit: 100 });
  const numbers = all.map(({ number }) => number).toSorted((a, b) => a - b);
  const wrong = numbers.findIndex((number, index) => number !== index + 1);
  return wrong === -1
    ? []
    : [`invoice number ${wrong + 1} is missing or there twice: the next one is ${numbers[wrong]}`];
}
