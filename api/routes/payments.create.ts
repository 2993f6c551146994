import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { findPayment, type PaymentRow } from '../../prisma/payments.ts';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { invariant } from '../../workflows/domain/invariant.ts';
import { parseMoney } from '../../workflows/domain/money.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import type { PaymentSubmission } from '../payment-client.ts';
import { changeableFields } from '../payment-fields.ts';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import { hashOfBody } from '../request-hash.ts';
import { idempotencyKey, prefer } from '../request-headers.ts';
import { type Caller, merchantRoute, type RouteAnswer, type RouteRequest } from '../route.ts';
import { text } from '../text.ts';

const headers = z.object({
  'idempotency-key': idempotencyKey
    .optional()
    .describe('Makes the request repeatable: the same key and body answer with the same payment. Made if absent.'),
  prefer: prefer.optional().describe('`wait=N`: wait up to N seconds for the outcome; `respond-async`: do not wait'),
});

const body = z
  .strictObject({
    amount: z.string().max(40).describe('Decimal string in units of the currency, e.g. "25.99"'),
    currency: z.string().max(10).describe('ISO 4217, e.g. "USD"'),
    payment_method: z.enum(['credit_card', 'paypal']),
    card_token: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be a token: 1 to 128 letters, digits, dashes or underscores')
      .describe('Stands for the card, e.g. `tok_visa_…`; for `paypal` for the payer’s stored wallet, `tok_paypal_…`'),
    external_id: text(100).optional().describe('Your own id of the payment, unique; the payment’s id if absent'),
    purpose: z.enum(['purchase', 'subscription', 'donation', 'top_up', 'other']).default('purchase'),
    customer_id: text(100).optional(),
    customer_email: changeableFields.customer_email.optional(),
    customer_name: changeableFields.customer_name.optional(),
    description: changeableFields.description.optional(),
    metadata: changeableFields.metadata.default({}),
    is_test: z.boolean().optional().describe('Must equal the mode of the API key'),
  })
  .superRefine((given, context) => {
    const parsed = parseMoney(given.amount, given.currency);
    if (!parsed.ok) context.addIssue({ code: 'custom', path: [parsed.field], message: parsed.problem });
  })
  .meta({ id: 'CreatePayment' });

type CreateRequest = RouteRequest<z.infer<typeof headers>, unknown, z.infer<typeof body>>;

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
    headers,
    params: z.object({}),
    body,
    responses: {
      201: { description: 'The payment, with its outcome', schema: paymentSchema },
      202: { description: 'The payment is accepted and being worked on', schema: paymentSchema },
    },
    problems: [
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
    if (request.body.is_test !== undefined && request.body.is_test !== caller.isTest) {
      const detail = `must be ${caller.isTest}: this is a ${caller.isTest ? 'test' : 'live'} key`;
      throw new Problem('validation_failed', { errors: [{ pointer: '/is_test', detail }] });
    }
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const submission = submissionOf(request, caller, key);
    const existing = await findExisting(deps, caller, submission);
    if (existing !== null) requireSameBody(existing, submission);
    const isSettled = existing !== null && existing.status !== 'pending';
    const payment = isSettled ? existing : await submitAndRead(deps, request, caller, submission);
    const isReplay = existing !== null || payment.correlation_id !== request.requestId;
    return answer(payment, key, isReplay);
  },
  (request, caller, outage) => {
    const key = request.headers['idempotency-key'] ?? randomUUID();
    return retryLater('not_accepted', submissionOf(request, caller, key), outage);
  },
);

function submissionOf(request: CreateRequest, caller: Caller, key: string): PaymentSubmission {
  const given = request.body;
  const parsed = parseMoney(given.amount, given.currency);
  invariant(parsed.ok, 'the body was validated');
  const { merchantId, isTest, settings } = caller;
  return {
    paymentId: paymentIdOf({ merchantId, isTest, idempotencyKey: key }),
    merchantId,
    isTest,
    request: {
      idempotencyKey: key,
      requestHash: hashOfBody(request.rawBody),
      externalId: given.external_id ?? null,
      correlationId: request.requestId,
      actor: `api_key:${caller.keyId}`,
      origin: request.origin,
      amountMinor: parsed.money.amountMinor.toString(),
      currency: parsed.money.currency,
      purpose: given.purpose,
      paymentMethod: given.payment_method,
      cardToken: given.card_token,
      customerId: given.customer_id ?? null,
      customerEmail: given.customer_email ?? null,
      customerName: given.customer_name ?? null,
      description: given.description ?? null,
      metadata: given.metadata,
      receivedAt: request.receivedAt.toISOString(),
      expiresAfterSeconds: settings.expires_after,
      askForSeconds: settings.ask_for,
      routing: settings.routing,
    },
  };
}

