import { randomBytes } from 'node:crypto';
import { openDiscrepancy } from '../../prisma/discrepancies.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { base32, discrepancyIdOf } from '../../workflows/domain/ids.ts';
import type { TestDatabase } from '../support/database.ts';
import { insertMovedPayment, insertMovement } from '../support/moved-payment.ts';
import { insertInvoice, insertPlan, insertSubscription } from '../support/subscription-rows.ts';

/** What an id in a path may name. */
export type Kind =
  | 'payment'
  | 'refund'
  | 'discrepancy'
  | 'api_key'
  | 'user'
  | 'customer'
  | 'plan'
  | 'subscription'
  | 'invoice'
  | 'batch'
  | 'test_clock'
  | 'merchant';

/** Something that belongs to a merchant, and carries its owner's mark wherever an answer shows text of it. */
export interface Thing {
  readonly kind: Kind;
  readonly id: string;
  /** Null: there is no such thing. */
  readonly merchantId: string | null;
  /** Null: it belongs to both modes. */
  readonly isTest: boolean | null;
}

/** The mark of what belongs to a merchant in a mode. */
export function markOf(merchantId: string, isTest: boolean | null): string {
  return `mark-${merchantId.replace('_', '-')}-${isTest === null ? 'both' : isTest ? 'test' : 'live'}`;
}

const prefixes: Readonly<Record<Kind, string>> = {
  payment: 'pay',
  refund: 'ref',
  discrepancy: 'dis',
  api_key: 'key',
  user: 'usr',
  customer: 'cus',
  plan: 'pln',
  subscription: 'sub',
  invoice: 'inv',
  batch: 'bat',
  test_clock: 'clk',
  merchant: 'mer',
};

const anId = (kind: Kind) =>
  `${prefixes[kind]}_${kind === 'api_key' ? base32(randomBytes(10), 80) : base32(randomBytes(17), 130)}`;

/** One of every kind that does not exist. */
export function missingThings(): Thing[] {
  return Object.keys(prefixes).map((kind) => {
    return { kind: kind as Kind, id: anId(kind as Kind), merchantId: null, isTest: null };
  });
}

/** One of every kind for a merchant, in each mode where it has modes. */
export async function layThings(database: TestDatabase, merchantId: string): Promise<Thing[]> {
  const { prisma } = database.db;
  const both = markOf(merchantId, null);
  await createMerchant(database.db, { id: merchantId, name: both });
  const userId = anId('user');
  await prisma.user.create({
    data: { id: userId, merchantId, email: `${both}@example.com`, name: both, role: 'support', invitedBy: 'system' },
  });
  const things: Thing[] = [
    { kind: 'merchant', id: merchantId, merchantId, isTest: null },
    { kind: 'user', id: userId, merchantId, isTest: null },
  ];
  for (const isTest of [true, false]) things.push(...(await layInMode(database, merchantId, isTest)));
  return things;
}

async function layInMode(database: TestDatabase, merchantId: string, isTest: boolean): Promise<Thing[]> {
  const mark = markOf(merchantId, isTest);
  const of = { merchant_id: merchantId, is_test: isTest };
  const paymentId = await insertMovedPayment(
    database,
    { status: 'captured', authorized: 2599, captured: 2599 },
    { ...of, external_id: mark, description: mark, idempotency_key: mark },
  );
  const refundId = await insertMovement(database, 'refund', paymentId, { ...of, idempotency_key: mark });
  const contradiction = { attemptId: `att_${mark}`, recorded: 'declined', reported: 'approved' } as const;
  await openDiscrepancy(database.db, {
    ...contradiction,
    merchantId,
    isTest,
    paymentId,
    objectId: paymentId,
    provider: 'easypay',
    amountMinor: '2599',
    currency: 'USD',
    now: new Date().toISOString(),
  });
  const discrepancyId = discrepancyIdOf(contradiction.attemptId, contradiction.recorded, contradiction.reported);
  const keyId = base32(randomBytes(10), 80);
  await database.db.prisma.apiKey.create({
    data: { id: `key_${keyId}`, keyId, keySecretHash: 'h', merchantId, isTest, name: mark, permissions: [] },
  });
  const customerId = anId('customer');
  await database.db.prisma.customer.create({
    data: { id: customerId, merchantId, isTest, idempotencyKey: mark, requestHash: 'h', name: mark, externalId: mark },
  });
  const planId = await insertPlan(database, { ...of, external_id: mark, name: mark });
  const subscriptionId = await insertSubscription(database, { ...of, external_id: mark, description: mark });
  const invoiceId = await insertInvoice(database, { ...of, customer_id: mark });
  const batchId = anId('batch');
  await database.admin.query(
    `INSERT INTO batches (id, merchant_id, is_test, idempotency_key, reference, kind, format, status, rows_total, actor, origin,
       correlation_id, created_at, updated_at, started_at)
     VALUES ($1, $2, $3, $4, $4, 'payments', 'csv', 'running', 0, 'a', 'o', 'c', now(), now(), now())`,
    [batchId, merchantId, isTest, mark],
  );
  const now = new Date();
  const endpoint = {
    idempotencyKey: mark,
    requestHash: 'h',
    url: `https://${mark}.example.com`,
    eventTypes: [],
    secret: 's',
  };
  await database.db.prisma.webhookEndpoint.create({
    data: { ...endpoint, id: `whk_${mark}`, merchantId, isTest, description: mark, createdAt: now, updatedAt: now },
  });
  const clockId = anId('test_clock');
  if (isTest) {
    const clock = { id: clockId, merchantId, idempotencyKey: mark, requestHash: 'h', name: mark };
    const instant = new Date('2026-01-31T09:00:00Z');
    await database.db.prisma.testClock.create({ data: { ...clock, now: instant, createdAt: now, updatedAt: now } });
  }
  const ids = {
    payment: paymentId,
    refund: refundId,
    discrepancy: discrepancyId,
    api_key: `key_${keyId}`,
    customer: customerId,
    plan: planId,
    subscription: subscriptionId,
    invoice: invoiceId,
    batch: batchId,
    ...(isTest ? { test_clock: clockId } : {}),
  };
  return Object.entries(ids).map(([kind, id]) => ({ kind: kind as Kind, id, merchantId, isTest }));
}
