import type { PaymentStatus } from '../workflows/domain/payment-status.ts';
import { type Database, run } from './database.ts';

/** What is known of a payment to whom its payer's link brings back. */
export interface PayerReturn {
  readonly status: PaymentStatus;
  /** The secret part of the link. */
  readonly token: string;
  /** Where the browser goes in the end; null: the merchant named no place. */
  readonly returnUrl: string | null;
}

const select = {
  name: 'select_payer_return',
  text: 'SELECT status, return_token::text AS token, return_url AS "returnUrl" FROM payments WHERE id = $1',
};

/** The link of a payment of any merchant, or null. Nobody may see more of it before the token is compared. */
export async function findPayerReturn(db: Database, paymentId: string): Promise<PayerReturn | null> {
  const [row] = await run<PayerReturn>(db, select, [paymentId]);
  return row ?? null;
}
