import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aPayment, getPayment, type Problem, postPayment } from '../support/api-client.ts';
import { forgedKey } from '../support/forged-key.ts';
import { until } from '../support/until.ts';
import { startWorld, type World } from '../support/world.ts';

/** One bad request: what differs from a good one, and how it must be refused. */
interface Case {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  /** In place of the good ones of the same name; null leaves the header out, a list sends it several times. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>;
  /** Members that differ, or a whole body when it is text or bytes; null sends none. */
  readonly change?: Readonly<Record<string, unknown>>;
  readonly body?: string | Buffer | null;
  readonly status?: number;
  readonly code?: string;
  /** The JSON pointer, the header, or the parameter behind a question mark that the answer must name. */
  readonly at?: string;
  /** Text that no answer may repeat. */
  readonly secret?: string;
}

const ofFields = (field: string, values: Readonly<Record<string, unknown>>, at = `/${field}`): Case[] =>
  Object.entries(values).map(([name, value]) => ({ name: `${field}: ${name}`, change: { [field]: value }, at }));

/** A good body with one raw piece of JSON in it, for what `JSON.stringify` would never write. */
const rawMember = (member: string) => `${JSON.stringify(aPayment()).slice(0, -1)},${member}}`;
const ofRaw = (cases: Readonly<Record<string, readonly [member: string, at: string]>>): Case[] =>
  Object.entries(cases).map(([name, [member, at]]) => ({ name, body: rawMember(member), at }));

const notText = { 'a number': 5, 'a boolean': true, null: null, 'an array': ['x'], 'an object': { x: 'y' } };
const textLengths = { external_id: 100, customer_id: 100, customer_name: 200, description: 500 };
const textFields = Object.keys(textLengths);

const amounts = ofFields('amount', {
  'a JSON number': 25.99,
  'a whole JSON number': 25,
  null: null,
  'a boolean': true,
  'an array': ['25.99'],
  'an object': { value: '25.99' },
  missing: undefined,
  empty: '',
  'an exponent': '1e3',
  'too many decimals': '25.999',
  zero: '0',
  'zero with decimals': '0.00',
  negative: '-1',
  'a plus sign': '+1',
  'a space in front': ' 1',
  'a space behind': '1 ',
  'a line end behind': '1\n',
  'a dot without decimals': '1.',
  'a dot without a whole part': '.5',
  'a leading zero': '01',
  'a separator of thousands': '1,000',
  'a decimal comma': '25,99',
  'two dots': '1.2.3',
  'an underscore': '1_000',
  'hexadecimal digits': '0x10',
  'an Arabic digit': '٢',
  'a full-width digit': '２',
  infinity: 'Infinity',
  'not a number': 'NaN',
  words: 'ten',
  'a currency sign': '$25.99',
  '2^63 minor units': '92233720368547758.08',
  'far more than 2^63 minor units': '99999999999999999',
  'forty digits': '9'.repeat(40),
  'sixty thousand digits': '9'.repeat(60_000),
  'a NUL': '1\u0000',
});

const currencies: Case[] = [
  ...ofFields('currency', {
    unknown: 'XYZ',
    'lower case': 'usd',
    'of a country': 'US',
    'without minor units': 'XAU',
    'withdrawn long ago': 'DEM',
    'with a space': 'USD ',
    empty: '',
    long: 'U'.repeat(1000),
    'a member of every object': 'constructor',
    missing: undefined,
    ...notText,
  }),
  { name: 'yen with decimals', change: { amount: '100.5', currency: 'JPY' }, at: '/amount' },
  { name: 'yen with a zero behind the dot', change: { amount: '100.0', currency: 'JPY' }, at: '/amount' },
  { name: 'dinars with four decimals', change: { amount: '1.2345', currency: 'KWD' }, at: '/amount' },
  { name: '2^63 yen', change: { amount: '9223372036854775808', currency: 'JPY' }, at: '/amount' },
];

const texts: Case[] = Object.entries(textLengths).flatMap(([field, lengthMax]) => [
  ...ofFields(field, {
    ...notText,
    empty: '',
    'a NUL': 'a\u0000b',
    'a control character': 'a\u0007b',
    'a line end': 'a\nb',
    'a C1 control character': 'a\u0085b',
    'too long': 'x'.repeat(lengthMax + 1),
  }),
  ...ofRaw({
    [`${field}: a high surrogate alone`]: [`"${field}":"a\\ud800"`, `/${field}`],
    [`${field}: a low surrogate alone`]: [`"${field}":"\\udc00a"`, `/${field}`],
  }),
]);

const choices: Case[] = [
  ...ofFields('payment_method', {
    ...notText,
    missing: undefined,
    unknown: 'cash',
    empty: '',
    'upper case': 'CREDIT_CARD',
  }),
  ...ofFields('card_token', {
    ...notText,
    missing: undefined,
    empty: '',
    'a space': 'tok visa',
    'a slash': 'tok/visa',
    'a NUL': 'tok\u0000',
    'a line end behind': 'tok\n',
    'an accent': 'tök',
    'too long': 't'.repeat(129),
  }),
  ...ofFields('purpose', { ...notText, unknown: 'gambling', empty: '' }),
  ...ofFields('customer_email', {
    ...notText,
    empty: '',
    'without a domain': 'ada',
    'without a name': '@example.com',
    'two at-signs': 'a@b@example.com',
    'a NUL': 'a\u0000@example.com',
    'a line end, which starts a header in mails': 'a@example.com\r\nBcc: b@example.com',
    'too long': `${'a'.repeat(250)}@example.com`,
  }),
  ...ofFields('is_test', {
    text: 'true',
    'a number': 1,
    null: null,
    'an array': [true],
    'an object': {},
  }),
  { name: 'is_test: not the mode of the key', change: { is_test: false }, at: '/is_test', code: 'wrong_mode' },
];

const entries = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, 'x']));

