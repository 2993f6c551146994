import type { PaymentRequest } from '../workflows/ports.ts';
import { type Database, run } from './database.ts';
import type { PaymentMethodJson } from './subscription-row.ts';

const select = {
  name: 'select_subscription_payer',
  text: `
    SELECT s.payment_method, c.email, c.name FROM subscriptions s
    LEFT JOIN customers c ON c.id = s.customer_id AND c.merchant_id = s.merchant_id AND c.is_test = s.is_test
    WHERE s.id = $1 AND s.merchant_id = $2`,
};

interface PayerRow {
  readonly payment_method: PaymentMethodJson;
  readonly email: string | null;
  readonly name: string | null;
}

/**
 * A subscription's charge with what it is paid with and whom it is told to, as they are now: neither stands in the history of the
 * subscription's workflow, which is kept for years. Any other request stays as it is.
 */
export async function withSubscriptionPayer(
  db: Database,
  merchantId: string,
  request: PaymentRequest,
): Promise<PaymentRequest> {
  if (request.subscriptionId === undefined) return request;
  const [payer] = await run<PayerRow>(db, select, [request.subscriptionId, merchantId]);
  if (payer === undefined) return request;
  const { type: paymentMethod, card_token: cardToken } = payer.payment_method;
  return { ...request, paymentMethod, cardToken, customerEmail: payer.email, customerName: payer.name };
}
