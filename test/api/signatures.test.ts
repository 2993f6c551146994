import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../prisma/database.ts';
import { signRequest } from '../../runtime/request-signature.ts';
import { createSecretBox } from '../../runtime/secret-box.ts';
import { aPayment } from '../support/api-client.ts';
import { startApi } from '../support/api-server.ts';
import { apiUnderTest } from '../support/api-under-test.ts';
import { sessionFor, testAccessTokens } from '../support/session.ts';
import { giveSigningSecret } from '../support/signing.ts';

const secretBox = createSecretBox(new Map([['test', randomBytes(32)]]));
const accessTokens = testAccessTokens();

const { database, api } = apiUnderTest({ secretBox, accessTokens });
let apiKey: string;
let secret: string;
let other: { apiKey: string; secret: string };
beforeAll(async () => {
  apiKey = await api.keyFor(`mer_${randomUUID()}`);
  secret = await giveSigningSecret(database, secretBox, apiKey);
  const otherKey = await api.keyFor(`mer_${randomUUID()}`);
  other = { apiKey: otherKey, secret: await giveSigningSecret(database, secretBox, otherKey) };
});

/** A request as it goes out; a header with several values goes out several times. */
interface Wire {
  readonly method: string;
  readonly target: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

/** What is signed, unless told otherwise: a request that would make a webhook endpoint. */
interface Signing {
  readonly method: string;
  readonly target: string;
  readonly body: string;
  readonly secret: string;
  readonly timestamp: string;
  readonly nonce: string;
  readonly idempotencyKey: string;
}

const endpoints = '/api/v1/webhooks';
const payments = '/api/v1/payments?limit=2&currency=USD';
const secondsNow = () => Math.floor(Date.now() / 1_000);
const nonceOf = () => randomBytes(16).toString('hex');

function signing(changes: Partial<Signing> = {}): Signing {
  const body = JSON.stringify({ url: 'https://shop.example.com/hooks', description: 'Ä "b"' });
  const usual = { method: 'POST', target: endpoints, body, secret, idempotencyKey: '' };
  return { ...usual, timestamp: String(secondsNow()), nonce: nonceOf(), ...changes };
}

function read(changes: Partial<Signing> = {}): Signing {
  return signing({ method: 'GET', target: payments, body: '', ...changes });
}

/** The request of which `signed` is said, with what is sent otherwise than it was signed. */
function wireOf(signed: Signing, sent: Partial<Wire> = {}): Wire {
  const { method, target, body, timestamp, nonce, idempotencyKey } = signed;
  const signature = signRequest(signed.secret, { ...signed, body: Buffer.from(body) });
  const headers = {
    authorization: `Bearer ${apiKey}`,
    ...(body !== '' && { 'content-type': 'application/json' }),
    ...(idempotencyKey !== '' && { 'idempotency-key': idempotencyKey }),
    'x-signature-timestamp': timestamp,
    'x-signature-nonce': nonce,
    'x-signature': signature,
  };
  return { method, target, body, ...sent, headers: { ...headers, ...sent.headers } };
}

function without(wire: Wire, ...names: string[]): Wire {
  return {
    ...wire,
    headers: Object.fromEntries(Object.entries(wire.headers).filter(([name]) => !names.includes(name))),
  };
}

const asForm = (wire: Wire, change: (signature: string) => string | readonly string[]): Wire => ({
  ...wire,
  headers: { ...wire.headers, 'x-signature': change(String(wire.headers['x-signature'])) },
});

function send({ method, target, body, headers }: Wire, url = api.url) {
  return new Promise<{ status: number; code: string | undefined }>((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const values = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat()]));
    const sent = httpRequest({ hostname, port, method, path: target, headers: values }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const { code } = JSON.parse(Buffer.concat(chunks).toString()) as { code?: string };
        resolve({ status: response.statusCode ?? 0, code });
      });
    });
    sent.once('error', reject).end(body);
  });
}

