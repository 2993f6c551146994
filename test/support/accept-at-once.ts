import type { PaymentSubmission } from '../../api/temporal/payment-client.ts';
import { acceptPayment } from '../../prisma/payments.ts';
import type { PaymentSnapshot } from '../../workflows/ports.ts';
import type { TestDatabase } from './database.ts';

const route = { rule: null, reason: 'test', candidates: ['easypay'], ineligible: [] };

/** Does what a payment's workflow does first: writes its row, to be charged by EasyPay. Throws unless it is accepted. */
export async function acceptAtOnce(
  { db }: Pick<TestDatabase, 'db'>,
  { request, ...payment }: PaymentSubmission,
): Promise<PaymentSnapshot> {
  const now = new Date().toISOString();
  const answer = await acceptPayment(db, { ...payment, request, now }, () => route);
  if (answer.kind !== 'accepted') throw new Error(`the payment was refused: ${answer.code}`);
  return answer.payment;
}

/** A Temporal's `submit` that accepts each payment at once; nothing more happens to it. */
export async function submitAtOnce(
  database: Pick<TestDatabase, 'db'>,
  payment: PaymentSubmission,
): Promise<{ readonly kind: 'stored' }> {
  await acceptAtOnce(database, payment);
  return { kind: 'stored' };
}
