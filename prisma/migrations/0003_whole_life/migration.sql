-- What happens to a payment after its creation: movements, the ledger, providers' events, discrepancies, retries.

-- AlterTable
ALTER TABLE "payments" ADD COLUMN "refund_reserved_amount" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN "fee_amount" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN "capture_method" TEXT NOT NULL DEFAULT 'automatic',
ADD COLUMN "terms" JSONB NOT NULL DEFAULT '{}',
ADD COLUMN "open_movement_id" TEXT,
ADD COLUMN "retries_made" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN "retry_at" TIMESTAMPTZ(3),
ADD COLUMN "return_url" TEXT,
ADD COLUMN "return_token" UUID NOT NULL DEFAULT gen_random_uuid(),
ADD COLUMN "action_expires_at" TIMESTAMPTZ(3),
ADD COLUMN "capture_before" TIMESTAMPTZ(3);

-- Payments that were accepted before go by the terms that everybody had.
UPDATE payments SET terms = jsonb_build_object(
  'expiresAfterSeconds', 3600, 'askForSeconds', 86400, 'actionWithinSeconds', 3600, 'captureWithinSeconds', 604800,
  'retry', NULL, 'feeBasisPoints', 0, 'feeFixedMinor', '0');

-- AlterTable
ALTER TABLE "attempts" ADD COLUMN "movement_id" TEXT;

-- AlterTable
ALTER TABLE "payment_audit_trail" ADD COLUMN "object_id" TEXT;
UPDATE payment_audit_trail SET object_id = payment_id;
ALTER TABLE payment_audit_trail ALTER COLUMN object_id SET NOT NULL;

-- CreateTable
CREATE TABLE "movements" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "payment_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "correlation_id" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "version" INTEGER NOT NULL DEFAULT 1,
    "amount" BIGINT NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "reason" TEXT,
    "provider" TEXT NOT NULL,
    "capture_id" TEXT,
    "refund_reserved_amount" BIGINT NOT NULL DEFAULT 0,
    "open_attempt_id" TEXT,
    "processor_transaction_id" TEXT,
    "processor_response_code" TEXT,
    "failure" JSONB,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ask_until" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "movements_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ledger_entries" (
    "event_id" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "payment_id" TEXT NOT NULL,
    "object_id" TEXT NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "amount" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "transaction_id" xid8 NOT NULL DEFAULT pg_current_xact_id(),
    "position" BIGSERIAL NOT NULL,

    CONSTRAINT "ledger_entries_pkey" PRIMARY KEY ("event_id","account")
);

