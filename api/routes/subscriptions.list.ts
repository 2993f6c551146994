import { z } from 'zod';
import { findSubscriptions } from '../../prisma/subscription-list.ts';
import { subscriptionStatuses } from '../../workflows/domain/subscription-status.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition, instantParameter } from '../instant.ts';
import { oneOrMore } from '../one-or-more.ts';
import { merchantRoute } from '../route.ts';
import { subscriptionSchema, toSubscriptionObject } from '../subscription-object.ts';
import { text } from '../text.ts';

const query = z.strictObject({
  ...pageQuery,
  status: oneOrMore(subscriptionStatuses),
  customer_id: text(100).optional().describe('What one of your customers has'),
  plan_id: text(100).optional(),
  external_id: text(100).optional(),
  next_billing_from: instantParameter.optional().describe('ISO 8601, included'),
  next_billing_to: instantParameter.optional().describe('ISO 8601, not included'),
  created_from: instantParameter.optional().describe('ISO 8601, included'),
  created_to: instantParameter.optional().describe('ISO 8601, not included'),
});

const cursors = cursorsOf('subscriptions', createdPosition);

/** `GET /api/v1/subscriptions`. */
export const listSubscriptions = merchantRoute(
  {
    operationId: 'listSubscriptions',
    method: 'get',
    path: '/api/v1/subscriptions',
    summary: 'List subscriptions',
    description: 'Newest first, in every state. All filters that you send must fit.',
    permission: 'subscriptions:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of subscriptions', schema: subscriptionSchema } },
    problems: [],
  },
  async (deps, { query: asked }, caller) => {
    const page = { after: cursors.read(caller, asked), limit: asked.limit + 1 };
    const filters = {
      statuses: asked.status,
      customerId: asked.customer_id,
      planId: asked.plan_id,
      externalId: asked.external_id,
      nextBillingFrom: asked.next_billing_from,
      nextBillingTo: asked.next_billing_to,
      createdFrom: asked.created_from,
      createdTo: asked.created_to,
    };
    const rows = await findSubscriptions(deps.db, caller, filters, page);
    return pageOf(rows, asked.limit, toSubscriptionObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], caller, asked),
    );
  },
);
