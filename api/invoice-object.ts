import { z } from 'zod';
import type { InvoiceRow } from '../prisma/invoice-list.ts';
import type { InvoiceLine, InvoiceLineKind, InvoiceReason } from '../workflows/domain/billing/subscription.ts';
import { failureOf } from '../workflows/domain/failure.ts';
import { formatMinor } from '../workflows/domain/money.ts';
import { invoiceStatuses } from '../workflows/domain/subscription-status.ts';
import { failureSchema, toFailureObject } from './failure-object.ts';
import { requireForm } from './require-form.ts';

const instant = z.iso.datetime();
const amount = z.string().describe('Decimal string in units of the currency, e.g. "25.99"');

const reasons = ['period', 'sign_up', 'change'] as const satisfies readonly InvoiceReason[];
const lineKinds = [
  'plan',
  'sign_up_fee',
  'proration_credit',
  'proration_charge',
] as const satisfies readonly InvoiceLineKind[];

const lineSchema = z
  .object({
    kind: z.enum(lineKinds),
    description: z.string(),
    quantity: z.int(),
    amount: amount.describe('Of the whole line; below zero for a credit'),
    period_start: instant.nullable(),
    period_end: instant.nullable().describe('Not included'),
  })
  .meta({ id: 'InvoiceLine' });

/** An invoice as its merchant sees it. */
export const invoiceSchema = z
  .object({
    id: z.string(),
    number: z.int().describe('Counts your invoices in a mode from 1, without gaps'),
    subscription_id: z.string(),
    customer_id: z.string(),
    reason: z.enum(reasons).describe('A period, a sign-up fee before the first one, or a change of plan within one'),
    cycle: z.int().nullable().describe('The number of the period, from 1; null: of none'),
    status: z
      .enum(invoiceStatuses)
      .describe(
        '`open`: to be paid; `uncollectible`: given up; `void`: no longer asked for. What is not `open` stays as it is',
      ),
    amount: amount.describe('What is charged: the sum of the lines, to which no tax is added'),
    currency: z.string(),
    period_start: instant,
    period_end: instant.describe('Not included'),
    lines: z.array(lineSchema),
    payment_id: z.string().nullable().describe('The last payment that was begun for it'),
    attempts: z.int().describe('How many payments were begun for it'),
    next_attempt_at: instant.nullable().describe('When it is charged again by itself'),
    failure: failureSchema.nullable().describe('Why the last payment failed'),
    refund_due_amount: amount.describe('What a cancellation gives back of it'),
    issued_at: instant,
    paid_at: instant.nullable(),
    closed_at: instant.nullable().describe('When it stopped being `open`'),
    created_at: instant,
    updated_at: instant,
    is_test: z.boolean(),
  })
  .meta({ id: 'Invoice' });

/** A row as the wire has it. */
export function toInvoiceObject(row: InvoiceRow): z.infer<typeof invoiceSchema> {
  const { failure_code: code, ...shown } = row;
  const money = (minor: string) => formatMinor(BigInt(minor), row.currency);
  return {
    ...shown,
    number: Number(row.number),
    amount: money(row.amount),
    lines: row.lines.map((line) => toInvoiceLine(line, money)),
    failure: toFailureObject(code === null ? null : failureOf(code)),
    refund_due_amount: money(row.refund_due_amount),
    period_start: row.period_start.toISOString(),
    period_end: row.period_end.toISOString(),
    next_attempt_at: row.next_attempt_at?.toISOString() ?? null,
    issued_at: row.issued_at.toISOString(),
    paid_at: row.paid_at?.toISOString() ?? null,
    closed_at: row.closed_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

/** A line as the wire has it; `money` writes its amount. */
export function toInvoiceLine(
  { kind, description, quantity, amountMinor, period }: InvoiceLine,
  money: (minor: string) => string,
) {
  const span = { period_start: period?.start ?? null, period_end: period?.end ?? null };
  return { kind, description, quantity, amount: money(amountMinor), ...span };
}

/** The id, or `not_found` for text that can be no invoice's id. */
export const requireInvoiceId = requireForm(/^inv_[0-9a-z]{26}$/);
