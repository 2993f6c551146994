
-- CreateTable
CREATE TABLE "merchants" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "settings" JSONB NOT NULL DEFAULT '{}',
    "status" TEXT NOT NULL DEFAULT 'active',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "merchants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_keys" (
    "id" TEXT NOT NULL,
    "key_id" TEXT NOT NULL,
    "key_secret_hash" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "permissions" TEXT[],
    "status" TEXT NOT NULL DEFAULT 'active',
    "expires_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "operator_keys" (
    "id" TEXT NOT NULL,
    "key_id" TEXT NOT NULL,
    "key_secret_hash" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "expires_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "operator_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "payments" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL DEFAULT false,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "external_id" TEXT NOT NULL,
    "correlation_id" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "version" INTEGER NOT NULL DEFAULT 1,
    "amount" BIGINT NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "authorized_amount" BIGINT NOT NULL DEFAULT 0,
    "captured_amount" BIGINT NOT NULL DEFAULT 0,
    "voided_amount" BIGINT NOT NULL DEFAULT 0,
    "refunded_amount" BIGINT NOT NULL DEFAULT 0,
    "refund_count" INTEGER NOT NULL DEFAULT 0,
    "purpose" TEXT NOT NULL DEFAULT 'purchase',
    "payment_method" TEXT NOT NULL,
    "card_token" TEXT NOT NULL,
    "card_last_four" TEXT,
    "card_brand" TEXT,
    "customer_id" TEXT,
    "customer_email" TEXT,
    "customer_name" TEXT,
    "description" TEXT,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "open_attempt_id" TEXT,
    "processor" TEXT,
    "processor_response_code" TEXT,
    "processor_response_message" TEXT,
    "processor_transaction_id" TEXT,
    "failure" JSONB,
    "next_action" JSONB,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ask_until" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "processed_at" TIMESTAMPTZ(3),
    "settled_at" TIMESTAMPTZ(3),

    CONSTRAINT "payments_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "attempts" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "payment_id" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "provider" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    "sends" INTEGER NOT NULL DEFAULT 1,
    "is_doubtful" BOOLEAN NOT NULL DEFAULT false,
    "doubts" INTEGER NOT NULL DEFAULT 0,
    "sent_at" TIMESTAMPTZ(3) NOT NULL,
    "send_before" TIMESTAMPTZ(3) NOT NULL,
    "outcome" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "attempts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "events" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "type" TEXT NOT NULL,
    "object_id" TEXT NOT NULL,
    "sequence" INTEGER NOT NULL,
    "data" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "payment_audit_trail" (
    "id" TEXT NOT NULL,
    "event_id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "payment_id" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "origin" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "from_status" TEXT,
    "to_status" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "amount" BIGINT NOT NULL,
    "currency" CHAR(3) NOT NULL,
    "processor" TEXT,
    "correlation_id" TEXT NOT NULL,
    "details" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "payment_audit_trail_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "alerts" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "kind" TEXT NOT NULL,
    "resource_id" TEXT NOT NULL,
    "owner_role" TEXT NOT NULL,
    "opened_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "alerts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "payment_transitions" (
    "from_status" TEXT NOT NULL,
    "to_status" TEXT NOT NULL,

    CONSTRAINT "payment_transitions_pkey" PRIMARY KEY ("from_status","to_status")
);

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_key_id_key" ON "api_keys"("key_id");

-- CreateIndex
CREATE INDEX "api_keys_status_idx" ON "api_keys"("status");

-- CreateIndex
CREATE INDEX "api_keys_created_at_idx" ON "api_keys"("created_at");

-- CreateIndex
CREATE UNIQUE INDEX "operator_keys_key_id_key" ON "operator_keys"("key_id");

-- CreateIndex
CREATE INDEX "payments_merchant_id_is_test_created_at_idx" ON "payments"("merchant_id", "is_test", "created_at");

-- CreateIndex
CREATE INDEX "payments_merchant_id_is_test_customer_id_idx" ON "payments"("merchant_id", "is_test", "customer_id");

-- CreateIndex
CREATE INDEX "payments_status_idx" ON "payments"("status");

-- CreateIndex
CREATE INDEX "payments_processor_transaction_id_idx" ON "payments"("processor_transaction_id");

-- CreateIndex
CREATE UNIQUE INDEX "payments_merchant_id_is_test_idempotency_key_key" ON "payments"("merchant_id", "is_test", "idempotency_key");

-- CreateIndex
CREATE UNIQUE INDEX "payments_merchant_id_is_test_external_id_key" ON "payments"("merchant_id", "is_test", "external_id");

-- CreateIndex
CREATE UNIQUE INDEX "attempts_payment_id_operation_number_key" ON "attempts"("payment_id", "operation", "number");

-- CreateIndex
CREATE INDEX "events_merchant_id_is_test_created_at_idx" ON "events"("merchant_id", "is_test", "created_at");

-- CreateIndex
CREATE UNIQUE INDEX "events_object_id_sequence_key" ON "events"("object_id", "sequence");

-- CreateIndex
CREATE UNIQUE INDEX "payment_audit_trail_event_id_key" ON "payment_audit_trail"("event_id");

-- CreateIndex
CREATE INDEX "payment_audit_trail_payment_id_idx" ON "payment_audit_trail"("payment_id");

-- CreateIndex
CREATE INDEX "payment_audit_trail_merchant_id_is_test_created_at_idx" ON "payment_audit_trail"("merchant_id", "is_test", "created_at");

-- CreateIndex
CREATE INDEX "alerts_resource_id_idx" ON "alerts"("resource_id");

-- AddForeignKey
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_merchant_id_fkey" FOREIGN KEY ("merchant_id") REFERENCES "merchants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "payments" ADD CONSTRAINT "payments_merchant_id_fkey" FOREIGN KEY ("merchant_id") REFERENCES "merchants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_payment_id_fkey" FOREIGN KEY ("payment_id") REFERENCES "payments"("id") ON DELETE RESTRICT ON UPDATE CASCADE;


-- Below: what the Prisma schema cannot say.

-- The application's privileges. Login roles of the API and the workers are members of this group; the owner migrates.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payments_app') THEN
    CREATE ROLE payments_app NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- made by somebody else in this moment
END $$;

GRANT USAGE ON SCHEMA public TO payments_app;
GRANT SELECT, INSERT, UPDATE ON merchants, api_keys, operator_keys, payments, attempts, alerts TO payments_app;
GRANT SELECT, INSERT ON events, payment_audit_trail TO payments_app;
GRANT SELECT ON payment_transitions TO payments_app;

-- Values that a column may hold.
ALTER TABLE merchants ADD CONSTRAINT merchants_status CHECK (status IN ('active', 'suspended'));
ALTER TABLE api_keys ADD CONSTRAINT api_keys_status CHECK (status IN ('active', 'revoked'));
ALTER TABLE operator_keys ADD CONSTRAINT operator_keys_status CHECK (status IN ('active', 'revoked'));
ALTER TABLE payments ADD CONSTRAINT payments_status CHECK (status IN
  ('pending', 'requires_action', 'held', 'authorized', 'captured', 'failed', 'canceled', 'unresolved',
   'partially_refunded', 'refunded'));
ALTER TABLE payments ADD CONSTRAINT payments_currency CHECK (currency ~ '^[A-Z]{3}$');
ALTER TABLE payments ADD CONSTRAINT payments_amounts CHECK (
  amount > 0
  AND 0 <= refunded_amount AND refunded_amount <= captured_amount
  AND 0 <= voided_amount AND captured_amount + voided_amount <= authorized_amount
  AND authorized_amount <= amount
  AND refund_count >= 0);
ALTER TABLE payments ADD CONSTRAINT payments_not_charged CHECK (
  status NOT IN ('failed', 'canceled') OR captured_amount = 0);
ALTER TABLE attempts ADD CONSTRAINT attempts_state CHECK (state IN
  ('sent', 'unknown', 'not_sent', 'approved', 'declined', 'rejected', 'mismatched', 'unanswered'));
ALTER TABLE attempts ADD CONSTRAINT attempts_number CHECK (number > 0 AND sends > 0);
ALTER TABLE payment_audit_trail ADD CONSTRAINT payment_audit_trail_outcome CHECK (outcome IN
  ('Payment Pending', 'Payment Successful', 'Payment Failed', 'Payment Canceled', 'Payment Unresolved'));

-- The allowed moves: the same table as in workflows/domain/payment-status.ts.
INSERT INTO payment_transitions (from_status, to_status) VALUES
  ('pending', 'requires_action'), ('pending', 'held'), ('pending', 'authorized'), ('pending', 'captured'),
  ('pending', 'failed'), ('pending', 'canceled'), ('pending', 'unresolved'),
  ('requires_action', 'pending'), ('requires_action', 'authorized'), ('requires_action', 'captured'),
  ('requires_action', 'failed'), ('requires_action', 'canceled'), ('requires_action', 'unresolved'),
  ('held', 'pending'), ('held', 'failed'), ('held', 'canceled'),
  ('authorized', 'captured'), ('authorized', 'canceled'), ('authorized', 'unresolved'),
  ('authorized', 'partially_refunded'), ('authorized', 'refunded'),
  ('captured', 'partially_refunded'), ('captured', 'refunded'),
  ('unresolved', 'authorized'), ('unresolved', 'captured'), ('unresolved', 'failed'), ('unresolved', 'canceled'),
  ('partially_refunded', 'refunded');

-- Refuses what no code may do to a payment, with a state of its own (PMT01) that the repository knows.
CREATE FUNCTION guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'pending' OR NEW.version <> 1 OR NEW.authorized_amount <> 0 OR NEW.open_attempt_id IS NOT NULL THEN
      RAISE EXCEPTION 'a payment starts as pending, at version 1, with nothing moved' USING ERRCODE = 'PMT01';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.merchant_id, NEW.is_test, NEW.idempotency_key, NEW.request_hash, NEW.external_id, NEW.amount,
      NEW.currency, NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.merchant_id, OLD.is_test, OLD.idempotency_key, OLD.request_hash, OLD.external_id, OLD.amount,
      OLD.currency, OLD.created_at) THEN
    RAISE EXCEPTION 'the identity and the money of a payment never change' USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.version NOT IN (OLD.version, OLD.version + 1) THEN
    RAISE EXCEPTION 'versions rise by one: % to %', OLD.version, NEW.version USING ERRCODE = 'PMT01';
  END IF;
  IF NEW.status <> OLD.status THEN
    IF NEW.version = OLD.version THEN
      RAISE EXCEPTION 'a change of status needs a new version' USING ERRCODE = 'PMT01';
    END IF;
    IF NOT EXISTS (SELECT FROM payment_transitions t WHERE t.from_status = OLD.status AND t.to_status = NEW.status) THEN
      RAISE EXCEPTION 'a payment cannot go from % to %', OLD.status, NEW.status USING ERRCODE = 'PMT01';
    END IF;
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER guard_payment BEFORE INSERT OR UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION guard_payment();

-- What an event says about its payment: ids and money, never a name or an address.
CREATE FUNCTION payment_event_data(p payments) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object(
    'id', p.id, 'external_id', p.external_id, 'status', p.status, 'version', p.version,
    'amount_minor', p.amount::text, 'currency', p.currency,
    'authorized_amount_minor', p.authorized_amount::text, 'captured_amount_minor', p.captured_amount::text,
    'voided_amount_minor', p.voided_amount::text, 'refunded_amount_minor', p.refunded_amount::text,
    'processor', p.processor, 'processor_transaction_id', p.processor_transaction_id,
    'failure_code', p.failure ->> 'code', 'is_test', p.is_test)
$$;
