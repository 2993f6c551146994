import fc from 'fast-check';
import { testCards } from './body-mutations.ts';
import type { Operation } from './document.ts';
import type { Draft } from './draft.ts';
import { signatureOf } from './event.ts';
import type { Ground } from './ground.ts';
import { keyOf } from './keys.ts';
import type { Mutation } from './mutation.ts';
import { valueOf } from './values.ts';

type Header = readonly [name: string, value: string | null];

const always = () => true;
const needsKey = ({ caller }: Operation) => caller !== null;
const needsPermission = ({ caller }: Operation) => caller === 'merchant' || caller === 'operator';
const declared = ({ parameters }: Operation) => parameters.filter((one) => one.in === 'header');

/** A mutation that adds headers, or replaces them. */
function ofHeaders(name: string, headers: readonly (readonly Header[])[], fits: Mutation['fits'] = always): Mutation {
  return {
    name,
    fits,
    change: (draft) =>
      fc.constantFrom(...headers).map((added) => ({ ...draft, headers: [...draft.headers, ...added] })),
  };
}

const oddHeaderValues = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '""',
    '"',
    'x'.repeat(256),
    'x'.repeat(3_000),
    'é',
    'a\tb',
    'ключ',
    '🙂',
    'a,b',
    '%00',
    '../x',
    testCards[0],
  ),
  fc.constantFrom(
    'wait=',
    'wait=61',
    'wait=-1',
    'wait=1e1',
    'wait',
    'wait="1"',
    'wait=1;x',
    'respond-async=1',
    ', ,',
    '=',
    'x=y; z',
  ),
);

const oddRequestIds = ['', 'a b', 'é', 'a/b', '<x>', 'x'.repeat(64), 'x'.repeat(65), testCards[0], '..', '0'];

const nonsense: readonly (readonly Header[])[] = [
  ...['text/html', '*/*', '', 'application/xml;q=0', 'garbage;;;='].map((value) => [['accept', value] as const]),
  ...['gzip', 'br', 'identity;q=0', '*;q=0'].map((value) => [['accept-encoding', value] as const]),
  ...['*', 'W/"x"', '"x"'].flatMap((value) => [[['if-none-match', value] as const], [['if-match', value] as const]]),
  [['if-modified-since', 'Fri, 31 Dec 2100 23:59:59 GMT']],
  [['if-unmodified-since', 'Thu, 01 Jan 1970 00:00:00 GMT']],
  [['range', 'bytes=0-1']],
  [['expect', '100-continue']],
  [['expect', 'the unexpected']],
  [['x-http-method-override', 'DELETE']],
  [
    ['x-forwarded-for', "127.0.0.1' OR 1=1--"],
    ['x-forwarded-proto', 'x'],
    ['x-forwarded-host', 'evil.test'],
    ['forwarded', 'for=_x'],
  ],
  [['host', 'evil.test']],
  [['host', '']],
  [
    ['origin', 'null'],
    ['access-control-request-method', 'DELETE'],
  ],
  [['cookie', 'session=admin; __proto__=1']],
  [
    ['upgrade', 'h2c'],
    ['http2-settings', 'AAMAAABk'],
  ],
  [
    ['upgrade', 'websocket'],
    ['sec-websocket-version', '13'],
    ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  ],
  [
    ['te', 'trailers, deflate;q=0.5'],
    ['trailer', 'x'],
  ],
  [
    ['content-language', 'x'],
    ['content-md5', '!'],
    ['digest', 'sha-256=x'],
    ['want-digest', '*'],
  ],
  [
    ['traceparent', 'x'],
    ['tracestate', '='.repeat(600)],
    ['baggage', '\u00ff'],
  ],
  Array.from({ length: 60 }, (_, index) => [`x-${index}`, 'y'] as const),
  [['x-long', 'x'.repeat(8_000)]],
];

const notHttp: readonly (readonly Header[])[] = [
  [['host', null]],
  [['x-nul', 'a\0b']],
  [['x-bell', 'a\u0007b']],
  [['x y', 'z']],
  [['', 'nameless']],
  [['x-huge', 'x'.repeat(20_000)]],
  [['content-length', '-1']],
  [['content-length', 'x']],
  [
    ['content-length', '5'],
    ['transfer-encoding', 'chunked'],
  ],
  [['transfer-encoding', 'x-unknown']],
  Array.from({ length: 300 }, (_, index) => [`x-${index}`, 'x'.repeat(80)] as const),
];

const mediaTypes = [
  [
    null,
    '',
    '*/*',
    'text/plain',
    'text/json',
    'application/jsonp',
    'application/vnd.api+json',
    'garbage;;;=',
    'a/b, c/d',
  ],
  ['application/json; charset=latin1', 'application/json; charset=utf-16', 'multipart/form-data; boundary=x'],
  ['application/x-www-form-urlencoded'],
].flat();

/** Almost the key that it takes. */
function wrongKeys(operation: Operation, keys: Ground['keys']): string[] {
  const [mine, live] = [keyOf(operation, keys) ?? '', keys.live];
  return [
    ['Bearer', 'Bearer x', 'Bearer \u00e9', 'Bearer po_test__', 'Bearer __proto__', `Bearer ${'x'.repeat(7_000)}`],
    [
      mine,
      `Basic ${mine}`,
      `Token ${mine}`,
      `Bearer ${mine} ${mine}`,
      `Bearer ${mine}x`,
      `Bearer ${mine.slice(0, -1)}`,
    ],
    [`Bearer ${mine.toUpperCase()}`, `Bearer ${mine.slice(0, 20)}${live.slice(20)}`],
    [`Bearer ${mine.replace(/test|operator/, 'live')}`],
  ].flat();
}

