import { z } from 'zod';
import type { SubscriptionRow } from '../../prisma/subscription-list.ts';
import { Problem } from '../errors.ts';
import { instantMember } from '../instant.ts';
import { repeatableHeaders } from '../request-headers.ts';
import { merchantRoute } from '../route.ts';
import { actOnSubscription, actProblems, answerOf, subscriptionActRefusedInOutage } from '../subscription-acts.ts';
import { subscriptionSchema } from '../subscription-object.ts';

const body = z
  .strictObject({
    resumes_at: instantMember.optional().describe('When it goes on by itself; without it, when you resume it'),
    anchor: z
      .enum(['keep', 'shift'])
      .optional()
      .describe(
        '`keep` (as if absent): its dates stay as they are on the calendar, and periods that begin during the pause are not ' +
          'billed; `shift`: time stands still, and all dates move by the length of the pause',
      ),
  })
  .meta({ id: 'PauseSubscription' });

/** `POST /api/v1/subscriptions/{id}/pause`. */
export const pauseSubscription = merchantRoute(
  {
    operationId: 'pauseSubscription',
    method: 'post',
    path: '/api/v1/subscriptions/{id}/pause',
    summary: 'Pause a subscription',
    description:
      'No period begins and nothing is charged until it is resumed. A charge that is on its way comes to its end. 200 when it ' +
      'is paused, 202 while that is being worked on. One that is paused already is answered 409 `subscription_not_pausable`, ' +
      'unless it is the same request again, with its `Idempotency-Key`.',
    permission: 'subscriptions:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    body,
    responses: {
      200: { description: 'The subscription, paused', schema: subscriptionSchema },
      202: { description: 'The subscription; the pause is being worked on', schema: subscriptionSchema },
    },
    problems: [...actProblems, 'subscription_not_pausable', 'invalid_json', 'body_too_large', 'unsupported_media_type'],
  },
  async (deps, request, caller) => {
    const { resumes_at: resumesAt, anchor } = request.body;
    const wish = { ...(resumesAt && { resumesAt }), ...(anchor && { anchor }) };
    const acted = await actOnSubscription(deps, request, caller, {
      name: 'pause',
      judge: (row) => requireLater(resumesAt, row, request.receivedAt),
      send: (known, by, until, deadline) => deps.subscriptions.pause(known, { ...by, ...wish }, until, deadline),
    });
    return answerOf(acted);
  },
  subscriptionActRefusedInOutage,
);

function requireLater(resumesAt: string | undefined, { clock_now }: SubscriptionRow, receivedAt: Date): void {
  if (resumesAt === undefined || new Date(resumesAt) > (clock_now ?? receivedAt)) return;
  throw new Problem('validation_failed', { errors: [{ pointer: '/resumes_at', detail: 'must lie in the future' }] });
}
