import { z } from 'zod';
import type { SubscriptionRow } from '../../prisma/subscription-list.ts';
import { repeatableHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { actOnSubscription, actProblems, answerOf, subscriptionActRefusedInOutage } from '../subscription-acts.ts';
import { subscriptionSchema } from '../subscription-object.ts';

const query = z
  .strictObject({
    when: z
      .enum(['now', 'period_end'])
      .default('now')
      .describe('`period_end`: on `next_billing_date`, instead of being billed; can be taken back until then'),
    refund: z
      .enum(['none', 'unused'])
      .default('none')
      .describe('`unused`: what was paid for the rest of the current period is given back'),
  })
  .superRefine(({ when, refund }, context) => {
    if (when === 'now' || refund === 'none') return;
    const message = 'nothing of the period is unused at its end: leave it out, or cancel now';
    context.addIssue({ code: 'custom', path: ['refund'], message });
  });

/** `DELETE /api/v1/subscriptions/{id}`. */
export const cancelSubscription = merchantRoute(
  {
    operationId: 'cancelSubscription',
    method: 'delete',
    path: '/api/v1/subscriptions/{id}',
    summary: 'Cancel a subscription',
    description:
      'Ends it now, or with the current period. An open invoice is no longer asked for; a charge that is on its way comes to ' +
      'its end. 200 when that is done, also if it was before; 202 while it is being worked on. The subscription stays readable.',
    permission: 'subscriptions:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    query,
    body: undefined,
    responses: {
      200: { description: 'The subscription, canceled or about to end', schema: subscriptionSchema },
      202: { description: 'The subscription; the cancellation is being worked on', schema: subscriptionSchema },
    },
    problems: actProblems,
  },
  async (deps, request, caller) => {
    const { when, refund } = request.query;
    const isOver = ({ status, cancel_at_period_end: isToEnd, cancel_refund: given }: SubscriptionRow) =>
      (status === 'canceled' && (refund === 'none' || given === refund)) || (when === 'period_end' && isToEnd);
    const acted = await actOnSubscription(deps, request, caller, {
      name: 'cancel',
      isOver,
      send: (known, by, until, deadline) => deps.subscriptions.cancel(known, { ...by, when, refund }, until, deadline),
    });
    return answerOf(acted);
  },
  subscriptionActRefusedInOutage,
);
