import { z } from 'zod';
import { eventsOf } from '../../prisma/payment-story.ts';
import { eventObjectOf } from '../../workflows/domain/event.ts';
import { eventSchema } from '../event-object.ts';
import { requirePayment } from '../require-payment.ts';
import { merchantRoute } from '../route.ts';

/** `GET /api/v1/payments/{id}/events`. */
export const listPaymentEvents = merchantRoute(
  {
    operationId: 'listPaymentEvents',
    method: 'get',
    path: '/api/v1/payments/{id}/events',
    summary: 'What happened to a payment',
    description:
      'Its events and those of its captures, voids and refunds, in the order in which they were written, all of them at once.',
    permission: 'payments:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The events', schema: eventSchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    const payment = await requirePayment(deps, caller, request.params.id);
    const events = await eventsOf(deps.db, caller, payment.id);
    return { status: 200, data: events.map(eventObjectOf), page: { has_more: false, next_cursor: null } };
  },
);