/** The row by its key. Where the database refuses, nothing was sent yet: certainly not accepted by this request. */
async function findExisting(deps: ApiDeps, caller: Caller, submission: PaymentSubmission): Promise<PaymentRow | null> {
  try {
    return await findPayment(deps.db, caller, submission.paymentId);
  } catch (cause) {
    throw retryLater('not_accepted', submission, cause);
  }
}

function requireSameBody(existing: PaymentRow, submission: PaymentSubmission): void {
  if (existing.request_hash !== submission.request.requestHash) throw new Problem('idempotency_key_reused');
}

/** Between two submissions, where the first ended at once; doubled from one to the next, up to a cap. */
const pauseMinMs = 100;
const pauseMaxMs = 1_000;

/** However long the caller wants to wait, the row's commit is waited for at least so long. */
const acceptanceWaitMs = 5_000;

/**
 * Starts the workflow or attaches to it, waits as long as the caller wants, and reads the row. Whatever the engine says,
 * the answer comes from the row.
 */
async function submitAndRead(
  deps: ApiDeps,
  request: CreateRequest,
  caller: Caller,
  submission: PaymentSubmission,
): Promise<PaymentRow> {
  const preference = request.headers.prefer;
  const waitSeconds = preference?.waitSeconds ?? caller.settings.wait;
  const isPatient = waitSeconds > 0 && preference?.respondAsync !== true;
  const received = request.receivedAt.getTime();
  const outcomeBy = received + waitSeconds * 1000;
  const acceptedBy = Math.max(outcomeBy, received + acceptanceWaitMs);

  let until: 'accepted' | 'outcome' = isPatient ? 'outcome' : 'accepted';
  let isSent = false;
  for (let pauseMs = pauseMinMs; ; pauseMs = Math.min(pauseMaxMs, pauseMs * 2)) {
    const deadline = until === 'outcome' ? outcomeBy : acceptedBy;
    const submitted = await deps.payments.submit(submission, until, deadline);
    isSent ||= submitted.kind !== 'not_taken';
    const row = await readAfter(deps, caller, submission, isSent);
    if (row !== null) requireSameBody(row, submission);
    // With a row of this body, it was the run of another body that was refused.
    else if (submitted.kind === 'refused')
      throw new Problem(submitted.code === 'not_found' ? 'internal_error' : submitted.code);
    const now = Date.now();
    if (row !== null && (row.status !== 'pending' || until === 'accepted' || now >= outcomeBy)) return row;
    const last = submitted.kind === 'stored' ? await deps.payments.resume(submission, acceptedBy) : submitted;
    const isRefused = last?.kind === 'not_taken';
    const cause = last !== null && 'cause' in last ? last.cause : undefined;
    if (row === null && (now >= acceptedBy || isRefused)) throw notAccepted(submission, isSent, cause);
    if (row !== null && isRefused) {
      // Its row says that it is accepted; Temporal, which could say more, is away or refuses.
      deps.logger.warn({ err: cause, payment_id: row.id, request_id: request.requestId }, 'not sent to Temporal');
      return row;
    }
    await pause(Math.max(0, Math.min(pauseMs, deadline - now)));
    if (now >= outcomeBy) until = 'accepted';
  }
}

/** The row after a submission. A database that is away now says nothing about what was sent before. */
async function readAfter(
  deps: ApiDeps,
  caller: Caller,
  submission: PaymentSubmission,
  isSent: boolean,
): Promise<PaymentRow | null> {
  try {
    return await findPayment(deps.db, caller, submission.paymentId);
  } catch (cause) {
    throw notAccepted(submission, isSent, cause);
  }
}

/** The refusal of a request without a row: what it sent may still arrive. */
function notAccepted(submission: PaymentSubmission, isSent: boolean, cause?: unknown): Problem {
  return retryLater(isSent ? 'acceptance_unknown' : 'not_accepted', submission, cause);
}

function retryLater(
  code: 'not_accepted' | 'acceptance_unknown',
  submission: PaymentSubmission,
  cause?: unknown,
): Problem {
  return new Problem(code, {
    headers: { 'Retry-After': '2', 'Idempotency-Key': submission.request.idempotencyKey },
    members: { payment_id: submission.paymentId },
    cause,
  });
}

function answer(payment: PaymentRow, key: string, isReplay: boolean): RouteAnswer {
  return {
    status: payment.status === 'pending' ? 202 : 201,
    headers: {
      Location: `/api/v1/payments/${payment.id}`,
      'Idempotency-Key': key,
      ...(isReplay ? { 'Idempotent-Replayed': 'true' } : {}),
    },
    data: toPaymentObject(payment),
  };
}
