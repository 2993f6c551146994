import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyWebhook } from '../../examples/verify-webhook.mjs';
import { readAll } from '../support/api-call.ts';
import { aPayment, postPayment } from '../support/api-client.ts';
import { type Answering, type Receiver, startReceiver, status } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { startWorld, type TestMerchant, type World } from '../support/world.ts';

interface Mail {
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly message_id: string;
  readonly headers: Readonly<Record<string, string>>;
}

let world: World;
const receivers: Receiver[] = [];
/** A receiver of its own that fails twice: its third try comes while the other tests run. */
let flaky: { readonly receiver: Receiver; readonly merchant: TestMerchant };
beforeAll(async () => {
  world = await startWorld();
  const merchant = await world.createMerchant();
  const receiver = await aReceiver((response, _request, index) => response.writeHead(index < 2 ? 500 : 200).end());
  await subscribe(merchant, receiver, ['payment.captured']);
  expect((await pay(merchant)).status).toBe(201);
  flaky = { receiver, merchant };
});
afterAll(async () => {
  await world?.close();
  for (const receiver of receivers) await receiver.close();
});

async function aReceiver(answering?: Answering): Promise<Receiver> {
  const receiver = await startReceiver(answering);
  receivers.push(receiver);
  return receiver;
}

/** Makes an endpoint over the API; answers its secret. */
async function subscribe(merchant: TestMerchant, { url }: Receiver, types: readonly string[] = []): Promise<string> {
  const response = await fetch(`${world.apiUrl}/api/v1/webhooks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${merchant.testKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url, event_types: types }),
  });
  if (response.status !== 201) throw new Error(`no endpoint: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { data: { secret: string } }).data.secret;
}

function pay(merchant: TestMerchant, changes: Record<string, unknown> = {}, key: string = randomUUID()) {
  const headers = { prefer: 'wait=30', 'x-request-id': `req-of-${key}` };
  return postPayment(world.apiUrl, aPayment(changes), { apiKey: merchant.testKey, key, headers });
}

const idsAt = (receiver: Receiver) => receiver.received.map(({ headers }) => String(headers['webhook-id']));
const mailsTo = async (address: string) => (await world.outside<{ mails: Mail[] }>(`/mailbox?to=${address}`)).mails;

async function eventIdsOf({ id }: TestMerchant): Promise<string[]> {
  const { rows } = await world.admin.query<{ id: string }>('SELECT id FROM events WHERE merchant_id = $1', [id]);
  return rows.map((row) => row.id);
}

async function openDeliveriesOf({ id }: TestMerchant): Promise<{ state: string; tries: number }[]> {
  const sql = `SELECT state, tries FROM deliveries WHERE merchant_id = $1 AND state IN ('pending', 'retrying')`;
  return (await world.admin.query<{ state: string; tries: number }>(sql, [id])).rows;
}

describe('a payment', () => {
  test('tells its merchant each event, signed, and its payer that it succeeded', async () => {
    const merchant = await world.createMerchant();
    const receiver = await aReceiver();
    const secret = await subscribe(merchant, receiver);
    const person = { customer_email: 'ada@example.com', description: 'Tea for two' };
    const { payment } = await pay(merchant, person, 'first');
    expect(payment.status).toBe('captured');
    await until('two events are told', () => receiver.received.length === 2);
    const told = receiver.received.map(({ body, headers }) => {
      expect(headers['x-correlation-id']).toBe('req-of-first');
      return verifyWebhook(body, headers, secret);
    });
    expect(told.map(({ type }) => type).toSorted()).toEqual(['payment.captured', 'payment.pending']);
    expect(told.map((event) => event.object_id)).toEqual([payment.id, payment.id]);
    const listed = await readAll<{ id: string }>(world.apiUrl, merchant.testKey, '/api/v1/events');
    expect(told.toSorted((one, other) => one.sequence - other.sequence)).toEqual(listed);
    const captured = told.find(({ type }) => type === 'payment.captured')?.data;
    expect(captured).toMatchObject({ amount: '25.99', captured_amount: '25.99', currency: 'USD', failure: null });

    const [mail] = await until('the mail is there', async () => {
      const mails = await mailsTo('ada@example.com');
      return mails.length > 0 ? mails : null;
    });
    expect(mail).toMatchObject({ subject: 'Your payment of 25.99 USD to Test merchant', to: ['ada@example.com'] });
    expect(mail?.headers['x-correlation-id']).toBe('req-of-first');
    expect(mail?.text).toContain('Tea for two');
  });

  test('that fails tells its payer why, in words for payers', async () => {
    const merchant = await world.createMerchant();
    const email = 'declined@example.com';
    const { payment } = await pay(merchant, { customer_email: email, card_token: 'tok_visa_declined_0002' });
    expect(payment.status).toBe('failed');
    const mails = await until('the mail is there', async () => {
      const found = await mailsTo(email);
      return found.length > 0 ? found : null;
    });
    expect(mails[0]?.subject).toContain('did not go through');
    expect(mails[0]?.text).toContain('Please ask your bank');
  });

  test('writes to nobody when its merchant does not want it', async () => {
    const merchant = await world.createMerchant({ payer_emails: false });
    const { payment } = await pay(merchant, { customer_email: 'silent@example.com' });
    expect(payment.status).toBe('captured');
    const { rows } = await world.admin.query('SELECT id FROM deliveries WHERE object_id = $1', [payment.id]);
    expect(rows).toEqual([]);
  });
});

