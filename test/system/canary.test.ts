import { randomBytes } from 'node:crypto';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAccessTokens } from '../../runtime/access-token.ts';
import { createWorkerMetrics } from '../../runtime/metrics.ts';
import { type Canaries, createCanaries } from '../canary/canaries.ts';
import { adoptSecrets, type Driven, drive, isProbe } from '../canary/drive.ts';
import { found, searchHistories, searchLogs, searchTables } from '../canary/places.ts';
import { startTalkingProvider, type TalkingProvider } from '../canary/talking-provider.ts';
import { type Operation, readOperations } from '../fuzz/document.ts';
import { callApi } from '../support/api-call.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { sessionFor } from '../support/session.ts';
import { until } from '../support/until.ts';
import { freePorts, startWorld, type TestMerchant, type World } from '../support/world.ts';

const canaries: Canaries = createCanaries();
const tokenKey = randomBytes(32);

let world: World;
let provider: TalkingProvider;
let receiver: Receiver;
let workerMetricsUrl: string;
let operations: readonly Operation[];
let stranger: TestMerchant;
let driven: Driven;
/** The access token of the merchant's owner, in live mode. */
let owner: string;

beforeAll(async () => {
  provider = await startTalkingProvider();
  receiver = await startReceiver((response) =>
    response.writeHead(500).end(canaries.make('provider', 'webhook receiver')),
  );
  const [port = 0] = await freePorts(1);
  workerMetricsUrl = `http://127.0.0.1:${port}/metrics`;
  const env = {
    EASYPAY_URL: provider.url,
    METRICS_PORT: String(port),
    TOKEN_SIGNING_KEYS: `test:${tokenKey.toString('base64')}`,
  };
  world = await startWorld({ env });
  provider.passTo(world.easypayUrl);
  stranger = await world.createMerchant();
  operations = await readOperations(world.apiUrl);
  const authorizations = await authorizationsOf(world);
  for (const secret of [world.easypayWebhookSecret, tokenKey.toString('base64')])
    canaries.adopt(secret, 'secret', 'settings');
  for (const { authorization } of authorizations) canaries.adopt(authorization.replace('Bearer ', ''), 'secret', 'key');
  await pay();
  await live();
  driven = await drive(world.apiUrl, operations, authorizations, canaries);
  await settle();
});
afterAll(async () => {
  provider?.close();
  await receiver?.close();
  await world?.close();
});

/** Keys and users, each of which may do all that its kind may. */
async function authorizationsOf({ db, merchant, operatorKey }: World) {
  const tokens = createAccessTokens(new Map([['test', tokenKey]]), 'payment-orchestrator');
  const person = (from: string) => ({
    email: `${canaries.make('person', from)}@canary.example`,
    name: canaries.make('person', from),
  });
  const ownerSession = await sessionFor(db, tokens, { merchantId: merchant.id, role: 'owner', ...person('owner') });
  const { userId } = ownerSession;
  const inLiveMode = await sessionFor(db, tokens, { merchantId: merchant.id, role: 'owner', isTest: false, userId });
  owner = inLiveMode.token;
  const operator = await sessionFor(db, tokens, { merchantId: null, role: 'operator', ...person('operator') });
  return [
    { kind: 'merchant', authorization: `Bearer ${merchant.testKey}` },
    { kind: 'merchant', authorization: `Bearer ${ownerSession.token}` },
    { kind: 'live', authorization: `Bearer ${owner}` },
    { kind: 'operator', authorization: `Bearer ${operatorKey}` },
    { kind: 'operator', authorization: `Bearer ${operator.token}` },
  ] as const;
}

/** Payments whose way leads through everything: providers that say too much, webhooks, mails, captures and refunds. */
async function pay(): Promise<void> {
  const { apiUrl, merchant } = world;
  const of = (kind: Parameters<Canaries['make']>[0], name: string) => canaries.make(kind, `the payment’s ${name}`);
  const post = (path: string, body: unknown) =>
    callApi<{ data: { id: string } }>(apiUrl, merchant.testKey, { method: 'POST', path, body });
  await post('/api/v1/webhooks', {
    url: `${receiver.url}/${of('words', 'webhook')}?${of('words', 'webhook')}`,
    description: of('words', 'webhook'),
  });
  const payment = (changes: Record<string, unknown> = {}) =>
    postPayment(
      apiUrl,
      aPayment({
        external_id: of('id', 'external_id'),
        customer_id: of('id', 'customer_id'),
        customer_email: `${of('person', 'customer_email')}@canary.example`,
        customer_name: `${of('person', 'customer_name')} Müller`,
        description: of('words', 'description'),
        metadata: { [of('words', 'metadata')]: of('words', 'metadata') },
        return_url: `https://shop.example.com/${of('words', 'return_url')}`,
        ...changes,
      }),
      { apiKey: merchant.testKey, key: of('key', 'idempotency key'), headers: { prefer: 'wait=20' } },
    );
  const said = () => `${canaries.make('provider', 'provider')}@canary.example`;
  const quoting = (text: string) =>
    text.replaceAll(/"(response_message|message)":"[^"]*"/g, (_all, name: string) => `"${name}":"${said()}"`);

  const approved = (await payment({ capture: 'manual' })).payment;
  await post(`/api/v1/payments/${approved.id}/capture`, { amount: '20.00' });
  await post(`/api/v1/payments/${approved.id}/refund`, { amount: '5.00', reason: of('words', 'reason') });
  await post(`/api/v1/payments/${approved.id}/cancel`, { reason: of('decision', 'reason') });
  provider.say(({ status: code, text }) => ({ status: code, text: quoting(text) }));
  await payment({ card_token: 'tok_visa_declined_0002' });
  await payment({ card_token: `tok_visa_${of('card', 'card_token')}` });
  for (const [code, text] of [
    [500, JSON.stringify({ error: { code: said(), message: said() } })],
    [400, JSON.stringify({ error: { code: said(), message: said() } })],
    [201, `${said()} {`],
    [429, said()],
  ] as const) {
    let isSaid = false;
    provider.say((answer) => {
      if (isSaid) return answer;
      isSaid = true;
      return { status: code, text };
    });
    await payment();
  }
  provider.say((answer) => answer);
}

