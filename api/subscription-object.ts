import { z } from 'zod';
import type { SubscriptionRow } from '../prisma/subscription-list.ts';
import { formatMinor } from '../workflows/domain/money.ts';
import { subscriptionStatuses } from '../workflows/domain/subscription-status.ts';

const instant = z.iso.datetime();

/** The subscription as merchants see it. */
export const subscriptionSchema = z
  .object({
    id: z.string(),
    external_id: z.string(),
    customer_id: z.string(),
    plan_id: z.string(),
    plan_version: z.int().describe('What it costs stays as it was in this version of the plan, until it is changed'),
    status: z.enum(subscriptionStatuses),
    quantity: z.int(),
    billing_cycle: z.string().describe('How long a period is: `month`, `3 months`'),
    amount: z.string().describe('Of a period, all of `quantity`: a decimal string in units of the currency'),
    currency: z.string().describe('ISO 4217'),
    time_zone: z.string().describe('On whose clocks and calendar its dates are counted'),
    cycles_billed: z.int().describe('How many periods were billed'),
    cycles_total: z.int().nullable().describe('How many will be; null: without end'),
    trial_end: instant.nullable(),
    current_period_start: instant.nullable().describe('Null: no period has begun'),
    current_period_end: instant.nullable(),
    next_billing_date: instant.nullable().describe('When the next period begins and is billed; null: none will be'),
    payment_method: z
      .object({ type: z.string(), card_exp_month: z.int().nullable(), card_exp_year: z.int().nullable() })
      .describe('Without its token, which is never shown'),
    cancel_at_period_end: z.boolean().describe('Whether it ends instead of being billed on `next_billing_date`'),
    canceled_at: instant.nullable(),
    ended_at: instant.nullable().describe('When it was canceled or completed'),
    paused_at: instant.nullable(),
    resumes_at: instant.nullable().describe('When a pause ends by itself; null: when somebody ends it'),
    pending_change: z
      .object({
        plan_id: z.string(),
        plan_version: z.int(),
        quantity: z.int(),
        invoice_id: z.string().nullable().describe('Counts when this is paid; null: counts from the next period on'),
        requested_at: instant,
      })
      .nullable()
      .describe('What it will have instead'),
    open_invoice_id: z.string().nullable().describe('The one invoice that is to be paid now'),
    dunning: z
      .object({
        step: z.int().describe('How many further tries were made, or passed by'),
        since: instant.describe('When the first charge was declined'),
        next_try_at: instant.nullable().describe('Null: none, unless you give it another payment method'),
        ends_at: instant.describe('Not paid by then: canceled, unpaid or paused, as your settings say'),
      })
      .nullable()
      .describe('Where the open invoice stands after a declined charge'),
    last_outcome: z.string().nullable().describe('How the last charge ended, for people'),
    test_clock_id: z.string().nullable().describe('By whose time it goes; null: the real one'),
    description: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    created_at: instant,
    updated_at: instant,
    is_test: z.boolean(),
  })
  .meta({ id: 'Subscription' });

/** What merchants are shown of a subscription. */
export type SubscriptionObject = z.infer<typeof subscriptionSchema>;

/** A row as the wire has it: amounts in decimals, instants in ISO 8601. */
export function toSubscriptionObject(row: SubscriptionRow): SubscriptionObject {
  const { request_hash: _hash, correlation_id: _correlation, ...stored } = row;
  const { clock_now: _now, is_charging: _isCharging, is_due: _isDue, cancel_refund: _refund, ...shown } = stored;
  const iso = (date: Date | null) => date?.toISOString() ?? null;
  return {
    ...shown,
    amount: formatMinor(BigInt(row.amount), row.currency),
    trial_end: iso(row.trial_end),
    current_period_start: iso(row.current_period_start),
    current_period_end: iso(row.current_period_end),
    next_billing_date: iso(row.next_billing_date),
    canceled_at: iso(row.canceled_at),
    ended_at: iso(row.ended_at),
    paused_at: iso(row.paused_at),
    resumes_at: iso(row.resumes_at),
    pending_change: pendingChangeOf(row),
    dunning: dunningOf(row),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

function pendingChangeOf({ pending_change: change }: SubscriptionRow): SubscriptionObject['pending_change'] {
  if (change === null) return null;
  const { planId, planVersion, quantity, invoiceId, at } = change;
  return { plan_id: planId, plan_version: planVersion, quantity, invoice_id: invoiceId, requested_at: at };
}

function dunningOf({ dunning }: SubscriptionRow): SubscriptionObject['dunning'] {
  if (dunning === null) return null;
  const { step, since, nextTryAt, endsAt } = dunning;
  return { step, since, next_try_at: nextTryAt, ends_at: endsAt };
}
