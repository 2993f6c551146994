import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aPayment, type Problem } from '../support/api-client.ts';
import { easypaySignature } from '../support/easypay-event.ts';
import { expectInvariants } from '../support/invariants.ts';
import { aCapturedPayment, anAuthorizedPayment, cancel, capture, refund } from '../support/movement-call.ts';
import { paymentOf } from '../support/payment-life.ts';
import { startWorld, type TestMerchant, type World } from '../support/world.ts';

/** Whose key a request has. `reader` may only read payments; `payments` may do everything with payments and no more. */
type Who = 'merchant' | 'live' | 'stranger' | 'operator' | 'reader' | 'payments' | 'nobody';

/** One bad request: what differs from a good one, and how it must be refused. */
interface Case {
  readonly name: string;
  readonly who?: Who;
  readonly method?: string;
  /** With the ids of `things` in braces. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, or what is sent in its place when it is text or bytes; null sends none. */
  readonly body?: unknown;
  readonly status?: number;
  readonly code?: string;
  /** The JSON pointer, the header, or the parameter behind a question mark that the answer must name. */
  readonly at?: string;
}

const routes = {
  capture: { path: '/payments/{reserved}/capture', body: {}, who: 'merchant' },
  cancel: { path: '/payments/{reserved}/cancel', body: {}, who: 'merchant' },
  refund: { path: '/payments/{captured}/refund', body: {}, who: 'merchant' },
  'resolve a payment': {
    path: '/payments/{captured}/resolve',
    body: { outcome: 'failed', evidence: 'line 17', reason: 'seen' },
    who: 'operator',
  },
  'resolve a refund': {
    path: '/refunds/{refund}/resolve',
    body: { outcome: 'failed', evidence: 'line 17', reason: 'seen' },
    who: 'operator',
  },
  'close a discrepancy': {
    path: `/discrepancies/dis_${'0'.repeat(26)}/close`,
    body: { reason: 'looked at' },
    who: 'operator',
  },
} as const satisfies Record<string, { path: string; body: object; who: Who }>;
type RouteName = keyof typeof routes;
const routeNames = Object.keys(routes) as RouteName[];

/** A request to a route that is good but for what is given. */
const to = (route: RouteName, name: string, rest: Partial<Case>): Case => ({
  name: `${route}: ${name}`,
  who: routes[route].who,
  path: routes[route].path,
  body: routes[route].body,
  ...rest,
});
const ofField = (route: RouteName, field: string, values: Readonly<Record<string, unknown>>): Case[] =>
  Object.entries(values).map(([name, value]) =>
    to(route, `${field}: ${name}`, { body: { ...routes[route].body, [field]: value }, at: `/${field}` }),
  );

const notText = { 'a number': 5, 'a boolean': true, null: null, 'an array': ['x'], 'an object': { x: 'y' } };
const words = {
  ...notText,
  empty: '',
  blank: ' \u00a0',
  'a NUL': 'a\u0000b',
  'a line end': 'a\nb',
  'too long': 'x'.repeat(501),
};
const wrongAmounts = {
  ...notText,
  'a JSON number': 10.5,
  empty: '',
  zero: '0',
  'zero with decimals': '0.00',
  negative: '-1',
  'a plus sign': '+1',
  'an exponent': '1e1',
  'too many decimals': '1.999',
  'a space in front': ' 1',
  'a line end behind': '1\n',
  'a dot alone': '1.',
  'a leading zero': '01',
  'a separator of thousands': '1,000',
  'hexadecimal digits': '0x10',
  'a full-width digit': '１',
  'not a number': 'NaN',
  infinity: 'Infinity',
  'a currency sign': '$1',
  '2^63 minor units': '92233720368547758.08',
  'sixty thousand digits': '9'.repeat(60_000),
};

const fields: Case[] = [
  ...ofField('capture', 'amount', wrongAmounts),
  ...ofField('refund', 'amount', wrongAmounts),
  ...ofField('refund', 'reason', words),
  ...ofField('refund', 'capture_id', {
    ...notText,
    empty: '',
    'no id at all': 'x',
    'of another kind': `ref_${'0'.repeat(26)}`,
    'of no capture of this payment': `cap_${'0'.repeat(26)}`,
  }),
  ...ofField('cancel', 'reason', words),
  ...(['resolve a payment', 'resolve a refund'] as const).flatMap((route) => [
    ...ofField(route, 'outcome', {
      ...notText,
      missing: undefined,
      empty: '',
      unknown: 'maybe',
      'upper case': 'FAILED',
    }),
    ...ofField(route, 'evidence', { ...words, missing: undefined }),
    ...ofField(route, 'reason', { ...words, missing: undefined }),
  ]),
  ...ofField('resolve a payment', 'outcome', { 'of a refund': 'refunded' }),
  ...ofField('resolve a refund', 'outcome', { 'of a payment': 'captured' }),
  ...ofField('close a discrepancy', 'reason', { ...words, missing: undefined }),
];

