import fc from 'fast-check';
import type { Operation, Schema } from './document.ts';
import type { Mutation } from './mutation.ts';

type Path = readonly (string | number)[];

/** Public test numbers of the networks; no bank ever issued them. */
export const testCards = ['4242424242424242', '5555555555554444', '378282246310005', '6011111111111117'] as const;

/** Values of every type, for where another type belongs. */
const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, 1e308, '', 'x', [], [[]], {}, { a: 1 }, [null], ['x', 1]),
  fc.jsonValue({ maxDepth: 3 }),
);

const oddNumbers = [
  ['0', '-0', '-1', '1e3', '0x10', '1.', '.5', '01', '+1', 'NaN', 'Infinity', '1,000', '25,99', '٢', '²', '½', '1_0'],
  ['0.00000001', '92233720368547758.07', '92233720368547758.08', '9'.repeat(39), '9'.repeat(40), '9'.repeat(41)],
  [-1, 0, 2 ** 31, 2 ** 53 + 2, -(2 ** 63), 1e308, 5e-324, 25.99],
].flat();

const oddTexts = [
  ['\0', 'a\0b', '\u0007', '\n', 'a\r\nb', '\u0085', '\u2028', '\ufeff', '\u200b', '\u202etxt', '\ufffe', '\ue000'],
  ['\ud800', '\udc00a', 'e\u0301'.repeat(20), '👩‍👩‍👧‍👦', '🇦🇶', '𝔘𝔫𝔦', 'ﷺ', 'İ', 'ß', ' ', '\u00a0', '\u3000'],
].flat();

const attacks = [
  ["' OR 1=1--", "'; DROP TABLE payments; --", '${jndi:ldap://x}', '{{7*7}}', '<script>alert(1)</script>', '%00', '%n'],
  ['../../etc/passwd', '$(id)', '`id`', '|id', '\\', '\\u0000', '"', "'", 'null', 'undefined', '[object Object]'],
  ['http://169.254.169.254/', 'file:///etc/passwd', 'javascript:alert(1)', 'http://[::1]:1/', 'http://a:b@host/#x'],
].flat();

const brokenJson = ['\ufeff{}', '{"a":01}', "{'a':1}", 'NaN', '{"a":1,}', '{"a":"\n"}', 'undefined'];

const strangeNames = [
  [
    'unknown',
    'constructor',
    'toString',
    'hasOwnProperty',
    'prototype',
    '',
    ' ',
    '$where',
    'a.b',
    'a/b~c',
    '\ud800',
    '\0',
  ],
  ['id', 'status', 'merchant_id', 'captured_amount', 'version', 'created_at', 'secret', 'isTest', 'x'.repeat(5_000)],
].flat();

const takesBody = (operation: Operation) => operation.body !== null;

/** A mutation of one value somewhere in the body. */
function ofValue(name: string, values: fc.Arbitrary<unknown>): Mutation {
  return {
    name,
    fits: takesBody,
    weight: ({ body }) => Math.ceil(Object.keys(body?.properties ?? {}).length / 4),
    change: (draft, operation) =>
      fc
        .tuple(fc.constantFrom(...placesIn(draft.body, operation.body)), values)
        .map(([place, value]) => ({ ...draft, body: replaced(draft.body, place, value) })),
  };
}

/** A mutation of the body's bytes. */
function ofBytes(name: string, change: (json: string) => fc.Arbitrary<Buffer | string>): Mutation {
  return {
    name,
    fits: takesBody,
    change: (draft) => change(JSON.stringify(draft.body)).map((bytes) => ({ ...draft, bytes: Buffer.from(bytes) })),
  };
}

