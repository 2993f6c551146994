import { type Database, run } from './database.ts';
import { type MerchantSettings, readMerchantSettings } from './merchant-settings.ts';

/** What the database keeps of a new key: never the secret itself. */
export interface NewKey {
  readonly keyId: string;
  readonly secretHash: string;
  readonly name: string;
}

/** Stores a merchant's key. */
export async function storeApiKey(
  db: Database,
  merchantId: string,
  key: NewKey & { readonly isTest: boolean; readonly permissions: readonly string[] },
): Promise<void> {
  await db.prisma.apiKey.create({
    data: {
      id: `key_${key.keyId}`,
      keyId: key.keyId,
      keySecretHash: key.secretHash,
      merchantId,
      isTest: key.isTest,
      name: key.name,
      permissions: [...key.permissions],
    },
  });
}

/** Stores an operator's key. */
export async function storeOperatorKey(db: Database, key: NewKey): Promise<void> {
  await db.prisma.operatorKey.create({
    data: { id: `opk_${key.keyId}`, keyId: key.keyId, keySecretHash: key.secretHash, name: key.name },
  });
}

/** A merchant's key with what a request needs to know of the merchant. */
export interface ApiKeyRecord {
  readonly keyId: string;
  readonly secretHash: string;
  readonly isActive: boolean;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly permissions: readonly string[];
  readonly settings: MerchantSettings;
}

const selectApiKey = {
  name: 'select_api_key',
  text: `
    SELECT k.key_id, k.key_secret_hash, k.merchant_id, k.is_test, k.permissions, m.settings,
      k.status = 'active' AND m.status = 'active' AND (k.expires_at IS NULL OR k.expires_at > $2) AS is_active
    FROM api_keys k JOIN merchants m ON m.id = k.merchant_id WHERE k.key_id = $1`,
};

interface ApiKeyRow {
  key_id: string;
  key_secret_hash: string;
  merchant_id: string;
  is_test: boolean;
  permissions: string[];
  settings: unknown;
  is_active: boolean;
}

/** The key with this public id, or null. Active means: not revoked, not expired, and its merchant is active. */
export async function findApiKey(db: Database, keyId: string, now: Date): Promise<ApiKeyRecord | null> {
  const [row] = await run<ApiKeyRow>(db, selectApiKey, [keyId, now]);
  if (row === undefined) return null;
  return {
    keyId: row.key_id,
    secretHash: row.key_secret_hash,
    isActive: row.is_active,
    merchantId: row.merchant_id,
    isTest: row.is_test,
    permissions: row.permissions,
    settings: readMerchantSettings(row.settings),
  };
}

/** An operator's key; active means: not revoked and not expired. */
interface OperatorKeyRecord {
  readonly secretHash: string;
  readonly isActive: boolean;
}

/** The operator's key with this public id, or null. */
export async function findOperatorKey(db: Database, keyId: string, now: Date): Promise<OperatorKeyRecord | null> {
  const key = await db.prisma.operatorKey.findUnique({ where: { keyId } });
  if (key === null) return null;
  const isExpired = key.expiresAt !== null && key.expiresAt <= now;
  return { secretHash: key.keySecretHash, isActive: key.status === 'active' && !isExpired };
}

/** Ends a key at once. False when there is no such active key. */
export async function revokeApiKey(db: Database, keyId: string): Promise<boolean> {
  const changed = await db.prisma.apiKey.updateMany({
    where: { keyId, status: 'active' },
    data: { status: 'revoked' },
  });
  return changed.count === 1;
}
