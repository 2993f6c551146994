import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type CustomerRow, findCustomer } from '../../prisma/customers.ts';
import type { MerchantSettings } from '../../prisma/merchant-settings.ts';
import { findPayment, type PaymentRow } from '../../prisma/payments.ts';
import { paymentIdOf } from '../../workflows/domain/ids.ts';
import { invariant } from '../../workflows/domain/invariant.ts';
import { parseMoney } from '../../workflows/domain/money.ts';
import type { PaymentTerms } from '../../workflows/domain/terms.ts';
import { isCustomerId } from '../customer-object.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { problemOfRefusal } from '../movement-refusals.ts';
import { changeableFields } from '../payment-fields.ts';
import { paymentSchema, toPaymentObject } from '../payment-object.ts';
import type { Caller } from '../principal.ts';
import { hashOfBody } from '../request-hash.ts';
import { repeatableHeaders, repeatHeaders } from '../request-headers.ts';
import { merchantRoute, type RouteRequest } from '../route.ts';
import { type Errand, notAccepted, readBefore, type Subject, submitAndRead } from '../submit-and-read.ts';
import type { PaymentSubmission } from '../temporal/payment-client.ts';
import { text } from '../text.ts';
import { webUrlProblem } from '../web-url.ts';

const retrySchema = z
  .strictObject({
    schedule: z
      .array(z.int().min(1).max(2_592_000))
      .min(1)
      .max(10)
      .describe('Seconds before each further round; the last one serves for all after it'),
    attempts_max: z.int().min(2).max(10).describe('Rounds in all, the first one included'),
  })
  .describe('Try again later where the card was declined for a reason that may pass');

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
    customer_id: text(100)
      .optional()
      .describe('Your own id of the payer, or the id (`cus_…`) of a customer that you made, who must be active'),
    customer_email: changeableFields.customer_email.optional(),
    customer_name: changeableFields.customer_name.optional(),
    description: changeableFields.description.optional(),
    metadata: changeableFields.metadata.default({}),
    capture: z
      .enum(['automatic', 'manual'])
      .default('automatic')
      .describe('`manual`: only reserve the amount; take it, or a part, with `POST /payments/{id}/capture`'),
    return_url: text(2_000)
      .optional()
      .describe('Where the payer’s browser goes after it was somewhere else: https, or http in test mode'),
    retry: retrySchema.optional(),
    is_test: z.boolean().optional().describe('Must equal the mode of the API key'),
  })
  .superRefine((given, context) => {
    const parsed = parseMoney(given.amount, given.currency);
    if (!parsed.ok) context.addIssue({ code: 'custom', path: [parsed.field], message: parsed.problem });
  })
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
    if (existing === null) requireCurrency(request.body, caller);
    const customer = existing === null ? await customerOf(deps, caller, asGiven, request.body) : null;
    const errand = customer === null ? asGiven : creation(deps, caller, withCustomer(submission, customer));
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
    return notAccepted({ paymentId, idempotencyKey }, false, outage);
  },
);

/** Throws `wrong_mode` or `validation_failed` for what this key, or this merchant, may not ask for. */
function requireFitting(given: CreateRequest['body'], { isTest }: Caller): void {
  if (given.is_test !== undefined && given.is_test !== isTest) {
    const detail = `must be ${isTest}: this key or token is for ${isTest ? 'test' : 'live'} mode`;
    throw new Problem('wrong_mode', { errors: [{ pointer: '/is_test', detail }] });
  }
  const wrongUrl = given.return_url === undefined ? null : webUrlProblem(given.return_url, isTest);
  if (wrongUrl !== null)
    throw new Problem('validation_failed', { errors: [{ pointer: '/return_url', detail: wrongUrl }] });
}

/** The same for a currency: of a new payment alone, because the merchant may have had others before. */
function requireCurrency({ currency }: CreateRequest['body'], { settings: { currencies } }: Caller): void {
  if (currencies === null || currencies.includes(currency)) return;
  const detail = `must be one of yours: ${currencies.join(', ')}`;
  throw new Problem('validation_failed', { errors: [{ pointer: '/currency', detail }] });
}

/** The customer that a new payment names; null: it names none that we keep. Throws `validation_failed` for one who is not there. */
async function customerOf(
  { db }: ApiDeps,
  caller: Caller,
  about: Subject,
  { customer_id: id }: CreateRequest['body'],
): Promise<CustomerRow | null> {
  if (id === undefined || !isCustomerId(id)) return null;
  const customer = await readBefore(about, () => findCustomer(db, caller, id));
  if (customer?.status === 'active') return customer;
  const detail = customer === null ? 'is no customer of yours in this mode' : 'is a customer whose data were removed';
  throw new Problem('validation_failed', { errors: [{ pointer: '/customer_id', detail }] });
}

/** With the customer's e-mail address and name where the payment has none of its own. */
function withCustomer(submission: PaymentSubmission, { email, name }: CustomerRow): PaymentSubmission {
  const { request } = submission;
  const contact = { customerEmail: request.customerEmail ?? email, customerName: request.customerName ?? name };
  return { ...submission, request: { ...request, ...contact } };
}

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
      actor: caller.actor,
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
      routing: settings.routing,
      terms: termsOf(given, settings),
      captureMethod: given.capture,
      returnUrl: given.return_url === undefined ? null : new URL(given.return_url).href,
    },
  };
}

/** The merchant's terms as they are now, for this payment. */
function termsOf({ currency, retry }: CreateRequest['body'], settings: MerchantSettings): PaymentTerms {
  return {
    expiresAfterSeconds: settings.expires_after,
    askForSeconds: settings.ask_for,
    actionWithinSeconds: settings.action_within,
    captureWithinSeconds: settings.capture_within,
    retry: retry === undefined ? null : { scheduleSeconds: retry.schedule, attemptsMax: retry.attempts_max },
    feeBasisPoints: settings.fee.basis_points,
    feeFixedMinor: fixedFeeMinor(settings.fee.fixed[currency], currency).toString(),
  };
}

function fixedFeeMinor(fee: string | undefined, currency: string): bigint {
  if (fee === undefined) return 0n;
  const parsed = parseMoney(fee, currency);
  invariant(parsed.ok, 'the settings were validated');
  return parsed.money.amountMinor;
}

function creation(deps: ApiDeps, caller: Caller, submission: PaymentSubmission): Errand<PaymentRow> {
  const { paymentId, request } = submission;
  return {
    paymentId,
    idempotencyKey: request.idempotencyKey,
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
