import { createHash, randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { containsCardNumber, findCardNumber } from '../../workflows/domain/card-number.ts';
import { attemptIdOf, eventIdOf, paymentIdOf } from '../../workflows/domain/ids.ts';

// Public test numbers of the schemes and of payment providers, or a range's prefix with zeros and a Luhn digit.
const testNumbers: readonly [scheme: string, digits: string][] = [
  ['Visa', '4242424242424242'],
  ['Visa', '4111111111111111'],
  ['Visa of 13 digits', '4222222222222'],
  ['Visa of 19 digits', '4000000000000000006'],
  ['Mastercard', '5555555555554444'],
  ['Mastercard, first 2-series', '2221000000000009'],
  ['Mastercard, last 2-series', '2720990000000007'],
  ['American Express', '378282246310005'],
  ['American Express', '340000000000009'],
  ['Discover', '6011111111111117'],
  ['Discover', '6440000000000005'],
  ['Discover', '6500000000000002'],
  ['Diners Club', '30569309025904'],
  ['Diners Club', '38520000023237'],
  ['Diners Club', '30900000000005'],
  ['Diners Club of 16 digits', '3600000000000008'],
  ['JCB', '3530111333300000'],
  ['UnionPay', '6200000000000005'],
  ['UnionPay of 19 digits', '6205500000000000004'],
  ['Maestro', '6759649826438453'],
  ['Maestro of 12 digits', '675900000000'],
  ['Maestro, wide range', '5600000000000003'],
  ['Mir', '2200000000000004'],
  ['RuPay', '8100000000000002'],
  ['Elo', '6362970000000003'],
  ['Hiper', '6370950000000005'],
  ['Troy', '9792000000000003'],
];

const card = '4242424242424242';

describe('containsCardNumber', () => {
  test.each(testNumbers)('finds a %s number (%s)', (_scheme, digits) => {
    expect(containsCardNumber(digits)).toBe(true);
  });

  test.each(testNumbers)('does not find a %s number with any wrong check digit (%s)', (_scheme, digits) => {
    const right = Number(digits.at(-1));
    for (let step = 1; step < 10; step += 1) {
      expect(containsCardNumber(digits.slice(0, -1) + String((right + step) % 10))).toBe(false);
    }
  });

  test.each([
    'card 4242424242424242.',
    'order 12 4242 4242 4242 4242',
    '4242 4242 4242 4242 12/29 123',
    '4242-4242-4242-4242',
    '4242.4242.4242.4242',
    '4242 4242-4242.4242',
    '4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2',
    '3782 822463 10005',
    'pan4242424242424242',
    '4242424242424242abc',
    '"4242424242424242"',
    'x=4242424242424242&y=1',
    'first line\n4242424242424242\nlast line',
    '4242424242424241 4242424242424242',
    '+4242424242424242',
    '-4242424242424242',
    `${'1'.repeat(20)} ${card}`,
    `${card} ${'1'.repeat(20)}`,
  ])('finds a number in %j', (text) => {
    expect(containsCardNumber(text)).toBe(true);
  });

  test.each([
    ['full-width', '４２４２４２４２４２４２４２４２'],
    ['full-width, separated by ideographic spaces', '４２４２　４２４２　４２４２　４２４２'],
    ['Arabic-Indic', '٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢'],
    ['Devanagari', '४२४२४२४२४२४२४२४२'],
    ['mathematical bold', '𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐𝟒𝟐'],
    ['circled', '④②④②④②④②④②④②④②④②'],
    ['superscript', '⁴²⁴²⁴²⁴²⁴²⁴²⁴²⁴²'],
    ['mixed', '４2٤२4242 4242 4242'],
    ['split by zero-width spaces', Array.from(card).join('\u200b')],
    ['split by a byte order mark', Array.from(card).join('\ufeff')],
    ['split by soft hyphens', Array.from(card).join('\u00ad')],
    ['split by direction marks', Array.from(card).join('\u200e')],
    ['struck through with combining marks', Array.from(card).join('\u0336')],
    [
      'keycaps',
      Array.from(card)
        .map((digit) => `${digit}\ufe0f\u20e3`)
        .join(''),
    ],
    ['zero-width and space', '4242\u200b \u200b4242 4242 4242'],
    ['no-break spaces', '4242\u00a04242\u00a04242\u00a04242'],
    ['en dashes', '4242\u20134242\u20134242\u20134242'],
    ['no-break hyphens', '4242\u20114242\u20114242\u20114242'],
    ['minus signs', '4242\u22124242\u22124242\u22124242'],
  ])('finds %s digits', (_kind, text) => {
    expect(containsCardNumber(text)).toBe(true);
  });

  test('reads every decimal digit that Unicode knows', () => {
    const wrong: string[] = [];
    let value = 0;
    let seen = 0;
    for (let codePoint = 0; codePoint <= 0x10ffff; codePoint += 1) {
      const character = String.fromCodePoint(codePoint);
      if (/\p{Nd}/u.test(character)) {
        seen += 1;
        // Of the ten last digits only 2 passes Luhn's check here.
        const text = `400000000000000${character}`;
        if (containsCardNumber(text) !== (value === 2)) wrong.push(character);
        value = (value + 1) % 10;
      }
    }
    expect(seen).toBeGreaterThan(600);
    expect(wrong).toEqual([]);
  });

  test.each([
    ['an empty text', ''],
    ['a 20-digit run', `0000${card}`],
    ['a number inside a longer run', `1${card}1`],
    ['a longer run with a right beginning', `${card}9`],
    ['an unknown range', '1234567812345670'],
    ['an unknown range', '9999999999999995'],
    ['a range with another length', '42424242424242'],
    ['a wide Maestro range below 16 digits', '560000000003'],
    ['two separators between groups', '4242  4242  4242  4242'],
    ['letters between groups', '4242a4242b4242c4242'],
    ['a slash between groups', '4242/4242/4242/4242'],
    ['a part of a group', '14242 4242 4242 4242'],
    ['a UUID', '550e8400-e29b-41d4-a716-446655440000'],
    ['a UUID that ends in digits like a card', '0f8fad5b-d9cb-469f-a165-675900000000'],
    ['a UUID in upper case', '0F8FAD5B-D9CB-469F-A165-675900000000'],
    ['a UUID with a prefix', 'evt_0f8fad5b-d9cb-469f-a165-675900000000'],
    ['a digest with digits like a card', `a${card}fabcdefabcdefabcdef`],
    ['a date and time', '2026-11-21T08:26:34.123456Z'],
    ['a date and time with a space', '2026-11-21 08:26:34.123456'],
    ['milliseconds since 1970', '1795249594123'],
    ['microseconds since 1970', '1795249594123456'],
    ['nanoseconds since 1970', '1795249594123456789'],
    ['an amount', '92233720368547758.07'],
    ['a German mobile number', '+4915100000004'],
    ['a German mobile number in groups', '+49 151 0000 0004'],
    ['an IP address', '192.168.100.200'],
  ])('does not take %s for a card (%j)', (_kind, text) => {
    expect(containsCardNumber(text)).toBe(false);
  });

  test('counts digits with a plus only as a telephone number where they begin the chain and are at most 13', () => {
    expect(containsCardNumber('4915100000004')).toBe(true);
    expect(containsCardNumber('+1 4915100000004')).toBe(true);
    expect(containsCardNumber('+378282246310005')).toBe(true);
    expect(containsCardNumber('+1 and 4915100000004')).toBe(true);
  });

  test('excuses a UUID or a digest only when it has a letter', () => {
    expect(containsCardNumber('11111111-1111-4111-8111-111111111112')).toBe(true);
    expect(containsCardNumber('0f8fad5b-d9cb-469f-0165-675900000000'), 'no variant of a UUID').toBe(true);
    expect(containsCardNumber('1111111a-1111-4111-8111-111111111112')).toBe(false);
  });

  test('never takes ids of the product, UUIDs or digests for cards', () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
    const taken: string[] = [];
    for (let index = 0; index < 3_000; index += 1) {
      const paymentId = paymentIdOf({ merchantId: 'm', isTest: true, idempotencyKey: `${seed}-${index}` });
      const digest = createHash('sha256').update(paymentId).digest('hex');
      const ids = [paymentId, attemptIdOf(paymentId, 'charge', 1), eventIdOf(paymentId, 2, 'payment.captured')];
      taken.push(...[...ids, digest, randomUUID()].filter(containsCardNumber));
    }
    expect(taken, `seed ${seed}`).toEqual([]);
  });

  // A failing property prints its seed and its smallest counterexample.
  test('finds a number in any grouping and between any words', () => {
    const separators = fc.constantFrom('', ' ', '-', '.');
    const word = fc.stringMatching(/^[a-z ,;:#]{0,20}$/);
    fc.assert(
      fc.property(
        fc.constantFrom(...testNumbers.map(([, digits]) => digits)),
        fc.array(separators, { minLength: 19, maxLength: 19 }),
        word,
        word,
        (digits, gaps, before, after) => {
          const grouped = Array.from(digits)
            .map((digit, index) => (index === 0 ? '' : (gaps[index] ?? '')) + digit)
            .join('');
          expect(containsCardNumber(before + grouped + after)).toBe(true);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  // The bound is far above what it takes (under 50 ms each) and far below what quadratic time would.
  test.each([
    ['one run of digits', '4'.repeat(65_536)],
    ['single digits', '4 '.repeat(32_768)],
    ['groups of four', '4241 '.repeat(13_107)],
    ['Arabic-Indic digits', '٤ '.repeat(32_768)],
    ['zero-width characters', '4\u200b'.repeat(32_768)],
    ['combining marks to put in order', `4${'\u0301\u0316'.repeat(32_768)}`],
    ['ligatures that NFKC makes 18 times as long', '\ufdfa'.repeat(65_536)],
    ['hexadecimal digits', 'a1'.repeat(32_768)],
    ['beginnings of UUIDs', '550e8400-e29b-41d4-a716-44665544000-'.repeat(1_820)],
  ])('reads 64 KB of %s in linear time', (_kind, text) => {
    const start = performance.now();
    expect(containsCardNumber(text)).toBe(false);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

describe('findCardNumber', () => {
  test.each<[string, unknown, string | null]>([
    ['nothing', { amount: '25.99', tags: ['a', 1, true, null, 1.5], nested: {} }, null],
    ['a bare string', card, ''],
    ['a bare number', 4242424242424242, ''],
    ['a member', { description: card }, '/description'],
    ['a number as a member', { metadata: { n: 4242424242424242 } }, '/metadata/n'],
    ['a number of 13 digits', { n: 4222222222222 }, '/n'],
    ['a negative number', { n: -4242424242424242 }, '/n'],
    ['a bigint', { n: 4000000000000000006n }, '/n'],
    ['a fraction', { score: 0.4242424242424242 }, null],
    ['an element', { items: ['x', { note: `card ${card}` }] }, '/items/1/note'],
    ['a member name', { metadata: { [card]: 'x' } }, '/metadata'],
    ['a member name in the document itself', { [card]: 'x' }, ''],
    ['a member name below one more', { metadata: { a: { [`n ${card}`]: 1 } } }, '/metadata/a'],
    ['names to escape', { 'a/b': { 'c~d': { '~1': card } } }, '/a~1b/c~0d/~01'],
    ['an empty name', { '': card }, '/'],
    ['the first of several', { a: 'x', b: [{ c: card }], d: card }, '/b/0/c'],
    ['digits split over two members', { a: '4242 4242', b: '4242 4242' }, null],
    ['null', null, null],
    ['undefined', undefined, null],
  ])('answers where the card number is: %s', (_kind, value, pointer) => {
    expect(findCardNumber(value)).toBe(pointer);
  });

  test('never repeats the card number in its pointer', () => {
    const value = { [card]: { [card]: card } };
    expect(findCardNumber(value)).toBe('');
    expect(findCardNumber({ outer: { inner: value } })).toBe('/outer/inner');
  });

  test('finds a name that JSON.parse makes an own member', () => {
    expect(findCardNumber(JSON.parse(`{"__proto__": {"x": "${card}"}}`))).toBe('/__proto__/x');
  });

  test('walks any depth', () => {
    let value: unknown = card;
    for (let depth = 0; depth < 50_000; depth += 1) {
      value = depth % 2 === 0 ? [value] : { a: value };
    }
    expect(findCardNumber(value)).toBe('/a/0'.repeat(25_000));
  });
});
