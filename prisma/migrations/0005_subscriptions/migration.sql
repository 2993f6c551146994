-- Plans, subscriptions, invoices, test clocks and batches.

-- AlterTable
ALTER TABLE "payments" ADD COLUMN "subscription_id" TEXT,
ADD COLUMN "invoice_id" TEXT;

-- AlterTable
ALTER TABLE "payment_audit_trail" ALTER COLUMN "payment_id" DROP NOT NULL;

-- AlterTable
ALTER TABLE "customers" ADD COLUMN "test_clock_id" TEXT;

-- CreateTable
CREATE TABLE "test_clocks" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL DEFAULT true,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "name" TEXT,
    "status" TEXT NOT NULL DEFAULT 'ready',
    "now" TIMESTAMPTZ(3) NOT NULL,
    "target" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "test_clocks_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "plans" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "external_id" TEXT,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "status" TEXT NOT NULL DEFAULT 'active',
    "version" INTEGER NOT NULL DEFAULT 1,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "plans_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "plan_versions" (
    "plan_id" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "interval_unit" TEXT NOT NULL,
    "interval_count" INTEGER NOT NULL,
    "trial_days" INTEGER NOT NULL DEFAULT 0,
    "sign_up_fee" BIGINT NOT NULL DEFAULT 0,
    "cycles" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "plan_versions_pkey" PRIMARY KEY ("plan_id","version")
);

-- CreateTable
CREATE TABLE "subscriptions" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "external_id" TEXT NOT NULL,
    "correlation_id" TEXT NOT NULL,
    "customer_id" TEXT NOT NULL,
    "plan_id" TEXT NOT NULL,
    "plan_version" INTEGER NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "version" INTEGER NOT NULL DEFAULT 1,
    "quantity" INTEGER NOT NULL DEFAULT 1,
    "billing_cycle" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "time_zone" TEXT NOT NULL DEFAULT 'UTC',
    "anchor" TIMESTAMPTZ(3) NOT NULL,
    "anchor_index" INTEGER NOT NULL DEFAULT 0,
    "cycles_billed" INTEGER NOT NULL DEFAULT 0,
    "cycles_total" INTEGER,
    "trial_end" TIMESTAMPTZ(3),
    "current_period_start" TIMESTAMPTZ(3),
    "current_period_end" TIMESTAMPTZ(3),
    "next_billing_date" TIMESTAMPTZ(3),
    "owes_sign_up_fee" BOOLEAN NOT NULL DEFAULT false,
    "payment_method" JSONB NOT NULL,
    "is_payment_method_new" BOOLEAN NOT NULL DEFAULT false,
    "card_notice_at" TIMESTAMPTZ(3),
    "description" TEXT,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "pending_change" JSONB,
    "cancel_at_period_end" BOOLEAN NOT NULL DEFAULT false,
    "cancel_refund" TEXT NOT NULL DEFAULT 'none',
    "canceled_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "paused_at" TIMESTAMPTZ(3),
    "resumes_at" TIMESTAMPTZ(3),
    "resume_anchor" TEXT NOT NULL DEFAULT 'keep',
    "stood_still_ms" BIGINT NOT NULL DEFAULT 0,
    "open_invoice_id" TEXT,
    "charge_payment_id" TEXT,
    "refunds_due" JSONB NOT NULL DEFAULT '[]',
    "dunning" JSONB,
    "last_outcome" TEXT,
    "due_step" TEXT,
    "due_at" TIMESTAMPTZ(3),
    "wake_at" TIMESTAMPTZ(3),
    "test_clock_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "subscriptions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "invoice_counters" (
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "last_number" BIGINT NOT NULL,

    CONSTRAINT "invoice_counters_pkey" PRIMARY KEY ("merchant_id","is_test")
);

