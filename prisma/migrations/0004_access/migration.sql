-- Who may do what: limits and rules of keys, users, sessions, customers, and the log of API calls.

ALTER TABLE "api_keys"
    ADD COLUMN "rate_limit_per_minute" INTEGER NOT NULL DEFAULT 1000000,
    ADD COLUMN "rate_limit_per_hour" INTEGER NOT NULL DEFAULT 60000000,
    ADD COLUMN "rate_limit_per_day" INTEGER NOT NULL DEFAULT 1000000000,
    ADD COLUMN "ip_whitelist" TEXT[] DEFAULT ARRAY[]::TEXT[],
    ADD COLUMN "ip_blacklist" TEXT[] DEFAULT ARRAY[]::TEXT[],
    ADD COLUMN "allowed_hours" JSONB,
    ADD COLUMN "requires_signature" BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN "signing_secret" TEXT,
    ADD COLUMN "idempotency_key" TEXT,
    ADD COLUMN "request_hash" TEXT,
    ADD COLUMN "created_by" TEXT NOT NULL DEFAULT 'system',
    ADD COLUMN "last_used_at" TIMESTAMPTZ(3),
    ADD COLUMN "usage_count" BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN "revoked_at" TIMESTAMPTZ(3);

-- Keys that are in use go on as before; new ones have limits.
ALTER TABLE "api_keys"
    ALTER COLUMN "rate_limit_per_minute" SET DEFAULT 100,
    ALTER COLUMN "rate_limit_per_hour" SET DEFAULT 1000,
    ALTER COLUMN "rate_limit_per_day" SET DEFAULT 10000;

ALTER TABLE "operator_keys"
    ADD COLUMN "permissions" TEXT[] DEFAULT ARRAY['merchants:read', 'merchants:write', 'resolutions:write', 'discrepancies:read', 'discrepancies:write', 'audit_logs:read', 'system:read', 'tokens:cleanup']::TEXT[],
    ADD COLUMN "last_used_at" TIMESTAMPTZ(3),
    ADD COLUMN "usage_count" BIGINT NOT NULL DEFAULT 0;

ALTER TABLE "merchants"
    ADD COLUMN "idempotency_key" TEXT,
    ADD COLUMN "request_hash" TEXT;

-- CreateTable
CREATE TABLE "users" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT,
    "email" TEXT NOT NULL,
    "name" TEXT,
    "role" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'invited',
    "password_hash" TEXT,
    "invitation_hash" TEXT,
    "invitation_expires_at" TIMESTAMPTZ(3),
    "invited_by" TEXT NOT NULL,
    "idempotency_key" TEXT,
    "request_hash" TEXT,
    "totp_secret" TEXT,
    "totp_confirmed_at" TIMESTAMPTZ(3),
    "totp_last_step" BIGINT,
    "recovery_code_hashes" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "last_login_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "login_throttles" (
    "key" TEXT NOT NULL,
    "failures" INTEGER NOT NULL,
    "window_ends_at" TIMESTAMPTZ(3) NOT NULL,
    "locked_until" TIMESTAMPTZ(3),

    CONSTRAINT "login_throttles_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "login_addresses" (
    "user_id" TEXT NOT NULL,
    "address_hash" TEXT NOT NULL,
    "last_login_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "login_addresses_pkey" PRIMARY KEY ("user_id", "address_hash")
);

-- CreateTable
CREATE TABLE "auth_sessions" (
    "id" TEXT NOT NULL,
    "user_id" TEXT,
    "api_key_id" TEXT,
    "merchant_id" TEXT,
    "is_test" BOOLEAN NOT NULL,
    "permissions" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "has_totp" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "revoked_reason" TEXT,

    CONSTRAINT "auth_sessions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "auth_tokens" (
    "id" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "token_hash" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "auth_tokens_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "request_nonces" (
    "key_id" TEXT NOT NULL,
    "nonce_hash" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "request_nonces_pkey" PRIMARY KEY ("key_id", "nonce_hash")
);