/** Of a network's public test numbers; no bank ever issued it. */
const card = '4242424242424242';
const tooLarge = JSON.stringify({ reason: 'x'.repeat(70_000) });

/** What is wrong on every route that reads JSON. */
const bodies: Case[] = routeNames.flatMap((route) => {
  const unreadable = (name: string, body: unknown) => to(route, name, { body, status: 400, code: 'invalid_json' });
  const refusedCard = (name: string, rest: Partial<Case>) => to(route, name, { code: 'card_number_refused', ...rest });
  const good = JSON.stringify(routes[route].body);
  const withMember = (member: string) => good.replace(/\}$/, `${good === '{}' ? '' : ','}${member}}`);
  return [
    unreadable('no body', null),
    unreadable('half an object', '{"reason":'),
    unreadable('two objects', `${good}${good}`),
    unreadable('a comma behind the last member', good.replace(/\}$/, ',}')),
    unreadable('a form', 'reason=x'),
    unreadable('invalid UTF-8', Buffer.from('{"reason":"caf\u00e9"}', 'latin1')),
    ...['null', '[]', '"x"', '5', 'true'].map((body) => to(route, `${body} as the body`, { body, at: '' })),
    to(route, 'an unknown field', { body: { ...routes[route].body, currency: 'USD' }, at: '/currency' }),
    to(route, 'what only we decide', { body: { ...routes[route].body, status: 'captured' }, at: '/status' }),
    to(route, '__proto__', { body: withMember('"__proto__":{"amount":"1.00"}'), at: '/__proto__' }),
    to(route, 'a member twice', { body: withMember('"twice":"a","twice":"b"'), at: '/twice' }),
    to(route, 'thirty levels', { body: withMember(`"a":${'{"a":'.repeat(30)}1${'}'.repeat(30)}`) }),
    to(route, 'a name with a surrogate alone', { body: withMember('"\\ud800":1'), at: '/\ufffd' }),
    to(route, '70 KB', { body: tooLarge, status: 413, code: 'body_too_large' }),
    to(route, 'another content type', {
      headers: { 'content-type': 'text/plain' },
      status: 415,
      code: 'unsupported_media_type',
    }),
    to(route, 'a parameter', { path: `${routes[route].path}?amount=1`, at: '?amount' }),
    refusedCard('a card number in a field', { body: { ...routes[route].body, reason: `card ${card}` }, at: '/reason' }),
    refusedCard('a card number as an unknown name', { body: { ...routes[route].body, [card]: 'x' }, at: '' }),
    refusedCard('a card number in the address', { path: routes[route].path.replace(/(\w+s)\/[^/]+/, `$1/${card}`) }),
    refusedCard('a card number in a parameter', { path: `${routes[route].path}?card=${card}`, at: '?card' }),
  ];
});

const withKeys: RouteName[] = ['capture', 'cancel', 'refund', 'resolve a payment', 'resolve a refund'];
const headers: Case[] = withKeys.flatMap((route) => {
  const wrong = (name: string, header: string, value: string) =>
    to(route, name, { headers: { [header]: value }, status: 400, code: 'invalid_header', at: header });
  return [
    wrong('an empty key', 'idempotency-key', '""'),
    wrong('a key of 256 characters', 'idempotency-key', 'k'.repeat(256)),
    wrong('a key with an accent', 'idempotency-key', 'caf\u00e9'),
    wrong('a wait of 61 seconds', 'prefer', 'wait=61'),
    wrong('a wait of minus one', 'prefer', 'wait=-1'),
    wrong('a wait of words', 'prefer', 'wait=long'),
    to(route, 'a card number as the key', {
      headers: { 'idempotency-key': card },
      code: 'card_number_refused',
      at: 'idempotency-key',
    }),
  ];
});

const created = (field: string, values: Readonly<Record<string, unknown>>, at = `/${field}`, who: Who = 'merchant') =>
  Object.entries(values).map(
    ([name, value]): Case => ({
      name: `create, ${field}: ${name}${who === 'live' ? ', in live mode' : ''}`,
      who,
      path: '/payments',
      body: aPayment({ [field]: value }),
      at,
    }),
  );