/** Somebody is invited, logs in, sets up an authenticator, mistypes, changes the password, and leaves. */
async function live(): Promise<void> {
  const { apiUrl, merchant } = world;
  const of = (kind: Parameters<Canaries['make']>[0], name: string) => canaries.make(kind, `the user’s ${name}`);
  const call = async (key: string | null, method: string, path: string, body: unknown) => {
    const answer = await callApi<{ data?: Record<string, string> }>(apiUrl, key, {
      method,
      path: `/api/v1/${path}`,
      body,
    });
    adoptSecrets(answer.body.data ?? {}, path, canaries);
    return { status: answer.status, data: answer.body.data ?? {} };
  };
  const email = `${of('person', 'email')}@canary.example`;
  const passwords = [of('secret', 'password'), of('secret', 'next password')];
  const invited = await call(owner, 'POST', 'users', { email, name: of('person', 'name'), role: 'developer' });
  const accepted = {
    invitation_token: invited.data['invitation_token'],
    password: passwords[0],
    name: of('person', 'name'),
  };
  expect(await call(null, 'POST', 'auth/invitations/accept', accepted)).toMatchObject({ status: 200 });
  const login = { grant: 'password', merchant_id: merchant.id, email, mode: 'test' };
  for (const wrong of [of('secret', 'wrong password'), of('secret', 'wrong password')])
    expect(await call(null, 'POST', 'auth/tokens', { ...login, password: wrong })).toMatchObject({ status: 401 });
  const { data: tokens } = await call(null, 'POST', 'auth/tokens', { ...login, password: passwords[0] });
  const { data: next } = await call(null, 'POST', 'auth/tokens/refresh', { refresh_token: tokens['refresh_token'] });
  const token = next['access_token'] ?? '';
  expect((await call(token, 'POST', 'auth/tokens/validate', { token })).status).toBe(200);
  expect((await call(token, 'POST', 'auth/totp', { password: passwords[0] })).status).toBe(200);
  expect((await call(token, 'POST', 'auth/totp/confirm', { code: '000000' })).status).toBe(422);
  const changed = { current_password: passwords[0], new_password: passwords[1] };
  expect((await call(token, 'PUT', 'auth/password', changed)).status).toBe(200);
  expect((await call(token, 'POST', 'auth/tokens/revoke', { token: next['refresh_token'] })).status).toBe(200);
}

/** Nothing is under way any more that could still write something. */
async function settle(): Promise<void> {
  await until('every payment has come to rest', async () => {
    const { rowCount } = await world.admin.query("SELECT 1 FROM payments WHERE status IN ('pending') LIMIT 1");
    return rowCount === 0;
  });
  await until('the webhook was tried', () => receiver.received.length > 0);
  const { request_id: last } = (
    await callApi<{ request_id: string }>(world.apiUrl, stranger.testKey, { path: '/api/v1/balance' })
  ).body;
  await until('the last call is written down', async () => {
    const { rowCount } = await world.admin.query('SELECT 1 FROM audit_logs WHERE correlation_id = $1', [last]);
    return rowCount === 1;
  });
}

/** Everything that another merchant may ask for, with what it is told. */
async function strangersAnswers(): Promise<{ place: string; text: string }[]> {
  const all: { place: string; text: string }[] = [];
  const ids = new Map(driven.ids);
  for (const { id, method, path } of operations.filter((one) => one.method === 'GET' && one.caller !== 'operator')) {
    for (const key of [stranger.testKey, stranger.liveKey, world.merchant.liveKey]) {
      if (id === 'getOwnMerchant' && key === world.merchant.liveKey) continue; // one for both modes
      const target = path.replaceAll(
        /\{(\w+)\}/g,
        (_all, _name, at: number) => ids.get(path.slice(0, at - 1)) ?? 'pay_0',
      );
      const response = await fetch(`${world.apiUrl}${target}`, {
        method,
        redirect: 'manual',
        headers: { authorization: `Bearer ${key}` },
      });
      all.push({ place: `${id} as another: ${response.status}`, text: await response.text() });
    }
  }
  return all;
}

