import { z } from 'zod';
import { findPlanTerms } from '../prisma/plans.ts';
import type { SubscriptionRow } from '../prisma/subscription-list.ts';
import type { ChangeWish } from '../workflows/domain/billing/subscription-act.ts';
import { amountMinorMax } from '../workflows/domain/money.ts';
import type { ApiDeps } from './deps.ts';
import type { Caller } from './principal.ts';
import { planFaults, quantityField, requireNoFaults, type SubscriptionFault } from './subscription-request.ts';
import { text } from './text.ts';

/** What may be asked for instead of what a subscription has. */
export const changeFields = {
  plan_id: text(100).optional().describe('An active plan, in the same currency'),
  plan_version: z
    .int()
    .min(1)
    .max(2_147_483_647)
    .optional()
    .describe('A version of the plan; without it the newest of another plan, and of its own the one that it has'),
  quantity: quantityField.optional(),
  effective: z
    .enum(['now', 'period_end'])
    .optional()
    .describe('When the change counts. Without it: `now` where that costs more, else `period_end`'),
};

interface GivenChange {
  readonly plan_id?: string | undefined;
  readonly plan_version?: number | undefined;
  readonly quantity?: number | undefined;
  readonly effective?: 'now' | 'period_end' | undefined;
}

/** Whether another plan, version or quantity is asked for. */
export function isPlanChange({ plan_id, plan_version, quantity }: GivenChange): boolean {
  return plan_id !== undefined || plan_version !== undefined || quantity !== undefined;
}

/** Refuses an `effective` that has nothing to say of. */
export function refineEffective(given: GivenChange, context: z.RefinementCtx): void {
  if (given.effective === undefined || isPlanChange(given)) return;
  const message = 'says when another plan or quantity counts: name one, or leave it out';
  context.addIssue({ code: 'custom', path: ['effective'], message });
}

/** The change of plan or quantity as the rules know it. */
export function planChangeWish(given: GivenChange): ChangeWish {
  return {
    kind: 'change',
    planId: given.plan_id ?? null,
    planVersion: given.plan_version ?? null,
    quantity: given.quantity ?? null,
    effective: given.effective ?? null,
    paymentMethod: null,
    cancelAtPeriodEnd: null,
  };
}

/** Throws what is wrong with another plan or quantity, as far as it depends on the plan and not on the moment. */
export async function requireChangeable(
  { db }: ApiDeps,
  caller: Caller,
  row: SubscriptionRow,
  given: GivenChange,
): Promise<void> {
  if (!isPlanChange(given)) return;
  const planId = given.plan_id ?? row.plan_id;
  const isOwn = planId === row.plan_id;
  const plan = await findPlanTerms(db, caller, planId, given.plan_version ?? (isOwn ? row.plan_version : null));
  if (plan === null && given.plan_version !== undefined) requireNoFaults([noVersion]);
  if (plan === null || !isOwn) requireNoFaults(planFaults(plan));
  if (plan === null) return;
  requireNoFaults(priceFaults(plan.terms, row, given.quantity ?? row.quantity));
}

const noVersion: SubscriptionFault = {
  code: 'plan_not_available',
  pointer: '/plan_version',
  detail: 'is no version of a plan of yours in this mode',
};

function priceFaults(
  plan: { readonly amountMinor: bigint; readonly currency: string },
  { currency }: SubscriptionRow,
  quantity: number,
): SubscriptionFault[] {
  const refused = (pointer: string, detail: string) => [{ code: 'validation_failed' as const, pointer, detail }];
  if (plan.currency !== currency)
    return refused('/plan_id', `is in ${plan.currency} and the subscription in ${currency}: make a new one`);
  const isTooMuch = plan.amountMinor * BigInt(quantity) > amountMinorMax;
  return isTooMuch ? refused('/quantity', 'is too large: so many would cost too much') : [];
}