-- CreateTable
CREATE TABLE "webhooks" (
    "id" TEXT NOT NULL,
    "event_type" TEXT NOT NULL,
    "event_id" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "account_id" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "signature" TEXT NOT NULL,
    "reference" TEXT,
    "claim" TEXT NOT NULL,
    "processed_at" TIMESTAMPTZ(3),
    "status" TEXT NOT NULL DEFAULT 'pending',
    "retry_count" INTEGER NOT NULL DEFAULT 0,
    "error_message" TEXT,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "webhooks_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "discrepancies" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "payment_id" TEXT NOT NULL,
    "object_id" TEXT NOT NULL,
    "attempt_id" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "recorded" TEXT NOT NULL,
    "reported" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'open',
    "closed_by" TEXT,
    "closed_reason" TEXT,
    "opened_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "discrepancies_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "movement_transitions" (
    "from_state" TEXT NOT NULL,
    "to_state" TEXT NOT NULL,

    CONSTRAINT "movement_transitions_pkey" PRIMARY KEY ("from_state","to_state")
);

-- DropIndex
DROP INDEX "attempts_payment_id_operation_number_key";

-- CreateIndex
CREATE INDEX "attempts_payment_id_operation_number_idx" ON "attempts"("payment_id", "operation", "number");

-- CreateIndex
CREATE INDEX "attempts_movement_id_idx" ON "attempts"("movement_id");

-- CreateIndex
CREATE INDEX "movements_merchant_id_is_test_kind_created_at_id_idx" ON "movements"("merchant_id", "is_test", "kind", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "movements_payment_id_kind_idempotency_key_key" ON "movements"("payment_id", "kind", "idempotency_key");

-- CreateIndex
CREATE INDEX "ledger_entries_merchant_id_is_test_transaction_id_position_idx" ON "ledger_entries"("merchant_id", "is_test", "transaction_id", "position");

-- CreateIndex
CREATE INDEX "ledger_entries_payment_id_idx" ON "ledger_entries"("payment_id");

-- CreateIndex
CREATE INDEX "webhooks_event_id_idx" ON "webhooks"("event_id");

-- CreateIndex
CREATE INDEX "webhooks_event_type_idx" ON "webhooks"("event_type");

-- CreateIndex
CREATE INDEX "webhooks_status_idx" ON "webhooks"("status");

-- CreateIndex
CREATE INDEX "webhooks_created_at_idx" ON "webhooks"("created_at");

-- CreateIndex
CREATE UNIQUE INDEX "webhooks_source_account_id_event_id_key" ON "webhooks"("source", "account_id", "event_id");

-- CreateIndex
CREATE INDEX "discrepancies_status_opened_at_id_idx" ON "discrepancies"("status", "opened_at", "id");

-- CreateIndex
CREATE INDEX "discrepancies_payment_id_idx" ON "discrepancies"("payment_id");

-- AddForeignKey
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_movement_id_fkey" FOREIGN KEY ("movement_id") REFERENCES "movements"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "movements" ADD CONSTRAINT "movements_payment_id_fkey" FOREIGN KEY ("payment_id") REFERENCES "payments"("id") ON DELETE RESTRICT ON UPDATE CASCADE;


-- Below: what the Prisma schema cannot say.

GRANT SELECT, INSERT, UPDATE ON movements, webhooks, discrepancies TO payments_app;
GRANT SELECT, INSERT ON ledger_entries TO payments_app;
GRANT USAGE ON SEQUENCE ledger_entries_position_seq TO payments_app;
GRANT SELECT ON movement_transitions TO payments_app;

-- Keys of the test mode may do what is new; those of the live mode are given it by whoever owns them.
UPDATE api_keys SET permissions = permissions || ARRAY['refunds:read', 'refunds:write', 'ledger:read']
WHERE is_test AND 'payments:write' = ANY (permissions);

-- One business attempt has one number; a movement has one attempt.
CREATE UNIQUE INDEX attempts_charge_number ON attempts (payment_id, operation, number) WHERE movement_id IS NULL;
CREATE UNIQUE INDEX attempts_movement_number ON attempts (movement_id, number) WHERE movement_id IS NOT NULL;

-- What the sweep looks for: whatever still needs a workflow.
CREATE INDEX payments_open ON payments (id) WHERE
  status IN ('pending', 'requires_action', 'held', 'authorized', 'unresolved')
  OR open_movement_id IS NOT NULL OR authorized_amount > captured_amount + voided_amount;
CREATE INDEX refunds_open ON movements (id) WHERE kind = 'refund' AND state IN ('pending', 'unresolved');
CREATE INDEX webhooks_open ON webhooks (id) WHERE status = 'pending';

-- Values that a column may hold.
ALTER TABLE payments ADD CONSTRAINT payments_capture_method CHECK (capture_method IN ('automatic', 'manual'));
ALTER TABLE payments DROP CONSTRAINT payments_amounts, ADD CONSTRAINT payments_amounts CHECK (
  amount > 0
  AND 0 <= refunded_amount AND refunded_amount <= refund_reserved_amount AND refund_reserved_amount <= captured_amount
  AND 0 <= voided_amount AND captured_amount + voided_amount <= authorized_amount
  AND authorized_amount <= amount
  AND 0 <= fee_amount AND fee_amount <= captured_amount
  AND refund_count >= 0 AND retries_made >= 0);
ALTER TABLE attempts DROP CONSTRAINT attempts_state, ADD CONSTRAINT attempts_state CHECK (state IN
  ('sent', 'unknown', 'not_sent', 'prepared', 'requires_action', 'approved', 'declined', 'rejected', 'mismatched',
   'unanswered', 'voided'));
ALTER TABLE movements ADD CONSTRAINT movements_kind CHECK (kind IN ('capture', 'void', 'refund'));
ALTER TABLE movements ADD CONSTRAINT movements_state CHECK (state IN ('pending', 'succeeded', 'failed', 'unresolved'));
ALTER TABLE movements ADD CONSTRAINT movements_amounts CHECK (
  amount >= 0 AND (amount > 0 OR kind = 'void')
  AND 0 <= refund_reserved_amount AND refund_reserved_amount <= amount);
ALTER TABLE ledger_entries ADD CONSTRAINT ledger_entries_amount CHECK (amount <> 0);
ALTER TABLE ledger_entries ADD CONSTRAINT ledger_entries_account CHECK (
  account IN ('merchant', 'fees', 'refunds') OR account LIKE 'receivable.%');
ALTER TABLE webhooks ADD CONSTRAINT webhooks_status CHECK (status IN ('pending', 'processed', 'ignored', 'failed'));
ALTER TABLE webhooks ADD CONSTRAINT webhooks_claim CHECK (claim IN ('approved', 'declined', 'pending', 'other'));
ALTER TABLE discrepancies ADD CONSTRAINT discrepancies_status CHECK (status IN ('open', 'closed'));
ALTER TABLE payment_audit_trail DROP CONSTRAINT payment_audit_trail_outcome,
  ADD CONSTRAINT payment_audit_trail_outcome CHECK (
    outcome ~ '^(Payment|Capture|Void|Refund) (Pending|Successful|Failed|Canceled|Unresolved)$');

-- The allowed moves: the same tables as in workflows/domain/payment-status.ts and workflows/domain/movement.ts.
DELETE FROM payment_transitions WHERE from_status = 'authorized' AND to_status IN ('partially_refunded', 'refunded');
INSERT INTO payment_transitions (from_status, to_status) VALUES
  ('captured', 'unresolved'), ('partially_refunded', 'unresolved'), ('refunded', 'unresolved'),
  ('unresolved', 'partially_refunded'), ('unresolved', 'refunded'), ('unresolved', 'requires_action'),
  ('refunded', 'partially_refunded');
INSERT INTO movement_transitions (from_state, to_state) VALUES
  ('pending', 'succeeded'), ('pending', 'failed'), ('pending', 'unresolved'),
  ('unresolved', 'succeeded'), ('unresolved', 'failed');

-- What the amounts of a payment say about its status once a card was charged or an amount reserved.
CREATE FUNCTION projected_status(authorized BIGINT, captured BIGINT, voided BIGINT, refunded BIGINT) RETURNS TEXT
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN captured > 0 AND refunded = 0 THEN 'captured'
    WHEN captured > 0 AND refunded < captured THEN 'partially_refunded'
    WHEN captured > 0 THEN 'refunded'
    WHEN voided < authorized THEN 'authorized'
    ELSE 'canceled'
  END
$$;

-- Our fee on all that was captured so far: a share, rounded half up, and a fixed part, and never more than was captured.
CREATE FUNCTION payment_fee(captured BIGINT, terms JSONB) RETURNS BIGINT LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN captured = 0 THEN 0 ELSE least(captured::numeric,
    div(captured::numeric * COALESCE((terms ->> 'feeBasisPoints')::bigint, 0) + 5000, 10000)
      + COALESCE((terms ->> 'feeFixedMinor')::bigint, 0))::bigint END
$$;

-- What is posted when money is taken.
CREATE FUNCTION capture_postings(provider TEXT, taken BIGINT, fee BIGINT) RETURNS TABLE (account TEXT, amount BIGINT)
LANGUAGE sql IMMUTABLE AS $$
  SELECT * FROM (VALUES ('receivable.' || provider, taken), ('merchant', fee - taken), ('fees', -fee)) AS l (account, amount)
  WHERE l.amount <> 0
$$;

-- What is posted when a refund begins, and when it ends.
CREATE FUNCTION refund_postings(provider TEXT, state TEXT, paid_back BIGINT) RETURNS TABLE (account TEXT, amount BIGINT)
LANGUAGE sql IMMUTABLE AS $$
  SELECT * FROM (VALUES
    ('merchant', CASE state WHEN 'pending' THEN paid_back WHEN 'failed' THEN -paid_back ELSE 0 END),
    ('refunds', CASE state WHEN 'pending' THEN -paid_back WHEN 'unresolved' THEN 0 ELSE paid_back END),
    ('receivable.' || provider, CASE state WHEN 'succeeded' THEN -paid_back ELSE 0 END)) AS l (account, amount)
  WHERE l.amount <> 0
$$;

-- Postings are written all at once, and those of one event and currency sum to zero.
CREATE FUNCTION guard_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM posted GROUP BY event_id HAVING sum(amount) <> 0 OR min(currency) <> max(currency)) THEN
    RAISE EXCEPTION 'the postings of an event must sum to zero in one currency' USING ERRCODE = 'PMT01';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER guard_ledger AFTER INSERT ON ledger_entries REFERENCING NEW TABLE AS posted
  FOR EACH STATEMENT EXECUTE FUNCTION guard_ledger();

-- Refuses what no code may do to a payment, with a state of its own (PMT01) that the repository knows.
CREATE OR REPLACE FUNCTION guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'pending' OR NEW.version <> 1 OR NEW.authorized_amount <> 0 OR NEW.open_attempt_id IS NOT NULL
       OR NEW.open_movement_id IS NOT NULL THEN
      RAISE EXCEPTION 'a payment starts as pending, at version 1, with nothing moved' USING ERRCODE = 'PMT01';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.merchant_id, NEW.is_test, NEW.idempotency_key, NEW.request_hash, NEW.external_id, NEW.amount,
      NEW.currency, NEW.route, NEW.capture_method, NEW.terms, NEW.return_url, NEW.return_token, NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.merchant_id, OLD.is_test, OLD.idempotency_key, OLD.request_hash, OLD.external_id, OLD.amount,
      OLD.currency, OLD.route, OLD.capture_method, OLD.terms, OLD.return_url, OLD.return_token, OLD.created_at) THEN
    RAISE EXCEPTION 'the identity, the money, the route and the terms of a payment never change' USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.version NOT IN (OLD.version, OLD.version + 1) THEN
    RAISE EXCEPTION 'versions rise by one: % to %', OLD.version, NEW.version USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.version = OLD.version AND
     (NEW.status, NEW.authorized_amount, NEW.captured_amount, NEW.voided_amount, NEW.refunded_amount, NEW.refund_count)
     IS DISTINCT FROM
     (OLD.status, OLD.authorized_amount, OLD.captured_amount, OLD.voided_amount, OLD.refunded_amount, OLD.refund_count) THEN
    RAISE EXCEPTION 'a change of status or amounts needs a new version' USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.authorized_amount < OLD.authorized_amount OR NEW.captured_amount < OLD.captured_amount
     OR NEW.voided_amount < OLD.voided_amount OR NEW.refunded_amount < OLD.refunded_amount THEN
    RAISE EXCEPTION 'amounts that moved never shrink' USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.status <> OLD.status AND NOT EXISTS
     (SELECT FROM payment_transitions t WHERE t.from_status = OLD.status AND t.to_status = NEW.status) THEN
    RAISE EXCEPTION 'a payment cannot go from % to %', OLD.status, NEW.status USING ERRCODE = 'PMT01';
  END IF;
  RETURN NEW;