/** What is served only in a state that a drive does not bring about; `live` brings about those of users. */
const mayBeRefused: ReadonlySet<string> = new Set(
  `capturePayment cancelPayment refundPayment getRefund returnPayer resolvePayment resolveRefund closeDiscrepancy
   receiveProviderEvent updateBatch pauseBatch resumeBatch cancelBatch getInvoice getInvoicePage retrySubscription createTokens refreshTokens acceptInvitation beginTotp confirmTotp changePassword`.split(
    /\s+/,
  ),
);

test('canaries were sent to every operation, and taken wherever that can be', () => {
  const wanted = operations.filter((one) => !isProbe(one)).map(({ id }) => id);
  expect([...driven.sent].toSorted()).toEqual(wanted.toSorted());
  expect(wanted.filter((id) => !driven.served.has(id) && !mayBeRefused.has(id))).toEqual([]);
  expect(canaries.count).toBeGreaterThan(1_000);
  expect(provider.changed).toBeGreaterThan(5);
  expect(driven.statuses.get(500)).toBeUndefined();
});

describe('no canary is found', () => {
  test('in what any process printed', () => {
    expect(world.api.output().match(/"msg":"served"/g)?.length).toBeGreaterThan(300);
    expect(searchLogs(world, canaries)).toEqual([]);
  });

  test('in a table but where it is at home', async () => {
    expect(await searchTables(world, canaries)).toEqual([]);
  });

  test('in a history or in the list of workflows, as Temporal keeps them', async () => {
    const { count, found: all } = await searchHistories(world, canaries);
    expect(count).toBeGreaterThan(5);
    expect(all).toEqual([]);
  });

  test('on a page of metrics', async () => {
    const headers = { authorization: `Bearer ${world.operatorKey}` };
    const pages = [await fetch(`${world.apiUrl}/metrics`, { headers }), await fetch(workerMetricsUrl)];
    for (const page of pages) {
      const text = await page.text();
      expect(text).toContain('payments_');
      expect(found(canaries, text, page.url)).toEqual([]);
    }
  });

  test('in what another merchant, or the same one in the other mode, is told', async () => {
    const answers = await strangersAnswers();
    expect(answers.length).toBeGreaterThan(30);
    expect(answers.flatMap(({ place, text }) => found(canaries, text, place))).toEqual([]);
  });
});

describe('a canary is found', () => {
  const planted = () => canaries.make('secret', 'planted');

  test('where a process prints it', async () => {
    await world.admin.query(`DO $$ BEGIN RAISE WARNING '%', '${planted()}'; END $$`);
    await until('it is found', () => searchLogs(world, canaries).some(({ from }) => from === 'planted'));
  });

  test('in a table where it is not at home', async () => {
    await world.admin.query(
      `INSERT INTO audit_logs (id, correlation_id, service_name, action, request_data, created_at)
       VALUES ('log_planted', 'planted', 'test', 'test', $1, now())`,
      [{ status: [`of ${planted()}`] }],
    );
    expect(await searchTables(world, canaries)).toEqual([
      { kind: 'secret', from: 'planted', place: 'audit_logs.request_data' },
    ]);
  });

  test('in a history that is not encrypted, and in the name of a workflow', async () => {
    const plain = new Client({ connection: world.temporal.connection });
    const start = (workflowId: string, word: string) =>
      plain.workflow.start('planted', { taskQueue: 'nobody listens', workflowId, args: [{ word }] });
    await start('planted', planted());
    await start(planted(), '');
    const { found: all } = await searchHistories(world, canaries);
    const places = new Set(all.map(({ place }) => place.replace(/cnry\w+/, 'its name')));
    expect([...places].toSorted()).toEqual([
      'history of its name',
      'history of planted',
      'list of workflows: its name',
    ]);
  });

  test('on a page of metrics, as a label', async () => {
    const metrics = createWorkerMetrics({ totalCount: 0, idleCount: 0, waitingCount: 0 });
    metrics.alertOpened({ kind: planted() });
    expect(found(canaries, await metrics.text(), 'metrics')).toEqual([
      { kind: 'secret', from: 'planted', place: 'metrics' },
    ]);
  });

  test('in an answer', async () => {
    const body = { name: planted() };
    await callApi(world.apiUrl, stranger.testKey, { method: 'POST', path: '/api/v1/customers', body });
    const all = (await strangersAnswers()).flatMap(({ place, text }) => found(canaries, text, place));
    expect(new Set(all)).toEqual(
      new Set([{ kind: 'secret', from: 'planted', place: 'listCustomers as another: 200' }]),
    );
  });
});
