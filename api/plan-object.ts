import { z } from 'zod';
import type { PlanRow, PlanVersionRow } from '../prisma/plans.ts';
import { intervalUnits } from '../workflows/domain/billing/calendar.ts';
import { formatMinor, type ParsedMoney, parseMoney } from '../workflows/domain/money.ts';
import { changeableFields } from './payment-fields.ts';
import { requireForm } from './require-form.ts';
import { words } from './text.ts';

const instant = z.iso.datetime();
const amount = z.string().describe('Decimal string in units of the currency, e.g. "25.99"');

const intervalCountMax = 366;
const trialDaysMax = 730;
const cyclesMax = 10_000;

/** What a merchant says about a plan: given when it is made, and changeable afterwards. */
export const planFields = {
  name: words(200).describe('As invoices name what is paid for'),
  description: changeableFields.description,
  metadata: changeableFields.metadata,
  amount: z.string().max(40).describe('What one unit costs per period: above 0; no tax is added to it'),
  interval: z
    .strictObject({ unit: z.enum(intervalUnits), count: z.int().min(1).max(intervalCountMax).default(1) })
    .describe('How long a period is, e.g. 3 months'),
  trialDays: z.int().min(0).max(trialDaysMax).describe('Days before the first period, free of charge'),
  signUpFee: z.string().max(40).describe('What is asked for once, at the beginning; "0": nothing'),
  cycles: z.int().min(1).max(cyclesMax).describe('How many periods are billed; without it there is no end'),
};

/** Whether a plan can be subscribed to. */
export const planStatus = z.enum(['active', 'archived'], 'must be active or archived');

/** A version of a plan as its merchant sees it. */
export const planVersionSchema = z
  .object({
    version: z.int(),
    amount,
    currency: z.string(),
    interval: z.object({ unit: z.enum(intervalUnits), count: z.int() }),
    trial_days: z.int(),
    sign_up_fee: amount,
    cycles: z.int().nullable().describe('How many periods are billed; null: without end'),
    created_at: instant,
  })
  .meta({ id: 'PlanVersion' });

const { created_at: _createdAt, ...terms } = planVersionSchema.shape;

/** A plan with its newest version as its merchant sees it. */
export const planSchema = z
  .object({
    id: z.string(),
    external_id: z.string().nullable(),
    name: z.string(),
    description: z.string().nullable(),
    status: planStatus.describe('`archived`: nobody new can subscribe; who has it keeps it'),
    ...terms,
    metadata: z.record(z.string(), z.string()),
    created_at: instant,
    updated_at: instant,
    is_test: z.boolean(),
  })
  .meta({ id: 'Plan' });

/** A row as the wire has it. */
export function toPlanObject(row: PlanRow): z.infer<typeof planSchema> {
  return {
    id: row.id,
    external_id: row.external_id,
    name: row.name,
    description: row.description,
    status: row.status,
    ...termsOf(row),
    metadata: { ...row.metadata },
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    is_test: row.is_test,
  };
}

/** The row of a version as the wire has it. */
export function toPlanVersionObject(row: PlanVersionRow): z.infer<typeof planVersionSchema> {
  return { ...termsOf(row), created_at: row.version_created_at.toISOString() };
}

function termsOf(row: PlanVersionRow) {
  return {
    version: row.version,
    amount: formatMinor(BigInt(row.amount), row.currency),
    currency: row.currency,
    interval: { unit: row.interval_unit, count: row.interval_count },
    trial_days: row.trial_days,
    sign_up_fee: formatMinor(BigInt(row.sign_up_fee), row.currency),
    cycles: row.cycles,
  };
}

const zero = /^0(?=$|\.0+$)/;

/** Reads a sign-up fee: like any amount, and zero ("0", "0.00") besides, with no more decimals than the currency has. */
export function parseFee(fee: string, currency: string): ParsedMoney {
  if (!zero.test(fee)) return parseMoney(fee, currency);
  const parsed = parseMoney(fee.replace(zero, '1'), currency); // judged by its form
  return parsed.ok ? { ok: true, money: { amountMinor: 0n, currency } } : parsed;
}

/** The id, or `not_found` for text that can be no plan's id. */
export const requirePlanId = requireForm(/^pln_[0-9a-z]{26}$/);