-- CreateTable
CREATE TABLE "invoices" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "number" BIGINT NOT NULL,
    "subscription_id" TEXT NOT NULL,
    "customer_id" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "cycle" INTEGER,
    "status" TEXT NOT NULL DEFAULT 'open',
    "version" INTEGER NOT NULL DEFAULT 1,
    "amount" BIGINT NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "period_start" TIMESTAMPTZ(3) NOT NULL,
    "period_end" TIMESTAMPTZ(3) NOT NULL,
    "lines" JSONB NOT NULL,
    "stood_still_ms" BIGINT NOT NULL DEFAULT 0,
    "payment_id" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3),
    "failure_code" TEXT,
    "refund_due_amount" BIGINT NOT NULL DEFAULT 0,
    "issued_at" TIMESTAMPTZ(3) NOT NULL,
    "paid_at" TIMESTAMPTZ(3),
    "closed_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "invoices_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "batches" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT,
    "reference" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "format" TEXT NOT NULL,
    "is_dry_run" BOOLEAN NOT NULL DEFAULT false,
    "status" TEXT NOT NULL DEFAULT 'receiving',
    "rows_total" INTEGER NOT NULL DEFAULT 0,
    "rows_started" INTEGER NOT NULL DEFAULT 0,
    "rows_existing" INTEGER NOT NULL DEFAULT 0,
    "rows_refused" INTEGER NOT NULL DEFAULT 0,
    "rows_canceled" INTEGER NOT NULL DEFAULT 0,
    "error_count" INTEGER NOT NULL DEFAULT 0,
    "errors" JSONB NOT NULL DEFAULT '[]',
    "rate_per_second" INTEGER,
    "actor" TEXT NOT NULL,
    "origin" TEXT NOT NULL,
    "correlation_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "batches_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "batch_rows" (
    "batch_id" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "row_key" TEXT NOT NULL,
    "resource_id" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "data" JSONB,
    "state" TEXT NOT NULL DEFAULT 'staged',
    "code" TEXT,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "batch_rows_pkey" PRIMARY KEY ("batch_id","number")
);

-- CreateTable
CREATE TABLE "subscription_transitions" (
    "from_status" TEXT NOT NULL,
    "to_status" TEXT NOT NULL,

    CONSTRAINT "subscription_transitions_pkey" PRIMARY KEY ("from_status","to_status")
);

-- CreateIndex
CREATE INDEX "customers_test_clock_id_idx" ON "customers"("test_clock_id");
CREATE INDEX "payments_merchant_id_is_test_subscription_id_created_at_id_idx" ON "payments"("merchant_id", "is_test", "subscription_id", "created_at", "id");
CREATE UNIQUE INDEX "test_clocks_merchant_id_is_test_idempotency_key_key" ON "test_clocks"("merchant_id", "is_test", "idempotency_key");
CREATE INDEX "test_clocks_merchant_id_is_test_created_at_id_idx" ON "test_clocks"("merchant_id", "is_test", "created_at", "id");
CREATE UNIQUE INDEX "plans_merchant_id_is_test_idempotency_key_key" ON "plans"("merchant_id", "is_test", "idempotency_key");
CREATE UNIQUE INDEX "plans_merchant_id_is_test_external_id_key" ON "plans"("merchant_id", "is_test", "external_id");
CREATE INDEX "plans_merchant_id_is_test_created_at_id_idx" ON "plans"("merchant_id", "is_test", "created_at", "id");
CREATE UNIQUE INDEX "subscriptions_merchant_id_is_test_idempotency_key_key" ON "subscriptions"("merchant_id", "is_test", "idempotency_key");
CREATE UNIQUE INDEX "subscriptions_merchant_id_is_test_external_id_key" ON "subscriptions"("merchant_id", "is_test", "external_id");
CREATE INDEX "subscriptions_merchant_id_is_test_created_at_id_idx" ON "subscriptions"("merchant_id", "is_test", "created_at", "id");
CREATE INDEX "subscriptions_merchant_id_is_test_customer_id_created_at_id_idx" ON "subscriptions"("merchant_id", "is_test", "customer_id", "created_at", "id");
CREATE INDEX "subscriptions_merchant_id_is_test_status_created_at_id_idx" ON "subscriptions"("merchant_id", "is_test", "status", "created_at", "id");
CREATE INDEX "subscriptions_merchant_id_is_test_next_billing_date_id_idx" ON "subscriptions"("merchant_id", "is_test", "next_billing_date", "id");
CREATE INDEX "subscriptions_test_clock_id_due_at_idx" ON "subscriptions"("test_clock_id", "due_at");
CREATE UNIQUE INDEX "invoices_merchant_id_is_test_number_key" ON "invoices"("merchant_id", "is_test", "number");
CREATE INDEX "invoices_merchant_id_is_test_created_at_id_idx" ON "invoices"("merchant_id", "is_test", "created_at", "id");
CREATE INDEX "invoices_subscription_id_created_at_id_idx" ON "invoices"("subscription_id", "created_at", "id");
CREATE INDEX "invoices_merchant_id_is_test_customer_id_created_at_id_idx" ON "invoices"("merchant_id", "is_test", "customer_id", "created_at", "id");
CREATE UNIQUE INDEX "batches_merchant_id_is_test_idempotency_key_key" ON "batches"("merchant_id", "is_test", "idempotency_key");
CREATE INDEX "batches_merchant_id_is_test_created_at_id_idx" ON "batches"("merchant_id", "is_test", "created_at", "id");
CREATE UNIQUE INDEX "batch_rows_batch_id_row_key_key" ON "batch_rows"("batch_id", "row_key");
CREATE INDEX "batch_rows_batch_id_state_number_idx" ON "batch_rows"("batch_id", "state", "number");

