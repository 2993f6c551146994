import { type Database, run } from './database.ts';
import type { MerchantScope } from './payments.ts';

const columns = 'merchant_id AS "merchantId", is_test AS "isTest"';

const selectOfPayment = { name: 'select_scope_of_payment', text: `SELECT ${columns} FROM payments WHERE id = $1` };

const selectOfRefund = {
  name: 'select_scope_of_refund',
  text: `SELECT ${columns} FROM movements WHERE id = $1 AND kind = 'refund'`,
};

/** Whose payment it is, for operators, who may see every merchant's; null: there is none. */
export async function scopeOfPayment(db: Database, paymentId: string): Promise<MerchantScope | null> {
  const [scope] = await run<MerchantScope>(db, selectOfPayment, [paymentId]);
  return scope ?? null;
}

/** The same for a refund. */
export async function scopeOfRefund(db: Database, refundId: string): Promise<MerchantScope | null> {
  const [scope] = await run<MerchantScope>(db, selectOfRefund, [refundId]);
  return scope ?? null;
}