const metadata: Case[] = [
  ...ofFields('metadata', {
    text: 'x',
    'a number': 5,
    'a boolean': true,
    null: null,
    'an array': ['x'],
    '51 entries': entries(51),
  }),
  ...Object.entries({
    ...notText,
    empty: '',
    'a NUL': '\u0000',
    'a control character': '\u001b',
    'too long': 'x'.repeat(501),
  }).map(([name, value]) => ({
    name: `a metadata value: ${name}`,
    change: { metadata: { order: value } },
    at: '/metadata/order',
  })),
  ...Object.entries({ empty: '', 'a NUL': '\u0000', 'a control character': 'a\u001b', 'too long': 'k'.repeat(41) }).map(
    ([name, key]) => ({ name: `a metadata key: ${name}`, change: { metadata: { [key]: 'x' } }, at: '/metadata' }),
  ),
  ...ofRaw({
    'a metadata value: a surrogate alone': ['"metadata":{"order":"\\ud800"}', '/metadata/order'],
    'a metadata key: a surrogate alone': ['"metadata":{"\\udc00":"x"}', '/metadata'],
    'a metadata key: __proto__ with text': ['"metadata":{"__proto__":"x"}', '/metadata/__proto__'],
    'a metadata key: __proto__ with an object': ['"metadata":{"__proto__":{"is_test":true}}', '/metadata/__proto__'],
    'a metadata key: __proto__ in escapes': ['"metadata":{"\\u005f_proto__":"x"}', '/metadata/__proto__'],
    'a metadata key twice': ['"metadata":{"a":"1","b":"2","a":"3"}', '/metadata/a'],
  }),
  {
    name: 'a metadata value in which a key with slash and tilde is named',
    change: { metadata: { 'a/b~c': 5 } },
    at: '/metadata/a~1b~0c',
  },
];

const nested = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);

const shapes: Case[] = [
  ...ofFields('unknown_field', { text: 'x', null: null, 'an object': {} }),
  ...ofFields('constructor', { text: 'x', 'an object': { prototype: {} } }),
  ...ofFields('toString', { text: 'x' }),
  ...ofFields('status', { 'what only we decide': 'captured' }),
  ...ofFields('merchant_id', { 'somebody else': 'mer_other' }),
  ...ofFields('id', { 'an id of their choice': 'pay_00000000000000000000000000' }),
  { name: 'a name with slash and tilde', change: { 'a/b~c': 1 }, at: '/a~1b~0c' },
  { name: 'a name of ten thousand characters', change: { ['x'.repeat(10_000)]: 1 }, at: `/${'x'.repeat(100)}` },
  { name: 'ten thousand unknown names', body: JSON.stringify(entries(4_000)).slice(0, -1).concat('}'), at: '/amount' },
  ...ofRaw({
    '__proto__ at the top': ['"__proto__":{"amount":"1.00"}', '/__proto__'],
    '__proto__ at the top with text': ['"__proto__":"x"', '/__proto__'],
    'a name with a surrogate alone': ['"\\ud800":1', '/\ufffd'],
    'an empty name': ['"":1', '/'],
    'a member twice, with another value': ['"amount":"1.00"', '/amount'],
    'a member twice, with the same value': ['"currency":"USD"', '/currency'],
    'a member twice, once in escapes': ['"curr\\u0065ncy":"EUR"', '/currency'],
    'thirty levels': [`"metadata":${nested(30)}`, `/metadata${'/a'.repeat(19)}`],
    'six thousand levels': [`"metadata":${nested(6_000)}`, `/metadata${'/a'.repeat(19)}`],
    'thirty thousand arrays': [`"metadata":${'['.repeat(30_000)}${']'.repeat(30_000)}`, `/metadata${'/0'.repeat(19)}`],
  }),
];

const unreadable = (name: string, body: string | Buffer | null): Case => ({
  name,
  body,
  status: 400,
  code: 'invalid_json',
});

const bytesMax = 64 * 1024;
/** A refused body of exactly so many bytes. */
const bodyOf = (bytes: number) => {
  const start = '{"amount":"';
  return `${start}${'9'.repeat(bytes - start.length - 2)}"}`;
};

const bodies: Case[] = [
  unreadable('no body at all', null),
  unreadable('white space alone', ' \r\n\t'),
  unreadable('half an object', '{"amount":'),
  unreadable('a bracket too many', `${JSON.stringify(aPayment())}}`),
  unreadable('two objects', `${JSON.stringify(aPayment())}${JSON.stringify(aPayment())}`),
  unreadable('a comma behind the last member', `${JSON.stringify(aPayment()).slice(0, -1)},}`),
  unreadable('single quotes', "{'amount':'25.99'}"),
  unreadable('names without quotes', '{amount:"25.99"}'),
  unreadable('a comment', '{/* amount */}'),
  unreadable('NaN', '{"amount":NaN}'),
  unreadable('a raw line end in text', rawMember('"description":"a\nb"')),
  unreadable('a form', 'amount=25.99&currency=USD'),
  unreadable('XML', '<payment><amount>25.99</amount></payment>'),
  unreadable('NUL bytes', Buffer.alloc(100)),
  unreadable('invalid UTF-8: a byte of Latin-1', Buffer.from(rawMember('"description":"caf\u00e9"'), 'latin1')),
  unreadable('invalid UTF-8: an overlong slash', Buffer.from(rawMember('"description":"\u00c0\u00af"'), 'latin1')),
  unreadable(
    'invalid UTF-8: an encoded surrogate',
    Buffer.from(rawMember('"description":"\u00ed\u00a0\u0080"'), 'latin1'),
  ),
  unreadable('invalid UTF-8: a character cut off', Buffer.from('"\u00f0\u009f"', 'latin1')),
  unreadable('a byte order mark of UTF-16', Buffer.from(`\ufeff${JSON.stringify(aPayment())}`, 'utf16le')),
  unreadable('a byte order mark of UTF-8', `\ufeff${JSON.stringify(aPayment())}`),
  {
    name: 'an empty body with a length',
    body: '',
    headers: { 'content-length': '0' },
    status: 400,
    code: 'invalid_json',
  },
  ...['null', '[]', '[{}]', '"25.99"', '25.99', 'true'].map((body) => ({
    name: `JSON ${body} as the body`,
    body,
    at: '',
  })),
  { name: 'an empty object', body: '{}', at: '/amount' },
  { name: 'a body of exactly 64 KB is read', body: bodyOf(bytesMax), at: '/amount' },
  { name: 'a body of 64 KB and a byte', body: bodyOf(bytesMax + 1), status: 413, code: 'body_too_large' },
  { name: 'a body of a megabyte', body: bodyOf(1_000_000), status: 413, code: 'body_too_large' },
  {
    name: 'a chunked body over 64 KB',
    headers: { 'transfer-encoding': 'chunked', 'content-length': null },
    body: `${(70_000).toString(16)}\r\n${bodyOf(70_000)}\r\n0\r\n\r\n`,
    status: 413,
    code: 'body_too_large',
  },
  {
    name: 'a chunked body with a wrong size',
    headers: { 'transfer-encoding': 'chunked', 'content-length': null },
    body: 'zz\r\n{}\r\n0\r\n\r\n',
    status: 400,
    code: 'invalid_header',
  },
  {
    name: 'a length and chunks at once',
    headers: { 'transfer-encoding': 'chunked', 'content-length': '5' },
    body: '0\r\n\r\n',
    status: 400,
    code: 'invalid_header',
  },
  { name: 'two lengths', headers: { 'content-length': ['2', '3'] }, body: '{}', status: 400, code: 'invalid_header' },
];

