import { daysAfter } from '../workflows/domain/billing/calendar.ts';
import type { PlanTerms, Subscription } from '../workflows/domain/billing/subscription.ts';
import { begun } from '../workflows/domain/billing/subscription-steps.ts';
import { auditIdOf, eventIdOf, isCustomerId } from '../workflows/domain/ids.ts';
import type {
  AcceptSubscription,
  SubscriptionAcceptance,
  SubscriptionRequest,
} from '../workflows/subscription-ports.ts';
import { type Database, run } from './database.ts';
import { columnsOf, type PlanTermsJson, planTermsJson, planTermsOf } from './subscription-row.ts';
import { dueColumnsOf, loadSubscription, snapshotOf } from './subscription-snapshot.ts';
import { subscriptionAuditWords } from './subscription-words.ts';

const selectTerms = {
  name: 'select_terms_of_new_subscription',
  text: `
    SELECT ${planTermsJson} AS plan, c.status AS customer_status, c.test_clock_id, k.now AS clock_now
    FROM plans p
    JOIN plan_versions v ON v.plan_id = p.id AND v.version = $4
    LEFT JOIN customers c ON c.id = $5 AND c.merchant_id = p.merchant_id AND c.is_test = p.is_test
    LEFT JOIN test_clocks k ON k.id = c.test_clock_id
    WHERE p.merchant_id = $1 AND p.is_test = $2 AND p.id = $3`,
};

interface TermsRow {
  readonly plan: PlanTermsJson;
  readonly customer_status: 'active' | 'blanked' | null;
  readonly test_clock_id: string | null;
  readonly clock_now: Date | null;
}

interface InsertedRow {
  readonly is_stored: boolean;
  readonly has_customer: boolean;
  readonly has_clock: boolean;
}

/** The row's locks on its customer and clock keep those who blank or advance them waiting: one of the two sees the other. */
const insert = {
  name: 'insert_subscription',
  text: `
    WITH customer AS (
      SELECT id FROM customers WHERE id = $2 AND status = 'active' FOR SHARE
    ), clock AS ( -- the one that its dates were computed by
      SELECT id FROM test_clocks WHERE id = $9 AND date_trunc('milliseconds', now) = $10 FOR SHARE
    ), s AS (
      INSERT INTO subscriptions
      SELECT j.* FROM jsonb_populate_record(NULL::subscriptions, $1::jsonb) j
      WHERE (NOT $8::boolean OR EXISTS (SELECT FROM customer)) AND ($9::text IS NULL OR EXISTS (SELECT FROM clock))
      ON CONFLICT DO NOTHING
      RETURNING *
    ), event AS (
      INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, correlation_id, created_at)
      SELECT $3, s.merchant_id, s.is_test, 'subscription.' || s.status, s.id, s.version, subscription_event_data(s),
        s.correlation_id, s.created_at FROM s
    ), audit AS (
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, correlation_id, created_at)
      SELECT $4, $3, s.merchant_id, s.is_test, NULL, s.id, $5, $6, 'create_subscription', NULL, s.status, $7, s.amount,
        s.currency, s.correlation_id, s.created_at FROM s
    )
    SELECT EXISTS (SELECT FROM s) AS is_stored, NOT $8 OR EXISTS (SELECT FROM customer) AS has_customer,
      $9 IS NULL OR EXISTS (SELECT FROM clock) AS has_clock`,
};

/**
 * Commits the subscription with its event and audit entry in one statement, or finds the row that this id already has. Refused, with
 * nothing stored: the plan or the customer is not there or not active, the external id belongs to another subscription, the key was
 * used with another body, or there is neither a row nor a request.
 */
export async function acceptSubscription(db: Database, input: AcceptSubscription): Promise<SubscriptionAcceptance> {
  const { request } = input;
  const refusal = request === undefined ? 'not_found' : await tryToInsert(db, input, request);
  const loaded = await loadSubscription(db, input, { now: input.now, wish: null, wishEventId: null });
  if (loaded === null) return { kind: 'refused', code: refusal ?? 'not_found' };
  if (request !== undefined && loaded.row.request_hash !== request.requestHash) {
    return { kind: 'refused', code: 'idempotency_key_reused' };
  }
  return { kind: 'accepted', subscription: snapshotOf(loaded) };
}

type Refusal = Extract<SubscriptionAcceptance, { kind: 'refused' }>['code'];