/** A good key, where somebody else may call. */
function keyOfOthers(
  name: string,
  caller: Operation['caller'],
  find: (keys: Ground['keys']) => string,
  status: number,
): Mutation {
  return {
    name,
    fits: (operation) => operation.caller === caller,
    change: (draft, _operation, { keys }) =>
      fc.constant({ ...draft, headers: [...draft.headers, ['authorization', `Bearer ${find(keys)}`] as const] }),
    answers: [status],
  };
}

/** None, almost one, one of something else, by somebody else, and one that is too old or from the future. */
function wrongSignatures(secret: string, body: Buffer): (string | null)[] {
  const right = signatureOf(secret, body);
  return [
    [null, '', 'x', 't=,v1=', 'x'.repeat(9_000), right.toUpperCase(), right.replace('v1', 'v0')],
    [right.replace(/.$/, (last) => (last === '0' ? '1' : '0')), right.replace(/,.*/, ''), right.replace(/t=\d+,/, '')],
    [`${right},t=1`, `t=1,${right}`, signatureOf(`${secret}x`, body)],
    [signatureOf(secret, Buffer.concat([body, Buffer.from(' ')]))],
    [3_600, -3_600].map((ageSeconds) => signatureOf(secret, body, ageSeconds)),
  ].flat();
}

/** All headers of a signed request or some, of the right form or not: the key has no signing secret, so nothing is right. */
function signedDrafts(draft: Draft, { signatureHeaders }: Operation): fc.Arbitrary<Draft> {
  const values = signatureHeaders.map(({ name, schema }) => {
    const rightForm = { weight: 3, arbitrary: valueOf(schema, name, {}).map(String) };
    return [name, fc.oneof(rightForm, oddHeaderValues.map(String))] as const;
  });
  return fc
    .record(Object.fromEntries(values), { requiredKeys: [] })
    .map((some) => Object.entries(some).filter((header): header is [string, string] => header[1] !== undefined))
    .filter((some) => some.length > 0)
    .map((some) => ({ ...draft, headers: [...draft.headers, ...some] }));
}

/** What can be wrong with headers, the key and the signature among them. */
export const headerMutations: readonly Mutation[] = [
  { ...ofHeaders('no key', [[['authorization', null]], [['authorization', '']]], needsKey), answers: [401] },
  {
    name: 'a wrong key',
    fits: needsKey,
    change: (draft, operation, { keys }) =>
      fc
        .constantFrom(...wrongKeys(operation, keys))
        .map((authorization) => ({ ...draft, headers: [...draft.headers, ['authorization', authorization] as const] })),
    answers: [401],
  },
  {
    name: 'two keys',
    fits: needsKey,
    change: (draft, operation, { keys }) =>
      fc.shuffledSubarray([keyOf(operation, keys) ?? '', keys.other], { minLength: 2 }).map((both) => ({
        ...draft,
        headers: [...draft.headers, ...both.map((key) => ['authorization', `Bearer ${key}`] as const)],
      })),
    answers: [401],
  },
  {
    name: 'a key that may do nothing',
    fits: needsPermission,
    change: (draft, _operation, { keys }) =>
      fc.constant({ ...draft, headers: [...draft.headers, ['authorization', `Bearer ${keys.powerless}`] as const] }),
    answers: [403],
  },
  keyOfOthers("an operator's key where merchants act", 'merchant', ({ operator }) => operator, 403),
  keyOfOthers("a merchant's key where operators act", 'operator', ({ mine }) => mine, 403),
  {
    name: 'a wrong signature',
    fits: ({ takesBytes }) => takesBytes,
    weight: () => 2,
    change: (draft, _operation, { eventSecret }) =>
      fc
        .constantFrom(...wrongSignatures(eventSecret, Buffer.from(JSON.stringify(draft.body))))
        .map((signature) => ({ ...draft, headers: [...draft.headers, ['easypay-signature', signature] as const] })),
    answers: [401],
  },
  {
    name: 'a signature without a secret',
    fits: ({ signatureHeaders }) => signatureHeaders.length > 0,
    change: signedDrafts,
    answers: [401],
  },
  {
    name: 'odd values of headers',
    fits: (operation) => declared(operation).length > 0,
    change: (draft, operation) =>
      fc.tuple(fc.constantFrom(...declared(operation)), oddHeaderValues).map(([{ name }, value]) => ({
        ...draft,
        headers: [...draft.headers.filter(([other]) => other !== name), [name, value] as const],
      })),
  },
  ofHeaders('an odd request id', [
    ...oddRequestIds.map((id) => [['x-request-id', id] as const]),
    [
      ['x-request-id', 'a'],
      ['x-request-id', 'b'],
    ],
  ]),
  ofHeaders('header nonsense', nonsense),
  { ...ofHeaders('what is no HTTP', notHttp), answers: [400] },
  {
    ...ofHeaders(
      'another content type',
      mediaTypes.map((type) => [['content-type', type] as const]),
      ({ body, takesBytes }) => body !== null && !takesBytes,
    ),
    answers: [415],
  },
  ofHeaders(
    'a content encoding',
    ['gzip', 'br', 'zstd', 'x-unknown', 'gzip, gzip', ''].map((encoding) => [['content-encoding', encoding] as const]),
    ({ body }) => body !== null,
  ),
  {
    name: 'a body that nobody asked for',
    fits: ({ body }) => body === null,
    change: (draft) =>
      fc.constantFrom<unknown>({ a: 1 }, [], 'x', 'x'.repeat(70_000), null).map((body) => ({ ...draft, body })),
  },
];
