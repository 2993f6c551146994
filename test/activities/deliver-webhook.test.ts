import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, describe, expect, test } from 'vitest';
import { createWebhookSender, type WebhookSender } from '../../activities/notifications/webhook.ts';
import { verifyWebhook } from '../../examples/verify-webhook.mjs';
import { createAddressGuard } from '../../runtime/address-guard.ts';
import { type Answering, type Receiver, startReceiver, status } from '../support/receiver.ts';
import { until } from '../support/until.ts';

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const event = {
  id: 'evt_1',
  type: 'payment.captured',
  sequence: 2,
  object_id: 'pay_1',
  created_at: '2026-11-21T12:00:00.000Z',
  data: { amount: '25.99', currency: 'USD', note: 'Tee für zwei' },
};
const sender = createWebhookSender(createAddressGuard({ allowsPrivate: true }), 'payment-orchestrator/test');
const receivers: Receiver[] = [];
afterAll(async () => {
  await sender.close();
  for (const receiver of receivers) await receiver.close();
});

async function aReceiver(answering?: Answering): Promise<Receiver> {
  const receiver = await startReceiver(answering);
  receivers.push(receiver);
  return receiver;
}

const send = (url: string, timeoutMs = 5_000, by: WebhookSender = sender) =>
  by.send({ url, secret, event, correlationId: 'req_1' }, timeoutMs);

