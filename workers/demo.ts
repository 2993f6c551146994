import { permissions } from '../api/route.ts';
import { findApiKey, storeApiKey, storeOperatorKey } from '../prisma/api-keys.ts';
import { openDatabase } from '../prisma/database.ts';
import { createMerchant } from '../prisma/merchants.ts';
import { makeKey, parseKey } from '../runtime/api-key.ts';

const demoMerchantId = 'mer_demo';
const allPermissions = Object.keys(permissions);

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
      const stored = await findApiKey(db, remembered.keyId, new Date());
      if (stored?.isActive && allPermissions.every((one) => stored.permissions.includes(one))) {
        return { merchantId: merchant.id, apiKey: options.apiKey, operatorKey: options.operatorKey };
      }
    }
    const apiKey = makeKey('test', options.pepper);
    await storeApiKey(db, merchant.id, {
      ...apiKey,
      name: 'Demo key',
      isTest: true,
      permissions: allPermissions,
    });
    const operatorKey = makeKey('operator', options.pepper);
    await storeOperatorKey(db, { ...operatorKey, name: 'Demo operator' });
    return { merchantId: merchant.id, apiKey: apiKey.text, operatorKey: operatorKey.text };
  } finally {
    await db.close();
  }
}