-- AddForeignKey
ALTER TABLE "test_clocks" ADD CONSTRAINT "test_clocks_merchant_id_fkey" FOREIGN KEY ("merchant_id") REFERENCES "merchants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "customers" ADD CONSTRAINT "customers_test_clock_id_fkey" FOREIGN KEY ("test_clock_id") REFERENCES "test_clocks"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "plans" ADD CONSTRAINT "plans_merchant_id_fkey" FOREIGN KEY ("merchant_id") REFERENCES "merchants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "plan_versions" ADD CONSTRAINT "plan_versions_plan_id_fkey" FOREIGN KEY ("plan_id") REFERENCES "plans"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_merchant_id_fkey" FOREIGN KEY ("merchant_id") REFERENCES "merchants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_plan_id_plan_version_fkey" FOREIGN KEY ("plan_id", "plan_version") REFERENCES "plan_versions"("plan_id", "version") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_test_clock_id_fkey" FOREIGN KEY ("test_clock_id") REFERENCES "test_clocks"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "invoices" ADD CONSTRAINT "invoices_subscription_id_fkey" FOREIGN KEY ("subscription_id") REFERENCES "subscriptions"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "batches" ADD CONSTRAINT "batches_merchant_id_fkey" FOREIGN KEY ("merchant_id") REFERENCES "merchants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "batch_rows" ADD CONSTRAINT "batch_rows_batch_id_fkey" FOREIGN KEY ("batch_id") REFERENCES "batches"("id") ON DELETE RESTRICT ON UPDATE CASCADE;


-- Below: what the Prisma schema cannot say.

GRANT SELECT, INSERT, UPDATE ON test_clocks, plans, subscriptions, invoice_counters, invoices, batches TO payments_app;
GRANT SELECT, INSERT ON plan_versions TO payments_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON batch_rows TO payments_app;
GRANT SELECT ON subscription_transitions TO payments_app;

-- Keys of the test mode may do what is new; those of the live mode are given it by whoever owns them.
UPDATE api_keys SET permissions = permissions || ARRAY['plans:read', 'plans:write', 'subscriptions:read',
  'subscriptions:write', 'invoices:read', 'batches:read', 'batches:write', 'test_clocks:read', 'test_clocks:write']
WHERE is_test AND 'payments:write' = ANY (permissions);

-- What the sweep looks for: a subscription for which something was due and whose workflow did not do it.
CREATE INDEX subscriptions_overdue ON subscriptions (wake_at) WHERE test_clock_id IS NULL AND wake_at IS NOT NULL;
-- What is watched: subscriptions for which nobody does what is due.
CREATE INDEX subscriptions_due ON subscriptions (due_at) WHERE test_clock_id IS NULL AND charge_payment_id IS NULL;
CREATE INDEX batches_open ON batches (id) WHERE started_at IS NOT NULL AND finished_at IS NULL;

