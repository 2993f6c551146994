import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { findMovementRow, type MovementRow } from '../../prisma/movement-list.ts';
import type { PaymentRow } from '../../prisma/payments.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { knownPayment } from '../known-payment.ts';
import { amountOf, capturableOfRow, captureRefusal, problemOfRefusal } from '../movement-refusals.ts';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import type { Caller } from '../principal.ts';
import { hashOfBody } from '../request-hash.ts';
import { repeatableHeaders, repeatHeaders } from '../request-headers.ts';
import { requirePayment, requirePaymentId } from '../require-payment.ts';
import { merchantRoute, type RouteRequest } from '../route.ts';
import {
  aboutPayment,
  type Errand,
  readAfter,
  readBefore,
  refusedInOutage,
  submitAndRead,
} from '../submit-and-read.ts';

const body = z
  .strictObject({
    amount: z
      .string()
      .max(40)
      .optional()
      .describe('Decimal string in units of the currency; all that is left if absent'),
  })
  .meta({ id: 'CapturePayment' });

type CaptureRequest = RouteRequest<z.infer<typeof repeatableHeaders>, { id: string }, z.infer<typeof body>>;

/** `POST /api/v1/payments/{id}/capture`. */
export const capturePayment = merchantRoute(
  {
    operationId: 'capturePayment',
    method: 'post',
    path: '/api/v1/payments/{id}/capture',
    summary: 'Capture a payment',
    description:
      'Takes all or a part of what a payment with `capture: manual` has reserved; the rest may be captured later, or ' +
      'canceled. 201 when the outcome of this capture is known (it stands in `captures`, also when it was declined), 202 ' +
      'while it is not. Without `amount`, a payment of which nothing is left to capture is answered as it is, with 200.',
    permission: 'payments:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({ id: z.string() }),
    body,
    responses: {
      200: { description: 'The payment: all of it was captured before', schema: paymentSchema },
      201: { description: 'The payment, with the outcome of this capture', schema: paymentSchema },
      202: { description: 'The payment; the capture is being worked on', schema: paymentSchema },
    },
    problems: [
      'invalid_json',
      'not_found',
      'payment_not_capturable',
      'movement_in_progress',
      'amount_exceeds_capturable',
      'too_many_captures',
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
    const capture = captureOf(deps, caller, request, paymentId, key);
    const [before, existing] = await readBefore(capture, async () => {
      const payment = await requirePayment(deps, caller, paymentId); // first, or this very capture could stand in its way
      return [payment, await capture.find()] as const;
    });
    const headers = (isReplay: boolean) => repeatHeaders(`/api/v1/payments/${paymentId}`, key, isReplay);
    if (existing === null && isCapturedAlready(before, request.body.amount)) {
      return { status: 200, headers: headers(false), data: toPaymentObject(before) };
    }
    if (existing === null) requireCapturable(before, request.body.amount);
    const isOver = existing !== null && existing.state !== 'pending';
    const { wait } = caller.settings;
    const row = isOver ? existing : await submitAndRead(deps, request, wait, capture.errand(before));
    const payment = await readAfter(capture, true, () => requirePayment(deps, caller, paymentId));
    return {
      status: row.state === 'pending' ? 202 : 201,
      headers: headers(existing !== null || row.correlation_id !== request.requestId),
      data: toPaymentObject(payment),
    };
  },
  refusedInOutage((id, key) => aboutPayment(requirePaymentId(id), key)),
);

/** The capture that this request is about: how to find its row, and how to make it. */
function captureOf(deps: ApiDeps, caller: Caller, request: CaptureRequest, paymentId: string, key: string) {
  const subject = aboutPayment(paymentId, key);
  const id = movementIdOf('capture', paymentId, key);
  const requestHash = hashOfBody(request.rawBody);
  const { amount } = request.body;
  const act = {
    actor: caller.actor,
    reason: 'requested by the merchant',
    ...(amount === undefined ? {} : { amount }),
    idempotencyKey: key,
    requestHash,
    correlationId: request.requestId,
    origin: request.origin,
  };
  async function find(): Promise<MovementRow | null> {
    const row = await findMovementRow(deps.db, caller, 'capture', id);
    if (row !== null && row.request_hash !== requestHash) throw new Problem('idempotency_key_reused');
    return row;
  }
  const errand = (payment: PaymentRow): Errand<MovementRow> => ({
    ...subject,
    submit: (until, deadline) => deps.payments.capture(knownPayment(caller, payment), id, act, until, deadline),
    resume: () => Promise.resolve(null),
    read: find,
    isSettled: (row) => row.state !== 'pending',
    refusal: (refused) => problemOfRefusal(refused, 'payment_not_capturable'),
  });
  return { ...subject, find, errand };
}

function isCapturedAlready(payment: PaymentRow, amount: string | undefined): boolean {
  return amount === undefined && BigInt(payment.captured_amount) > 0n && capturableOfRow(payment) === 0n;
}

function requireCapturable(payment: PaymentRow, amount: string | undefined): void {
  const refusal = captureRefusal(payment, amountOf(amount, payment.currency));
  if (refusal !== null) throw new Problem(refusal);
}