const stored = async () => {
  const count = async (table: string) => (await database.admin.query(`SELECT 1 FROM ${table}`)).rowCount;
  return { endpoints: await count('webhook_endpoints'), nonces: await count('request_nonces') };
};

const refused = { status: 401, code: 'signature_refused' };
const stale = { status: 401, code: 'signature_stale' };
const json = { 'content-type': 'application/json' };
const changed = (body: string) => body.replace('shop', 'sh0p');

/** What whoever saw requests, or knows another key's secret, might send. */
const forgeries: readonly (readonly [name: string, answer: typeof refused, forge: () => Wire])[] = [
  ['made with another key’s secret', refused, () => wireOf(signing({ secret: other.secret }))],
  ['made with the API key itself', refused, () => wireOf(signing({ secret: apiKey }))],
  ['made with an empty secret', refused, () => wireOf(signing({ secret: '' }))],
  ['over another body', refused, () => wireOf(signing(), { body: changed(signing().body) })],
  ['over the body with one more space', refused, () => wireOf(signing(), { body: `${signing().body} ` })],
  [
    'over the same JSON, written differently',
    refused,
    () => wireOf(signing(), { body: JSON.stringify(JSON.parse(signing().body), null, 1) }),
  ],
  ['over JSON with other escapes', refused, () => wireOf(signing(), { body: signing().body.replace('Ä', '\\u00c4') })],
  ['over no body', refused, () => wireOf(signing({ body: '' }), { ...signing(), headers: json })],
  ['of another method', refused, () => wireOf(signing({ method: 'GET' }), { method: 'POST' })],
  ['of the method in small letters', refused, () => wireOf(signing({ method: 'post' }), { method: 'POST' })],
  ['of another path', refused, () => wireOf(signing({ target: '/api/v1/payments' }), { target: endpoints })],
  [
    'of the path with a slash behind',
    refused,
    () => wireOf(signing({ target: `${endpoints}/` }), { target: endpoints }),
  ],
  ['of the path without its slash behind', refused, () => wireOf(read(), { target: '/api/v1/payments/?limit=2' })],
  [
    'of the path in capitals',
    refused,
    () => wireOf(signing({ target: endpoints.toUpperCase() }), { target: endpoints }),
  ],
  ['of the query in another order', refused, () => wireOf(read(), { target: '/api/v1/payments?currency=USD&limit=2' })],
  ['of another query', refused, () => wireOf(read(), { target: payments.replace('2', '3') })],
  ['of a query that was taken away', refused, () => wireOf(read(), { target: '/api/v1/payments' })],
  [
    'of no query, with an empty one',
    refused,
    () => wireOf(read({ target: '/api/v1/payments' }), { target: '/api/v1/payments?' }),
  ],
  ['of the query in percents', refused, () => wireOf(read(), { target: payments.replace('USD', '%55SD') })],
  [
    'of the path in percents',
    refused,
    () => wireOf(read({ target: '/api/v1/payments/pay_0' }), { target: '/api/v1/payments/pay%5F0' }),
  ],
  [
    'of percents in small letters',
    refused,
    () =>
      wireOf(read({ target: '/api/v1/payments?external_id=%C3%A4' }), {
        target: '/api/v1/payments?external_id=%c3%a4',
      }),
  ],
  ['over no Idempotency-Key, with one', refused, () => keyed('', 'order-17')],
  ['over an Idempotency-Key that was taken away', refused, () => keyed('order-17', [])],
  ['over an Idempotency-Key that was emptied', refused, () => keyed('order-17', '')],
  ['over another Idempotency-Key', refused, () => keyed('order-17', 'order-18')],
  ['over the Idempotency-Key in capitals', refused, () => keyed('order-17', 'ORDER-17')],
  ['over the Idempotency-Key, sent in quotes', refused, () => keyed('order-17', '"order-17"')],
  ['over the Idempotency-Key in quotes, sent without', refused, () => keyed('"order-17"', 'order-17')],
  ['over the Idempotency-Key with a space in it', refused, () => keyed('order-17', 'order- 17')],
  ['over the Idempotency-Key with two spaces for one', refused, () => keyed('order 17', 'order  17')],
  ['over the Idempotency-Key with spaces around, which HTTP takes off', refused, () => keyed(' order-17 ', 'order-17')],
  ['over the Idempotency-Key, sent twice', refused, () => keyed('order-17', ['order-17', 'order-17'])],
  ['over the Idempotency-Key, sent beside another', refused, () => keyed('order-17', ['order-18', 'order-17'])],
  ['over the Idempotency-Key, sent before another', refused, () => keyed('order-17', ['order-17', 'order-18'])],
  ['over an Idempotency-Key that was cut in two', refused, () => keyed('order-17, order-18', ['order-17', 'order-18'])],
  ['over an Idempotency-Key, sent as part of the path', refused, () => keyedAsPath()],
  ['of the path, sent as a whole URL', refused, () => wireOf(read(), { target: `${api.url}${payments}` })],
  ['of a whole URL', refused, () => wireOf(read({ target: `${api.url}${payments}` }))],
  [
    'of a whole URL, sent as a path',
    refused,
    () => wireOf(read({ target: `${api.url}${payments}` }), { target: payments }),
  ],
  ['in capitals', refused, () => asForm(wireOf(signing()), (value) => value.toUpperCase())],
  [
    'with hexadecimal digits in capitals',
    refused,
    () => asForm(wireOf(signing()), (value) => `v1=${value.slice(3).toUpperCase()}`),
  ],
  ['of another version', refused, () => asForm(wireOf(signing()), (value) => value.replace('v1', 'v2'))],
  ['without a version', refused, () => asForm(wireOf(signing()), (value) => value.slice(3))],
  ['cut short', refused, () => asForm(wireOf(signing()), (value) => value.slice(0, -1))],
  ['with a digit more', refused, () => asForm(wireOf(signing()), (value) => `${value}0`)],
  [
    'with its last digit changed',
    refused,
    () => asForm(wireOf(signing()), (value) => value.slice(0, -1) + (value.endsWith('0') ? '1' : '0')),
  ],
  ['of nothing but zeros', refused, () => asForm(wireOf(signing()), () => `v1=${'0'.repeat(64)}`)],
  [
    'in base64',
    refused,
    () => asForm(wireOf(signing()), (value) => `v1=${Buffer.from(value.slice(3), 'hex').toString('base64')}`),
  ],
  ['that is empty', refused, () => asForm(wireOf(signing()), () => '')],
  ['that stands there twice', refused, () => asForm(wireOf(signing()), (value) => [value, value])],
  ['beside a wrong one', refused, () => asForm(wireOf(signing()), (value) => [`v1=${'0'.repeat(64)}`, value])],
  [
    'beside a wrong one, in one header',
    refused,
    () => asForm(wireOf(signing()), (value) => `v1=${'0'.repeat(64)}, ${value}`),
  ],
  ['without a timestamp', refused, () => without(wireOf(signing()), 'x-signature-timestamp')],
  ['without a nonce', refused, () => without(wireOf(signing()), 'x-signature-nonce')],
  ['that is missing beside its timestamp and nonce', refused, () => without(wireOf(signing()), 'x-signature')],
  [
    'with two timestamps',
    refused,
    () => wireOf(signing(), { headers: { 'x-signature-timestamp': [String(secondsNow()), String(secondsNow())] } }),
  ],
  [
    'with another timestamp than was signed',
    refused,
    () => wireOf(signing(), { headers: { 'x-signature-timestamp': String(secondsNow() - 1) } }),
  ],
  [
    'with another nonce than was signed',
    refused,
    () => wireOf(signing(), { headers: { 'x-signature-nonce': nonceOf() } }),
  ],
  ['of 305 seconds ago', stale, () => wireOf(signing({ timestamp: String(secondsNow() - 305) }))],
  ['of 301 seconds ago', stale, () => wireOf(signing({ timestamp: String(secondsNow() - 301) }))],
  ['of 330 seconds ahead', stale, () => wireOf(signing({ timestamp: String(secondsNow() + 330) }))],
  ['of the year 30 million', stale, () => wireOf(signing({ timestamp: '999999999999999' }))],
  ['with a time that is in milliseconds', stale, () => wireOf(signing({ timestamp: String(Date.now()) }))],
  ['with a time that is no number', refused, () => wireOf(signing({ timestamp: 'now' }))],
  ['with a time in parts of seconds', refused, () => wireOf(signing({ timestamp: `${secondsNow()}.5` }))],
  ['with a negative time', refused, () => wireOf(signing({ timestamp: `-${secondsNow()}` }))],
  ['with a time as a power', refused, () => wireOf(signing({ timestamp: '1e12' }))],
  ['with a time in hexadecimal', refused, () => wireOf(signing({ timestamp: `0x${secondsNow().toString(16)}` }))],
  ['with zeros before its time', refused, () => wireOf(signing({ timestamp: `0${secondsNow()}` }))],
  ['with a time of a thousand digits', refused, () => wireOf(signing({ timestamp: '9'.repeat(1_000) }))],
  ['with an empty time', refused, () => wireOf(signing({ timestamp: '' }))],
  ['with a nonce that is too short', refused, () => wireOf(signing({ nonce: 'a'.repeat(15) }))],
  ['with a nonce that is too long', refused, () => wireOf(signing({ nonce: 'a'.repeat(65) }))],
  ['with an empty nonce', refused, () => wireOf(signing({ nonce: '' }))],
  ['with other characters in its nonce', refused, () => wireOf(signing({ nonce: `${nonceOf()}+/` }))],
  ['with lines that are shifted', refused, () => shifted()],
];