-- Values that a column may hold.
ALTER TABLE test_clocks ADD CONSTRAINT test_clocks_is_test CHECK (is_test);
ALTER TABLE test_clocks ADD CONSTRAINT test_clocks_status CHECK (
  status IN ('ready', 'advancing') AND (status = 'advancing') = (target IS NOT NULL) AND (target IS NULL OR target >= now));
ALTER TABLE customers ADD CONSTRAINT customers_test_clock CHECK (test_clock_id IS NULL OR is_test);
ALTER TABLE plans ADD CONSTRAINT plans_status CHECK (status IN ('active', 'archived'));
ALTER TABLE plan_versions ADD CONSTRAINT plan_versions_terms CHECK (
  amount > 0 AND sign_up_fee >= 0 AND currency ~ '^[A-Z]{3}$' AND interval_unit IN ('day', 'week', 'month', 'year')
  AND interval_count BETWEEN 1 AND 366 AND trial_days BETWEEN 0 AND 730 AND (cycles IS NULL OR cycles BETWEEN 1 AND 10000));
ALTER TABLE subscriptions ADD CONSTRAINT subscriptions_status CHECK (
  status IN ('trialing', 'active', 'past_due', 'paused', 'canceled', 'completed', 'unpaid'));
ALTER TABLE subscriptions ADD CONSTRAINT subscriptions_amounts CHECK (
  amount > 0 AND quantity BETWEEN 1 AND 1000000 AND anchor_index >= 0 AND cycles_billed >= 0
  AND cancel_refund IN ('none', 'unused') AND resume_anchor IN ('keep', 'shift')
  AND (charge_payment_id IS NULL OR open_invoice_id IS NOT NULL)
  AND (status = 'paused') = (paused_at IS NOT NULL)
  AND (status IN ('canceled', 'completed')) = (ended_at IS NOT NULL));
ALTER TABLE subscriptions ADD CONSTRAINT subscriptions_test_clock CHECK (test_clock_id IS NULL OR is_test);
ALTER TABLE invoices ADD CONSTRAINT invoices_status CHECK (status IN ('open', 'paid', 'uncollectible', 'void'));
ALTER TABLE invoices ADD CONSTRAINT invoices_amounts CHECK (
  amount > 0 AND number > 0 AND attempts >= 0 AND period_start <= period_end
  AND 0 <= refund_due_amount AND refund_due_amount <= amount
  AND reason IN ('period', 'sign_up', 'change') AND (reason = 'period') = (cycle IS NOT NULL));
-- One invoice per period, whatever is begun twice.
CREATE UNIQUE INDEX invoices_cycle ON invoices (subscription_id, cycle) WHERE cycle IS NOT NULL;
CREATE UNIQUE INDEX invoices_one_open ON invoices (subscription_id) WHERE status = 'open';
ALTER TABLE batches ADD CONSTRAINT batches_status CHECK (
  status IN ('receiving', 'invalid', 'validated', 'running', 'paused', 'canceled', 'completed'));
ALTER TABLE batches ADD CONSTRAINT batches_values CHECK (
  kind IN ('subscriptions', 'payments') AND format IN ('csv', 'ndjson')
  AND least(rows_started, rows_existing, rows_refused, rows_canceled) >= 0
  AND rows_started + rows_existing + rows_refused + rows_canceled <= rows_total
  AND (rate_per_second IS NULL OR rate_per_second BETWEEN 1 AND 1000));
ALTER TABLE batch_rows ADD CONSTRAINT batch_rows_state CHECK (
  state IN ('staged', 'started', 'existing', 'refused', 'canceled'));
ALTER TABLE payment_audit_trail DROP CONSTRAINT payment_audit_trail_outcome,
  ADD CONSTRAINT payment_audit_trail_outcome CHECK (
    outcome ~ '^(Payment|Capture|Void|Refund|Subscription|Invoice) (Pending|Successful|Failed|Canceled|Unresolved)$');
ALTER TABLE payment_audit_trail ADD CONSTRAINT payment_audit_trail_payment CHECK (
  payment_id IS NOT NULL OR outcome ~ '^(Subscription|Invoice) ');