-- CreateTable
CREATE TABLE "customers" (
    "id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "is_test" BOOLEAN NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "external_id" TEXT,
    "email" TEXT,
    "name" TEXT,
    "phone" TEXT,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "blanked_at" TIMESTAMPTZ(3),

    CONSTRAINT "customers_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_logs" (
    "id" TEXT NOT NULL,
    "correlation_id" TEXT NOT NULL,
    "service_name" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "resource_type" TEXT,
    "resource_id" TEXT,
    "merchant_id" TEXT,
    "is_test" BOOLEAN,
    "user_id" TEXT,
    "ip_address" INET,
    "user_agent" TEXT,
    "request_data" JSONB NOT NULL DEFAULT '{}',
    "response_data" JSONB NOT NULL DEFAULT '{}',
    "status_code" INTEGER,
    "duration_ms" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "audit_logs_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_merchant_id_is_test_idempotency_key_key" ON "api_keys"("merchant_id", "is_test", "idempotency_key");
CREATE INDEX "api_keys_merchant_id_is_test_created_at_id_idx" ON "api_keys"("merchant_id", "is_test", "created_at", "id");
CREATE UNIQUE INDEX "merchants_idempotency_key_key" ON "merchants"("idempotency_key");
CREATE UNIQUE INDEX "users_invitation_hash_key" ON "users"("invitation_hash");
CREATE INDEX "users_merchant_id_created_at_id_idx" ON "users"("merchant_id", "created_at", "id");
CREATE INDEX "login_throttles_window_ends_at_idx" ON "login_throttles"("window_ends_at");
CREATE INDEX "auth_sessions_user_id_idx" ON "auth_sessions"("user_id");
CREATE INDEX "auth_sessions_api_key_id_idx" ON "auth_sessions"("api_key_id");
CREATE INDEX "auth_sessions_expires_at_idx" ON "auth_sessions"("expires_at");
CREATE INDEX "auth_sessions_revoked_at_idx" ON "auth_sessions"("revoked_at");
CREATE INDEX "auth_tokens_expires_at_idx" ON "auth_tokens"("expires_at");
CREATE INDEX "login_addresses_last_login_at_idx" ON "login_addresses"("last_login_at");
CREATE UNIQUE INDEX "auth_tokens_token_hash_key" ON "auth_tokens"("token_hash");
CREATE UNIQUE INDEX "auth_tokens_session_id_number_key" ON "auth_tokens"("session_id", "number");
CREATE INDEX "request_nonces_expires_at_idx" ON "request_nonces"("expires_at");
CREATE UNIQUE INDEX "customers_merchant_id_is_test_idempotency_key_key" ON "customers"("merchant_id", "is_test", "idempotency_key");
CREATE UNIQUE INDEX "customers_merchant_id_is_test_external_id_key" ON "customers"("merchant_id", "is_test", "external_id");
CREATE INDEX "customers_merchant_id_is_test_created_at_id_idx" ON "customers"("merchant_id", "is_test", "created_at", "id");
CREATE INDEX "audit_logs_correlation_id_idx" ON "audit_logs"("correlation_id");
CREATE INDEX "audit_logs_service_name_idx" ON "audit_logs"("service_name");
CREATE INDEX "audit_logs_created_at_id_idx" ON "audit_logs"("created_at", "id");
CREATE INDEX "audit_logs_resource_type_resource_id_created_at_idx" ON "audit_logs"("resource_type", "resource_id", "created_at");
CREATE INDEX "audit_logs_merchant_id_created_at_id_idx" ON "audit_logs"("merchant_id", "created_at", "id");
CREATE INDEX "audit_logs_user_id_created_at_idx" ON "audit_logs"("user_id", "created_at");

-- AddForeignKey
ALTER TABLE "users" ADD CONSTRAINT "users_merchant_id_fkey" FOREIGN KEY ("merchant_id") REFERENCES "merchants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "login_addresses" ADD CONSTRAINT "login_addresses_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "auth_sessions" ADD CONSTRAINT "auth_sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "auth_sessions" ADD CONSTRAINT "auth_sessions_api_key_id_fkey" FOREIGN KEY ("api_key_id") REFERENCES "api_keys"("key_id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "auth_tokens" ADD CONSTRAINT "auth_tokens_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "auth_sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "customers" ADD CONSTRAINT "customers_merchant_id_fkey" FOREIGN KEY ("merchant_id") REFERENCES "merchants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;


-- Below: what the Prisma schema cannot say.

-- One account per address of mail and merchant; users of the platform have no merchant.
CREATE UNIQUE INDEX users_merchant_email ON users (coalesce(merchant_id, ''), lower(email));
CREATE UNIQUE INDEX users_merchant_idempotency_key ON users (coalesce(merchant_id, ''), idempotency_key);

ALTER TABLE api_keys ADD CONSTRAINT api_keys_limits CHECK (
  rate_limit_per_minute BETWEEN 1 AND 1000000 AND rate_limit_per_hour BETWEEN 1 AND 60000000
  AND rate_limit_per_day BETWEEN 1 AND 1000000000);
ALTER TABLE api_keys ADD CONSTRAINT api_keys_signing CHECK (NOT requires_signature OR signing_secret IS NOT NULL);
ALTER TABLE users ADD CONSTRAINT users_status CHECK (status IN ('invited', 'active', 'suspended'));
ALTER TABLE users ADD CONSTRAINT users_role CHECK (CASE WHEN merchant_id IS NULL
  THEN role IN ('operator', 'auditor')
  ELSE role IN ('owner', 'admin', 'developer', 'finance', 'support', 'read_only') END);
ALTER TABLE users ADD CONSTRAINT users_active_has_password CHECK (status <> 'active' OR password_hash IS NOT NULL);
ALTER TABLE auth_sessions ADD CONSTRAINT auth_sessions_of_one CHECK (num_nonnulls(user_id, api_key_id) = 1);
ALTER TABLE customers ADD CONSTRAINT customers_status CHECK (status IN ('active', 'blanked'));
ALTER TABLE customers ADD CONSTRAINT customers_blanked CHECK (
  (status = 'blanked') = (blanked_at IS NOT NULL)
  AND (status = 'active' OR (email IS NULL AND name IS NULL AND phone IS NULL AND metadata = '{}')));

-- Whoever remembers a credential hears at once that it changed. Counts of its use are no change.
CREATE FUNCTION tell_credential_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  CASE TG_TABLE_NAME
    WHEN 'api_keys' THEN PERFORM pg_notify('credentials', 'api_key:' || NEW.key_id);
    WHEN 'operator_keys' THEN PERFORM pg_notify('credentials', 'operator_key:' || NEW.key_id);
    WHEN 'merchants' THEN PERFORM pg_notify('credentials', 'merchant:' || NEW.id);
    WHEN 'users' THEN PERFORM pg_notify('credentials', 'user:' || NEW.id);
    WHEN 'auth_sessions' THEN PERFORM pg_notify('credentials', 'session:' || NEW.id);
  END CASE;
  RETURN NULL;
END $$;

CREATE TRIGGER tell_change AFTER UPDATE OF key_secret_hash, permissions, status, expires_at, rate_limit_per_minute,
  rate_limit_per_hour, rate_limit_per_day, ip_whitelist, ip_blacklist, allowed_hours, requires_signature, signing_secret
  ON api_keys FOR EACH ROW EXECUTE FUNCTION tell_credential_change();
CREATE TRIGGER tell_change AFTER UPDATE OF key_secret_hash, permissions, status, expires_at
  ON operator_keys FOR EACH ROW EXECUTE FUNCTION tell_credential_change();
CREATE TRIGGER tell_change AFTER UPDATE OF status, settings ON merchants
  FOR EACH ROW EXECUTE FUNCTION tell_credential_change();
CREATE TRIGGER tell_change AFTER UPDATE OF status, role, totp_confirmed_at ON users
  FOR EACH ROW EXECUTE FUNCTION tell_credential_change();
CREATE TRIGGER tell_change AFTER UPDATE OF revoked_at, expires_at ON auth_sessions
  FOR EACH ROW EXECUTE FUNCTION tell_credential_change();

GRANT SELECT, INSERT, UPDATE ON users, customers TO payments_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_throttles, login_addresses, auth_sessions, auth_tokens, request_nonces
  TO payments_app;
GRANT SELECT, INSERT ON audit_logs TO payments_app;

-- A payment can be accepted after its customer was blanked: it waited in a queue, or for the blanking itself. What it carries
-- of the payer's is forgotten then. Payments of customers that we do not keep never come here.
CREATE FUNCTION forget_blanked_payer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  is_blanked BOOLEAN;
BEGIN
  SELECT c.status = 'blanked' INTO is_blanked FROM customers c
  WHERE c.id = NEW.customer_id AND c.merchant_id = NEW.merchant_id AND c.is_test = NEW.is_test FOR SHARE;
  IF is_blanked THEN
    NEW.customer_email := NULL;
    NEW.customer_name := NULL;
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER forget_blanked_payer BEFORE INSERT ON payments FOR EACH ROW
  WHEN (NEW.customer_id LIKE 'cus\_%') EXECUTE FUNCTION forget_blanked_payer();