const mediaTypes: Case[] = [
  null,
  '',
  '*/*',
  'application',
  'text/plain',
  'garbage;;;=',
  'application/jsonp',
  'application/vnd.api+json',
  'multipart/form-data; boundary=x',
  'application/x-www-form-urlencoded',
  'application/json; charset=latin1',
  'application/json; charset=utf-16',
  'application/json; charset=utf-7',
  'application/json; charset="klingon"',
].map((type) => ({
  name: `content type ${JSON.stringify(type)}`,
  headers: { 'content-type': type },
  status: 415,
  code: 'unsupported_media_type',
}));

const encodings: Case[] = ['gzip', 'br', 'deflate', 'zstd', 'compress', 'gzip, gzip', 'x-unknown'].map((encoding) => ({
  name: `content encoding ${encoding}`,
  headers: { 'content-encoding': encoding },
  body: gzipSync(JSON.stringify(aPayment())),
  status: 415,
  code: 'unsupported_media_type',
}));

const badHeader = (header: string, value: string | readonly string[], name = JSON.stringify(value)): Case => ({
  name: `${header}: ${name}`,
  headers: { [header]: value },
  status: 400,
  code: 'invalid_header',
  at: header,
});
/** What HTTP itself forbids: the answer cannot name the header, because there is no request yet. */
const notHttp = (name: string, headers: Case['headers']): Case => ({
  name,
  ...(headers === undefined ? {} : { headers }),
  status: 400,
  code: 'invalid_header',
});

const headers: Case[] = [
  badHeader('Idempotency-Key', ''),
  badHeader('Idempotency-Key', '   '),
  badHeader('Idempotency-Key', '""'),
  badHeader('Idempotency-Key', 'k'.repeat(256), '256 characters'),
  badHeader('Idempotency-Key', 'k'.repeat(300), '300 characters'),
  badHeader('Idempotency-Key', `"${'k'.repeat(256)}"`, '256 characters in quotes'),
  badHeader('Idempotency-Key', 'clé', 'a letter of Latin-1'),
  badHeader('Idempotency-Key', Buffer.from('ключ').toString('latin1'), 'letters in UTF-8'),
  badHeader('Idempotency-Key', 'a\tb', 'a tab'),
  badHeader('Idempotency-Key', ['one', 'two'], 'sent twice'),
  notHttp('Idempotency-Key: a NUL', { 'Idempotency-Key': 'a\u0000b' }),
  notHttp('Idempotency-Key: a control character', { 'Idempotency-Key': 'a\u0007b' }),
  notHttp('Idempotency-Key: a line end alone', { 'Idempotency-Key': 'a\rb' }),
  notHttp('a header of 20 KB', { 'X-Long': 'x'.repeat(20_000) }),
  notHttp(
    'headers of 20 KB together',
    Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`X-${n}`, 'x'.repeat(100)])),
  ),
  notHttp('a header name with a space', { 'X Y': 'z' }),
  ...[
    'wait=abc',
    'wait=-1',
    'wait=61',
    'wait=600',
    'wait=1.5',
    'wait=',
    'wait',
    'wait=1e1',
    'wait=NaN',
    'respond-async, wait=99',
  ].map((value) => badHeader('Prefer', value)),
  badHeader('Prefer', 'x'.repeat(201), '201 characters'),
  ...['', 'a b', 'a/b', 'é', '<script>', '../../etc/passwd', 'a;b'].map((value) => badHeader('X-Request-Id', value)),
  badHeader('X-Request-Id', 'x'.repeat(65), '65 characters'),
  badHeader('X-Request-Id', ['one', 'two'], 'sent twice'),
];

const somePayment = '/api/v1/payments/pay_00000000000000000000000000';
const missing = (name: string, method: string, path: string): Case => ({
  name,
  method,
  path,
  status: 404,
  code: 'not_found',
});
const wrongMethod = (method: string, path: string): Case => ({
  name: `${method} ${path}`,
  method,
  path,
  status: 405,
  code: 'method_not_allowed',
});

const addresses: Case[] = [
  { name: 'a query parameter', path: '/api/v1/payments?amount=25.99', at: '?amount' },
  { name: 'a query parameter that would reach a prototype', path: '/api/v1/payments?__proto__=x', at: '?__proto__' },
  { name: 'a query parameter of a read', method: 'GET', path: `${somePayment}?expand=all`, at: '?expand' },
  ...['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'].map((method) => wrongMethod(method, '/api/v1/payments')),
  ...['POST', 'PATCH', 'DELETE', 'OPTIONS'].map((method) => wrongMethod(method, somePayment)),
  ...['POST', 'PUT', 'DELETE'].map((method) => wrongMethod(method, '/api/v1/events')),
  wrongMethod('POST', '/health/live'),
  wrongMethod('POST', '/openapi.json'),
  missing('an unknown route', 'GET', '/api/v1/refunds'),
  missing('the root', 'GET', '/'),
  missing('another version', 'POST', '/api/v2/payments'),
  missing('upper case', 'POST', '/API/v1/payments'),
  missing('two slashes', 'POST', '//api/v1/payments'),
  missing('a way out', 'GET', '/api/v1/payments/../../../etc/passwd'),
  missing('a payment that does not exist', 'GET', somePayment),
  missing('an id that is none', 'GET', '/api/v1/payments/42'),
  missing('an id with a NUL', 'GET', '/api/v1/payments/%00'),
  missing('an id with a line end', 'GET', `${somePayment}%0A`),
  missing('an id of eight thousand characters', 'GET', `/api/v1/payments/${'x'.repeat(8_000)}`),
  missing('an id with a quote', 'GET', "/api/v1/payments/'%20OR%201=1--"),
  missing('malformed percent-encoding', 'GET', '/api/v1/payments/%ZZ'),
  missing('half a percent-encoding', 'GET', '/api/v1/payments/%e0%a4%a'),
  { name: 'an address with a space', method: 'GET', path: '/api/v1/pay ments', status: 400, code: 'invalid_header' },
];

