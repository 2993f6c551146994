import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { findPlanTerms } from '../../prisma/plans.ts';
import { findSubscriptionRow, type SubscriptionRow } from '../../prisma/subscription-list.ts';
import { billingCycleText } from '../../workflows/domain/billing/subscription.ts';
import { subscriptionIdOf } from '../../workflows/domain/ids.ts';
import { invariant } from '../../workflows/domain/invariant.ts';
import { subscriptionSummary } from '../../workflows/subscription-contract.ts';
import { type Asking, askingOf } from '../asking.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../errors.ts';
import { knownSubscription } from '../known-subscription.ts';
import { requireMode } from '../live-mode.ts';
import { problemOfRefusal } from '../movement-refusals.ts';
import { namedCustomer } from '../named-customer.ts';
import type { Caller } from '../principal.ts';
import { repeatableHeaders, repeatHeaders } from '../request-headers.ts';
import { merchantRoute, type RouteRequest } from '../route.ts';
import { aboutSubscription, type Errand, notAccepted, readBefore, submitAndRead } from '../submit-and-read.ts';
import { subscriptionSchema, toSubscriptionObject } from '../subscription-object.ts';
import {
  requireNoFaults,
  subscriptionFaults,
  subscriptionFields,
  toSubscriptionRequest,
} from '../subscription-request.ts';
import type { SubscriptionSubmission } from '../temporal/subscription-client.ts';

const body = subscriptionFields
  .safeExtend({ is_test: z.boolean().optional().describe('Must equal the mode of the API key') })
  .meta({ id: 'CreateSubscription' });

type CreateRequest = RouteRequest<z.infer<typeof repeatableHeaders>, unknown, z.infer<typeof body>>;

/** `POST /api/v1/subscriptions`. */
export const createSubscription = merchantRoute(
  {
    operationId: 'createSubscription',
    method: 'post',
    path: '/api/v1/subscriptions',
    summary: 'Create a subscription',
    description:
      'Bills a customer for a plan, period by period, without anything further from you. The first period is charged at once, ' +
      'unless there is a trial or `starts_at`. 201 when nothing is being charged any more (also where the card was declined: ' +
      '`status` is `past_due`), 202 while the first charge is on its way. Repeat with the same `Idempotency-Key` to learn the ' +
      'state as it is then.',
    permission: 'subscriptions:write',
    envelope: 'object',
    headers: repeatableHeaders,
    params: z.object({}),
    body,
    responses: {
      201: { description: 'The subscription', schema: subscriptionSchema },
      202: { description: 'The subscription; its first charge is on its way', schema: subscriptionSchema },
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
      'plan_not_available',
      'customer_not_available',
      'idempotency_key_reused',
      'not_accepted',
      'acceptance_unknown',
    ],
  },
  async (deps, request, caller) => {
    requireMode(request.body, caller.isTest);
    const key = request.headers['idempotency-key'] ?? randomUUID();
    const id = subscriptionIdOf({ merchantId: caller.merchantId, isTest: caller.isTest, idempotencyKey: key });
    const asking = askingOf(request, caller, key);
    const read = () => readSame(deps, caller, id, asking);
    const about = aboutSubscription(id, key);
    const existing = await readBefore(about, read);
    const submission =
      existing === null
        ? await readBefore(about, () => submissionOf(deps, request, caller, id, asking))
        : sameAgain(existing, request, caller, asking);
    const errand = creation(deps, submission, read);
    const isSettled = existing !== null && errand.isSettled(existing);
    const row = isSettled ? existing : await submitAndRead(deps, request, caller.settings.wait, errand);
    const isReplay = existing !== null || row.correlation_id !== request.requestId;
    return {
      status: isStarting(row) ? 202 : 201,
      headers: repeatHeaders(`/api/v1/subscriptions/${id}`, key, isReplay),
      data: toSubscriptionObject(row),
    };
  },
  (request, caller, outage) => {
    const idempotencyKey = request.headers['idempotency-key'] ?? randomUUID();
    const id = subscriptionIdOf({ merchantId: caller.merchantId, isTest: caller.isTest, idempotencyKey });
    return notAccepted(aboutSubscription(id, idempotencyKey), false, outage);
  },
);

/** The row that this request, or one before it, has made; throws where that was another request. */
async function readSame(deps: ApiDeps, caller: Caller, id: string, asking: Asking): Promise<SubscriptionRow | null> {
  const row = await findSubscriptionRow(deps.db, caller, id);
  if (row !== null && row.request_hash !== asking.requestHash) throw new Problem('idempotency_key_reused');
  return row;
}

/** A new subscription. Throws what stands in its way. */
async function submissionOf(
  { db }: ApiDeps,
  { body: given, receivedAt }: CreateRequest,
  caller: Caller,
  subscriptionId: string,
  asking: Asking,
): Promise<SubscriptionSubmission> {
  const [plan, customer] = await Promise.all([
    findPlanTerms(db, caller, given.plan_id, null),
    namedCustomer(db, caller, given.customer_id),
  ]);
  requireNoFaults(subscriptionFaults(given, { plan, customer, settings: caller.settings, receivedAt }));
  invariant(plan !== null, 'a subscription without a plan has a fault');
  const request = toSubscriptionRequest(given, asking, plan.terms);
  const { merchantId, isTest } = caller;
  const summary = subscriptionSummary({
    amountMinor: plan.terms.amountMinor * BigInt(given.quantity),
    currency: plan.terms.currency,
    billingCycle: billingCycleText(plan.terms.interval),
    externalId: given.external_id ?? subscriptionId,
  });
  return { subscriptionId, merchantId, isTest, summary, request };
}

/** One that is there already: nothing stands in its way any more, and its plan is the one that it got. */
function sameAgain(
  row: SubscriptionRow,
  { body: given }: CreateRequest,
  caller: Caller,
  asking: Asking,
): SubscriptionSubmission {
  const plan = { planId: row.plan_id, version: row.plan_version };
  return { ...knownSubscription(caller, row), request: toSubscriptionRequest(given, asking, plan) };
}

function creation(
  deps: ApiDeps,
  submission: SubscriptionSubmission,
  read: () => Promise<SubscriptionRow | null>,
): Errand<SubscriptionRow> {
  return {
    ...aboutSubscription(submission.subscriptionId, submission.request.idempotencyKey),
    submit: (until, deadline) => deps.subscriptions.submit(submission, until, deadline),
    resume: (deadline) => deps.subscriptions.resumeWorkflow(submission, deadline),
    read,
    isSettled: (row) => !isStarting(row),
    refusal: (refused) =>
      refused.code === 'not_found' ? new Problem('internal_error') : problemOfRefusal(refused, 'internal_error'),
  };
}

/** Whether its first charge is on its way, or is about to be made. */
function isStarting(row: SubscriptionRow): boolean {
  return row.last_outcome === null && (row.is_charging || row.is_due);
}