describe('a webhook', () => {
  test('is the event, signed so that a library and the shipped snippet accept it', async () => {
    const receiver = await aReceiver();
    expect(await send(`${receiver.url}?shop=7`)).toEqual({ kind: 'delivered', statusCode: 200 });
    const [one] = receiver.received;
    if (one === undefined) throw new Error('nothing arrived');
    expect(one).toMatchObject({ method: 'POST', path: '/hook?shop=7' });
    expect(one.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'payment-orchestrator/test',
      'webhook-id': 'evt_1',
      'x-correlation-id': 'req_1',
    });
    expect(verifyWebhook(one.body, one.headers, secret)).toEqual(event);
    expect(new Webhook(secret).verify(one.body, one.headers as Record<string, string>)).toEqual(event);
  });

  test.each([200, 201, 202, 204, 299])('answered %i is delivered', async (code) => {
    const receiver = await aReceiver(status(code));
    expect(await send(receiver.url)).toEqual({ kind: 'delivered', statusCode: code });
  });

  test.each([400, 401, 404, 429, 500, 503])('answered %i is worth another try', async (code) => {
    const receiver = await aReceiver(status(code));
    const problem = `the endpoint answered ${code}`;
    expect(await send(receiver.url)).toEqual({ kind: 'again', problem, statusCode: code, retryAfterMs: null });
  });

  test('answered 410 is wanted no more', async () => {
    const receiver = await aReceiver(status(410));
    expect(await send(receiver.url)).toEqual({ kind: 'gone', statusCode: 410 });
  });

  test.each([301, 302, 303, 307, 308])('follows no redirect (%i)', async (code) => {
    const inside = await aReceiver();
    const receiver = await aReceiver(status(code, { location: inside.url }));
    expect(await send(receiver.url)).toMatchObject({ kind: 'again', statusCode: code });
    expect(inside.received).toEqual([]);
  });

  test('learns how long the receiver wants to be left alone', async () => {
    const inSeconds = await aReceiver(status(429, { 'retry-after': '120' }));
    expect(await send(inSeconds.url)).toMatchObject({ retryAfterMs: 120_000 });
    const date = await aReceiver(status(503, { 'retry-after': new Date(Date.now() + 90_000).toUTCString() }));
    const told = await send(date.url);
    const retryAfterMs = 'retryAfterMs' in told ? told.retryAfterMs : null;
    expect(retryAfterMs).toBeGreaterThan(60_000);
    expect(retryAfterMs).toBeLessThanOrEqual(90_000);
    const nonsense = await aReceiver(status(503, { 'retry-after': 'soon' }));
    expect(await send(nonsense.url)).toMatchObject({ retryAfterMs: null });
  });

  test('waits no longer than it may for an answer', async () => {
    const receiver = await aReceiver(() => undefined);
    const startedAt = performance.now();
    expect(await send(receiver.url, 300)).toMatchObject({
      kind: 'again',
      problem: 'no answer in time',
      statusCode: null,
    });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  test('is delivered by its status, however long or endless the body behind it', async () => {
    const receiver = await aReceiver((response) => {
      response.writeHead(200);
      const pour = () => {
        if (!response.writable) return;
        if (response.write(Buffer.alloc(65_536))) setImmediate(pour);
        else response.once('drain', pour);
      };
      pour();
    });
    expect(await send(receiver.url)).toEqual({ kind: 'delivered', statusCode: 200 });
    await until('the connection was cut', () => receiver.open === 0);
    const silent = await aReceiver((response) => void response.writeHead(200).write('x'));
    expect(await send(silent.url)).toEqual({ kind: 'delivered', statusCode: 200 });
  });

  test('to a port where nobody listens, or to who hangs up, is worth another try', async () => {
    const gone = await startReceiver();
    await gone.close();
    expect(await send(gone.url)).toMatchObject({ kind: 'again', problem: 'no answer (ECONNREFUSED)' });
    const rude = await aReceiver((response) => void response.destroy());
    expect(await send(rude.url)).toMatchObject({ kind: 'again', statusCode: null });
  });

  test('that fails says nothing of its URL or its secret', async () => {
    const receiver = await aReceiver(status(500));
    const dead = 'http://127.0.0.1:1';
    for (const base of [receiver.url, `${dead}/hook`]) {
      const told = JSON.stringify(await send(`${base}?token=a-secret-of-the-merchant`));
      expect(told).not.toMatch(/a-secret|127\.0\.0\.1|whsec_/);
    }
  });
});

describe('the guard at the connection', () => {
  test('lets nothing reach a private address, literal or by name', async () => {
    const receiver = await aReceiver();
    const lookUp = async () => ['127.0.0.1'];
    const guarded = createWebhookSender(createAddressGuard({ allowsPrivate: false, lookUp }), 'test');
    const { port } = receiver;
    const literals = [`127.0.0.1:${port}`, `[::ffff:127.0.0.1]:${port}`, `0x7f.1:${port}`, `2130706433:${port}`];
    for (const host of [...literals, `shop.example.com:${port}`]) {
      const told = await send(`http://${host}/hook`, 5_000, guarded);
      expect(told).toMatchObject({ kind: 'again', problem: 'not sent: the host has an address that is not public' });
    }
    expect(receiver.received).toEqual([]);
    await guarded.close();
  });

  test('is asked once per connection, and what it answers is what is connected to', async () => {
    const receiver = await aReceiver();
    const asked: string[] = [];
    const addressOf = async (host: string) => {
      asked.push(host);
      return asked.length === 1 ? '127.0.0.1' : '127.0.0.2';
    };
    const guarded = createWebhookSender({ addressOf }, 'test');
    expect(await send(`http://shop.example.com:${receiver.port}/hook`, 5_000, guarded)).toMatchObject({
      kind: 'delivered',
    });
    expect(asked).toEqual(['shop.example.com']);
    expect(receiver.received[0]?.headers.host).toBe(`shop.example.com:${receiver.port}`);
    await guarded.close();
  });

  test('leaves TLS the name to ask for and to check', async () => {
    const hello = Promise.withResolvers<Buffer>();
    const server = createServer(
      (socket: Socket) =>
        void socket.once('data', (bytes) => {
          hello.resolve(bytes);
          socket.destroy();
        }),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    const guarded = createWebhookSender({ addressOf: async () => '127.0.0.1' }, 'test');
    await send(`https://shop.example.com:${address.port}/hook`, 5_000, guarded);
    expect((await hello.promise).includes('shop.example.com')).toBe(true);
    await guarded.close();
    server.close();
  });
});