/** A read with one parameter that is written so. */
const asked = (path: string, parameter: string, values: Readonly<Record<string, string>>): Case[] =>
  Object.entries(values).map(([name, value]) => ({
    name: `${path} with ${parameter}: ${name}`,
    method: 'GET',
    path: `${path}?${parameter}=${encodeURIComponent(value)}`,
    at: `?${parameter}`,
  }));
/** A read whose query is written so by hand. */
const queried = (name: string, path: string, parameter: string): Case => ({
  name: `a query: ${name}`,
  method: 'GET',
  path,
  at: `?${parameter}`,
});

const badText = { empty: '', 'a NUL': '\u0000', 'a line end': 'a\nb', 'too long': 'x'.repeat(101) };
const badLimits = {
  empty: '',
  zero: '0',
  'more than a hundred': '101',
  negative: '-1',
  'a fraction': '1.5',
  'an exponent': '1e1',
  hexadecimal: '0x5',
  'a leading zero': '05',
  'a space': ' 5',
  'an Arabic digit': '٥',
  words: 'ten',
  'a hundred digits': '9'.repeat(100),
};
const badCursors = {
  empty: '',
  'no base64url': '%%%',
  'no JSON': 'eHg',
  null: 'bnVsbA',
  'of no list': 'eyJ2IjoxLCJvZiI6IngiLCJhdCI6W119',
  'a NUL': '\u0000',
  'too long': 'x'.repeat(1_001),
};
const badInstants = {
  empty: '',
  words: 'yesterday',
  'a date alone': '2026-01-31',
  'without a zone': '2026-01-31T00:00:00',
  'a day that never was': '2026-02-30T00:00:00Z',
  'an hour that never was': '2026-01-31T25:00:00Z',
  'the year 0': '0000-01-01T00:00:00Z',
  'five digits of a year': '12026-01-31T00:00:00Z',
  'finer than milliseconds': '2026-01-31T00:00:00.1234Z',
  'seconds since 1970': '1769817600',
  'a quote': "2026-01-31T00:00:00Z'",
};

const lists: Case[] = [
  ...['/api/v1/payments', '/api/v1/events', '/api/v1/webhooks'].flatMap((path) => [
    ...asked(path, 'limit', badLimits),
    ...asked(path, 'cursor', badCursors),
    ...asked(path, 'page', { unknown: '2' }),
  ]),
  ...asked('/api/v1/payments', 'status', {
    empty: '',
    'upper case': 'CAPTURED',
    'one of them unknown': 'captured,lost',
    'a comma behind': 'captured,',
    'semicolons between': 'captured;failed',
    'a member of every object': 'constructor',
  }),
  ...asked('/api/v1/payments', 'currency', { empty: '', 'lower case': 'usd', unknown: 'XYZ' }),
  ...asked('/api/v1/payments', 'guest', { empty: '', 'a digit': '1', words: 'yes' }),
  ...['customer_id', 'external_id', 'processor'].flatMap((parameter) => asked('/api/v1/payments', parameter, badText)),
  ...['created_from', 'created_to'].flatMap((parameter) => asked('/api/v1/payments', parameter, badInstants)),
  ...['amount_min', 'amount_max'].flatMap((parameter) => [
    ...asked('/api/v1/payments', parameter, { 'without a currency': '25.99', empty: '' }),
    queried(`${parameter} with too many decimals`, `/api/v1/payments?currency=JPY&${parameter}=1.5`, parameter),
    queried(`${parameter} below zero`, `/api/v1/payments?currency=USD&${parameter}=-1`, parameter),
    queried(`${parameter} above 2^63`, `/api/v1/payments?currency=JPY&${parameter}=9223372036854775808`, parameter),
  ]),
  ...asked('/api/v1/events', 'type', { empty: '', unknown: 'payment.lost', 'a prefix': 'payment.' }),
  ...asked('/api/v1/events', 'object_id', badText),
  queried('a plus sign that means a space', '/api/v1/payments?created_to=2026-01-31T00:00:00+02:00', 'created_to'),
  queried('a parameter twice', '/api/v1/payments?limit=5&limit=5', 'limit'),
  queried('a list in brackets', '/api/v1/payments?status[]=captured', 'status[]'),
  queried('an object in brackets', '/api/v1/payments?limit[$gt]=5', 'limit[$gt]'),
  queried('upper case', '/api/v1/payments?Limit=5', 'Limit'),
  queried('no name', '/api/v1/payments?=5', ''),
  queried('a prototype', '/api/v1/payments?__proto__=5', '__proto__'),
  queried('a member of every object', '/api/v1/payments?constructor=5', 'constructor'),
  queried('a guest with a customer id', '/api/v1/payments?guest=true&customer_id=ada', 'guest'),
  queried('of attempts', `${somePayment}/attempts?limit=5`, 'limit'),
  queried('of a payment’s events', `${somePayment}/events?limit=5`, 'limit'),
  queried('of the version', '/api/v1/version?x=1', 'x'),
  queried('of health', '/health?x=1', 'x'),
  missing('the attempts of a payment that does not exist', 'GET', `${somePayment}/attempts`),
  missing('the events of a payment that does not exist', 'GET', `${somePayment}/events`),
  missing('the attempts of an id that is none', 'GET', '/api/v1/payments/%00/attempts'),
];

