import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { amountOf, captureRefusal, problemOfRefusal, refundRefusal } from '../../api/movement-refusals.ts';
import { createMerchant } from '../../prisma/merchants.ts';
import { openMovement } from '../../prisma/movements.ts';
import { findPayment, type PaymentRow } from '../../prisma/payments.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import { paymentStatuses } from '../../workflows/domain/payment-status.ts';
import { databaseUnderTest } from '../support/api-under-test.ts';
import { insertMovedPayment, type Moved } from '../support/moved-payment.ts';

const database = databaseUnderTest();
beforeAll(() => createMerchant(database.db, { id: 'mer_1', name: 'Merchant' }));

async function rowOf(moved: Moved): Promise<PaymentRow> {
  const id = await insertMovedPayment(database, moved);
  const row = await findPayment(database.db, { merchantId: 'mer_1', isTest: true }, id);
  if (row === null) throw new Error(`${id} is gone`);
  return row;
}

/** What the database says to the same wish. */
async function opened(kind: 'capture' | 'refund', paymentId: string, amountMinor: bigint | null) {
  const request = {
    idempotencyKey: randomUUID(),
    requestHash: 'h',
    correlationId: 'c',
    actor: 'api_key:k',
    origin: '::1',
    reason: null,
    amountMinor: amountMinor?.toString() ?? null,
    captureId: null,
  };
  const movementId = movementIdOf(kind, paymentId, request.idempotencyKey);
  const now = new Date().toISOString();
  const answer = await openMovement(
    database.db,
    { movementId, kind, paymentId, merchantId: 'mer_1', request, now },
    [],
  );
  return answer.kind === 'refused' ? answer.code : null;
}

const all: readonly Moved[] = [
  ...paymentStatuses
    .filter((status) => status !== 'partially_refunded' && status !== 'refunded')
    .map((status) => ({ status })),
  { status: 'authorized', authorized: 2599 },
  { status: 'authorized', authorized: 2599, voided: 1000 },
  { status: 'captured', authorized: 2599, captured: 2599 },
  { status: 'captured', authorized: 2599, captured: 1000 },
  { status: 'captured', authorized: 2599, captured: 1000, voided: 1599 },
  { status: 'canceled', authorized: 2599, voided: 2599 },
  { status: 'unresolved', authorized: 2599, captured: 1000 },
  { status: 'partially_refunded', authorized: 2599, captured: 1000, refunded: 1 },
  { status: 'refunded', authorized: 2599, captured: 1000, refunded: 1000 },
];

describe.each(all)('a payment %o', (moved) => {
  test.each([null, 1n, 999n, 1599n, 2599n, 2600n])(
    'is judged as the database judges it, for %s',
    async (amountMinor) => {
      const row = await rowOf(moved);
      const judged = [captureRefusal(row, amountMinor), refundRefusal(row, amountMinor)];
      const refund = await opened('refund', row.id, amountMinor);
      expect(judged).toEqual([await opened('capture', row.id, amountMinor), refund]);
    },
  );
});

test('an open capture stands in the way of another one, whatever it asks for', async () => {
  const row = await rowOf({ status: 'authorized', authorized: 2599 });
  const capture = { id: 'cap_1', amount: '1000', failure: null, created_at: '2026-01-31T12:00:00Z' };
  for (const status of ['pending', 'unresolved'] as const) {
    expect(captureRefusal({ ...row, captures: [{ ...capture, status }] }, 1n)).toBe('movement_in_progress');
  }
  for (const status of ['succeeded', 'failed'] as const) {
    expect(captureRefusal({ ...row, captures: [{ ...capture, status }] }, 1n)).toBeNull();
  }
});

test('a refusal without a code is told with its reason, as a sentence', () => {
  const problem = problemOfRefusal(
    { kind: 'refused', code: 'refused', detail: 'a capture is under way' },
    'not_unresolved',
  );
  expect([problem.code, problem.detail]).toEqual(['not_unresolved', 'A capture is under way.']);
});

test('an amount is read in the units of the currency, or refused', () => {
  expect([amountOf('1.005', 'KWD'), amountOf('10', 'JPY'), amountOf(undefined, 'USD')]).toEqual([1005n, 10n, null]);
  for (const [amount, currency] of [
    ['1.005', 'USD'],
    ['0', 'USD'],
    ['-1', 'USD'],
    ['1.0', 'JPY'],
  ] as const) {
    expect(() => amountOf(amount, currency)).toThrow(
      expect.objectContaining({ code: 'validation_failed', errors: [expect.objectContaining({ pointer: '/amount' })] }),
    );
  }
});
