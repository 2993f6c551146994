import { randomUUID } from 'node:crypto';
import type { TestDatabase } from './database.ts';
import { someTerms } from './payment-request.ts';

/** A pending payment of `mer_1` that nobody touched for an hour, straight from SQL; the merchant must exist. Returns its id. */
export async function insertPendingPayment(
  { admin }: TestDatabase,
  columns: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const id = `pay_${randomUUID()}`;
  const now = new Date();
  const hourAgo = new Date(now.getTime() - 3_600_000);
  const hourAhead = new Date(now.getTime() + 3_600_000);
  const row = {
    id,
    merchant_id: 'mer_1',
    is_test: true,
    idempotency_key: id,
    external_id: id,
    request_hash: 'h',
    correlation_id: 'c',
    amount: 2599,
    currency: 'USD',
    payment_method: 'credit_card',
    card_token: 'tok',
    route: { rule: null, reason: 'test', candidates: ['easypay', 'paypal'], ineligible: [] },
    terms: someTerms(),
    expires_at: hourAhead,
    ask_until: hourAhead,
    created_at: hourAgo,
    updated_at: hourAgo,
    ...columns,
  };
  const names = Object.keys(row);
  const marks = names.map((_, index) => `$${index + 1}`);
  await admin.query(`INSERT INTO payments (${names.join(', ')}) VALUES (${marks.join(', ')})`, Object.values(row));
  return row.id;
}
