import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { alertIdOf, attemptIdOf, auditIdOf, base32, eventIdOf, paymentIdOf } from '../../workflows/domain/ids.ts';

const identity = { merchantId: 'mer_1', isTest: true, idempotencyKey: 'order-17' };

describe('the id of a payment', () => {
  test('is the same in every process and every version', () => {
    expect(paymentIdOf(identity)).toBe('pay_2ekcy6nzz18etj2gmeead9km26');
    expect(paymentIdOf({ ...identity })).toBe(paymentIdOf(identity));
  });

  test('is 130 bits of SHA-256 over its parts, in base32', () => {
    const parts = JSON.stringify(['pay', 'mer_1', 'test', 'create_payment', '', 'order-17']);
    const bits = [...createHash('sha256').update(parts).digest()]
      .map((byte) => byte.toString(2).padStart(8, '0'))
      .join('');
    const digits = bits.slice(0, 130).match(/.{5}/g) ?? [];
    const text = digits.map((five) => '0123456789abcdefghjkmnpqrstvwxyz'[Number.parseInt(five, 2)]).join('');
    expect(paymentIdOf(identity)).toBe(`pay_${text}`);
  });

  test.each([
    ['the merchant', { ...identity, merchantId: 'mer_2' }],
    ['the mode', { ...identity, isTest: false }],
    ['the key', { ...identity, idempotencyKey: 'order-18' }],
    ['the case of the key', { ...identity, idempotencyKey: 'ORDER-17' }],
    ['a space in the key', { ...identity, idempotencyKey: 'order-17 ' }],
  ])('differs with %s', (_what, other) => {
    expect(paymentIdOf(other)).not.toBe(paymentIdOf(identity));
  });

  // A failing property prints its seed and its smallest counterexample.
  test('is never shared by two identities, wherever their parts begin and end', () => {
    const tricky = fc.string({ unit: fc.constantFrom('a', '"', ',', '\\', '[', ']', '_', '\u0000') });
    fc.assert(
      fc.property(
        tricky,
        tricky,
        fc.boolean(),
        tricky,
        tricky,
        fc.boolean(),
        (merchant, key, isTest, merchant2, key2, isTest2) => {
          const one = paymentIdOf({ merchantId: merchant, isTest, idempotencyKey: key });
          const other = paymentIdOf({ merchantId: merchant2, isTest: isTest2, idempotencyKey: key2 });
          expect(one === other).toBe(merchant === merchant2 && key === key2 && isTest === isTest2);
          expect(one).toMatch(/^pay_[0-9a-hjkmnp-tv-z]{26}$/);
        },
      ),
    );
  });
});

describe('ids of what belongs to a payment', () => {
  const payment = paymentIdOf(identity);

  test('are derived from it, and none equals another', () => {
    const ids = [
      attemptIdOf(payment, 'charge', 1),
      attemptIdOf(payment, 'charge', 2),
      attemptIdOf(payment, 'charge', 12),
      eventIdOf(payment, 1, 'payment.pending'),
      eventIdOf(payment, 2, 'payment.pending'),
      eventIdOf(payment, 2, 'payment.captured'),
      auditIdOf(eventIdOf(payment, 1, 'payment.pending')),
      alertIdOf(eventIdOf(payment, 1, 'payment.pending')),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.map((id) => id.slice(0, 4))).toEqual(['att_', 'att_', 'att_', 'evt_', 'evt_', 'evt_', 'aud_', 'alr_']);
    for (const id of ids) expect(id).toMatch(/^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$/);
  });

  test('never change: providers know our keys by them', () => {
    expect(attemptIdOf('pay_x', 'charge', 1)).toBe('att_721a1ajhynf7vgpgat2qvnwrz2');
    expect(eventIdOf('pay_x', 1, 'payment.pending')).toBe('evt_bzgqmz6nfdfr04fhjtch0rf99d');
  });
});

describe('base32', () => {
  test.each([
    [[0, 0, 0, 0, 0], 40, '00000000'],
    [[255, 255, 255, 255, 255], 40, 'zzzzzzzz'],
    [[0b00001_000, 0b10_00011_0, 0b0100_0010, 0b1_00110_00, 0b111_01000], 40, '12345678'],
    [[255], 8, 'zw'],
    [[], 0, ''],
  ])('of %j, %i bits, is %s', (bytes, bits, text) => {
    expect(base32(Uint8Array.from(bytes), bits)).toBe(text);
  });
});
