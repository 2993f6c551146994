import { z } from 'zod';
import { changePlan, findPlan, type PlanChanges, type PlanRow } from '../../prisma/plans.ts';
import type { ParsedMoney } from '../../workflows/domain/money.ts';
import { parseMoney } from '../../workflows/domain/money.ts';
import { type FieldError, Problem } from '../errors.ts';
import { parseFee, planFields, planSchema, planStatus, requirePlanId, toPlanObject } from '../plan-object.ts';
import { merchantRoute } from '../route.ts';

const body = z
  .strictObject({
    name: planFields.name.optional(),
    description: planFields.description.nullable().optional(),
    status: planStatus.optional(),
    amount: planFields.amount.optional(),
    currency: z.string().max(40).optional().describe('The plan’s own: it cannot be changed'),
    interval: planFields.interval.optional(),
    trial_days: planFields.trialDays.optional(),
    sign_up_fee: planFields.signUpFee.optional(),
    cycles: planFields.cycles.nullable().optional().describe('Null: without end'),
    metadata: planFields.metadata.nullable().optional().describe('Replaces all of it; null leaves none'),
  })
  .meta({ id: 'UpdatePlan' });

/** `PUT /api/v1/plans/{id}`. */
export const updatePlan = merchantRoute(
  {
    operationId: 'updatePlan',
    method: 'put',
    path: '/api/v1/plans/{id}',
    summary: 'Change a plan',
    description:
      'Changes the given fields; the others stay. Another amount, interval, trial, sign-up fee or number of cycles makes a new ' +
      'version, which new subscriptions get: those that run keep theirs until you change them one by one. The same request ' +
      'again changes nothing. With `status: archived` nobody new can subscribe.',
    permission: 'plans:write',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body,
    responses: { 200: { description: 'The plan with its changes', schema: planSchema } },
    problems: ['invalid_json', 'not_found', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, caller) => {
    const id = requirePlanId(request.params.id);
    const plan = await findPlan(deps.db, caller, id);
    if (plan === null) throw new Problem('not_found');
    const row = await changePlan(deps.db, caller, id, changesOf(request.body, plan), request.receivedAt);
    if (row === null) throw new Problem('not_found');
    return { status: 200, data: toPlanObject(row) };
  },
);

/** Throws `validation_failed` for amounts that are none in the plan's currency, which never changes. */
function changesOf(given: z.infer<typeof body>, { currency }: PlanRow): PlanChanges {
  const errors: FieldError[] = [];
  const minorOf = (
    field: string,
    value: string | undefined,
    parse: (text: string, currency: string) => ParsedMoney,
  ) => {
    const parsed = value === undefined ? null : parse(value, currency);
    if (parsed?.ok === false) errors.push({ pointer: `/${field}`, detail: parsed.problem });
    return parsed?.ok === true ? parsed.money.amountMinor : undefined;
  };
  if (given.currency !== undefined && given.currency !== currency)
    errors.push({ pointer: '/currency', detail: `must be ${currency}: the currency of a plan never changes` });
  const terms = {
    amountMinor: minorOf('amount', given.amount, parseMoney),
    signUpFeeMinor: minorOf('sign_up_fee', given.sign_up_fee, parseFee),
    intervalUnit: given.interval?.unit,
    intervalCount: given.interval?.count,
    trialDays: given.trial_days,
    cycles: given.cycles,
  };
  if (errors.length > 0) throw new Problem('validation_failed', { errors });
  const { name, description, metadata, status } = given;
  return { name, description, metadata, status, terms };
}
