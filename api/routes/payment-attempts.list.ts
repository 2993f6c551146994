import { z } from 'zod';
import { type AttemptRow, attemptsOf } from '../../prisma/payment-story.ts';
import { requirePayment } from '../require-payment.ts';
import { merchantRoute } from '../route.ts';

const attemptSchema = z
  .object({
    id: z.string().describe('Also the idempotency key that the provider saw'),
    object_id: z.string().describe('The payment, or the capture, void or refund that it makes'),
    operation: z
      .string()
      .describe(
        '`charge`, `capture`, `void`, `refund`, or `prepare` where a provider wants something made before the charge',
      ),
    number: z
      .int()
      .describe(
        'Of a charge: its place among the payment’s `routing.candidates`, from 1, and on from there in each later round',
      ),
    provider: z.string(),
    state: z
      .string()
      .describe(
        '`sent`, `unknown`: the outcome is not known yet; `not_sent`: certainly nothing happened; `prepared`; `approved`, ' +
          '`declined`, `rejected`, `mismatched`: the provider’s word; `requires_action`: it waits for the payer; `voided`: given up ' +
          'meanwhile; `unanswered`: it never said',
      ),
    sends: z.int().describe('How often it was sent, always under the same key'),
    doubts: z.int().describe('How often the outcome of a send stayed unknown'),
    fault: z.string().nullable().describe('What went wrong last'),
    response_code: z.string().nullable(),
    response_message: z.string().nullable(),
    decline_code: z.string().nullable(),
    sent_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Attempt' });

/** `GET /api/v1/payments/{id}/attempts`. */
export const listPaymentAttempts = merchantRoute(
  {
    operationId: 'listPaymentAttempts',
    method: 'get',
    path: '/api/v1/payments/{id}/attempts',
    summary: 'What was tried at which provider',
    description: 'Oldest first, all of them at once. Why these providers, is in `routing` of the payment.',
    permission: 'payments:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body: undefined,
    responses: { 200: { description: 'The attempts', schema: attemptSchema } },
    problems: ['not_found'],
  },
  async (deps, request, caller) => {
    const payment = await requirePayment(deps, caller, request.params.id);
    const attempts = await attemptsOf(deps.db, caller, payment.id);
    return { status: 200, data: attempts.map(toAttempt), page: { has_more: false, next_cursor: null } };
  },
);

function toAttempt(row: AttemptRow): z.infer<typeof attemptSchema> {
  return { ...row, sent_at: row.sent_at.toISOString(), updated_at: row.updated_at.toISOString() };
}
