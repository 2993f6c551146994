import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { findMovementRow, type MovementRow } from '../../prisma/movement-list.ts';
import type { PaymentRow } from '../../prisma/payments.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { knownPayment } from '../known-payment.ts';
import { amountOf, problemOfRefusal, refundRefusal } from '../movement-refusals.ts';
import type { Caller } from '../principal.ts';
import { refundSchema, toRefundObject } from '../refund-object.ts';
import { hashOfBody } from '../request-hash.ts';
import { repeatableHeaders, repeatHeaders } from '../request-headers.ts';
import { requirePayment, requirePaymentId } from '../require-payment.ts';
import { merchantRoute, type RouteRequest } from '../route.ts';
import {
  aboutPayment,
  type Errand,
  readBefore,
  refusedInOutage,
  type Subject,
  submitAndRead,
} from '../submit-and-read.ts';
import { words } from '../text.ts';

const body = z
  .strictObject({
    amount: z
      .string()
      .max(40)
      .optional()
      .describe('Decimal string in units of the currency; all that is left if absent'),
    reason: words(500).optional().describe('Why, for your records'),
    capture_id: z
      .string()
      .regex(/^cap_[0-9a-z]{26}$/, 'must be the id of a capture')
      .optional()
      .describe('Which capture to pay back, where the provider wants to know; the oldest that suffices if absent'),
  })
  .meta({ id: 'RefundPayment' });

type RefundRequest = RouteRequest<z.infer<typeof repeatableHeaders>, { id: string }, z.infer<typeof body>>;

/** `POST /api/v1/payments/{id}/refund`. */
export const refundPayment = merchantRoute(
  {
    operationId: 'refundPayment',
    method: 'post',
    path: '/api/v1/payments/{id}/refund',
    summary: 'Refund a payment',
    description:
      'Pays back all or a part of what was captured. Several refunds may run beside each other; together they never exceed ' +
      'what was captured. 201 when the outcome is known (`status` may be `failed`), 202 while it is not.',
    permission: 'refunds:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    body,
    responses: {
      201: { description: 'The refund, with its outcome', schema: refundSchema },
      202: { description: 'The refund is accepted and being worked on', schema: refundSchema },
    },
    problems: [
      'invalid_json',
      'not_found',
      'payment_not_refundable',
      'movement_in_progress',
      'amount_exceeds_refundable',
      'refund_spans_captures',
      'body_too_large',
      'unsupported_media_type',
      'idempotency_key_reused',
      'not_accepted',
      'acceptance_unknown',
    ],
  },
  async (deps, request, caller) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const paymentId = requirePaymentId(request.params.id);
    const subject = aboutPayment(paymentId, key);
    const payment = await readBefore(subject, () => requirePayment(deps, caller, paymentId));
    const errand = refunding(deps, caller, request, subject, payment);
    const existing = await readBefore(subject, errand.read);
    if (existing === null) requireRefundable(payment, request.body);
    const isOver = existing !== null && existing.state !== 'pending';
    const refund = isOver ? existing : await submitAndRead(deps, request, caller.settings.wait, errand);
    const isReplay = existing !== null || refund.correlation_id !== request.requestId;
    return {
      status: refund.state === 'pending' ? 202 : 201,
      headers: repeatHeaders(`/api/v1/refunds/${refund.id}`, key, isReplay),
      data: toRefundObject(refund),
    };
  },
  refusedInOutage((id, key) => aboutPayment(requirePaymentId(id), key)),
);

function refunding(
  deps: ApiDeps,
  caller: Caller,
  request: RefundRequest,
  subject: Subject,
  payment: PaymentRow,
): Errand<MovementRow> {
  const { amount, reason, capture_id: captureId } = request.body;
  const refundId = movementIdOf('refund', payment.id, subject.idempotencyKey);
  const requestHash = hashOfBody(request.rawBody);
  const amountMinor = amountOf(amount, payment.currency)?.toString() ?? null;
  const submission = {
    ...knownPayment(caller, payment),
    refundId,
    amountMinor,
    request: {
      idempotencyKey: subject.idempotencyKey,
      requestHash,
      correlationId: request.requestId,
      actor: caller.actor,
      origin: request.origin,
      reason: reason ?? null,
      amountMinor,
      captureId: captureId ?? null,
    },
  };
  return {
    ...subject,
    submit: (until, deadline) => deps.payments.refund(submission, until, deadline),
    resume: (deadline) => deps.payments.resumeRefund(submission, deadline),
    async read() {
      const row = await findMovementRow(deps.db, caller, 'refund', refundId);
      if (row !== null && row.request_hash !== requestHash) throw new Problem('idempotency_key_reused');
      return row;
    },
    isSettled: (row) => row.state !== 'pending',
    refusal: (refused) => problemOfRefusal(refused, 'payment_not_refundable'),
  };
}

function requireRefundable(payment: PaymentRow, { amount, capture_id: captureId }: RefundRequest['body']): void {
  const refusal = refundRefusal(payment, amountOf(amount, payment.currency));
  if (refusal !== null) throw new Problem(refusal);
  if (captureId === undefined) return;
  const isCaptured = payment.captures?.some(({ id, status }) => id === captureId && status === 'succeeded') ?? false;
  if (isCaptured) return;
  const errors = [{ pointer: '/capture_id', detail: 'is no successful capture of this payment' }];
  throw new Problem('validation_failed', { errors });
}