const schedules = { schedule: [60], attempts_max: 3 };
const payments: Case[] = [
  ...created('capture', { ...notText, empty: '', unknown: 'later', 'upper case': 'MANUAL' }),
  ...created('return_url', {
    ...notText,
    empty: '',
    'a path alone': '/thanks',
    'a script': 'javascript:alert(1)',
    'a file': 'file:///etc/passwd',
    'another protocol': 'ftp://shop.example/',
    'with a password': 'https://ada:secret@shop.example/',
    'a line end': 'https://shop.example/\r\nX: y',
    'too long': `https://shop.example/${'x'.repeat(2_000)}`,
  }),
  ...created('return_url', { 'without TLS': 'http://shop.example/' }, '/return_url', 'live'),
  ...created('retry', { ...notText, 'an array': [60] }).filter(({ name }) => !name.endsWith('an object')),
  ...created(
    'retry',
    {
      'without a schedule': {},
      'a schedule of null': { ...schedules, schedule: null },
      'an empty schedule': { ...schedules, schedule: [] },
    },
    '/retry/schedule',
  ),
  ...created(
    'retry',
    { 'too many delays': { ...schedules, schedule: Array.from({ length: 11 }, () => 60) } },
    '/retry/schedule',
  ),
  ...created(
    'retry',
    {
      'a delay of nothing': { ...schedules, schedule: [0] },
      'a negative delay': { ...schedules, schedule: [-1] },
      'half a second': { ...schedules, schedule: [0.5] },
      'a delay as text': { ...schedules, schedule: ['60'] },
      'a delay of years': { ...schedules, schedule: [2_592_001] },
    },
    '/retry/schedule/0',
  ),
  ...created(
    'retry',
    {
      'without a number of rounds': { schedule: [60] },
      'one round': { ...schedules, attempts_max: 1 },
      'eleven rounds': { ...schedules, attempts_max: 11 },
      'two and a half rounds': { ...schedules, attempts_max: 2.5 },
      'rounds as text': { ...schedules, attempts_max: '3' },
    },
    '/retry/attempts_max',
  ),
  ...created('retry', { 'an unknown member': { ...schedules, until: 'tomorrow' } }, '/retry/until'),
];

const missing = (name: string, rest: Partial<Case> & { readonly path: string }): Case => ({
  name: `not found: ${name}`,
  status: 404,
  code: 'not_found',
  ...rest,
});
const nowhere = `pay_${'0'.repeat(26)}`;
const reads = ['/payments/{captured}/refunds', '/payments/{reserved}/captures', '/refunds/{refund}'];
const addresses: Case[] = [
  ...['capture', 'cancel', 'refund'].flatMap((act) => [
    missing(`${act} of no payment`, { path: `/payments/${nowhere}/${act}`, body: {} }),
    missing(`${act} of what is no id`, { path: `/payments/x/${act}`, body: {} }),
    missing(`${act} of an id in upper case`, { path: `/payments/${nowhere.toUpperCase()}/${act}`, body: {} }),
    missing(`${act} of another merchant’s payment`, { path: `/payments/{captured}/${act}`, body: {}, who: 'stranger' }),
    missing(`${act} of a payment of the other mode`, { path: `/payments/{captured}/${act}`, body: {}, who: 'live' }),
  ]),
  ...(['resolve a payment', 'resolve a refund'] as const).map((route) =>
    missing(`${route} that is not there`, {
      who: 'operator',
      path: routes[route].path.replace(/\{\w+\}/, route === 'resolve a payment' ? nowhere : `ref_${'0'.repeat(26)}`),
      body: routes[route].body,
    }),
  ),
  missing('a discrepancy that is not there', {
    who: 'operator',
    path: routes['close a discrepancy'].path,
    body: routes['close a discrepancy'].body,
  }),
  ...reads.flatMap((path) => [
    missing(`${path} of another merchant`, { method: 'GET', path, who: 'stranger' }),
    missing(`${path} of the other mode`, { method: 'GET', path, who: 'live' }),
  ]),
  missing('a refund’s id that is none', { method: 'GET', path: '/refunds/x' }),
  missing('a payment’s id as a refund’s', { method: 'GET', path: '/refunds/{captured}' }),
  missing('the way back with a wrong token', {
    method: 'GET',
    path: `/payments/{captured}/return/${randomUUID()}`,
    who: 'nobody',
  }),
  missing('the way back with a short token', { method: 'GET', path: '/payments/{captured}/return/x', who: 'nobody' }),
  missing('the way back to no payment', { method: 'GET', path: `/payments/${nowhere}/return/x`, who: 'nobody' }),
  missing('events of an unknown provider', { path: '/webhooks/unknown/main', body: {}, who: 'nobody' }),
  missing('events of an unknown account', { path: '/webhooks/easypay/other', body: {}, who: 'nobody' }),
];

