import type { Database } from './database.ts';
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

/** The key with this public id, or null. Active means: not revoked, not expired, and its merchant is active. */
export async function findApiKey(db: Database, keyId: string, now: Date): Promise<ApiKeyRecord | null> {
  const row = await db.prisma.apiKey.findUnique({ where: { keyId }, include: { merchant: true } });
  if (row === null) return null;
  const isExpired = row.expiresAt !== null && row.expiresAt <= now;
  return {
    keyId: row.keyId,
    secretHash: row.keySecretHash,
    isActive: row.status === 'active' && row.merchant.status === 'active' && !isExpired,
    merchantId: row.merchantId,
    isTest: row.isTest,
    permissions: row.permissions,
    settings: readMerchantSettings(row.merchant.settings),
  };
}

/** Ends a key at once. False when there is no such active key. */
export async function revokeApiKey(db: Database, keyId: string): Promise<boolean> {
  const changed = await db.prisma.apiKey.updateMany({
    where: { keyId, status: 'active' },
    data: { status: 'revoked' },
  });
  return changed.count === 1;
}