/** A change of a payment that has this body. */
const changeOf = (body: unknown): Pick<Case, 'method' | 'path' | 'body'> => ({
  method: 'PUT',
  path: somePayment,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const changed = (field: string, values: Readonly<Record<string, unknown>>, at = `/${field}`): Case[] =>
  Object.entries(values).map(([name, value]) => ({
    name: `a changed ${field}: ${name}`,
    ...changeOf({ [field]: value }),
    at,
  }));
const { null: _mayBeNull, ...notTextNorNull } = notText;

const badChanges: Case[] = [
  ...Object.entries({ description: 500, customer_name: 200 }).flatMap(([field, lengthMax]) =>
    changed(field, { ...notTextNorNull, empty: '', 'a NUL': 'a\u0000', 'too long': 'x'.repeat(lengthMax + 1) }),
  ),
  ...changed('customer_email', {
    ...notTextNorNull,
    empty: '',
    'without a domain': 'ada',
    'a NUL': 'a\u0000@example.com',
  }),
  ...changed('metadata', { text: 'x', 'a number': 5, 'an array': ['x'], '51 entries': entries(51) }),
  ...changed('metadata', { 'a number as a value': { a: 5 }, 'null as a value': { a: null } }, '/metadata/a'),
  ...[
    'amount',
    'currency',
    'status',
    'id',
    'external_id',
    'card_token',
    'is_test',
    'merchant_id',
    'updated_at',
  ].flatMap((field) => changed(field, { 'which nobody may change': 'x', 'not even to null': null })),
  { name: 'a change with a member twice', ...changeOf('{"description":"a","description":"b"}'), at: '/description' },
  { name: 'a change with __proto__', ...changeOf('{"__proto__":{"amount":"1.00"}}'), at: '/__proto__' },
  ...['null', '[]', '"x"', '5'].map((body) => ({ name: `a change that is ${body}`, ...changeOf(body), at: '' })),
  { name: 'a change that is no JSON', ...changeOf('{'), status: 400, code: 'invalid_json' },
  { name: 'a change without a body', ...changeOf(''), status: 400, code: 'invalid_json' },
  { name: 'a change of 70 KB', ...changeOf({ description: 'x'.repeat(70_000) }), status: 413, code: 'body_too_large' },
  {
    name: 'a change that is a form',
    ...changeOf('description=x'),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    code: 'unsupported_media_type',
  },
  { ...missing('a change of what does not exist', 'PUT', somePayment), ...changeOf({ description: 'x' }) },
];

/** A webhook endpoint that has this body. */
const endpointOf = (body: unknown) => ({ path: '/api/v1/webhooks', body: JSON.stringify(body) });
const endpointWith = (field: string, values: Readonly<Record<string, unknown>>, at = `/${field}`): Case[] =>
  Object.entries(values).map(([name, value]) => ({
    name: `an endpoint’s ${field}: ${name}`,
    ...endpointOf({ url: 'https://hooks.example.com/', [field]: value }),
    at,
  }));

const endpoints: Case[] = [
  ...endpointWith('url', {
    ...notText,
    missing: undefined,
    empty: '',
    'a path alone': '/hooks',
    'a file': 'file:///etc/passwd',
    'a script': 'javascript:alert(1)',
    'with a password': 'https://ada:secret@hooks.example.com/',
    'with a fragment': 'https://hooks.example.com/#x',
    'a NUL': 'https://hooks.example.com/\u0000',
    'too long': `https://hooks.example.com/${'x'.repeat(2_000)}`,
  }),
  ...endpointWith('description', { ...notText, empty: '', 'a NUL': '\u0000', 'too long': 'x'.repeat(501) }),
  ...endpointWith('event_types', { text: 'payment.captured', null: null, 'an object': {} }),
  ...endpointWith('event_types', { unknown: ['payment.lost'], 'a number': [5] }, '/event_types/0'),
  ...endpointWith('secret', { 'of their choice': 'whsec_x' }),
  { name: 'an endpoint without a body', path: '/api/v1/webhooks', body: null, status: 400, code: 'invalid_json' },
  wrongMethod('PUT', '/api/v1/webhooks'),
];

/** Public test numbers of the networks; no bank ever issued them. */
const testCards = ['4242424242424242', '5555555555554444', '378282246310005', '6011111111111117', '6304000000000000'];
const [visa = ''] = testCards;
const grouped = (separator: string) => (visa.match(/.{4}/g) ?? []).join(separator);
const spellings = [visa, grouped(' '), grouped('-'), grouped('.')];

const card = (name: string, rest: Omit<Case, 'name'>, secret = visa): Case => ({
  name: `a card number ${name}`,
  status: 422,
  code: 'card_number_refused',
  secret,
  ...rest,
});

const allFields = [
  ...textFields,
  'amount',
  'currency',
  'payment_method',
  'card_token',
  'purpose',
  'customer_email',
  'is_test',
];
const cardNumbers: Case[] = [
  ...[...allFields, 'unknown_field'].flatMap((field) =>
    spellings.map((spelling) =>
      card(`${spelling} in ${field}`, { change: { [field]: spelling }, at: `/${field}` }, spelling),
    ),
  ),
  ...testCards.map((number) =>
    card(
      `${number} amid a description`,
      { change: { description: `card ${number} please` }, at: '/description' },
      number,
    ),
  ),
  ...spellings.map((spelling) =>
    card(
      `${spelling} in an address`,
      { change: { customer_email: `${spelling}@example.com` }, at: '/customer_email' },
      spelling,
    ),
  ),
  ...spellings.map((spelling) =>
    card(`${spelling} as a metadata value`, { change: { metadata: { pan: spelling } }, at: '/metadata/pan' }, spelling),
  ),
  ...spellings.map((spelling) =>
    card(`${spelling} as a metadata key`, { change: { metadata: { [spelling]: 'x' } }, at: '/metadata' }, spelling),
  ),
  card('as an unknown name', { change: { [visa]: 'x' }, at: '' }),
  card('nested', { change: { metadata: { a: [{ b: { c: visa } }] } }, at: '/metadata/a/0/b/c' }),
  card('below thirty levels', { body: rawMember(`"metadata":${nested(30).replace('1', `"${visa}"`)}`) }),
  card('as a name around __proto__', { body: rawMember(`"metadata":{"${visa}":{"__proto__":1}}`), at: '/metadata' }),
  card('as a name around thirty levels', { body: rawMember(`"metadata":{"${visa}":${nested(30)}}`), at: '/metadata' }),
  card('as a JSON number', { change: { description: Number(visa) }, at: '/description' }),
  card('as a JSON number in metadata', { change: { metadata: { pan: Number(visa) } }, at: '/metadata/pan' }),
  card('as a JSON number with an exponent', { body: rawMember(`"description":${visa}e0`), at: '/description' }),
  card(
    'of 19 digits as a JSON number',
    { body: rawMember('"description":4000001234567891148'), at: '' },
    '4000001234567891148',
  ),
  card('in JSON escapes', { body: rawMember('"description":"\\u0034242424242424242"'), at: '/description' }),
  card('in full-width digits', {
    change: { description: visa.replaceAll(/\d/g, (digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0)) },
    at: '/description',
  }),
  card('in the first of two members of one name', { body: rawMember(`"description":"${visa}","description":"x"`) }),
  card('as the whole body', { body: `"${visa}"`, at: '' }),
  card('in an array as the body', { body: `["${visa}"]`, at: '/0' }),
  ...spellings.flatMap((spelling) =>
    ['Idempotency-Key', 'Prefer', 'X-Request-Id'].map((header) =>
      card(`${spelling} in ${header}`, { headers: { [header]: spelling }, at: header }, spelling),
    ),
  ),
  card('in quotes as the key', { headers: { 'Idempotency-Key': `"${visa}"` }, at: 'Idempotency-Key' }),
  card('amid the key', { headers: { 'Idempotency-Key': `order-${visa}` }, at: 'Idempotency-Key' }),
  ...[visa, grouped('%20'), grouped('-'), grouped('.'), `x-${visa}`, encodeURIComponent(visa).replace('4', '%34')].map(
    (spelling) => card(`${spelling} as an id`, { method: 'GET', path: `/api/v1/payments/${spelling}` }),
  ),
  card('in the query', { path: `/api/v1/payments?card=${visa}`, at: '?card' }),
  card('in the query of a read', { method: 'GET', path: `${somePayment}?card=${visa}`, at: '?card' }),
  ...['customer_id', 'external_id', 'status', 'amount_min', 'cursor', 'limit'].flatMap((parameter) =>
    [visa, grouped('%20'), grouped('+'), grouped('-')].map((spelling) =>
      card(`${spelling} in the parameter ${parameter}`, {
        method: 'GET',
        path: `/api/v1/payments?${parameter}=${spelling}`,
        at: `?${parameter}`,
      }),
    ),
  ),
  card('in the second of two parameters', {
    method: 'GET',
    path: `/api/v1/payments?customer_id=x&customer_id=${visa}`,
    at: '?customer_id',
  }),
  card('as a parameter’s name', { method: 'GET', path: `/api/v1/payments?${visa}=x` }),
  card('in an event’s object', { method: 'GET', path: `/api/v1/events?object_id=${visa}`, at: '?object_id' }),
  ...['description', 'customer_email', 'customer_name', 'amount'].map((field) =>
    card(`in a changed ${field}`, { ...changeOf({ [field]: visa }), at: `/${field}` }),
  ),
  card('in an endpoint’s address', {
    ...endpointOf({ url: `https://hooks.example.com/${visa}` }),
    at: '/url',
  }),
  card('in changed metadata', { ...changeOf({ metadata: { pan: visa } }), at: '/metadata/pan' }),
  card('as the id of what is changed', { ...changeOf({}), path: `/api/v1/payments/${visa}` }),
];

const secrets = [...new Set(cardNumbers.map((one) => one.secret ?? visa))];

/** By name, so that the cases can stand in a table before the keys exist. */
const keys = new Map<string, string>();
const denied = (
  name: string,
  authorization: () => string | readonly string[] | null,
  status = 401,
  code = status === 401 ? 'unauthorized' : 'forbidden',
): Case => ({
  name: `Authorization: ${name}`,
  get headers() {
    return { authorization: authorization() };
  },
  status,
  code,
});
const keyNamed = (name: string) => keys.get(name) ?? '';
const bearer = (name: string) => () => `Bearer ${keyNamed(name)}`;

const callers: Case[] = [
  denied('none', () => null),
  denied('empty', () => ''),
  denied('the scheme alone', () => 'Bearer'),
  denied('the key alone', () => keyNamed('good')),
  denied('another scheme', () => `Basic ${Buffer.from(`${keyNamed('good')}:`).toString('base64')}`),
  denied('garbage', () => 'Bearer garbage'),
  denied('two keys in one', () => `Bearer ${keyNamed('good')} ${keyNamed('good')}`),
  denied('an unknown key', bearer('unknown')),
  denied('a wrong secret', bearer('wrong secret')),
  denied('a wrong checksum', () => `Bearer ${keyNamed('good').slice(0, -1)}!`),
  denied('a changed checksum', () => `Bearer ${keyNamed('good').replace(/.$/, (last) => (last === '0' ? '1' : '0'))}`),
  denied('upper case', () => `Bearer ${keyNamed('good').toUpperCase()}`),
  denied('the key of one mode renamed to the other', bearer('renamed to live')),
  denied('a revoked key', bearer('revoked'), 401, 'api_key_revoked'),
  denied('an expired key', bearer('expired'), 401, 'api_key_expired'),
  denied('a key of a suspended merchant', bearer('suspended'), 403, 'merchant_suspended'),
  denied("an operator's key", bearer('operator'), 403),
  denied('two, the good one first', () => [`Bearer ${keyNamed('good')}`, 'Bearer other']),
  denied('two, the good one last', () => ['Bearer other', `Bearer ${keyNamed('good')}`]),
  denied('ten thousand characters', () => `Bearer ${'x'.repeat(10_000)}`),
  denied('a key that may only read', bearer('may read'), 403),
  {
    ...denied('a key that may only write, for a read', bearer('may write'), 403),
    method: 'GET',
    path: somePayment,
    headers: {
      get authorization() {
        return `Bearer ${keyNamed('may write')}`;
      },
    },
  },
  { ...denied('none, for a list', () => null), method: 'GET', headers: { authorization: null } },
  {
    ...denied('a key that may only read, for a change', bearer('may read'), 403),
    ...changeOf({ description: 'x' }),
    headers: {
      get authorization() {
        return `Bearer ${keyNamed('may read')}`;
      },
    },
  },
  {
    ...denied('a key that may only read payments, for events', bearer('may read'), 403),
    method: 'GET',
    path: '/api/v1/events',
    headers: {
      get authorization() {
        return `Bearer ${keyNamed('may read')}`;
      },
    },
  },
  { ...denied('none, with a body that cannot be read', () => null), headers: { authorization: null }, body: '{' },
];

const corpus = [
  ...amounts,
  ...currencies,
  ...texts,
  ...choices,
  ...metadata,
  ...shapes,
  ...bodies,
  ...mediaTypes,
  ...encodings,
  ...headers,
  ...addresses,
  ...lists,
  ...badChanges,
  ...endpoints,
  ...cardNumbers,
  ...callers,
];

let world: World;
/** Asked first and read last: the API's patience is most of this file's time. */
let stalled: Promise<RawAnswer>;
beforeAll(async () => {
  world = await startWorld();
  const start = headOf({ name: '' }, 1_000);
  stalled = exchange(Buffer.from(`${start}{"amount":`));
  stalled.catch(() => undefined); // read by its test
  await makeKeys();
});
afterAll(() => world?.close());

describe('bad input', () => {
  test('is tried in at least 200 ways, each named once', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(200);
    expect(new Set(corpus.map((one) => one.name)).size).toBe(corpus.length);
  });

  test.each(corpus)('is refused: $name', async (one) => {
    const answer = await exchange(bytesOf(one));
    const { status = 422, code = 'validation_failed', at } = one;
    const problem = expectProblem(answer);
    expect({ status: answer.status, code: problem.code }).toEqual({ status, code });
    if (at !== undefined) expect(placesIn(problem)).toContain(/^(?:[/?]|$)/.test(at) ? at : at.toLowerCase());
    if (status === 405) expect(answer.headers.get('allow')).toMatch(/^(GET|POST|PUT)(, (GET|POST|PUT))*$/);
    if (status === 401) expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    for (const secret of secrets) expect(answer.raw).not.toContain(secret);
  });

  test('is refused: a chunked body that stops, when the client ends it', async () => {
    const head = headOf({ name: '', headers: { 'transfer-encoding': 'chunked', 'content-length': null } }, 0);
    const answer = await exchange(Buffer.from(`${head}ff\r\n{"amount":`), { ends: true });
    expect(expectProblem(answer).status).toBe(400);
  });

  test('is refused: a body that stops, when the client waits', async () => {
    const answer = await stalled;
    expect({ status: answer.status, code: expectProblem(answer).code }).toEqual({
      status: 408,
      code: 'request_timeout',
    });
  }, 60_000);

  test('leaves nothing behind: no row, no movement, no workflow, no card number', async () => {
    const tables = await tableNames();
    for (const table of [
      'payments',
      'attempts',
      'events',
      'payment_audit_trail',
      'alerts',
      'webhook_endpoints',
      'deliveries',
    ]) {
      expect(tables).toContain(table);
      expect([table, await countOf(`SELECT count(*) FROM ${table}`)]).toEqual([table, 0]);
    }
    expect(await world.bank.movements()).toEqual([]);
    // A good payment comes after them: once the list shows it, it would show an earlier one too.
    const good = await postPayment(world.apiUrl, aPayment(), { apiKey: world.merchant.testKey });
    expect(await workflowsOnce(good.payment.id)).toEqual([good.payment.id]);

    const logs = world.logs();
    expect(logs).toContain(good.headers.get('x-request-id')); // they are the right logs
    for (const secret of secrets) {
      expect(logs).not.toContain(secret);
      for (const table of tables) {
        const found = await countOf(`SELECT count(*) FROM "${table}" AS r WHERE r::text LIKE $1`, [`%${secret}%`]);
        expect([table, found]).toEqual([table, 0]);
      }
    }
  });
});

describe('unusual but good input', () => {
  test('a quoted key is the same as the bare one', async () => {
    const key = randomUUID();
    const options = { apiKey: world.merchant.testKey };
    const bare = await postPayment(world.apiUrl, aPayment(), { ...options, key });
    const quoted = await postPayment(world.apiUrl, aPayment(), { ...options, key: `"${key}"` });
    expect(quoted.payment.id).toBe(bare.payment.id);
    expect(quoted.headers.get('idempotent-replayed')).toBe('true');
  });

  test('names of object members and all of Unicode come back as they were sent', async () => {
    const sent = {
      metadata: { constructor: 'x', toString: 'y', hasOwnProperty: 'z', 'a/b~c': "'; DROP TABLE payments; --" },
      customer_name: 'Łukasz 山田 🙂 عمر',
      description: 'x'.repeat(500),
    };
    const answer = await postPayment(world.apiUrl, aPayment(sent), { apiKey: world.merchant.testKey });
    expect(answer.payment).toMatchObject(sent);
    expect((await getPayment(world.apiUrl, answer.payment.id, world.merchant.testKey)).payment).toMatchObject(sent);
  });

  test('the longest key is taken', async () => {
    const options = { apiKey: world.merchant.testKey, key: 'k'.repeat(255) };
    expect((await postPayment(world.apiUrl, aPayment(), options)).payment.status).toBe('captured');
  });

  test.each([
    ['the largest that the provider takes', '9999999999999999.99', 'captured'],
    ['2^63 - 1 minor units, which the provider refuses', '92233720368547758.07', 'failed'],
  ])('an amount keeps every digit: %s', async (_name, amount, status) => {
    const answer = await postPayment(world.apiUrl, aPayment({ amount }), { apiKey: world.merchant.testKey });
    expect(answer.payment).toMatchObject({ amount, status, captured_amount: status === 'captured' ? amount : '0.00' });
  });
});

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000_000);

