import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { findPlan, makePlan, type NewTerms } from '../../prisma/plans.ts';
import { planIdOf } from '../../workflows/domain/ids.ts';
import { invariant } from '../../workflows/domain/invariant.ts';
import { parseMoney } from '../../workflows/domain/money.ts';
import { Problem } from '../errors.ts';
import { parseFee, planFields, planSchema, toPlanObject } from '../plan-object.ts';
import type { Caller } from '../principal.ts';
import { hashOfBody } from '../request-hash.ts';
import { idempotencyKey, repeatHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { text } from '../text.ts';

const headers = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe('Makes the request repeatable: the same key and body answer with the same plan. Made if absent.'),
});

const body = z
  .strictObject({
    external_id: text(100).optional().describe('Your own id of the plan, unique'),
    name: planFields.name,
    description: planFields.description.optional(),
    amount: planFields.amount,
    currency: z.string().max(40).describe('ISO 4217, upper case; for good'),
    interval: planFields.interval,
    trial_days: planFields.trialDays.default(0),
    sign_up_fee: planFields.signUpFee.default('0'),
    cycles: planFields.cycles.nullable().default(null),
    metadata: planFields.metadata.default({}),
  })
  .superRefine(({ amount, currency, sign_up_fee: fee }, context) => {
    const price = parseMoney(amount, currency);
    if (!price.ok) context.addIssue({ code: 'custom', path: [price.field], message: price.problem });
    const once = parseFee(fee, currency);
    if (!once.ok && once.field === 'amount')
      context.addIssue({ code: 'custom', path: ['sign_up_fee'], message: once.problem });
  })
  .meta({ id: 'CreatePlan' });

/** `POST /api/v1/plans`. */
export const createPlan = merchantRoute(
  {
    operationId: 'createPlan',
    method: 'post',
    path: '/api/v1/plans',
    summary: 'Create a plan',
    description:
      'What you sell by subscription: how much, how often, and from when on. Subscriptions name it as `plan_id`, and keep the ' +
      'version of it that was the newest when they began.',
    permission: 'plans:write',
    envelope: 'object',
    headers,
    params: z.object({}),
    body,
    responses: { 201: { description: 'The plan, at version 1', schema: planSchema } },
    problems: [
      'invalid_json',
      'external_id_taken',
      'body_too_large',
      'unsupported_media_type',
      'idempotency_key_reused',
    ],
  },
  async (deps, request, caller) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const id = planIdOf({ merchantId: caller.merchantId, isTest: caller.isTest, idempotencyKey: key });
    const requestHash = hashOfBody(request.rawBody);
    const { external_id: externalId, name, description, metadata } = request.body;
    if ((await findPlan(deps.db, caller, id)) === null) requireCurrency(request.body, caller);
    const made = await makePlan(deps.db, caller, {
      id,
      idempotencyKey: key,
      requestHash,
      externalId: externalId ?? null,
      name,
      description: description ?? null,
      metadata,
      terms: termsOf(request.body),
      now: request.receivedAt.toISOString(),
    });
    if (made.kind === 'external_id_taken') throw new Problem('external_id_taken');
    if (made.plan.request_hash !== requestHash) throw new Problem('idempotency_key_reused');
    return {
      status: 201,
      headers: repeatHeaders(`/api/v1/plans/${id}`, key, made.kind === 'existing'),
      data: toPlanObject(made.plan),
    };
  },
);

/** Of a new plan alone: the merchant may have had other currencies before. */
function requireCurrency({ currency }: z.infer<typeof body>, { settings: { currencies } }: Caller): void {
  if (currencies === null || currencies.includes(currency)) return;
  const detail = `must be one of yours: ${currencies.join(', ')}`;
  throw new Problem('validation_failed', { errors: [{ pointer: '/currency', detail }] });
}

function termsOf(given: z.infer<typeof body>): NewTerms {
  const price = parseMoney(given.amount, given.currency);
  const once = parseFee(given.sign_up_fee, given.currency);
  invariant(price.ok && once.ok, 'the body was validated');
  return {
    amountMinor: price.money.amountMinor,
    currency: given.currency,
    intervalUnit: given.interval.unit,
    intervalCount: given.interval.count,
    trialDays: given.trial_days,
    signUpFeeMinor: once.money.amountMinor,
    cycles: given.cycles,
  };
}
