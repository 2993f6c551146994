import { randomUUID } from 'node:crypto';
import { makePlan, type NewTerms } from '../../prisma/plans.ts';
import { stepSubscription } from '../../prisma/subscription-steps.ts';
import { acceptSubscription } from '../../prisma/subscriptions.ts';
import type { SubscriptionStep } from '../../workflows/domain/billing/subscription-act.ts';
import { failureOf, type PaymentFailureCode } from '../../workflows/domain/failure.ts';
import { planIdOf, subscriptionIdOf } from '../../workflows/domain/ids.ts';
import type {
  AcceptSubscription,
  SubscriptionRequest,
  SubscriptionSnapshot,
  SubscriptionStepAnswer,
  SubscriptionStepInput,
} from '../../workflows/subscription-ports.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertPendingPayment } from '../support/payment-row.ts';

export const scope = { merchantId: 'mer_1', isTest: true };
export const start = '2026-01-31T10:00:00.000Z';

/** A plan of `mer_1` in test mode, 25.99 USD every month unless the test wants otherwise. Returns its id. */
export async function aPlan({ db }: TestDatabase, terms: Partial<NewTerms> = {}): Promise<string> {
  const idempotencyKey = randomUUID();
  const id = planIdOf({ ...scope, idempotencyKey });
  await makePlan(db, scope, {
    id,
    idempotencyKey,
    requestHash: 'h',
    externalId: null,
    name: 'Tea',
    description: null,
    metadata: {},
    now: start,
    terms: {
      amountMinor: 2599n,
      currency: 'USD',
      intervalUnit: 'month',
      intervalCount: 1,
      trialDays: 0,
      signUpFeeMinor: 0n,
      cycles: null,
      ...terms,
    },
  });
  return id;
}

type Request = Partial<SubscriptionRequest> & { readonly planId: string };

/** What a workflow is told of a subscription to accept. */
export function aSubscription(request: Request, now = start): AcceptSubscription {
  const idempotencyKey = request.idempotencyKey ?? randomUUID();
  return {
    ...scope,
    subscriptionId: subscriptionIdOf({ ...scope, idempotencyKey }),
    now,
    request: {
      idempotencyKey,
      requestHash: 'h',
      externalId: null,
      correlationId: 'req_1',
      actor: 'key_1',
      origin: '192.0.2.1',
      customerId: 'customer-1',
      planVersion: 1,
      quantity: 1,
      timeZone: 'UTC',
      startsAt: null,
      trialDays: null,
      paymentMethod: { type: 'credit_card', cardToken: 'tok_1', expiry: null },
      description: null,
      metadata: {},
      ...request,
    },
  };
}

/** A subscription that is accepted, with nothing billed yet. */
export async function accepted({ db }: TestDatabase, request: Request): Promise<SubscriptionSnapshot> {
  const answer = await acceptSubscription(db, aSubscription(request));
  if (answer.kind !== 'accepted') throw new Error(answer.code);
  return answer.subscription;
}

/** A step as workflows have it taken: on the row's version, or for a wish, which has an id and fits any row. */
export function aStep(
  { id, version }: SubscriptionSnapshot,
  step: SubscriptionStep | null,
  changes: Partial<SubscriptionStepInput> = {},
): SubscriptionStepInput {
  const isWish = changes.wishId !== undefined;
  return {
    subscriptionId: id,
    merchantId: scope.merchantId,
    step,
    fromVersion: isWish ? null : version,
    wishId: null,
    updateId: null,
    actor: isWish ? 'key_1' : 'workflow',
    origin: 'workflow',
    reason: null,
    now: start,
    ...changes,
  };
}

/** Takes a step that must be done, and returns the row after it. */
export async function took(
  { db }: TestDatabase,
  subscription: SubscriptionSnapshot,
  step: SubscriptionStep | null,
  changes: Partial<SubscriptionStepInput> = {},
): Promise<SubscriptionSnapshot> {
  return rowOf(await stepSubscription(db, aStep(subscription, step, changes)));
}

/** The row of a step that was not refused. */
export function rowOf(answer: SubscriptionStepAnswer): SubscriptionSnapshot {
  if (answer.kind === 'refused') throw new Error(`${answer.code}: ${answer.detail}`);
  return answer.subscription;
}

/** Takes what is due, at its time. */
export async function wentOn(
  database: TestDatabase,
  subscription: SubscriptionSnapshot,
): Promise<SubscriptionSnapshot> {
  const { due } = subscription;
  if (due === null) throw new Error('nothing is due');
  return took(database, subscription, { kind: due.step }, { now: due.at });
}

/** Ends the charge that is on its way, as its payment's row tells; it is not settled yet. Returns the payment's id. */
export async function endCharge(
  database: TestDatabase,
  { charge }: SubscriptionSnapshot,
  end: 'paid' | PaymentFailureCode,
): Promise<string> {
  if (charge === null) throw new Error('no charge is on its way');
  const { paymentId, request } = charge;
  const amounts = { amount: request.amountMinor, currency: request.currency };
  await insertPendingPayment(database, { ...amounts, id: paymentId, merchant_id: scope.merchantId });
  const paid = `status = 'captured', authorized_amount = amount, captured_amount = amount`;
  const failure = end === 'paid' ? null : JSON.stringify(failureOf(end));
  await database.admin.query(
    `UPDATE payments SET version = 2, failure = $2::jsonb, ${end === 'paid' ? paid : `status = 'failed'`} WHERE id = $1`,
    [paymentId, failure],
  );
  return paymentId;
}

/** Ends the charge that is on its way, and settles it. */
export async function settled(
  database: TestDatabase,
  subscription: SubscriptionSnapshot,
  end: 'paid' | PaymentFailureCode = 'paid',
  now = start,
): Promise<SubscriptionSnapshot> {
  const paymentId = await endCharge(database, subscription, end);
  return took(database, subscription, { kind: 'settle_charge', paymentId }, { now });
}
