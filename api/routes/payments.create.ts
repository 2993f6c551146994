import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { CustomerRow } from '../../prisma/customers.ts';
import { findPayment, type PaymentRow } from '../../prisma/payments.ts';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { askingOf } from '../asking.ts';
import type { ApiDeps } from '../deps.ts';
import { type FieldError, Problem } from '../errors.ts';
import { requireMode } from '../live-mode.ts';
import { problemOfRefusal } from '../movement-refusals.ts';
import { namedCustomer } from '../named-customer.ts';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import { currencyErrors, paymentFields, returnUrlErrors, toPaymentRequest, withContact } from '../payment-request.ts';
import type { Caller } from '../principal.ts';
import { repeatableHeaders, repeatHeaders } from '../request-headers.ts';
import { merchantRoute, type RouteRequest } from '../route.ts';
import { aboutPayment, type Errand, notAccepted, readBefore, type Subject, submitAndRead } from '../submit-and-read.ts';
import type { PaymentSubmission } from '../temporal/payment-client.ts';

const body = paymentFields
  .safeExtend({ is_test: z.boolean().optional().describe('Must equal the mode of the API key') })
  .meta({ id: 'CreatePayment' });

type CreateRequest = RouteRequest<z.infer<typeof repeatableHeaders>, unknown, z.infer<typeof body>>;

/** `POST /api/v1/payments`. */
export const createPayment = merchantRoute(
  {
    operationId: 'createPayment',
    method: 'post',
    path: '/api/v1/payments',
    summary: 'Create a payment',
    description:
      'Charges a card once. 201 when the outcome is known (a decline is one: `status` is `failed`), 202 while it is not. ' +
      'Repeat with the same `Idempotency-Key` to learn the state as it is then.',
    permission: 'payments:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({}),
    body,
    responses: {
      201: { description: 'The payment, with its outcome', schema: paymentSchema },
      202: { description: 'The payment is accepted and being worked on', schema: paymentSchema },
    },
    problems: [
      'wrong_mode',
      'invalid_json',
      'invalid_header',
      'external_id_taken',
      'body_too_large',
      'unsupported_media_type',
      'validation_failed',
      'card_number_refused',
      'idempotency_key_reused',
      'not_accepted',
      'acceptance_unknown',
    ],
  },
  async (deps, request, caller) => {
    requireFitting(request.body, caller);
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const submission = submissionOf(request, caller, key);
    const asGiven = creation(deps, caller, submission);
    const existing = await readBefore(asGiven, asGiven.read);
    if (existing === null) requireNone(currencyErrors(request.body, caller.settings));
    const customer = existing === null ? await customerOf(deps, caller, asGiven, request.body) : null;
    const complete =
      customer === null ? submission : { ...submission, request: withContact(submission.request, customer) };
    const errand = creation(deps, caller, complete);
    const isDecided = existing !== null && existing.status !== 'pending';
    const payment = isDecided ? existing : await submitAndRead(deps, request, caller.settings.wait, errand);
    const isReplay = existing !== null || payment.correlation_id !== request.requestId;
    return {
      status: payment.status === 'pending' ? 202 : 201,
      headers: repeatHeaders(`/api/v1/payments/${payment.id}`, key, isReplay),
      data: toPaymentObject(payment),
    };
  },
  (request, caller, outage) => {
    const idempotencyKey = request.headers['idempotency-key'] ?? randomUUID();
    const paymentId = paymentIdOf({ ...caller, idempotencyKey });
    return notAccepted(aboutPayment(paymentId, idempotencyKey), false, outage);
  },
);

/** Throws `wrong_mode` or `validation_failed` for what this key, or this merchant, may not ask for. */
function requireFitting(given: CreateRequest['body'], { isTest }: Caller): void {
  requireMode(given, isTest);
  requireNone(returnUrlErrors(given, isTest));
}

function requireNone(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw new Problem('validation_failed', { errors });
}

/** The customer that a new payment names; null: it names none that we keep. Throws `validation_failed` for one who is not there. */
async function customerOf(
  { db }: ApiDeps,
  caller: Caller,
  about: Subject,
  { customer_id: id }: CreateRequest['body'],
): Promise<CustomerRow | null> {
  const named = await readBefore(about, () => namedCustomer(db, caller, id));
  if (named.ok) return named.customer;
  throw new Problem('validation_failed', { errors: [{ pointer: '/customer_id', detail: named.problem }] });
}

function submissionOf(request: CreateRequest, caller: Caller, key: string): PaymentSubmission {
  const { merchantId, isTest, settings } = caller;
  return {
    paymentId: paymentIdOf({ merchantId, isTest, idempotencyKey: key }),
    merchantId,
    isTest,
    request: toPaymentRequest(request.body, askingOf(request, caller, key), settings),
  };
}

function creation(deps: ApiDeps, caller: Caller, submission: PaymentSubmission): Errand<PaymentRow> {
  const { paymentId, request } = submission;
  return {
    ...aboutPayment(paymentId, request.idempotencyKey),
    submit: (until, deadline) => deps.payments.submit(submission, until, deadline),
    resume: (deadline) => deps.payments.resume(submission, deadline),
    async read() {
      const row = await findPayment(deps.db, caller, paymentId);
      if (row !== null && row.request_hash !== request.requestHash) throw new Problem('idempotency_key_reused');
      return row;
    },
    /** One that waits for its next round may wait for days. */
    isSettled: (row) => row.status !== 'pending' || row.retry_at !== null,
    refusal: (refused) =>
      refused.code === 'not_found' ? new Problem('internal_error') : problemOfRefusal(refused, 'internal_error'),
  };
}
