import { describe, expect, test } from 'vitest';
import { eventObjectOf, eventTypes, type StoredEvent } from '../../workflows/domain/event.ts';
import { declineClasses, failureOf } from '../../workflows/domain/failure.ts';
import { paymentStatuses } from '../../workflows/domain/payment-status.ts';
import { subscriptionStatuses } from '../../workflows/domain/subscription-status.ts';

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

  test('of a movement has the words of a movement', () => {
    const object = { id: 'ref_1', payment_id: 'pay_1', status: 'failed', version: 2, amount_minor: '100' };
    const said = { processor: 'easypay', processor_transaction_id: 'epm_1', failure_code: 'refund_declined' };
    const data = { ...object, ...said, currency: 'KWD', is_test: true };
    const shown = eventObjectOf({ ...stored, type: 'refund.failed', object_id: 'ref_1', data });
    expect(shown).toMatchObject({ type: 'refund.failed', object_id: 'ref_1', sequence: 2 });
    expect(shown.data).toEqual({
      id: 'ref_1',
      payment_id: 'pay_1',
      status: 'failed',
      amount: '0.100',
      currency: 'KWD',
      processor: 'easypay',
      processor_transaction_id: 'epm_1',
      failure: { code: 'refund_declined', message: failureOf('refund_declined').message, decline_class: 'never' },
      is_test: true,
    });
  });

  test('of a subscription has dates and numbers as they are, and no failure: it is none of those that fail', () => {
    const data = {
      id: 'sub_1',
      plan_version: 2,
      version: 4,
      status: 'past_due',
      amount_minor: '2599',
      currency: 'USD',
      next_billing_date: '2026-02-28T10:00:00.000Z',
      open_invoice_id: null,
    };
    const shown = eventObjectOf({ ...stored, type: 'subscription.past_due', object_id: 'sub_1', data });
    const { version: _version, amount_minor: _minor, ...kept } = data;
    expect(shown.data).toEqual({ ...kept, amount: '25.99' });
  });

  test('of an invoice has its number as a number, and why its last payment failed', () => {
    const data = { id: 'inv_1', number: 17, status: 'open', version: 3, amount_minor: '2599', currency: 'JPY' };
    const failed = { ...stored, type: 'invoice.payment_failed', data: { ...data, failure_code: 'expired_card' } };
    expect(eventObjectOf(failed).data).toMatchObject({
      number: 17,
      amount: '2599',
      failure: { code: 'expired_card', decline_class: 'never' },
    });
    const opened = { ...stored, type: 'invoice.open', data: { ...data, failure_code: null } };
    expect(eventObjectOf(opened).data).toMatchObject({ number: 17, failure: null });
  });

  test('keeps members that a later release added', () => {
    const { data } = eventObjectOf({ ...stored, data: { ...stored.data, fee_minor: '30', note: null } });
    expect(data).toMatchObject({ fee: '0.30', note: null });
  });
});

describe('the types of events', () => {
  test('are one for every status and state of what changes, and what else happens to payments and subscriptions', () => {
    const movements = ['capture', 'void', 'refund'].flatMap((kind) =>
      ['pending', 'succeeded', 'failed', 'unresolved'].map((state) => `${kind}.${state}`),
    );
    expect(eventTypes).toEqual([
      ...paymentStatuses.map((status) => `payment.${status}`),
      'payment.delayed',
      'payment.rerouted',
      'payment.retry_scheduled',
      ...movements,
      ...subscriptionStatuses.map((status) => `subscription.${status}`),
      ...['renewed', 'retried', 'paid', 'declined', 'changed', 'refunded', 'refund_failed', 'card_expiring'].map(
        (word) => `subscription.${word}`,
      ),
      ...['open', 'paid', 'payment_failed', 'uncollectible', 'void'].map((word) => `invoice.${word}`),
    ]);
  });

  test('are all different', () => {
    expect(new Set(eventTypes).size).toBe(eventTypes.length);
  });
});