test(`300 good bodies with one thing changed are taken or refused, never a 5xx (SEED=${seed})`, async () => {
  const counts = new Map<number, number>();
  const property = fc.asyncProperty(mutatedBody, async (body) => {
    const answer = await exchange(bytesOf({ name: '', headers: { prefer: 'respond-async' }, body }));
    counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1);
    if (answer.status === 202 || answer.status === 201) return;
    expect(expectProblem(answer).status).toBeLessThan(500);
  });
  await fc.assert(property, { seed, numRuns: 300, endOnFailure: true });
  expect(counts.get(422) ?? 0).toBeGreaterThan(50);
  expect((counts.get(202) ?? 0) + (counts.get(201) ?? 0)).toBeGreaterThan(5);
});

const goodBody = aPayment({
  external_id: 'order-17',
  purpose: 'purchase',
  customer_id: 'cus_1',
  customer_email: 'ada@example.com',
  customer_name: 'Ada',
  description: 'A book',
  metadata: { color: 'blue' },
  is_test: true,
});

/** A body that is good but for one mutation: a member replaced, dropped, added or doubled, or its text cut or changed. */
const mutatedBody = fc.oneof(
  fc
    .tuple(fc.constantFrom(...Object.keys(goodBody)), fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' })))
    .map(([field, value]) => JSON.stringify(fresh({ [field]: value }))),
  fc.constantFrom(...Object.keys(goodBody)).map((field) => JSON.stringify(fresh({ [field]: undefined }))),
  fc.tuple(fc.string(), fc.jsonValue()).map(([name, value]) => JSON.stringify(fresh({ [name]: value }))),
  fc
    .dictionary(fc.string({ unit: 'binary' }), fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()))
    .map((members) => JSON.stringify(fresh({ metadata: members }))),
  fc.tuple(fc.nat(), fc.string({ unit: 'binary', maxLength: 3 })).map(([at, text]) => {
    const body = JSON.stringify(fresh({}));
    const place = at % body.length;
    return `${body.slice(0, place)}${text}${body.slice(place + 1)}`;
  }),
  fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 3 })).map(([at, bytes]) => {
    const body = Buffer.from(JSON.stringify(fresh({})));
    body.set(bytes, at % (body.length - bytes.length));
    return body;
  }),
);

