-- Routing, delays, the events feed, webhooks and deliveries.

-- AlterTable
ALTER TABLE "payments" ADD COLUMN "route" JSONB,
ADD COLUMN "delayed_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "attempts" ADD COLUMN "not_before" TIMESTAMPTZ(3),
ADD COLUMN "fault" TEXT;

-- AlterTable
ALTER TABLE "events" ADD COLUMN "correlation_id" TEXT NOT NULL DEFAULT '',
ADD COLUMN "transaction_id" xid8 NOT NULL DEFAULT pg_current_xact_id(),
ADD COLUMN "position" BIGSERIAL NOT NULL;

-- AlterTable
ALTER TABLE "payment_audit_trail" ALTER COLUMN "event_id" DROP NOT NULL;

-- CreateTable
CREATE TABLE "webhook_endpoints" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "description" TEXT,
    "event_types" TEXT[],
    "secret" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "disabled_reason" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "webhook_endpoints_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "deliveries" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "event_id" TEXT NOT NULL,
    "object_id" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "receiver" TEXT NOT NULL,
    "endpoint_id" TEXT,
    "shard" SMALLINT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "tries" INTEGER NOT NULL DEFAULT 0,
    "claimed_by" TEXT,
    "claimed_until" TIMESTAMPTZ(3),
    "last_error" TEXT,
    "last_status_code" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "delivered_at" TIMESTAMPTZ(3),

    CONSTRAINT "deliveries_pkey" PRIMARY KEY ("id")
);

-- DropIndex
DROP INDEX "payments_merchant_id_is_test_created_at_idx";
DROP INDEX "payments_merchant_id_is_test_customer_id_idx";
DROP INDEX "events_merchant_id_is_test_created_at_idx";

-- CreateIndex
CREATE INDEX "payments_merchant_id_is_test_created_at_id_idx" ON "payments"("merchant_id", "is_test", "created_at", "id");

-- CreateIndex
CREATE INDEX "payments_merchant_id_is_test_customer_id_created_at_id_idx" ON "payments"("merchant_id", "is_test", "customer_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "payments_merchant_id_is_test_status_created_at_id_idx" ON "payments"("merchant_id", "is_test", "status", "created_at", "id");

-- CreateIndex
CREATE INDEX "events_merchant_id_is_test_transaction_id_position_idx" ON "events"("merchant_id", "is_test", "transaction_id", "position");

-- CreateIndex
CREATE INDEX "events_merchant_id_is_test_type_transaction_id_position_idx" ON "events"("merchant_id", "is_test", "type", "transaction_id", "position");

-- CreateIndex
CREATE INDEX "webhook_endpoints_merchant_id_is_test_created_at_id_idx" ON "webhook_endpoints"("merchant_id", "is_test", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "webhook_endpoints_merchant_id_is_test_idempotency_key_key" ON "webhook_endpoints"("merchant_id", "is_test", "idempotency_key");

-- CreateIndex
CREATE INDEX "deliveries_object_id_idx" ON "deliveries"("object_id");

-- CreateIndex
CREATE UNIQUE INDEX "deliveries_event_id_receiver_key" ON "deliveries"("event_id", "receiver");

-- AddForeignKey
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_merchant_id_fkey" FOREIGN KEY ("merchant_id") REFERENCES "merchants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_event_id_fkey" FOREIGN KEY ("event_id") REFERENCES "events"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_endpoint_id_fkey" FOREIGN KEY ("endpoint_id") REFERENCES "webhook_endpoints"("id") ON DELETE RESTRICT ON UPDATE CASCADE;


-- Below: what the Prisma schema cannot say.

GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, deliveries TO payments_app;
GRANT USAGE ON SEQUENCE events_position_seq TO payments_app;

UPDATE events e SET correlation_id = p.correlation_id FROM payments p WHERE p.id = e.object_id;

-- Payments accepted before there was a choice had one provider.
UPDATE payments SET route = '{"rule": null, "reason": "the only provider", "candidates": ["easypay"], "ineligible": []}';
ALTER TABLE payments ALTER COLUMN route SET NOT NULL;

-- What dispatchers look for: rows that nobody has told yet, receiver by receiver, and rows that nobody tries any more.
CREATE INDEX deliveries_due ON deliveries (shard, receiver, created_at) WHERE state = 'pending';
CREATE INDEX deliveries_retrying ON deliveries (shard, updated_at) WHERE state = 'retrying';

ALTER TABLE attempts DROP CONSTRAINT attempts_state, ADD CONSTRAINT attempts_state CHECK (state IN
  ('sent', 'unknown', 'not_sent', 'prepared', 'approved', 'declined', 'rejected', 'mismatched', 'unanswered'));
ALTER TABLE webhook_endpoints ADD CONSTRAINT webhook_endpoints_status CHECK (status IN ('active', 'disabled'));
ALTER TABLE deliveries ADD CONSTRAINT deliveries_channel CHECK (channel IN ('webhook', 'email'));
ALTER TABLE deliveries ADD CONSTRAINT deliveries_state CHECK (state IN
  ('pending', 'retrying', 'delivered', 'failed', 'skipped'));

-- Whom to tell of an event: in the transaction that writes the event, whoever writes it. Each shard's dispatcher listens.
CREATE FUNCTION queue_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER queue_deliveries AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION queue_deliveries();

-- The route is decided once, like identity and money.
CREATE OR REPLACE FUNCTION guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'pending' OR NEW.version <> 1 OR NEW.authorized_amount <> 0 OR NEW.open_attempt_id IS NOT NULL THEN
      RAISE EXCEPTION 'a payment starts as pending, at version 1, with nothing moved' USING ERRCODE = 'PMT01';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.id, NEW.merchant_id, NEW.is_test, NEW.idempotency_key, NEW.request_hash, NEW.external_id, NEW.amount,
      NEW.currency, NEW.route, NEW.created_at)
     IS DISTINCT FROM
     (OLD.id, OLD.merchant_id, OLD.is_test, OLD.idempotency_key, OLD.request_hash, OLD.external_id, OLD.amount,
      OLD.currency, OLD.route, OLD.created_at) THEN
    RAISE EXCEPTION 'the identity, the money and the route of a payment never change' USING ERRCODE = 'PMT01';
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
