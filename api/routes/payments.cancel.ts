import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { findPayment, type PaymentRow } from '../../prisma/payments.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { knownPayment } from '../known-payment.ts';
import { capturableOfRow, problemOfRefusal } from '../movement-refusals.ts';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import type { Caller } from '../principal.ts';
import { repeatableHeaders, repeatHeaders } from '../request-headers.ts';
import { requirePayment, requirePaymentId } from '../require-payment.ts';
import { merchantRoute, type RouteRequest } from '../route.ts';
import {
  type ActErrand,
  aboutPayment,
  actErrand,
  readBefore,
  refusedInOutage,
  type Subject,
  submitAndRead,
} from '../submit-and-read.ts';
import { words } from '../text.ts';

const body = z
  .strictObject({ reason: words(500).optional().describe('Why, for the audit trail') })
  .meta({ id: 'CancelPayment' });

type CancelRequest = RouteRequest<z.infer<typeof repeatableHeaders>, { id: string }, z.infer<typeof body>>;

/** `POST /api/v1/payments/{id}/cancel`. */
export const cancelPayment = merchantRoute(
  {
    operationId: 'cancelPayment',
    method: 'post',
    path: '/api/v1/payments/{id}/cancel',
    summary: 'Cancel a payment',
    description:
      'Withdraws a payment that is not charged yet, or gives back what is reserved and not captured: of a payment that was ' +
      'captured in part, the rest (`voided_amount`). 200 when that is done, also if it was before; 202 while it is being ' +
      'worked on; 409 `too_late_to_cancel` when the payment ended as captured.',
    permission: 'payments:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    body,
    responses: {
      200: { description: 'The payment: nothing of it is reserved any more', schema: paymentSchema },
      202: { description: 'The payment; the cancellation is being worked on', schema: paymentSchema },
    },
    problems: [
      'invalid_json',
      'not_found',
      'payment_not_cancelable',
      'too_late_to_cancel',
      'movement_in_progress',
      'body_too_large',
      'unsupported_media_type',
      'not_accepted',
      'acceptance_unknown',
    ],
  },
  async (deps, request, caller) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const paymentId = requirePaymentId(request.params.id);
    const subject = aboutPayment(paymentId, key);
    const before = await readBefore(subject, () => requirePayment(deps, caller, paymentId));
    const errand = canceling(deps, caller, request, subject, before);
    const payment = isOver(before) ? before : await submitAndRead(deps, request, caller.settings.wait, errand);
    requireCanceled(payment, errand.isEnded());
    return {
      status: isOver(payment) ? 200 : 202,
      headers: repeatHeaders(`/api/v1/payments/${payment.id}`, key, payment === before),
      data: toPaymentObject(payment),
    };
  },
  refusedInOutage((id, key) => aboutPayment(requirePaymentId(id), key)),
);

function canceling(
  deps: ApiDeps,
  caller: Caller,
  request: CancelRequest,
  subject: Subject,
  payment: PaymentRow,
): ActErrand<PaymentRow> {
  const act = { actor: caller.actor, reason: request.body.reason ?? 'requested by the merchant' };
  const known = knownPayment(caller, payment);
  return actErrand({
    ...subject,
    send: (until, deadline) => deps.payments.cancel(known, subject.idempotencyKey, act, until, deadline),
    find: () => findPayment(deps.db, caller, payment.id),
    isOver,
    refusal: (refused) => problemOfRefusal(refused, 'payment_not_cancelable'),
  });
}

/** Whether nothing is left that could be withdrawn or given back. */
function isOver(payment: PaymentRow): boolean {
  if (payment.status === 'failed' || payment.status === 'canceled') return true;
  return BigInt(payment.authorized_amount) > 0n && capturableOfRow(payment) === 0n;
}

/** Throws the problem of a payment that ended in another way than it was asked to. */
function requireCanceled(payment: PaymentRow, isEnded: boolean): void {
  const isVoided = payment.status === 'canceled' || BigInt(payment.voided_amount) > 0n;
  if (payment.status === 'failed') {
    throw new Problem('payment_not_cancelable', { detail: 'The payment has failed: nothing was charged.' });
  }
  if (isOver(payment) && !isVoided) throw new Problem('too_late_to_cancel');
  if (!isOver(payment) && isEnded && payment.status !== 'unresolved') {
    throw new Problem('payment_not_cancelable', { detail: `Nothing was released: the payment is ${payment.status}.` });
  }
}