function fresh(changes: Record<string, unknown>): Record<string, unknown> {
  return { ...goodBody, external_id: randomUUID(), ...changes };
}

/** Keys that must not work, each different from a good one in one thing. */
async function makeKeys(): Promise<void> {
  const idOf = (key: string) => key.split('_')[2] ?? '';
  const good = world.merchant.testKey;
  const secret = good.slice(-38, -6);
  keys.set('good', good);
  keys.set('unknown', forgedKey('test', '0'.repeat(16), secret));
  keys.set('wrong secret', forgedKey('test', idOf(good), '0'.repeat(32)));
  keys.set('renamed to live', forgedKey('live', idOf(good), secret));
  keys.set('operator', forgedKey('operator', idOf(good), secret));
  await world.admin.query(
    `INSERT INTO operator_keys (id, key_id, key_secret_hash, name) SELECT 'opk', key_id, key_secret_hash, 'operator'
     FROM api_keys WHERE key_id = $1`,
    [idOf(good)],
  );
  const changes = {
    revoked: `UPDATE api_keys SET status = 'revoked' WHERE merchant_id = $1`,
    expired: `UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE merchant_id = $1`,
    suspended: `UPDATE merchants SET status = 'suspended' WHERE id = $1`,
    'may read': `UPDATE api_keys SET permissions = '{payments:read}' WHERE merchant_id = $1`,
    'may write': `UPDATE api_keys SET permissions = '{payments:write}' WHERE merchant_id = $1`,
  };
  for (const [name, change] of Object.entries(changes)) {
    const merchant = await world.createMerchant();
    await world.admin.query(change, [merchant.id]);
    keys.set(name, merchant.testKey);
  }
}