const wrongMethod = (method: string, path: string, who: Who = 'merchant'): Case => ({
  name: `${method} ${path}`,
  method,
  path,
  who,
  status: 405,
  code: 'method_not_allowed',
  ...(method === 'GET' || method === 'DELETE' ? {} : { body: {} }),
});
const methods: Case[] = [
  ...['GET', 'PUT', 'PATCH', 'DELETE'].flatMap((method) =>
    routeNames.map((route) => wrongMethod(method, routes[route].path, routes[route].who)),
  ),
  ...['POST', 'PUT', 'DELETE'].flatMap((method) =>
    ['/balance', '/ledger', ...reads].map((path) => wrongMethod(method, path)),
  ),
  wrongMethod('POST', '/discrepancies', 'operator'),
  wrongMethod('POST', '/payments/{captured}/return/x', 'nobody'),
  wrongMethod('GET', '/webhooks/easypay/main', 'nobody'),
];

const query = (path: string, values: Readonly<Record<string, string>>, who: Who = 'merchant'): Case[] =>
  Object.entries(values).map(([name, value]) => ({
    name: `${path}: ${name}`,
    method: 'GET',
    path: `${path}?${value}`,
    who,
    at: `?${value.split('=')[0]}`,
  }));
const pages = {
  'a limit of 0': 'limit=0',
  'a limit of 101': 'limit=101',
  'no limit': 'limit=',
  'a cursor that is none': 'cursor=x',
};
const lists: Case[] = [
  ...query('/balance', { 'an unknown parameter': 'currency=USD' }),
  ...query('/ledger', {
    ...pages,
    'an unknown parameter': 'status=open',
    'an unknown currency': 'currency=XYZ',
    'a currency in lower case': 'currency=usd',
    'a currency twice': 'currency=USD&currency=EUR',
    'an empty account': 'account=',
    'a payment’s id that is too long': `payment_id=${'x'.repeat(101)}`,
  }),
  ...query(
    '/discrepancies',
    { ...pages, 'an unknown status': 'status=x', 'an unknown parameter': 'merchant_id=x' },
    'operator',
  ),
  ...reads.flatMap((path) => query(path, { 'an unknown parameter': 'limit=1' })),
];

const denied = (who: Who, path: string, rest: Partial<Case> = {}): Case => ({
  name: `the key of ${who}: ${rest.method ?? 'POST'} ${path}`,
  who,
  path,
  ...(rest.method === 'GET' ? {} : { body: {} }),
  ...(who === 'nobody' ? { status: 401, code: 'unauthorized' } : { status: 403, code: 'forbidden' }),
  ...rest,
});
const get = { method: 'GET' };
const keys: Case[] = [
  ...routeNames.map((route) => denied('nobody', routes[route].path)),
  ...['/balance', '/ledger', '/discrepancies', ...reads].map((path) => denied('nobody', path, get)),
  ...routeNames
    .filter((route) => routes[route].who === 'operator')
    .map((route) => denied('merchant', routes[route].path)),
  denied('merchant', '/discrepancies', get),
  ...['capture', 'cancel', 'refund'].map((act) => denied('operator', `/payments/{captured}/${act}`)),
  ...['/balance', '/ledger', ...reads].map((path) => denied('operator', path, get)),
  ...['capture', 'cancel', 'refund'].map((act) => denied('reader', `/payments/{captured}/${act}`)),
  ...['/balance', '/ledger', '/payments/{captured}/refunds', '/refunds/{refund}'].map((path) =>
    denied('payments', path, get),
  ),
  denied('payments', '/payments/{captured}/refund'),
  { ...denied('nobody', routes.capture.path), name: 'nobody, with a body that cannot be read', body: '{' },
];

/** An event that EasyPay has signed, and that says nothing. */
const signed = (name: string, body: string): Case => ({
  name: `a signed event: ${name}`,
  who: 'nobody',
  path: '/webhooks/easypay/main',
  body,
  headers: { 'easypay-signature': '' }, // of the very body, once the secret is known
});
const events: Case[] = [
  ...['', '{', 'null', '[]', '5', '{"id":5}', '{"id":"epe_1"}', '{"id":"epe_1","type":"x y","data":{}}'].map((body) =>
    signed(`that is ${body === '' ? 'empty' : body}`, body),
  ),
  {
    name: 'an event without a signature',
    who: 'nobody',
    path: '/webhooks/easypay/main',
    body: {},
    status: 401,
    code: 'event_refused',
  },
  {
    name: 'an event of 300 KB',
    who: 'nobody',
    path: '/webhooks/easypay/main',
    body: 'x'.repeat(300_000),
    status: 413,
    code: 'body_too_large',
  },
];