END $$;

-- The same for what moves money after the charge.
CREATE FUNCTION guard_movement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'pending' OR NEW.version <> 1 OR NEW.open_attempt_id IS NOT NULL OR NEW.refund_reserved_amount <> 0 THEN
      RAISE EXCEPTION 'a movement starts as pending, at version 1' USING ERRCODE = 'PMT01';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.merchant_id, NEW.is_test, NEW.payment_id, NEW.kind, NEW.idempotency_key, NEW.request_hash, NEW.amount,
      NEW.currency, NEW.provider, NEW.capture_id, NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.merchant_id, OLD.is_test, OLD.payment_id, OLD.kind, OLD.idempotency_key, OLD.request_hash, OLD.amount,
      OLD.currency, OLD.provider, OLD.capture_id, OLD.created_at) THEN
    RAISE EXCEPTION 'the identity and the money of a movement never change' USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.version <> OLD.version + (NEW.state <> OLD.state)::int THEN
    RAISE EXCEPTION 'the version of a movement rises by one with its state' USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.state <> OLD.state AND NOT EXISTS
     (SELECT FROM movement_transitions t WHERE t.from_state = OLD.state AND t.to_state = NEW.state) THEN
    RAISE EXCEPTION 'a movement cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'PMT01';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER guard_movement BEFORE INSERT OR UPDATE ON movements FOR EACH ROW EXECUTE FUNCTION guard_movement();