function bytesOf(one: Case): Buffer {
  const { method = 'POST' } = one;
  const given = one.body === undefined ? (method === 'GET' ? null : JSON.stringify(aPayment(one.change))) : one.body;
  const body = Buffer.from(given ?? '');
  return Buffer.concat([Buffer.from(headOf(one, given === null ? null : body.length), 'latin1'), body]);
}

/** The request line and the headers, written by hand: most clients refuse to send what is tried here. */
function headOf(one: Case, contentLength: number | null): string {
  const { method = 'POST', path = '/api/v1/payments' } = one;
  const own = Object.entries(one.headers ?? {});
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  const good: [string, string][] = [
    ['host', 'api.test'],
    ['connection', 'close'],
    ['authorization', `Bearer ${world.merchant.testKey}`],
    ['content-type', 'application/json'],
    ['idempotency-key', randomUUID()],
    ...(contentLength === null ? [] : [['content-length', String(contentLength)] satisfies [string, string]]),
  ];
  const all = [...good.filter(([name]) => !names.has(name)), ...own];
  const lines = all.flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((text) => `${name}: ${text}`),
  );
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly raw: string;
}

/** Sends bytes and reads until the API closes the connection. `ends`: says that no more will come. */
async function exchange(bytes: Buffer, options: { readonly ends?: boolean } = {}): Promise<RawAnswer> {
  const { hostname, port } = new URL(world.apiUrl);
  const raw = await new Promise<string>((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    socket.setTimeout(50_000, () => socket.destroy(new Error('no answer for 50 seconds')));
    socket.on('data', (chunk) => chunks.push(chunk));
    // An early refusal may reset the rest of a long body: what was read counts.
    socket.on('error', (error) => (chunks.length === 0 ? reject(error) : resolve(Buffer.concat(chunks).toString())));
    socket.on('end', () => {
      socket.end();
      resolve(Buffer.concat(chunks).toString());
    });
    if (options.ends === true) socket.end(bytes);
    else socket.write(bytes);
  });
  const split = raw.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = raw.slice(0, split).split('\r\n');
  const pairs = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: new Headers(pairs as [string, string][]),
    text: raw.slice(split + 4),
    raw,
  };
}

/** Whatever was wrong, the answer is a problem as RFC 9457 has it. */
function expectProblem(answer: RawAnswer): Problem {
  expect(answer.raw).not.toBe('');
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
  const problem = JSON.parse(answer.text) as Problem;
  expect(problem).toMatchObject({
    type: `urn:payment-orchestrator:problem:${problem.code}`,
    title: expect.stringMatching(/./),
    status: answer.status,
    detail: expect.stringMatching(/./),
    code: expect.stringMatching(/^[a-z_]+$/),
    request_id: expect.stringMatching(/./),
  });
  return problem;
}

function placesIn(problem: Problem): (string | undefined)[] {
  return (problem.errors ?? []).map(({ pointer, header, parameter }) =>
    parameter === undefined ? (pointer ?? header?.toLowerCase()) : `?${parameter}`,
  );
}

async function tableNames(): Promise<string[]> {
  const sql = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`;
  return (await world.admin.query<{ table_name: string }>(sql)).rows.map((row) => row.table_name);
}

async function countOf(sql: string, values: unknown[] = []): Promise<number> {
  return Number((await world.admin.query<{ count: string }>(sql, values)).rows[0]?.count);
}

/** The ids of all payment workflows, as soon as this one is among them. */
async function workflowsOnce(id: string): Promise<string[]> {
  return until('the list of workflows shows the payment', async () => {
    const ids: string[] = [];
    for await (const found of world.temporal.workflow.list({ query: `WorkflowType = 'paymentWorkflow'` }))
      ids.push(found.workflowId);
    return ids.includes(id) ? ids : null;
  });
}
