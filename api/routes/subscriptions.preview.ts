import { z } from 'zod';
import { previewSubscription } from '../../prisma/subscription-preview.ts';
import type { InvoiceDraft } from '../../workflows/domain/billing/invoicing.ts';
import type { ChangePreview } from '../../workflows/domain/billing/subscription-preview.ts';
import { formatMinor } from '../../workflows/domain/money.ts';
import { Problem } from '../errors.ts';
import { invoiceSchema, toInvoiceLine } from '../invoice-object.ts';
import { requireSubscription } from '../require-subscription.ts';
import { merchantRoute } from '../route.ts';
import { changeFields, planChangeWish, refineEffective, requireChangeable } from '../subscription-change.ts';
import { subscriptionSchema } from '../subscription-object.ts';

const body = z.strictObject(changeFields).superRefine(refineEffective).meta({ id: 'PreviewSubscription' });

const invoice = invoiceSchema.pick({ amount: true, lines: true });

const preview = z
  .object({
    effective: z.enum(['now', 'period_end']).nullable().describe('When the change would count; null: nothing changes'),
    invoice_now: invoice.nullable().describe('What would be charged at once'),
    next_invoice: invoice
      .extend({ date: z.iso.datetime() })
      .nullable()
      .describe('What the next period would be billed, at its beginning; null: no further one will be'),
    subscription_after: subscriptionSchema
      .pick({ plan_id: true, plan_version: true, quantity: true, amount: true, next_billing_date: true })
      .describe('The subscription with the change in force'),
  })
  .meta({ id: 'SubscriptionPreview' });

/** `POST /api/v1/subscriptions/{id}/preview`. */
export const previewSubscriptionRoute = merchantRoute(
  {
    operationId: 'previewSubscription',
    method: 'post',
    path: '/api/v1/subscriptions/{id}/preview',
    summary: 'Preview a change of a subscription',
    description:
      'Shows what a change of plan or quantity would do, by the rules that would make it, and does nothing; without any, what ' +
      'the next period will be billed. What is charged within a period depends on the moment: it is what it would be now.',
    permission: 'subscriptions:read',
    envelope: 'object',
    headers: z.object({}),
    params: z.object({ id: z.string() }),
    body,
    responses: { 200: { description: 'What would happen', schema: preview } },
    problems: [
      'not_found',
      'subscription_ended',
      'change_refused',
      'invoice_open',
      'plan_not_available',
      'invalid_json',
      'body_too_large',
      'unsupported_media_type',
    ],
  },
  async (deps, request, caller) => {
    const row = await requireSubscription(deps, caller, request.params.id);
    await requireChangeable(deps, caller, row, request.body);
    const wish = planChangeWish(request.body);
    const found = await previewSubscription(deps.db, caller, row.id, wish, request.receivedAt);
    if (found === null) throw new Problem('not_found');
    if (found.kind === 'refused') throw new Problem(found.code, { detail: found.detail });
    return { status: 200, data: toPreview(found) };
  },
);

function toPreview({ effective, invoiceNow, nextInvoice, after }: ChangePreview): z.infer<typeof preview> {
  return {
    effective,
    invoice_now: invoiceNow && toDraft(invoiceNow),
    next_invoice: nextInvoice && { date: nextInvoice.date.toISOString(), ...toDraft(nextInvoice) },
    subscription_after: {
      plan_id: after.planId,
      plan_version: after.planVersion,
      quantity: after.quantity,
      amount: formatMinor(after.amountMinor, after.currency),
      next_billing_date: after.nextBillingDate?.toISOString() ?? null,
    },
  };
}

function toDraft({ amountMinor, currency, lines }: InvoiceDraft): z.infer<typeof invoice> {
  return {
    amount: formatMinor(amountMinor, currency),
    lines: lines.map((line) => toInvoiceLine(line, (minor) => formatMinor(BigInt(minor), currency))),
  };
}