test('kills of API, worker and receiver lose no event and no mail, and change no id', async () => {
  const merchant = await world.createMerchant();
  const first = await aReceiver();
  const secret = await subscribe(merchant, first);
  /** Repeats the request until the payment is captured, whoever dies meanwhile. */
  const payThrough = (key: string) =>
    until(
      `${key} is captured`,
      () =>
        pay(merchant, { customer_email: `${key}@example.com` }, key).then(
          (answer) => answer.status === 201 && answer.payment.status === 'captured',
          () => false,
        ),
      { everyMs: 300 },
    );
  const keys = Array.from({ length: 20 }, (_, index) => `payer-${index}`);
  const paying = keys.map((key) => payThrough(key));
  await until('events arrive', () => first.received.length >= 5);
  await first.close();
  await until('tries fail', async () => (await openDeliveriesOf(merchant)).some(({ tries }) => tries > 0));
  await world.worker.kill();
  await world.api.kill();
  expect((await openDeliveriesOf(merchant)).length, 'in flight when they died').toBeGreaterThan(0);
  await Promise.all([world.worker.start(), world.api.start()]);
  const second = await startReceiver(status(200), first.port);
  receivers.push(second);
  await Promise.all(paying);
  await until('nothing is left to tell', async () => (await openDeliveriesOf(merchant)).length === 0);

  const events = await eventIdsOf(merchant);
  expect(events).toHaveLength(2 * keys.length);
  expect(new Set([...idsAt(first), ...idsAt(second)])).toEqual(new Set(events));
  const bodies = new Map<string, Set<string>>();
  for (const { headers, body } of [...first.received, ...second.received]) {
    expect(verifyWebhook(body, headers, secret).id).toBe(headers['webhook-id']);
    bodies.set(String(headers['webhook-id']), (bodies.get(String(headers['webhook-id'])) ?? new Set()).add(body));
  }
  expect(
    [...bodies.values()].map(({ size }) => size),
    'every try of an event says the same',
  ).toEqual(events.map(() => 1));

  const { rows } = await world.admin.query<{ id: string; customer_email: string }>(
    `SELECT d.id, p.customer_email FROM deliveries d JOIN payments p ON p.id = d.object_id
     WHERE d.merchant_id = $1 AND d.channel = 'email' AND d.state = 'delivered'`,
    [merchant.id],
  );
  expect(rows).toHaveLength(keys.length);
  for (const { id, customer_email: email } of rows) {
    expect(new Set((await mailsTo(email)).map(({ message_id }) => message_id))).toEqual(new Set([`<${id}@localhost>`]));
  }
});

test('a receiver that fails twice is told a third time, with the same id', async () => {
  const { receiver, merchant } = flaky;
  await until(
    'it took it',
    async () => receiver.received.length >= 3 && (await openDeliveriesOf(merchant)).length === 0,
  );
  expect(new Set(idsAt(receiver)).size).toBe(1);
  const sql = 'SELECT id, state, tries FROM deliveries WHERE merchant_id = $1';
  const { rows } = await world.admin.query<{ id: string }>(sql, [merchant.id]);
  expect(rows).toMatchObject([{ state: 'delivered', tries: receiver.received.length }]);
  expect(await world.temporal.workflow.getHandle(rows[0]?.id ?? '').result()).toEqual({ state: 'delivered' });
});

test('fifty hanging receivers slow no payment and no other receiver', async () => {
  const merchants = await Promise.all([world.createMerchant(), world.createMerchant(), world.createMerchant()]);
  const hanging: Receiver[] = [];
  for (const [index, merchant] of merchants.entries()) {
    for (let each = 0; each < (index === 2 ? 10 : 20); each++) {
      const receiver = await aReceiver(() => undefined);
      hanging.push(receiver);
      await subscribe(merchant, receiver);
    }
  }
  const healthy = await aReceiver();
  await subscribe(world.merchant, healthy);
  await Promise.all(merchants.map((merchant) => pay(merchant)));
  await until('all fifty hang', () => hanging.every(({ open }) => open > 0));

  const answers = await Promise.all(
    [...merchants, world.merchant].flatMap((one) => Array.from({ length: 10 }, () => pay(one))),
  );
  expect(answers.map((answer) => [answer.status, answer.payment.status])).toEqual(answers.map(() => [201, 'captured']));
  const events = await eventIdsOf(world.merchant);
  expect(events).toHaveLength(20);
  await until('the healthy one knows all of its events', () => new Set(idsAt(healthy)).size === events.length);
  expect(
    hanging.some(({ open }) => open > 0),
    'the others hang still',
  ).toBe(true);
  expect(Math.max(...hanging.map(({ openMax }) => openMax))).toBeLessThanOrEqual(8);
});

test('neither logs nor deliveries hold an address of a payer or a secret', async () => {
  const logs = world.logs();
  expect(logs).toContain('a receiver did not take an event');
  const { rows } = await world.admin.query('SELECT * FROM deliveries');
  for (const text of [logs, JSON.stringify(rows)]) expect(text).not.toMatch(/@example\.com|whsec_/);
});
