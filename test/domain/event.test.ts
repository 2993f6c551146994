import { describe, expect, test } from 'vitest';
import { eventObjectOf, eventTypes, type StoredEvent } from '../../workflows/domain/event.ts';
import { declineClasses, failureOf } from '../../workflows/domain/failure.ts';
import { paymentStatuses } from '../../workflows/domain/payment-status.ts';

const stored: StoredEvent = {
  id: 'evt_1',
  type: 'payment.captured',
  sequence: 2,
  object_id: 'pay_1',
  created_at: new Date('2026-11-21T12:00:00.123Z'),
  data: {
    id: 'pay_1',
    external_id: 'order-17',
    status: 'captured',
    version: 2,
    amount_minor: '2599',
    currency: 'USD',
    authorized_amount_minor: '2599',
    captured_amount_minor: '2599',
    voided_amount_minor: '0',
    refunded_amount_minor: '0',
    processor: 'easypay',
    processor_transaction_id: 'epc_1',
    failure_code: null,
    is_test: true,
  },
};

describe('an event as merchants see it', () => {
  test('has the words of a payment: amounts in units of the currency, and no version beside its sequence', () => {
    expect(eventObjectOf(stored)).toEqual({
      id: 'evt_1',
      type: 'payment.captured',
      sequence: 2,
      object_id: 'pay_1',
      created_at: '2026-11-21T12:00:00.123Z',
      data: {
        id: 'pay_1',
        external_id: 'order-17',
        status: 'captured',
        amount: '25.99',
        currency: 'USD',
        authorized_amount: '25.99',
        captured_amount: '25.99',
        voided_amount: '0.00',
        refunded_amount: '0.00',
        processor: 'easypay',
        processor_transaction_id: 'epc_1',
        failure: null,
        is_test: true,
      },
    });
  });

  test.each([
    ['JPY', '100', '100'],
    ['KWD', '1234', '1.234'],
    ['USD', '9223372036854775807', '92233720368547758.07'],
  ])('counts %s as ISO 4217 does', (currency, minor, shown) => {
    const { data } = eventObjectOf({ ...stored, data: { ...stored.data, currency, amount_minor: minor } });
    expect(data['amount']).toBe(shown);
  });

  test('explains a failure as payments do', () => {
    const { data } = eventObjectOf({ ...stored, data: { ...stored.data, failure_code: 'insufficient_funds' } });
    expect(data['failure']).toEqual({
      code: 'insufficient_funds',
      message: failureOf('insufficient_funds').message,
      decline_class: declineClasses.insufficient_funds,
    });
  });

  test('keeps members that a later release added', () => {
    const { data } = eventObjectOf({ ...stored, data: { ...stored.data, fee_minor: '30', note: null } });
    expect(data).toMatchObject({ fee: '0.30', note: null });
  });
});

test('every change of status has a type, and so have delay and rerouting; no other', () => {
  expect(eventTypes).toEqual([
    ...paymentStatuses.map((status) => `payment.${status}`),
    'payment.delayed',
    'payment.rerouted',
  ]);
});
