import type { InvoiceChange } from '../workflows/domain/billing/invoicing.ts';
import type { StepChange, StepResult } from '../workflows/domain/billing/step-result.ts';
import type { Invoice } from '../workflows/domain/billing/subscription.ts';
import type { SubscriptionStep } from '../workflows/domain/billing/subscription-act.ts';
import { applyStep } from '../workflows/domain/billing/subscription-steps.ts';
import { actEventIdOf, auditIdOf, eventIdOf } from '../workflows/domain/ids.ts';
import { BrokenInvariant } from '../workflows/domain/invariant.ts';
import type { SubscriptionStepAnswer, SubscriptionStepInput } from '../workflows/subscription-ports.ts';
import { type Database, run, sqlStateOf } from './database.ts';
import { keepIdleWish } from './idle-acts.ts';
import { changingColumns, columnsOf } from './subscription-row.ts';
import {
  afterStep,
  dueColumnsOf,
  isHeldBack,
  type LoadedSubscription,
  loadSubscription,
  planNotAvailable,
  snapshotOf,
} from './subscription-snapshot.ts';
import { invoiceAuditWords, subscriptionAuditWords } from './subscription-words.ts';
import { guardRefused } from './transitions.ts';

const columns = changingColumns.join(', ');

/** Everything follows from the compare-and-set in `s`: where it matches nothing, nothing is written. */
const write = {
  name: 'write_subscription_step',
  text: `
    WITH s AS (
      UPDATE subscriptions SET
        (${columns}) = (SELECT ${columns} FROM jsonb_populate_record(NULL::subscriptions, $4::jsonb)),
        version = version + 1, due_step = $5, due_at = $6, wake_at = $7, updated_at = $8
      WHERE id = $1 AND merchant_id = $2 AND version = $3
      RETURNING *
    ), counter AS ( -- held until the commit: numbers follow each other without a gap
      INSERT INTO invoice_counters AS n (merchant_id, is_test, last_number)
      SELECT s.merchant_id, s.is_test, 1 FROM s WHERE $9::jsonb IS NOT NULL
      ON CONFLICT (merchant_id, is_test) DO UPDATE SET last_number = n.last_number + 1
      RETURNING last_number
    ), made AS (
      INSERT INTO invoices AS i (id, merchant_id, is_test, number, subscription_id, customer_id, reason, cycle, amount, currency,
        period_start, period_end, lines, stood_still_ms, payment_id, attempts, issued_at, created_at, updated_at)
      SELECT j.id, s.merchant_id, s.is_test, counter.last_number, s.id, s.customer_id, j.reason, j.cycle, j.amount, j.currency,
        j.period_start, j.period_end, j.lines, j.stood_still_ms, j.payment_id, j.attempts, $8, $8, $8
      FROM s, counter, jsonb_populate_record(NULL::invoices, $9::jsonb) j
      RETURNING i AS i
    ), changed AS (
      UPDATE invoices AS i SET
        status = j.status, version = i.version + CASE WHEN j.event IS NULL THEN 0 ELSE 1 END, payment_id = j.payment_id,
        attempts = j.attempts, next_attempt_at = j.next_attempt_at, failure_code = j.failure_code,
        refund_due_amount = j.refund_due_amount, paid_at = j.paid_at,
        closed_at = CASE WHEN j.status <> 'open' THEN COALESCE(i.closed_at, $8) END, updated_at = $8
      FROM s, jsonb_to_recordset($10::jsonb) AS j (id text, status text, payment_id text, attempts int,
        next_attempt_at timestamptz, failure_code text, refund_due_amount bigint, paid_at timestamptz, event text,
        event_id text, audit_id text, audit_outcome text, from_status text, ended jsonb)
      WHERE i.id = j.id AND i.subscription_id = s.id
      RETURNING i AS i, j.event, j.event_id, j.audit_id, j.audit_outcome, j.from_status, COALESCE(j.ended, '{}') AS ended
    ), told AS (
      SELECT i, 'open' AS event, $9::jsonb ->> 'event_id' AS event_id, $9::jsonb ->> 'audit_id' AS audit_id,
        $9::jsonb ->> 'audit_outcome' AS audit_outcome, NULL AS from_status, '{}'::jsonb AS ended FROM made
      UNION ALL
      SELECT i, event, event_id, audit_id, audit_outcome, from_status, ended FROM changed WHERE event IS NOT NULL
    ), event AS (
      INSERT INTO events (id, merchant_id, is_test, type, object_id, sequence, data, correlation_id, created_at)
      SELECT $11, s.merchant_id, s.is_test, 'subscription.' || $12, s.id, s.version, subscription_event_data(s),
        s.correlation_id, $8 FROM s
      UNION ALL
      SELECT t.event_id, s.merchant_id, s.is_test, 'invoice.' || t.event, (t.i).id, (t.i).version, invoice_event_data(t.i) || t.ended,
        s.correlation_id, $8 FROM told t, s
    ), audit AS (
      INSERT INTO payment_audit_trail (
        id, event_id, merchant_id, is_test, payment_id, object_id, actor, origin, action, from_status, to_status, outcome,
        amount, currency, correlation_id, details, created_at)
      SELECT $13, $11, s.merchant_id, s.is_test, NULL, s.id, $14, $15, $16, $17, s.status, $18, s.amount, s.currency,
        s.correlation_id, $19::jsonb, $8 FROM s
      UNION ALL
      SELECT t.audit_id, t.event_id, s.merchant_id, s.is_test, NULL, (t.i).id, $14, $15, $16, t.from_status, (t.i).status,
        t.audit_outcome, (t.i).amount, s.currency, s.correlation_id, jsonb_build_object('subscription', s.id), $8
      FROM told t, s
    )
    SELECT version FROM s`,
};

