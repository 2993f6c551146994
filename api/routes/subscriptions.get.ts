import { z } from 'zod';
import { requireSubscription } from '../require-subscription.ts';
import { merchantRoute } from '../route.ts';
import { subscriptionSchema, toSubscriptionObject } from '../subscription-object.ts';

/** `GET /api/v1/subscriptions/{id}`. */
export const getSubscription = merchantRoute(
  {
    operationId: 'getSubscription',
    method: 'get',
    path: '/api/v1/subscriptions/{id}',
    summary: 'Get a subscription',
    description:
      'The subscription as it is now. Its invoices are at `GET /api/v1/invoices?subscription_id=`, its payments at ' +
      '`GET /api/v1/payments?subscription_id=`.',
    permission: 'subscriptions:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The subscription', schema: subscriptionSchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    return { status: 200, data: toSubscriptionObject(await requireSubscription(deps, caller, request.params.id)) };
  },
);
