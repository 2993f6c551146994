import { findApiKey, storeApiKey, storeOperatorKey } from '../prisma/api-keys.ts';
import { openDatabase } from '../prisma/database.ts';
import { createMerchant } from '../prisma/merchants.ts';
import { makeKey, parseKey } from '../runtime/api-key.ts';

const demoMerchantId = 'mer_demo';

/** What a newcomer needs for a first payment. */
export interface DemoMerchant {
  readonly merchantId: string;
  readonly apiKey: string;
  readonly operatorKey: string;
}

/**
 * Makes the demo merchant with a test key, and an operator's key, unless the database has the remembered ones already.
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
      if (stored?.isActive) {
        return { merchantId: merchant.id, apiKey: options.apiKey, operatorKey: options.operatorKey };
      }
    }
    const apiKey = makeKey('test', options.pepper);
    const permissions = ['payments:read', 'payments:write'];
    await storeApiKey(db, merchant.id, { ...apiKey, name: 'Demo key', isTest: true, permissions });
    const operatorKey = makeKey('operator', options.pepper);
    await storeOperatorKey(db, { ...operatorKey, name: 'Demo operator' });
    return { merchantId: merchant.id, apiKey: apiKey.text, operatorKey: operatorKey.text };
  } finally {
    await db.close();
  }
}
