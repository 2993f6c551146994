import { describe, expect, test } from 'vitest';
import { toCaptureObject } from '../../api/capture-object.ts';
import { paymentSchema, toPaymentObject } from '../../api/payment-object.ts';
import { toRefundObject } from '../../api/refund-object.ts';
import type { MovementRow } from '../../prisma/movement-list.ts';
import type { PaymentRow } from '../../prisma/payments.ts';

const at = new Date('2026-01-31T12:00:00.000Z');
const later = new Date('2026-02-01T12:00:00.000Z');
const failure = { code: 'insufficient_funds', message: 'No.', declineClass: 'retry_same' } as const;

const row: PaymentRow = {
  id: 'pay_1',
  external_id: 'order-1',
  correlation_id: 'secret-correlation',
  request_hash: 'secret-hash',
  status: 'captured',
  amount: '25990',
  currency: 'KWD',
  purpose: 'purchase',
  payment_method: 'credit_card',
  customer_id: null,
  customer_email: null,
  customer_name: null,
  card_last_four: '4242',
  card_brand: 'visa',
  description: null,
  metadata: {},
  processor: 'easypay',
  processor_response_code: '00',
  processor_response_message: 'Approved',
  processor_transaction_id: 'epc_1',
  authorized_amount: '25990',
  captured_amount: '10000',
  voided_amount: '5000',
  refunded_amount: '1',
  refund_count: 1,
  failure: null,
  next_action: null,
  route: { rule: null, reason: 'a test', candidates: ['easypay'], ineligible: [] },
  expires_at: at,
  created_at: at,
  updated_at: at,
  processed_at: null,
  settled_at: null,
  is_test: true,
  capture_method: 'manual',
  capture_before: later,
  action_expires_at: null,
  terms: { feeBasisPoints: 290, feeFixedMinor: '30', retry: null },
  retries_made: 0,
  retry_at: null,
  subscription_id: null,
  invoice_id: null,
  captures: [{ id: 'cap_1', amount: '10000', status: 'failed', failure, created_at: '2026-01-31T13:00:00.000+01:00' }],
};

describe('a payment on the wire', () => {
  const shown = toPaymentObject(row);

  test('has exactly the members that are documented, and nothing of our terms with the merchant', () => {
    expect(Object.keys(shown).toSorted()).toEqual(Object.keys(paymentSchema.shape).toSorted());
    expect(paymentSchema.parse(shown)).toEqual(shown);
    expect(JSON.stringify(shown)).not.toMatch(/secret|290|feeFixed|terms/);
  });

  test('shows every amount in the decimals of its currency, and every instant in UTC', () => {
    expect(shown).toMatchObject({
      amount: '25.990',
      authorized_amount: '25.990',
      captured_amount: '10.000',
      voided_amount: '5.000',
      refunded_amount: '0.001',
      capture: 'manual',
      capture_before: '2026-02-01T12:00:00.000Z',
    });
    expect(shown.captures).toEqual([
      {
        id: 'cap_1',
        amount: '10.000',
        status: 'failed',
        failure: { code: 'insufficient_funds', message: 'No.', decline_class: 'retry_same' },
        created_at: '2026-01-31T12:00:00.000Z',
      },
    ]);
  });

  test('of an older release, whose charge took the money, has no captures, terms or class of its failure', () => {
    const old: PaymentRow = {
      ...row,
      capture_method: 'automatic',
      captures: null,
      terms: {},
      failure: { code: 'card_declined', message: 'No.' },
    };
    expect(toPaymentObject(old)).toMatchObject({
      capture: 'automatic',
      captures: null,
      retry: null,
      failure: { code: 'card_declined', decline_class: null },
    });
  });

  test('tells where the payer must act, and until when', () => {
    const next = { type: 'redirect', redirect_url: 'https://bank.example/challenge' } as const;
    expect(toPaymentObject({ ...row, next_action: next, action_expires_at: later }).next_action).toEqual({
      ...next,
      expires_at: '2026-02-01T12:00:00.000Z',
    });
  });

  test.each([
    ['in its first round', 0, null, 1],
    ['waiting for its second', 1, later, 1],
    ['in its second', 1, null, 2],
    ['waiting for its third', 2, later, 2],
  ])('%s says how many rounds it had, and when the next one begins', (_, made, next, shownAttempts) => {
    const retry = { scheduleSeconds: [60, 3600], attemptsMax: 4 };
    expect(toPaymentObject({ ...row, terms: { retry }, retries_made: made, retry_at: next }).retry).toEqual({
      schedule: [60, 3600],
      attempts_max: 4,
      attempts_made: shownAttempts,
      next_attempt_at: next?.toISOString() ?? null,
    });
  });
});

test('captures and refunds show their money and nothing of the request that made them', () => {
  const movement: MovementRow = {
    id: 'ref_1',
    payment_id: 'pay_1',
    request_hash: 'secret-hash',
    correlation_id: 'secret-correlation',
    state: 'failed',
    amount: '1',
    currency: 'JPY',
    reason: 'broken',
    provider: 'easypay',
    capture_id: 'cap_1',
    processor_transaction_id: 'epm_1',
    processor_response_code: 'R0',
    failure: { code: 'refund_declined', message: 'No.', declineClass: 'never' },
    created_at: at,
    updated_at: later,
    is_test: true,
  };
  const capture = {
    id: 'ref_1',
    payment_id: 'pay_1',
    amount: '1',
    currency: 'JPY',
    status: 'failed',
    failure: { code: 'refund_declined', message: 'No.', decline_class: 'never' },
    processor: 'easypay',
    processor_transaction_id: 'epm_1',
    processor_response_code: 'R0',
    created_at: '2026-01-31T12:00:00.000Z',
    updated_at: '2026-02-01T12:00:00.000Z',
    is_test: true,
  };
  expect(toCaptureObject(movement)).toEqual(capture);
  expect(toRefundObject(movement)).toEqual({ ...capture, reason: 'broken', capture_id: 'cap_1' });
});