const corpus = [...fields, ...bodies, ...headers, ...payments, ...addresses, ...methods, ...lists, ...keys, ...events];

let world: World;
/** The ids that paths name. */
const things = new Map<string, string>();
const keyOf = new Map<Who, string>();
let before: string;
beforeAll(async () => {
  world = await startWorld();
  const stranger = await world.createMerchant();
  keyOf.set('merchant', world.merchant.testKey).set('live', world.merchant.liveKey).set('stranger', stranger.testKey);
  keyOf.set('operator', world.operatorKey);
  keyOf.set('reader', await keyThatMay(await world.createMerchant(), ['payments:read']));
  keyOf.set('payments', await keyThatMay(await world.createMerchant(), ['payments:read', 'payments:write']));
  things.set('reserved', (await anAuthorizedPayment(world)).id);
  things.set('captured', (await aCapturedPayment(world)).id);
  things.set('refund', (await refund(world, things.get('captured') ?? '', '1.00')).data.id);
  before = await everything();
});
afterAll(() => world?.close());

async function keyThatMay({ id, testKey }: TestMerchant, permissions: readonly string[]): Promise<string> {
  await world.admin.query('UPDATE api_keys SET permissions = $2 WHERE merchant_id = $1', [id, permissions]);
  return testKey;
}

const tables =
  'payments attempts movements events ledger_entries payment_audit_trail alerts webhooks discrepancies deliveries'.split(
    ' ',
  );

/** All that a request could leave behind. */
async function everything(): Promise<string> {
  const rows = tables.map(async (table) => {
    const found = await world.admin.query<{ row: string }>(`SELECT r::text AS row FROM ${table} AS r ORDER BY 1`);
    return [table, found.rows.map(({ row }) => row)];
  });
  return JSON.stringify([await Promise.all(rows), await world.bank.movements()], null, 1);
}

async function send(one: Case): Promise<{ readonly status: number; readonly text: string; readonly headers: Headers }> {
  const { method = 'POST', who = 'merchant', body } = one;
  const path = one.path.replaceAll(/\{(\w+)\}/g, (_braces, name: string) => things.get(name) ?? name);
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const given = { ...one.headers };
  if (given['easypay-signature'] === '') {
    given['easypay-signature'] = easypaySignature(
      world.easypayWebhookSecret,
      String(text),
      Math.floor(Date.now() / 1_000),
    );
  }
  const response = await fetch(`${world.apiUrl}/api/v1${path}`, {
    method,
    headers: {
      ...(who === 'nobody' ? {} : { authorization: `Bearer ${keyOf.get(who)}` }),
      'content-type': 'application/json',
      ...given,
    },
    ...(body === undefined || body === null ? {} : { body: text }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe('bad input to what happens after the charge', () => {
  test('is tried in hundreds of ways, each named once', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(300);
    const names = corpus.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test.each(corpus)('is refused: $name', async (one) => {
    const { status = 422, code = 'validation_failed', at } = one;
    const answer = await send(one);
    const problem = JSON.parse(answer.text) as Problem;
    expect({ status: answer.status, code: problem.code }).toEqual({ status, code });
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json\b/);
    expect(problem).toMatchObject({
      type: `urn:payment-orchestrator:problem:${code}`,
      title: expect.stringMatching(/./),
      detail: expect.stringMatching(/./),
      status,
      request_id: expect.stringMatching(/./),
    });
    const places = (problem.errors ?? []).map(({ pointer, header, parameter }) =>
      parameter === undefined ? (pointer ?? header?.toLowerCase()) : `?${parameter}`,
    );
    if (at !== undefined) expect(places).toContain(at);
    if (status === 405) expect(answer.headers.get('allow')).toMatch(/^(GET|POST)(, (GET|POST))*$/);
    if (status === 401 && code === 'unauthorized') expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.text).not.toContain(card);
  });

  test('leaves nothing behind, and no card number in a log', async () => {
    expect(await everything()).toBe(before);
    const logs = world.logs();
    expect(logs).toContain(things.get('captured'));
    expect(logs).not.toContain(card);
  });
});

test('after all that the payments are as good as before', async () => {
  const [reserved = '', captured = ''] = [things.get('reserved'), things.get('captured')];
  expect((await capture(world, reserved, '10.00')).data.captured_amount).toBe('10.00');
  expect((await cancel(world, reserved)).data.voided_amount).toBe('15.99');
  expect((await refund(world, captured)).data.amount).toBe('24.99');
  expect((await paymentOf(world, captured)).status).toBe('refunded');
  await expectInvariants(world);
});