/** Why there is no new row; null: there is one. */
async function tryToInsert(
  db: Database,
  input: AcceptSubscription,
  request: SubscriptionRequest,
): Promise<Refusal | null> {
  const scope = [input.merchantId, input.isTest];
  const [terms] = await run<TermsRow>(db, selectTerms, [
    ...scope,
    request.planId,
    request.planVersion,
    request.customerId,
  ]);
  if (terms === undefined || terms.plan.status !== 'active') return 'plan_not_available';
  const isKept = isCustomerId(request.customerId);
  if (isKept && terms.customer_status !== 'active') return 'customer_not_available';
  const now = terms.clock_now ?? new Date(input.now);
  const subscription = newSubscription(input, request, planTermsOf(terms.plan), now);
  const eventId = eventIdOf(subscription.id, 1, `subscription.${subscription.status}`);
  const [inserted] = await run<InsertedRow>(db, insert, [
    JSON.stringify(newRow(subscription, request, terms, new Date(input.now))),
    request.customerId,
    eventId,
    auditIdOf(eventId),
    request.actor,
    request.origin,
    `Subscription ${subscriptionAuditWords[subscription.status]}`,
    isKept,
    terms.test_clock_id,
    terms.clock_now,
  ]);
  if (inserted?.is_stored === true) return null;
  if (inserted?.has_clock === false) return tryToInsert(db, input, request); // it was advanced meanwhile
  return inserted?.has_customer === false ? 'customer_not_available' : 'external_id_taken';
}

function newSubscription(
  input: AcceptSubscription,
  request: SubscriptionRequest,
  plan: PlanTerms,
  now: Date,
): Subscription {
  const { subscriptionId: id, merchantId, isTest } = input;
  const { customerId, quantity, timeZone, paymentMethod, trialDays } = request;
  const startsAt = request.startsAt === null ? null : new Date(request.startsAt);
  const days = trialDays ?? plan.trialDays;
  const trialEnd = startsAt ?? (days > 0 ? daysAfter(now, days, timeZone) : null);
  const given = { id, merchantId, isTest, customerId, quantity, timeZone, paymentMethod };
  return begun(given, plan, trialEnd, now);
}

function newRow(
  subscription: Subscription,
  request: SubscriptionRequest,
  { test_clock_id }: TermsRow,
  realNow: Date,
): Record<string, unknown> {
  return {
    ...columnsOf(subscription),
    ...dueColumnsOf(subscription, realNow),
    id: subscription.id,
    merchant_id: subscription.merchantId,
    is_test: subscription.isTest,
    idempotency_key: request.idempotencyKey,
    request_hash: request.requestHash,
    external_id: request.externalId ?? subscription.id,
    correlation_id: request.correlationId,
    customer_id: subscription.customerId,
    version: 1,
    currency: subscription.currency,
    time_zone: subscription.timeZone,
    description: request.description,
    metadata: request.metadata,
    test_clock_id,
    created_at: subscription.createdAt,
    updated_at: subscription.createdAt,
  };
}

/** Whoever is asked about is not asked about again for a while: a backlog of thousands is looked through once, not in every pass. */
const claimOverdue = {
  name: 'claim_overdue_subscriptions',
  text: `
    UPDATE subscriptions SET wake_at = $2 WHERE id IN (
      SELECT id FROM subscriptions s WHERE wake_at < $1 AND test_clock_id IS NULL
        AND EXISTS (SELECT FROM merchants m WHERE m.id = s.merchant_id AND m.status = 'active')
      ORDER BY wake_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id, merchant_id, is_test, external_id, correlation_id, amount::text, currency, billing_cycle`,
};

/** A subscription whose workflow did not do what was due, as the sweep needs it to start it again. */
export interface OverdueSubscription {
  readonly id: string;
  readonly merchant_id: string;
  readonly is_test: boolean;
  readonly external_id: string;
  readonly correlation_id: string;
  /** Minor units. */
  readonly amount: string;
  readonly currency: string;
  readonly billing_cycle: string;
}

/**
 * Subscriptions of active merchants for which something was due before an instant; they count as looked at until the other.
 */
export async function claimOverdueSubscriptions(
  db: Database,
  claim: { readonly dueBefore: Date; readonly quietUntil: Date; readonly limit: number },
): Promise<OverdueSubscription[]> {
  return run<OverdueSubscription>(db, claimOverdue, [claim.dueBefore, claim.quietUntil, claim.limit]);
}
