import { keyPermissions } from '../api/permissions.ts';
import { storeApiKey } from '../prisma/api-keys.ts';
import { bySystem } from '../prisma/audit-logs.ts';
import { findApiKey } from '../prisma/credentials.ts';
import { openDatabase } from '../prisma/database.ts';
import { demoMerchantId } from '../prisma/demo-merchant.ts';
import { createMerchant } from '../prisma/merchants.ts';
import { makeOperatorKey } from '../prisma/operator-keys.ts';
import { makeKey, parseKey } from '../runtime/api-key.ts';

/** What a newcomer needs for a first payment. */
export interface DemoMerchant {
  readonly merchantId: string;
  readonly apiKey: string;
  readonly operatorKey: string;
}

/**
 * Makes the demo merchant with a test key, and an operator's key, unless the database has the remembered ones already and
 * they allow all that this release knows.
 */
export async function ensureDemoMerchant(options: {
  databaseUrl: string;
  pepper: string;
  apiKey: string | null;
  operatorKey: string | null;
}): Promise<DemoMerchant> {
  const limits = { connectionsMax: 2, connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  const db = openDatabase({ url: options.databaseUrl, ...limits }, () => undefined);
  try {
    const merchant = await createMerchant(db, { id: demoMerchantId, name: 'Demo merchant' });
    const remembered = parseKey(options.apiKey ?? '');
    if (remembered !== null && options.operatorKey !== null && options.apiKey !== null) {
      const stored = await findApiKey(db, remembered.keyId);
      if (stored?.status === 'active' && keyPermissions.every((one) => stored.permissions.includes(one))) {
        return { merchantId: merchant.id, apiKey: options.apiKey, operatorKey: options.operatorKey };
      }
    }
    const apiKey = makeKey('test', options.pepper);
    await storeApiKey(db, merchant.id, {
      ...apiKey,
      name: 'Demo key',
      isTest: true,
      permissions: keyPermissions,
      isUnlimited: true,
    });
    const operatorKey = makeKey('operator', options.pepper);
    await makeOperatorKey(db, { ...operatorKey, name: 'Demo operator', permissions: null }, bySystem(new Date()));
    return { merchantId: merchant.id, apiKey: apiKey.text, operatorKey: operatorKey.text };
  } finally {
    await db.close();
  }
}