/** What can be wrong with a body. */
export const bodyMutations: readonly Mutation[] = [
  {
    name: 'a required member is missing',
    fits: ({ body }) => (body?.required ?? []).length > 0,
    change: (draft, { body }) =>
      fc
        .constantFrom(...(body?.required ?? []))
        .map((name) => ({ ...draft, body: replaced(draft.body, [name], undefined) })),
    answers: [422],
  },
  {
    name: 'a member too many',
    fits: takesBody,
    change: (draft) =>
      fc
        .tuple(fc.oneof(fc.constantFrom(...strangeNames), fc.string({ unit: 'binary' })), anything)
        .map(([name, value]) => ({ ...draft, body: { ...asObject(draft.body), [name]: value } })),
  },
  ofValue('a value of another type', anything),
  ofValue('null', fc.constant(null)),
  ofValue('an odd number', fc.constantFrom(...oddNumbers)),
  ofValue('odd Unicode', fc.oneof(fc.constantFrom(...oddTexts), fc.string({ unit: 'binary', maxLength: 60 }))),
  ofValue('text that attacks', fc.constantFrom(...attacks)),
  {
    name: 'a length at its bound',
    fits: ({ body }) => boundedIn(body).length > 0,
    change: (draft, { body }) =>
      fc.constantFrom(...boundedIn(body)).chain(([name, { minLength = 0, maxLength = 100 }]) =>
        fc
          .constantFrom(0, minLength, Math.max(0, minLength - 1), maxLength, maxLength + 1)
          .chain((length) => fc.constantFrom('x', '7', 'é', '🙂').map((unit) => unit.repeat(length).slice(0, length)))
          .map((text) => ({ ...draft, body: replaced(draft.body, [name], text) })),
      ),
  },
  ofValue('a huge value', fc.constantFrom<unknown>(...hugeValues())),
  ofValue(
    'a nest',
    fc
      .integer({ min: 5, max: 2_000 })
      .map((depth) => JSON.parse(`${'{"a":['.repeat(depth)}1${']}'.repeat(depth)}`) as unknown),
  ),
  ofValue('a card number', fc.constantFrom(...cardSpellings())),
  {
    name: 'a body that is no object',
    fits: takesBody,
    change: (draft) =>
      fc
        .constantFrom('null', '[]', '[{}]', '"x"', '1', 'true', '{}', '""')
        .map((json) => ({ ...draft, bytes: Buffer.from(json) })),
  },
  ofBytes('broken JSON', (json) =>
    fc.oneof(
      fc.constantFrom('', ' ', '{', `${json}}`, `${json}${json}`, `[${json}`, ...brokenJson),
      fc.nat(Math.max(0, json.length - 1)).map((end) => json.slice(0, end)),
    ),
  ),
  ofBytes('flipped bytes', (json) =>
    fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 4 })).map(([at, bytes]) => {
      const spoiled = Buffer.from(json);
      if (spoiled.length > bytes.length) spoiled.set(bytes, at % (spoiled.length - bytes.length));
      return spoiled;
    }),
  ),
  ofBytes('a member twice, or __proto__', (json) =>
    fc
      .constantFrom(
        '"__proto__":{"amount":"1"}',
        '"__proto__":null',
        '"a":1,"a":2',
        '"constructor":{"prototype":{"x":1}}',
      )
      .map((members) => (json === '{}' ? `{${members}}` : `${json.slice(0, -1)},${members}}`)),
  ),
  ofBytes('a body too large', (json) =>
    fc
      .integer({ min: 65_400, max: 200_000 })
      .map((bytes) => `${json.slice(0, -1)}${' '.repeat(Math.max(0, bytes - json.length))}}`),
  ),
];

function hugeValues(): unknown[] {
  return [
    'x'.repeat(60_000),
    '9'.repeat(60_000),
    '🙂'.repeat(10_000),
    Array.from({ length: 10_000 }, () => 1),
    manyMembers(),
  ];
}

function manyMembers(): Record<string, string> {
  return Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`key${index}`, 'x']));
}

function cardSpellings(): unknown[] {
  return testCards.flatMap((card) => [
    card,
    `card ${card} please`,
    card.replaceAll(/(.{4})(?=.)/g, '$1 '),
    Number(card),
  ]);
}

/** Every place in the body, and those of members that it could have. */
function placesIn(body: unknown, schema: Schema | null): Path[] {
  const known = Object.keys(schema?.properties ?? {}).map((name) => [name]);
  const inside = Object.entries(asObject(body)).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null ? Object.keys(value).map((key) => [name, key]) : [],
  );
  const all = [...known, ...inside];
  return all.length === 0 ? [['unknown']] : all;
}

function boundedIn(schema: Schema | null): [string, Schema][] {
  return Object.entries(schema?.properties ?? {}).filter(([, member]) => member.maxLength !== undefined);
}

function asObject(body: unknown): object {
  return typeof body === 'object' && body !== null ? body : {};
}

/** A copy with another value at the path; `undefined` takes the member away. */
function replaced(body: unknown, [name = '', ...rest]: Path, value: unknown): unknown {
  const next = rest.length === 0 ? value : replaced((asObject(body) as Record<string, unknown>)[name], rest, value);
  if (Array.isArray(body))
    return body.map((element: unknown, index) => (String(index) === String(name) ? next : element));
  return { ...asObject(body), [name]: next };
}