-- The allowed moves: the same table as in workflows/domain/subscription-status.ts.
INSERT INTO subscription_transitions (from_status, to_status) VALUES
  ('trialing', 'active'), ('trialing', 'past_due'), ('trialing', 'paused'), ('trialing', 'canceled'), ('trialing', 'unpaid'),
  ('active', 'past_due'), ('active', 'paused'), ('active', 'canceled'), ('active', 'completed'), ('active', 'unpaid'),
  ('past_due', 'active'), ('past_due', 'trialing'), ('past_due', 'paused'), ('past_due', 'canceled'), ('past_due', 'unpaid'),
  ('paused', 'trialing'), ('paused', 'active'), ('paused', 'past_due'), ('paused', 'canceled'),
  ('unpaid', 'trialing'), ('unpaid', 'active'), ('unpaid', 'canceled');

-- Refuses what no code may do to a subscription or an invoice, in the words of guard_payment.
CREATE FUNCTION guard_subscription() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status NOT IN ('trialing', 'active') OR NEW.version <> 1 OR NEW.cycles_billed <> 0 THEN
      RAISE EXCEPTION 'a subscription starts as trialing or active, at version 1, with nothing billed' USING ERRCODE = 'PMT01';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.merchant_id, NEW.is_test, NEW.idempotency_key, NEW.request_hash, NEW.external_id, NEW.customer_id,
      NEW.currency, NEW.test_clock_id, NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.merchant_id, OLD.is_test, OLD.idempotency_key, OLD.request_hash, OLD.external_id, OLD.customer_id,
      OLD.currency, OLD.test_clock_id, OLD.created_at) THEN
    RAISE EXCEPTION 'the identity and the currency of a subscription never change' USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.version NOT IN (OLD.version, OLD.version + 1) THEN
    RAISE EXCEPTION 'versions rise by one: % to %', OLD.version, NEW.version USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.status <> OLD.status THEN
    IF NEW.version = OLD.version THEN
      RAISE EXCEPTION 'a change of status needs a new version' USING ERRCODE = 'PMT01';
    END IF;
    IF NOT EXISTS (SELECT FROM subscription_transitions t WHERE t.from_status = OLD.status AND t.to_status = NEW.status) THEN
      RAISE EXCEPTION 'a subscription cannot go from % to %', OLD.status, NEW.status USING ERRCODE = 'PMT01';
    END IF;
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER guard_subscription BEFORE INSERT OR UPDATE ON subscriptions
  FOR EACH ROW EXECUTE FUNCTION guard_subscription();

CREATE FUNCTION guard_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'open' OR NEW.version <> 1 THEN
      RAISE EXCEPTION 'an invoice starts as open, at version 1' USING ERRCODE = 'PMT01';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.merchant_id, NEW.is_test, NEW.number, NEW.subscription_id, NEW.customer_id, NEW.reason, NEW.cycle,
      NEW.amount, NEW.currency, NEW.period_start, NEW.period_end, NEW.lines, NEW.stood_still_ms, NEW.issued_at)
     IS DISTINCT FROM
     (OLD.id, OLD.merchant_id, OLD.is_test, OLD.number, OLD.subscription_id, OLD.customer_id, OLD.reason, OLD.cycle,
      OLD.amount, OLD.currency, OLD.period_start, OLD.period_end, OLD.lines, OLD.stood_still_ms, OLD.issued_at) THEN
    RAISE EXCEPTION 'what an invoice says never changes' USING ERRCODE = 'PMT01';
  END IF;
  IF OLD.status <> 'open' AND NEW.status <> OLD.status THEN
    RAISE EXCEPTION 'an invoice that is % stays so', OLD.status USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.version NOT IN (OLD.version, OLD.version + 1) OR NEW.status <> OLD.status AND NEW.version = OLD.version THEN
    RAISE EXCEPTION 'the version of an invoice rises by one with its status' USING ERRCODE = 'PMT01';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER guard_invoice BEFORE INSERT OR UPDATE ON invoices FOR EACH ROW EXECUTE FUNCTION guard_invoice();

