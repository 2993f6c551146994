import { z } from 'zod';
import { repeatableHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { actOnSubscription, actProblems, answerOf, subscriptionActRefusedInOutage } from '../subscription-acts.ts';
import { subscriptionSchema } from '../subscription-object.ts';

const body = z
  .strictObject({
    anchor: z
      .enum(['keep', 'shift'])
      .optional()
      .describe('How its dates go on, instead of what was said with the pause: see there'),
  })
  .meta({ id: 'ResumeSubscription' });

/** `POST /api/v1/subscriptions/{id}/resume`. */
export const resumeSubscription = merchantRoute(
  {
    operationId: 'resumeSubscription',
    method: 'post',
    path: '/api/v1/subscriptions/{id}/resume',
    summary: 'Resume a subscription',
    description:
      'Ends a pause. What was owed before it is owed again, and `next_billing_date` says when the next period begins. 200 when ' +
      'it goes on, 202 while that is being worked on. One that is not paused is answered 409 `subscription_not_paused`, unless ' +
      'it is the same request again, with its `Idempotency-Key`.',
    permission: 'subscriptions:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    body,
    responses: {
      200: { description: 'The subscription, going on', schema: subscriptionSchema },
      202: { description: 'The subscription; the act is being worked on', schema: subscriptionSchema },
    },
    problems: [...actProblems, 'subscription_not_paused', 'invalid_json', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, caller) => {
    const { anchor } = request.body;
    const acted = await actOnSubscription(deps, request, caller, {
      name: 'resume',
      send: (known, by, until, deadline) =>
        deps.subscriptions.resume(known, { ...by, ...(anchor && { anchor }) }, until, deadline),
    });
    return answerOf(acted);
  },
  subscriptionActRefusedInOutage,
);