/** So often another step may be faster; after that it is not another step, but a statement that never matches. */
const overtakenMax = 10;

/**
 * Takes one step of a subscription's life: the rules decide on the row as it is, and what they decide is written in one statement,
 * unless the row has moved on meanwhile: then they decide again. Safe to repeat: what is due is done once per version of the row, a
 * wish once per id.
 */
export async function stepSubscription(db: Database, input: SubscriptionStepInput): Promise<SubscriptionStepAnswer> {
  for (let tries = 0; tries < overtakenMax; tries++) {
    const answer = await tryStep(db, input);
    if (answer !== null) return answer;
  }
  throw new BrokenInvariant(`${overtakenMax} steps in a row did not fit the row of ${input.subscriptionId}`);
}

/** Null: the row has moved on. */
async function tryStep(db: Database, input: SubscriptionStepInput): Promise<SubscriptionStepAnswer | null> {
  const { step, wishId } = input;
  const wishEventId = wishId === null ? null : actEventIdOf(input.subscriptionId, wishId);
  const wish = step === null ? null : { id: wishId, step };
  const loaded = await loadSubscription(db, input, { now: input.now, wish, wishEventId });
  if (loaded === null)
    throw new BrokenInvariant(`subscription ${input.subscriptionId} is gone, and rows are never deleted`);
  const isStale = input.fromVersion !== null && input.fromVersion !== loaded.row.version;
  if (step === null || isStale || loaded.is_done || isHeldBack(loaded, step))
    return { kind: 'stepped', subscription: snapshotOf(loaded) };
  const result = judge(loaded, step);
  switch (result.kind) {
    case 'refused':
      return { ...result, subscription: snapshotOf(loaded) };
    case 'nothing':
      if (wishEventId !== null) await keepIdleWish(db, input, wishEventId, step.kind);
      return { kind: 'stepped', subscription: snapshotOf(loaded) };
    case 'changed': {
      const version = await store(db, input, step, loaded, result, wishEventId);
      if (version === null) return null;
      const after = afterStep(loaded, result.subscription, openAfter(loaded, result), version);
      return { kind: 'stepped', subscription: snapshotOf(after) };
    }
  }
}

function judge(loaded: LoadedSubscription, step: SubscriptionStep): StepResult {
  if (loaded.hasWishedPlan) return applyStep(loaded.subscription, step, loaded.context);
  return planNotAvailable;
}

/** The step's own word on the open invoice, or what it was before. */
function openAfter({ context }: LoadedSubscription, { subscription, invoices }: StepChange): Invoice | null {
  if (subscription.openInvoiceId === null) return null;
  return invoices.find(({ invoice }) => invoice.id === subscription.openInvoiceId)?.invoice ?? context.openInvoice;
}

/** Writes what was decided; the new version, or null where the row has moved on. */
async function store(
  db: Database,
  input: SubscriptionStepInput,
  step: SubscriptionStep,
  loaded: LoadedSubscription,
  change: StepChange,
  wishEventId: string | null,
): Promise<number | null> {
  const { row, context } = loaded;
  const { subscription } = change;
  const event = subscription.status === row.status ? change.event : subscription.status;
  const eventId = wishEventId ?? eventIdOf(row.id, row.version + 1, `subscription.${event}`);
  const due = dueColumnsOf(subscription, loaded.realNow);
  const invoices = change.invoices.map((one) => invoiceColumns(one, loaded));
  const isMerchant = /^(api_key|user):/.test(input.actor); // what merchants write may name a person
  try {
    const [written] = await run<{ version: number }>(db, write, [
      row.id,
      input.merchantId,
      row.version,
      JSON.stringify(columnsOf(subscription)),
      due.due_step,
      due.due_at,
      due.wake_at,
      context.now,
      jsonOrNull(invoices.find(({ kind }) => kind === 'made')),
      JSON.stringify(invoices.filter(({ kind }) => kind === 'changed')),
      eventId,
      event,
      auditIdOf(eventId),
      input.actor,
      input.origin,
      `${step.kind}_subscription`,
      row.status,
      `Subscription ${subscriptionAuditWords[subscription.status]}`,
      JSON.stringify(!isMerchant && input.reason !== null ? { reason: input.reason } : {}),
    ]);
    return written?.version ?? null;
  } catch (error) {
    if (sqlStateOf(error) !== guardRefused) throw error;
    throw new BrokenInvariant(error instanceof Error ? error.message : guardRefused);
  }
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function invoiceColumns({ kind, invoice, event, ended }: InvoiceChange, { invoiceVersions }: LoadedSubscription) {
  const version = kind === 'made' ? 1 : (invoiceVersions.get(invoice.id) ?? 0) + 1;
  const eventId = event === null ? null : eventIdOf(invoice.id, version, `invoice.${event}`);
  return {
    kind,
    id: invoice.id,
    reason: invoice.reason,
    cycle: invoice.cycle,
    status: invoice.status,
    amount: invoice.amountMinor.toString(),
    currency: invoice.currency,
    period_start: invoice.periodStart,
    period_end: invoice.periodEnd,
    lines: invoice.lines,
    stood_still_ms: invoice.stoodStillMs,
    payment_id: invoice.paymentId,
    attempts: invoice.attempts,
    next_attempt_at: invoice.nextAttemptAt,
    failure_code: invoice.failureCode,
    refund_due_amount: invoice.refundDueMinor.toString(),
    paid_at: invoice.paidAt,
    event,
    event_id: eventId,
    audit_id: eventId === null ? null : auditIdOf(eventId),
    audit_outcome: event === null ? null : `Invoice ${invoiceAuditWords[event]}`,
    from_status: 'open',
    ended: ended === undefined ? null : { payment_id: ended.paymentId, attempts: ended.attempts },
  };
}