-- An instant as the API writes it.
CREATE FUNCTION event_instant(at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- What events say about a subscription and an invoice: ids, dates and money, like a payment's.
CREATE FUNCTION subscription_event_data(s subscriptions) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'id', s.id, 'external_id', s.external_id, 'customer_id', s.customer_id, 'plan_id', s.plan_id,
    'plan_version', s.plan_version, 'quantity', s.quantity, 'status', s.status, 'version', s.version,
    'amount_minor', s.amount::text, 'currency', s.currency, 'cycles_billed', s.cycles_billed,
    'current_period_start', event_instant(s.current_period_start), 'current_period_end', event_instant(s.current_period_end),
    'next_billing_date', event_instant(s.next_billing_date), 'cancel_at_period_end', s.cancel_at_period_end,
    'open_invoice_id', s.open_invoice_id, 'is_test', s.is_test)
$$;

CREATE FUNCTION invoice_event_data(i invoices) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'id', i.id, 'number', i.number, 'subscription_id', i.subscription_id, 'customer_id', i.customer_id, 'reason', i.reason,
    'status', i.status, 'version', i.version, 'amount_minor', i.amount::text, 'currency', i.currency,
    'period_start', event_instant(i.period_start), 'period_end', event_instant(i.period_end), 'payment_id', i.payment_id,
    'attempts', i.attempts, 'next_attempt_at', event_instant(i.next_attempt_at), 'failure_code', i.failure_code,
    'is_test', i.is_test)
$$;

-- As before; whoever pays by subscription is told of a failed charge in the invoice's words, with the date of the next try, and
-- of a card that expires.
CREATE OR REPLACE FUNCTION queue_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  queued record;
BEGIN
  FOR queued IN
    WITH receivers AS (
      SELECT 'webhook' AS channel, e.id AS receiver, e.id AS endpoint_id
      FROM webhook_endpoints e
      WHERE e.merchant_id = NEW.merchant_id AND e.is_test = NEW.is_test AND e.status = 'active'
        AND (cardinality(e.event_types) = 0 OR NEW.type = ANY (e.event_types))
      UNION ALL
      SELECT 'email', 'payers_of_' || NEW.merchant_id, NULL
      FROM payments p JOIN merchants m ON m.id = p.merchant_id
      WHERE p.id = NEW.object_id AND p.customer_email IS NOT NULL
        AND NEW.type IN ('payment.captured', 'payment.failed', 'payment.delayed')
        AND NOT (NEW.type = 'payment.failed' AND p.invoice_id IS NOT NULL)
        AND COALESCE((m.settings ->> 'payer_emails')::boolean, true)
        AND NOT (NEW.type = 'payment.captured' AND EXISTS (
          SELECT FROM events e WHERE e.object_id = NEW.object_id AND e.sequence = NEW.sequence - 1
            AND e.data ->> 'captured_amount_minor' = NEW.data ->> 'captured_amount_minor'))
      UNION ALL
      SELECT 'email', 'payers_of_' || NEW.merchant_id, NULL
      FROM customers c JOIN merchants m ON m.id = c.merchant_id
      WHERE NEW.type IN ('invoice.payment_failed', 'subscription.card_expiring')
        AND c.id = NEW.data ->> 'customer_id' AND c.merchant_id = NEW.merchant_id AND c.is_test = NEW.is_test
        AND c.email IS NOT NULL AND COALESCE((m.settings ->> 'payer_emails')::boolean, true)
    )
    INSERT INTO deliveries (id, merchant_id, is_test, event_id, object_id, channel, receiver, endpoint_id, shard,
      created_at, updated_at)
    SELECT 'dlv_' || substr(encode(sha256(convert_to(NEW.id || ':' || r.receiver, 'UTF8')), 'hex'), 1, 32),
      NEW.merchant_id, NEW.is_test, NEW.id, NEW.object_id, r.channel, r.receiver, r.endpoint_id,
      abs(hashtext(r.receiver)::bigint) % 4, clock_timestamp(), clock_timestamp()
    FROM receivers r
    RETURNING shard
  LOOP
    PERFORM pg_notify('deliveries', queued.shard::text);
  END LOOP;
  RETURN NULL;
END $$;
