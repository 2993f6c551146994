import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { SubscriptionRow } from '../../prisma/subscription-list.ts';
import { changeSubscriptionRemarks } from '../../prisma/subscription-update.ts';
import type { ChangeAct, SubscriptionAct } from '../../workflows/subscription-contract.ts';
import type { ApiDeps } from '../deps.ts';
import { changeableFields } from '../payment-fields.ts';
import type { Caller } from '../principal.ts';
import { repeatableHeaders, repeatHeaders } from '../request-headers.ts';
import { requireSubscription, requireSubscriptionId } from '../require-subscription.ts';
import { merchantRoute, type RouteRequest } from '../route.ts';
import { aboutSubscription, readAfter } from '../submit-and-read.ts';
import {
  type Acted,
  actOnSubscription,
  actProblems,
  answerOf,
  subscriptionActRefusedInOutage,
  wishIdOf,
} from '../subscription-acts.ts';
import { changeFields, isPlanChange, refineEffective, requireChangeable } from '../subscription-change.ts';
import { subscriptionSchema } from '../subscription-object.ts';
import {
  paymentMethodFaults,
  requireNoFaults,
  subscriptionPaymentMethod,
  toSubscriptionPaymentMethod,
} from '../subscription-request.ts';

const body = z
  .strictObject({
    ...changeFields,
    payment_method: subscriptionPaymentMethod
      .optional()
      .describe('What it pays with from now on; an invoice that is owed is charged at once'),
    cancel_at_period_end: z
      .literal(false)
      .optional()
      .describe('It goes on after this period after all. To cancel it, `DELETE` it'),
    description: changeableFields.description.nullable().optional(),
    metadata: changeableFields.metadata.nullable().optional().describe('Replaces all of it; null leaves none'),
  })
  .superRefine(refineEffective)
  .meta({ id: 'UpdateSubscription' });

type UpdateRequest = RouteRequest<z.infer<typeof repeatableHeaders>, { id: string }, z.infer<typeof body>>;

/** `PUT /api/v1/subscriptions/{id}`. */
export const updateSubscription = merchantRoute(
  {
    operationId: 'updateSubscription',
    method: 'put',
    path: '/api/v1/subscriptions/{id}',
    summary: 'Change a subscription',
    description:
      'Changes the given fields; the others stay. What costs more is charged for the rest of the period at once, and counts ' +
      'when that is paid: where the charge is declined, nothing changes. What does not cost more begins with the next period. See ' +
      '`POST /api/v1/subscriptions/{id}/preview`. 200 when it is done, 202 while it is being worked on.',
    permission: 'subscriptions:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    body,
    responses: {
      200: { description: 'The subscription with its changes', schema: subscriptionSchema },
      202: { description: 'The subscription; the change is being worked on', schema: subscriptionSchema },
    },
    problems: [
      ...actProblems,
      'plan_not_available',
      'invoice_open',
      'card_number_refused',
      'invalid_json',
      'body_too_large',
      'unsupported_media_type',
    ],
  },
  async (deps, request, caller) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const id = requireSubscriptionId(request.params.id);
    const acted = isWish(request.body)
      ? await change(deps, { ...request, headers: { ...request.headers, 'idempotency-key': key } }, caller)
      : unchanged(await requireSubscription(deps, caller, id), key);
    if (!isRemark(request.body)) return answerOf(acted);
    // After what may be refused: a refusal changes nothing.
    const { row, isRepeat } = await readAfter(aboutSubscription(id, key), true, async () => {
      const from = {
        actor: caller.actor,
        origin: request.origin,
        correlationId: request.requestId,
        now: request.receivedAt.toISOString(),
      };
      const wish = { id: wishIdOf(key, request), isNamed: request.headers['idempotency-key'] !== undefined };
      const written = await changeSubscriptionRemarks(deps.db, caller, id, request.body, from, wish);
      return { row: await requireSubscription(deps, caller, id), isRepeat: written?.isRepeat === true };
    });
    return answerOf(isWish(request.body) ? { ...acted, row } : unchanged(row, key, isRepeat));
  },
  subscriptionActRefusedInOutage,
);

/** Whether something is asked for that the rules of subscriptions decide on. */
function isWish(given: UpdateRequest['body']): boolean {
  return isPlanChange(given) || given.payment_method !== undefined || given.cancel_at_period_end !== undefined;
}

function isRemark({ description, metadata }: UpdateRequest['body']): boolean {
  return description !== undefined || metadata !== undefined;
}

function unchanged(row: SubscriptionRow, key: string, isRepeat = false): Acted {
  return { row, status: 200, headers: repeatHeaders(`/api/v1/subscriptions/${row.id}`, key, isRepeat) };
}

function change(deps: ApiDeps, request: UpdateRequest, caller: Caller): Promise<Acted> {
  const { body: given, receivedAt } = request;
  return actOnSubscription(deps, request, caller, {
    name: 'change',
    isCharging: true,
    async judge(row) {
      if (given.payment_method !== undefined)
        requireNoFaults(paymentMethodFaults(given.payment_method, row.clock_now ?? receivedAt));
      await requireChangeable(deps, caller, row, given);
    },
    send: (known, by, until, deadline) =>
      deps.subscriptions.change(known, { ...by, ...wishOf(given) }, until, deadline),
  });
}

function wishOf(given: UpdateRequest['body']): Omit<ChangeAct, keyof SubscriptionAct> {
  const { plan_id, plan_version, quantity, effective, payment_method, cancel_at_period_end } = given;
  return {
    ...(plan_id !== undefined && { planId: plan_id }),
    ...(plan_version !== undefined && { planVersion: plan_version }),
    ...(quantity !== undefined && { quantity }),
    ...(effective !== undefined && { effective }),
    ...(payment_method !== undefined && { paymentMethod: toSubscriptionPaymentMethod(payment_method) }),
    ...(cancel_at_period_end !== undefined && { cancelAtPeriodEnd: cancel_at_period_end }),
  };
}
