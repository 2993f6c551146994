import type { Database } from './database.ts';

/** The merchant that `npm start` makes to try things with. */
export const demoMerchantId = 'mer_demo';

/** Whether the database has the demo merchant. */
export async function hasDemoMerchant(db: Database): Promise<boolean> {
  return (await db.prisma.merchant.count({ where: { id: demoMerchantId } })) > 0;
}
