import { type Database, run } from './database.ts';
import { type MerchantSettings, readMerchantSettings } from './merchant-settings.ts';

/** How many requests a key may make. */
export interface KeyLimits {
  readonly perMinute: number;
  readonly perHour: number;
  readonly perDay: number;
}

/** What a key may be used for, beside its permissions. */
export interface KeyRules {
  /** Networks in CIDR; all if empty. */
  readonly addressesAllowed: readonly string[];
  readonly addressesDenied: readonly string[];
  /** As stored; null: always. */
  readonly allowedHours: unknown;
  readonly requiresSignature: boolean;
  /** Encrypted for the key's public id; null: it has none. */
  readonly signingSecret: string | null;
}

/** A merchant's key with what a request needs to know of it and of the merchant. */
export interface ApiKeyRecord extends KeyLimits, KeyRules {
  readonly keyId: string;
  readonly secretHash: string;
  readonly status: 'active' | 'revoked';
  readonly expiresAt: Date | null;
  readonly merchantId: string;
  readonly isMerchantActive: boolean;
  readonly isTest: boolean;
  readonly permissions: readonly string[];
  readonly settings: MerchantSettings;
}

const keyColumns = `
  k.key_id, k.key_secret_hash, k.status AS key_status, k.expires_at AS key_expires_at, k.merchant_id, k.is_test, k.permissions,
  k.rate_limit_per_minute, k.rate_limit_per_hour, k.rate_limit_per_day, k.ip_whitelist, k.ip_blacklist, k.allowed_hours,
  k.requires_signature, k.signing_secret`;

interface ApiKeyRow {
  key_id: string;
  key_secret_hash: string;
  key_status: 'active' | 'revoked';
  key_expires_at: Date | null;
  merchant_id: string;
  is_test: boolean;
  permissions: string[];
  rate_limit_per_minute: number;
  rate_limit_per_hour: number;
  rate_limit_per_day: number;
  ip_whitelist: string[];
  ip_blacklist: string[];
  allowed_hours: unknown;
  requires_signature: boolean;
  signing_secret: string | null;
  merchant_status: string;
  settings: unknown;
}

const selectApiKey = {
  name: 'select_api_key',
  text: `
    SELECT ${keyColumns}, m.status AS merchant_status, m.settings
    FROM api_keys k JOIN merchants m ON m.id = k.merchant_id WHERE k.key_id = $1`,
};

/** The key with this public id, whatever its state, or null. */
export async function findApiKey(db: Database, keyId: string): Promise<ApiKeyRecord | null> {
  const [row] = await run<ApiKeyRow>(db, selectApiKey, [keyId]);
  return row === undefined ? null : apiKeyOf(row);
}

function apiKeyOf(row: ApiKeyRow): ApiKeyRecord {
  return {
    keyId: row.key_id,
    secretHash: row.key_secret_hash,
    status: row.key_status,
    expiresAt: row.key_expires_at,
    merchantId: row.merchant_id,
    isMerchantActive: row.merchant_status === 'active',
    isTest: row.is_test,
    permissions: row.permissions,
    settings: readMerchantSettings(row.settings),
    perMinute: row.rate_limit_per_minute,
    perHour: row.rate_limit_per_hour,
    perDay: row.rate_limit_per_day,
    addressesAllowed: row.ip_whitelist,
    addressesDenied: row.ip_blacklist,
    allowedHours: row.allowed_hours,
    requiresSignature: row.requires_signature,
    signingSecret: row.signing_secret,
  };
}

/** An operator's key. */
export interface OperatorKeyRecord {
  readonly keyId: string;
  readonly secretHash: string;
  readonly status: 'active' | 'revoked';
  readonly expiresAt: Date | null;
  readonly permissions: readonly string[];
}

/** The operator's key with this public id, or null. */
export async function findOperatorKey(db: Database, keyId: string): Promise<OperatorKeyRecord | null> {
  const key = await db.prisma.operatorKey.findUnique({ where: { keyId } });
  if (key === null) return null;
  const { keySecretHash: secretHash, expiresAt, permissions } = key;
  return { keyId, secretHash, status: key.status === 'active' ? 'active' : 'revoked', expiresAt, permissions };
}

/** A session with whom it belongs to. */
export interface SessionRecord {
  readonly sessionId: string;
  readonly isRevoked: boolean;
  readonly expiresAt: Date;
  readonly isTest: boolean;
  readonly hasTotp: boolean;
  /** What it may do at most; empty: what the role or the key allows. */
  readonly permissions: readonly string[];
  readonly user: { readonly userId: string; readonly role: string; readonly status: string } | null;
  /** The key that opened it, if no user did. */
  readonly key: ApiKeyRecord | null;
  /** Null for the platform's own people. */
  readonly merchant: {
    readonly merchantId: string;
    readonly isActive: boolean;
    readonly settings: MerchantSettings;
  } | null;
}

interface SessionRow extends ApiKeyRow {
  id: string;
  revoked_at: Date | null;
  expires_at: Date;
  session_is_test: boolean;
  has_totp: boolean;
  session_permissions: string[];
  user_id: string | null;
  role: string | null;
  user_status: string | null;
  session_merchant_id: string | null;
}

const selectSession = {
  name: 'select_session',
  text: `
    SELECT s.id, s.revoked_at, s.expires_at, s.is_test AS session_is_test, s.has_totp, s.permissions AS session_permissions,
      s.user_id, u.role, u.status AS user_status, m.id AS session_merchant_id, m.status AS merchant_status, m.settings,
      ${keyColumns}
    FROM auth_sessions s
    LEFT JOIN users u ON u.id = s.user_id
    LEFT JOIN api_keys k ON k.key_id = s.api_key_id
    LEFT JOIN merchants m ON m.id = coalesce(k.merchant_id, s.merchant_id)
    WHERE s.id = $1`,
};

/** The session with this id, whatever its state, or null. */
export async function findSession(db: Database, sessionId: string): Promise<SessionRecord | null> {
  const [row] = await run<SessionRow>(db, selectSession, [sessionId]);
  if (row === undefined) return null;
  const { session_merchant_id: merchantId, user_id: userId } = row;
  return {
    sessionId: row.id,
    isRevoked: row.revoked_at !== null,
    expiresAt: row.expires_at,
    isTest: row.session_is_test,
    hasTotp: row.has_totp,
    permissions: row.session_permissions,
    user: userId === null ? null : { userId, role: row.role ?? '', status: row.user_status ?? 'suspended' },
    key: userId === null ? apiKeyOf(row) : null,
    merchant:
      merchantId === null
        ? null
        : { merchantId, isActive: row.merchant_status === 'active', settings: readMerchantSettings(row.settings) },
  };
}
