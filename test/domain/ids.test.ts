import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  alertIdOf,
  attemptIdOf,
  auditIdOf,
  base32,
  consequenceIdOf,
  discrepancyIdOf,
  eventIdOf,
  movementIdOf,
  type Operation,
  paymentIdOf,
  providerEventIdOf,
  webhookEndpointIdOf,
} from '../../workflows/domain/ids.ts';
import { type MovementKind, movementKinds } from '../../workflows/domain/movement.ts';

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

describe('the id of a movement', () => {
  const payment = paymentIdOf(identity);

  test.each<[MovementKind, string]>([
    ['capture', 'cap_'],
    ['void', 'voi_'],
    ['refund', 'ref_'],
  ])('of kind %s begins with %s', (kind, prefix) => {
    expect(movementIdOf(kind, payment, 'k')).toMatch(new RegExp(`^${prefix}[0-9a-hjkmnp-tv-z]{26}$`));
  });

  test('is the same in every process, and differs with its kind, payment and key', () => {
    expect(movementIdOf('refund', payment, 'k')).toBe(movementIdOf('refund', payment, 'k'));
    const other = paymentIdOf({ ...identity, idempotencyKey: 'order-18' });
    const bodies = movementKinds.flatMap((kind) =>
      [payment, other].flatMap((id) => ['k', 'K', 'k '].map((key) => movementIdOf(kind, id, key).slice(4))),
    );
    expect(new Set(bodies).size).toBe(18);
  });

  test('is never shared by two, wherever their parts begin and end', () => {
    const tricky = fc.string({ unit: fc.constantFrom('a', '"', ',', '\\', '[', ']', '_', '\u0000') });
    fc.assert(
      fc.property(tricky, tricky, tricky, tricky, (one, key, other, otherKey) => {
        const isSame = movementIdOf('refund', one, key) === movementIdOf('refund', other, otherKey);
        expect(isSame).toBe(one === other && key === otherKey);
      }),
    );
  });

  test('never changes: providers know our movements by it', () => {
    expect(movementIdOf('capture', 'pay_x', 'k')).toBe('cap_xe9xhb505ecsxfc4jwdcv3mnpd');
    expect(movementIdOf('void', 'pay_x', 'void-1')).toBe('voi_pe52t2v9geg427h1hxk2z519jx');
    expect(movementIdOf('refund', 'pay_x', 'k')).toBe('ref_vdmgcpj23g46wyd57xxn1rkeqe');
  });
});

describe('ids of whatever else there is', () => {
  const operations: readonly Operation[] = ['prepare', 'charge', 'capture', 'void', 'refund'];

  test('one object has another key at the provider for each operation and number', () => {
    const keys = operations.flatMap((operation) => [1, 2, 3].map((number) => attemptIdOf('pay_x', operation, number)));
    expect(new Set(keys).size).toBe(15);
    for (const key of keys) expect(key).toMatch(/^att_[0-9a-hjkmnp-tv-z]{26}$/);
  });

  test('what a movement’s event brings with it for the payment is an event of its own', () => {
    const event = eventIdOf('ref_x', 2, 'refund.succeeded');
    const ids = [event, consequenceIdOf(event), consequenceIdOf(consequenceIdOf(event)), auditIdOf(event)];
    const audits = [auditIdOf(consequenceIdOf(event)), alertIdOf(event), alertIdOf(consequenceIdOf(event))];
    expect(new Set([...ids, ...audits].map((id) => id.slice(4))).size).toBe(7);
    expect(consequenceIdOf(event)).toMatch(/^evt_/);
  });

  test('a provider’s event is another one at each source and account', () => {
    const parts = [
      ['easypay', 'main', 'e1'],
      ['paypal', 'main', 'e1'],
      ['easypay', 'other', 'e1'],
      ['easypay', 'main', 'e2'],
      ['easypay', 'mai', 'ne1'],
    ] as const;
    const ids = parts.map(([source, account, id]) => providerEventIdOf(source, account, id));
    expect(new Set(ids).size).toBe(parts.length);
    for (const id of ids) expect(id).toMatch(/^pev_[0-9a-hjkmnp-tv-z]{26}$/);
  });

  test('a discrepancy is one for each attempt and pair of words', () => {
    const parts = [
      ['att_1', 'declined', 'approved'],
      ['att_2', 'declined', 'approved'],
      ['att_1', 'approved', 'declined'],
      ['att_1', 'approved', 'not_found'],
    ] as const;
    const ids = parts.map(([attempt, recorded, reported]) => discrepancyIdOf(attempt, recorded, reported));
    expect(new Set(ids).size).toBe(parts.length);
    for (const id of ids) expect(id).toMatch(/^dis_[0-9a-hjkmnp-tv-z]{26}$/);
  });

  test('a payment and a webhook endpoint that share a key do not share an id', () => {
    expect(webhookEndpointIdOf(identity)).toMatch(/^whe_[0-9a-hjkmnp-tv-z]{26}$/);
    expect(webhookEndpointIdOf(identity).slice(4)).not.toBe(paymentIdOf(identity).slice(4));
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