/** What was signed reads as another nonce and method, should the parts not be kept apart. */
function shifted(): Wire {
  const signed = signing({ nonce: `${'a'.repeat(20)}\nPOST`, method: endpoints, target: '' });
  return wireOf(signed, {
    method: 'POST',
    target: endpoints,
    headers: { ...json, 'x-signature-nonce': 'a'.repeat(20) },
  });
}

/** A request that was signed with one Idempotency-Key, and is sent with another, or with several. */
function keyed(signedKey: string, sentKey: string | readonly string[]): Wire {
  return wireOf(signing({ idempotencyKey: signedKey }), { headers: { 'idempotency-key': sentKey } });
}

/** What was signed reads as another path and key, should the parts not be kept apart. */
function keyedAsPath(): Wire {
  const signed = signing({ target: `${endpoints}\norder-17`, idempotencyKey: '' });
  return wireOf(signed, { target: endpoints, headers: { 'idempotency-key': 'order-17' } });
}

describe('a signature', () => {
  test('that is right is taken, for a body as for a query', async () => {
    expect((await send(wireOf(signing()))).status).toBe(201);
    expect((await send(wireOf(read()))).status).toBe(200);
    expect((await send(wireOf(signing({ timestamp: String(secondsNow() - 290) })))).status).toBe(201);
    expect((await send(wireOf(signing({ timestamp: String(secondsNow() + 295) })))).status).toBe(201);
    expect((await send(wireOf(signing({ nonce: '-_AZaz09'.repeat(8) })))).status).toBe(201);
    expect((await send(wireOf(signing({ idempotencyKey: 'order-17' })))).status).toBe(201);
    expect((await send(wireOf(signing({ idempotencyKey: '"two words, quoted"' })))).status).toBe(201);
    expect((await send(keyed('order-19', ' \torder-19 '))).status, 'white space around is HTTP’s').toBe(201);
  });

  test.each(forgeries)('%s is refused, and nothing is stored', async (_name, answer, forge) => {
    const before = await stored();
    expect(await send(forge())).toEqual(answer);
    expect(await stored()).toEqual(before);
  });

  test('is over the very string that the documentation shows', () => {
    const page = readFileSync(new URL('../../docs/request-signing.md', import.meta.url), 'utf8');
    const [, text = '', secretShown = '', body = '', expected] =
      /```\n(v1\n\d[^`]+)\n```\n+with the secret `(.+)` and the body `(.+)`, gives\s+`(v1=.+)`/.exec(page) ?? [];
    const [, timestamp = '', nonce = '', method = '', target = '', idempotencyKey = '', bodyHash] = text.split('\n');
    expect([idempotencyKey, bodyHash]).toEqual(['order-17', createHash('sha256').update(body).digest('hex')]);
    expect(expected).toBe(`v1=${createHmac('sha256', secretShown).update(text).digest('hex')}`);
    const shown = { timestamp, nonce, method, target, idempotencyKey, body: Buffer.from(body) };
    expect(signRequest(secretShown, shown)).toBe(expected);
  });
});

describe('a signed request', () => {
  test('counts once, of twenty at the same time too', async () => {
    const before = await stored();
    const wire = wireOf(signing());
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(wire)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ code }) => code === 'nonce_reused')).toHaveLength(19);
    expect(await stored()).toEqual({ endpoints: (before.endpoints ?? 0) + 1, nonces: (before.nonces ?? 0) + 1 });
    expect(await send(wire)).toEqual({ status: 401, code: 'nonce_reused' });
  });

  test('may not take a nonce that its key used for another request', async () => {
    const nonce = nonceOf();
    expect((await send(wireOf(read({ nonce })))).status).toBe(200);
    expect(await send(wireOf(signing({ nonce })))).toEqual({ status: 401, code: 'nonce_reused' });
  });

  test('may have the nonce of another key, which spends its own alone', async () => {
    const nonce = nonceOf();
    expect((await send(wireOf(read({ nonce })))).status).toBe(200);
    const authorization = `Bearer ${other.apiKey}`;
    expect((await send(wireOf(read({ nonce, secret: other.secret }), { headers: { authorization } }))).status).toBe(
      200,
    );
  });

  test('spends no nonce when it is refused', async () => {
    const nonce = nonceOf();
    expect(await send(wireOf(signing({ nonce, secret: other.secret })))).toEqual(refused);
    expect(await send(wireOf(signing({ nonce, timestamp: String(secondsNow() - 400) })))).toEqual(stale);
    expect((await send(wireOf(signing({ nonce })))).status).toBe(201);
  });

  test('leaves a hash of its nonce, which ends after it can no longer be right', async () => {
    const nonce = nonceOf();
    await send(wireOf(read({ nonce })));
    const { rows } = await database.admin.query<{ nonce_hash: string; seconds: number }>(
      'SELECT nonce_hash, extract(epoch FROM expires_at - now())::float AS seconds FROM request_nonces ORDER BY expires_at',
    );
    expect(JSON.stringify(rows)).not.toContain(nonce);
    expect(rows.at(-1)?.seconds).toBeGreaterThan(600);
    expect(rows.at(-1)?.seconds).toBeLessThanOrEqual(660);
  });
});

describe('a key', () => {
  const unsigned = (key: string, headers: Wire['headers'] = {}): Wire =>
    without(
      wireOf(read(), { headers: { authorization: `Bearer ${key}`, ...headers } }),
      'x-signature',
      'x-signature-nonce',
      'x-signature-timestamp',
    );

  test('that requires signatures takes nothing without one', async () => {
    expect(await send(unsigned(apiKey))).toEqual({ status: 401, code: 'signature_required' });
    const before = await stored();
    const post = without(wireOf(signing()), 'x-signature', 'x-signature-nonce', 'x-signature-timestamp');
    expect(await send(post)).toEqual({ status: 401, code: 'signature_required' });
    expect(await stored()).toEqual(before);
  });

  test('that does not require signatures passes none over', async () => {
    const key = await api.keyFor(`mer_${randomUUID()}`);
    const itsSecret = await giveSigningSecret(database, secretBox, key, { requiresSignature: false });
    const headers = { authorization: `Bearer ${key}` };
    expect((await send(unsigned(key))).status).toBe(200);
    expect((await send(wireOf(read({ secret: itsSecret }), { headers }))).status).toBe(200);
    expect(await send(wireOf(read(), { headers }))).toEqual(refused);
    for (const name of ['x-signature', 'x-signature-nonce', 'x-signature-timestamp'])
      expect(await send({ ...unsigned(key), headers: { ...headers, [name]: '' } })).toEqual(refused);
  });

  test('without a signing secret takes no signature, and neither does a user or an operator', async () => {
    const key = await api.keyFor(`mer_${randomUUID()}`);
    expect(await send(wireOf(read(), { headers: { authorization: `Bearer ${key}` } }))).toEqual(refused);
    const user = await sessionFor(database.db, accessTokens, { merchantId: `mer_${randomUUID()}`, role: 'owner' });
    expect(await send(wireOf(read(), { headers: { authorization: `Bearer ${user.token}` } }))).toEqual(refused);
    const operator = await api.operatorKey();
    const logs = read({ target: '/api/v1/audit-logs' });
    expect(await send(wireOf(logs, { headers: { authorization: `Bearer ${operator}` } }))).toEqual(refused);
  });

  test('rules the sessions that it opened', async () => {
    const key = await api.keyFor(`mer_${randomUUID()}`);
    const itsSecret = await giveSigningSecret(database, secretBox, key);
    const token = await tokenOfKey(key);
    expect(await send(unsigned(token))).toEqual({ status: 401, code: 'signature_required' });
    const headers = { authorization: `Bearer ${token}` };
    expect((await send(wireOf(read({ secret: itsSecret }), { headers }))).status).toBe(200);
    expect(await send(wireOf(read(), { headers }))).toEqual(refused);
  });
});

/** An access token of a session that this key opened, as if before it required signatures. */
async function tokenOfKey(key: string): Promise<string> {
  const apiKeyId = key.split('_')[2] ?? '';
  const { merchantId } = await database.db.prisma.apiKey.findUniqueOrThrow({ where: { keyId: apiKeyId } });
  const sessionId = `ses_${randomBytes(13).toString('hex')}`;
  const now = new Date();
  const expiresAt = new Date(now.getTime() + 3_600_000);
  await database.db.prisma.authSession.create({
    data: { id: sessionId, apiKeyId, merchantId, isTest: true, expiresAt },
  });
  return (await accessTokens.issue({ subject: `key_${apiKeyId}`, sessionId }, now)).text;
}

test('while no nonce can be remembered nothing signed is served, and a payment is told so in its own word', async () => {
  const { pool } = database.db;
  const lost = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const query = (statement: { name: string; text: string; values: unknown[] }) =>
    statement.name === 'remember_nonce' ? Promise.reject(lost) : pool.query(statement);
  const db: Database = { ...database.db, pool: Object.create(pool, { query: { value: query } }) };
  const away = await startApi(database, {}, { secretBox, accessTokens, db });
  const key = await away.keyFor(`mer_${randomUUID()}`);
  const its = { secret: await giveSigningSecret(database, secretBox, key) };
  const headers = { authorization: `Bearer ${key}` };
  const before = await stored();
  const ask = (signed: Signing) => send(wireOf(signed, { headers }), away.url);
  expect(await ask(read(its))).toEqual({ status: 503, code: 'unavailable' });
  expect(await ask(signing(its))).toEqual({ status: 503, code: 'unavailable' });
  const payment = signing({ ...its, target: '/api/v1/payments', body: JSON.stringify(aPayment()) });
  expect(await ask(payment)).toEqual({ status: 503, code: 'not_accepted' });
  expect(await ask(read())).toEqual(refused);
  away.close();
  expect(await stored()).toEqual(before);
});
