import { z } from 'zod';
import { repeatableHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { actOnSubscription, actProblems, answerOf, subscriptionActRefusedInOutage } from '../subscription-acts.ts';
import { subscriptionSchema } from '../subscription-object.ts';

/** `POST /api/v1/subscriptions/{id}/retry`. */
export const retrySubscription = merchantRoute(
  {
    operationId: 'retrySubscription',
    method: 'post',
    path: '/api/v1/subscriptions/{id}/retry',
    summary: 'Charge the open invoice now',
    description:
      'Tries again at once, outside the ladder of your settings, with the payment method that the subscription has. 200 when ' +
      'the charge has ended (`last_outcome` says how), 202 while it is on its way. A repeat with the same `Idempotency-Key` ' +
      'charges nothing more.',
    permission: 'subscriptions:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    body: z.strictObject({}).meta({ id: 'RetrySubscription' }),
    responses: {
      200: { description: 'The subscription; the charge has ended', schema: subscriptionSchema },
      202: { description: 'The subscription; the charge is on its way', schema: subscriptionSchema },
    },
    problems: [
      ...actProblems,
      'charge_in_progress',
      'nothing_to_retry',
      'invalid_json',
      'body_too_large',
      'unsupported_media_type',
    ],
  },
  async (deps, request, caller) => {
    const acted = await actOnSubscription(deps, request, caller, {
      name: 'retry',
      isCharging: true,
      send: (known, by, until, deadline) => deps.subscriptions.retry(known, by, until, deadline),
    });
    return answerOf(acted);
  },
  subscriptionActRefusedInOutage,
);