-- As before, but a payer is told of a capture only where one happened: a void of the rest writes `payment.captured` too.
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
        AND COALESCE((m.settings ->> 'payer_emails')::boolean, true)
        AND NOT (NEW.type = 'payment.captured' AND EXISTS (
          SELECT FROM events e WHERE e.object_id = NEW.object_id AND e.sequence = NEW.sequence - 1
            AND e.data ->> 'captured_amount_minor' = NEW.data ->> 'captured_amount_minor'))
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

-- What an event says about a movement: ids and money, like a payment's.
CREATE FUNCTION movement_event_data(m movements) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object(
    'id', m.id, 'payment_id', m.payment_id, 'status', m.state, 'version', m.version,
    'amount_minor', m.amount::text, 'currency', m.currency, 'processor', m.provider,
    'processor_transaction_id', m.processor_transaction_id, 'failure_code', m.failure ->> 'code', 'is_test', m.is_test)
$$;

-- Payments that were captured before there was a ledger are posted as they were: without a fee.
INSERT INTO ledger_entries (event_id, account, merchant_id, is_test, payment_id, object_id, currency, amount, created_at)
SELECT e.id, l.account, p.merchant_id, p.is_test, p.id, p.id, p.currency, l.amount, e.created_at
FROM payments p
JOIN events e ON e.object_id = p.id AND e.type = 'payment.captured'
CROSS JOIN LATERAL capture_postings(COALESCE(p.processor, 'easypay'), p.captured_amount, 0) l
WHERE p.captured_amount > 0;
