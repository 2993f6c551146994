import { z } from 'zod';
import { findPayments, type PaymentFilters } from '../../prisma/payment-list.ts';
import { isCurrency } from '../../workflows/domain/currencies.ts';
import { invariant } from '../../workflows/domain/invariant.ts';
import { parseMoney } from '../../workflows/domain/money.ts';
import { paymentStatuses } from '../../workflows/domain/payment-status.ts';
import { cursorsOf, pageOf, pageQuery } from '../cursor.ts';
import { createdPosition, instantParameter } from '../instant.ts';
import { oneOrMore } from '../one-or-more.ts';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import { merchantRoute } from '../route.ts';
import { text } from '../text.ts';

const amount = z.string().max(40);

const query = z
  .strictObject({
    ...pageQuery,
    status: oneOrMore(paymentStatuses),
    currency: z.string().refine(isCurrency, 'must be an ISO 4217 code in upper case').optional(),
    customer_id: text(100).optional().describe('The history of one of your customers'),
    guest: z
      .enum(['true', 'false'], 'must be true or false')
      .optional()
      .describe('`true`: only payments without a `customer_id`; `false`: only those with one'),
    subscription_id: text(100).optional().describe('What one of your subscriptions was charged'),
    external_id: text(100).optional(),
    processor: text(40).optional(),
    created_from: instantParameter.optional().describe('ISO 8601, included'),
    created_to: instantParameter.optional().describe('ISO 8601, not included'),
    amount_min: amount.optional().describe('Decimal string, included; needs `currency`'),
    amount_max: amount.optional().describe('Decimal string, included; needs `currency`'),
  })
  .superRefine(({ currency, amount_min, amount_max, guest, customer_id }, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    for (const [field, value] of Object.entries({ amount_min, amount_max })) {
      if (value === undefined) continue;
      if (currency === undefined) refuse(field, 'needs `currency`: amounts of several cannot be compared');
      else {
        const parsed = parseMoney(value, currency);
        if (!parsed.ok) refuse(field, parsed.problem);
      }
    }
    if (guest === 'true' && customer_id !== undefined)
      refuse('guest', 'guests have no `customer_id`: send one of the two');
  });

const cursors = cursorsOf('payments', createdPosition);

/** `GET /api/v1/payments`. */
export const listPayments = merchantRoute(
  {
    operationId: 'listPayments',
    method: 'get',
    path: '/api/v1/payments',
    summary: 'List payments',
    description:
      'Newest first, by `created_at`, which never changes. While you page, none is shown twice, and none is left out that was ' +
      'there, and fitted, from your first page to your last. Payments that come meanwhile stand where their `created_at` ' +
      'puts them: before the first page as a rule, but on a later one if they were stored late, as after an outage. All ' +
      'filters that you send must fit.',
    permission: 'payments:read',
    envelope: 'list',
    headers: z.object({}),
    params: z.object({}),
    query,
    body: undefined,
    responses: { 200: { description: 'A page of payments', schema: paymentSchema } },
    problems: [],
  },
  async (deps, request, caller) => {
    const { query: asked } = request;
    const page = { after: cursors.read(caller, asked), limit: asked.limit + 1 };
    const rows = await findPayments(deps.db, caller, filtersOf(asked), page);
    return pageOf(rows, asked.limit, toPaymentObject, (row) =>
      cursors.write([row.created_at.toISOString(), row.id], caller, asked),
    );
  },
);

function filtersOf(asked: z.infer<typeof query>): PaymentFilters {
  return {
    statuses: asked.status,
    currency: asked.currency,
    customerId: asked.customer_id,
    isGuest: asked.guest === undefined ? undefined : asked.guest === 'true',
    subscriptionId: asked.subscription_id,
    externalId: asked.external_id,
    processor: asked.processor,
    createdFrom: asked.created_from,
    createdTo: asked.created_to,
    amountMin: minorOf(asked.amount_min, asked.currency),
    amountMax: minorOf(asked.amount_max, asked.currency),
  };
}

function minorOf(value: string | undefined, currency: string | undefined): bigint | undefined {
  if (value === undefined || currency === undefined) return undefined;
  const parsed = parseMoney(value, currency);
  invariant(parsed.ok, 'the query was validated');
  return parsed.money.amountMinor;
}
