import { randomUUID } from 'node:crypto';
import { testClockIdOf } from '../../workflows/domain/ids.ts';
import type { TestDatabase } from './database.ts';
import { insertSubscription } from './subscription-rows.ts';

/** A test clock of the merchant, as a row. */
export async function insertTestClock(
  { db }: TestDatabase,
  merchantId: string,
  clock: { readonly now: string; readonly target?: string | null; readonly updatedAt?: Date },
): Promise<string> {
  const idempotencyKey = randomUUID();
  const id = testClockIdOf({ merchantId, isTest: true, idempotencyKey });
  const { now, target = null, updatedAt: at = new Date() } = clock;
  const status = target === null ? 'ready' : 'advancing';
  const row = { id, merchantId, idempotencyKey, requestHash: 'h', status, now: new Date(now) };
  await db.prisma.testClock.create({
    data: { ...row, target: target === null ? null : new Date(target), createdAt: at, updatedAt: at },
  });
  return id;
}

/** A subscription that goes by the clock, as a row, with what is due of it. */
export function insertClockSubscription(
  database: TestDatabase,
  merchantId: string,
  clockId: string,
  { at, chargePaymentId = null }: { readonly at: string | null; readonly chargePaymentId?: string | null },
): Promise<string> {
  const due = { due_step: at === null ? null : 'open_period', due_at: at };
  const charge = chargePaymentId === null ? {} : { charge_payment_id: chargePaymentId, open_invoice_id: 'inv_1' };
  return insertSubscription(database, { merchant_id: merchantId, test_clock_id: clockId, ...due, ...charge });
}

/** Does what was due of a subscription: the next is due then, or nothing is. */
export async function settleClockSubscription({ admin }: TestDatabase, id: string, next: string | null): Promise<void> {
  await admin.query(
    `UPDATE subscriptions SET due_at = $2, charge_payment_id = NULL, open_invoice_id = NULL, version = version + 1
     WHERE id = $1`,
    [id, next],
  );
}
