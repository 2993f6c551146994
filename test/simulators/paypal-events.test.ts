import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { rawEventIn, Transmissions } from '../../simulators/paypal/transmissions.ts';
import type { World } from './harness.ts';
import { control, send, startWorld, until } from './harness.ts';
import type { Client } from './paypal.ts';
import { authorized, captureOf, logIn, paid, refundOf, verify, voidOf } from './paypal.ts';

/** Simulators whose PayPal tells the inbox of another world, at `/paypal`. */
async function tellingWorld(dataDir?: string) {
  const receiver = await startWorld();
  const world = await startWorld(dataDir, { paypalWebhookUrl: `${receiver.inbox}/paypal`, paypalWebhookId: 'WH1' });
  return { world, receiver, client: await logIn(world) };
}

const receivedSchema = z.object({
  webhooks: z.array(z.object({ headers: z.record(z.string(), z.string()), body: z.string() })),
});

async function received(receiver: World) {
  return receivedSchema.parse((await control(receiver, 'GET', '/inbox?path=/paypal')).body).webhooks;
}

const typesIn = async (receiver: World) =>
  (await received(receiver)).map(({ body }) => String(Object(JSON.parse(body)).event_type));

/** What the receiver got, once it is that many. */
async function untilReceived(receiver: World, count: number) {
  await until(`${count} events came`, async () => (await received(receiver)).length === count);
  return received(receiver);
}

/** An event that was received: a refund that was completed later. */
async function anEvent() {
  const { world, receiver, client } = await tellingWorld();
  const { id } = await paid(client, { token: 'tok_visa_refund_pending_7100' });
  await refundOf(client, id);
  const [event] = await untilReceived(receiver, 1);
  if (event === undefined) throw new Error('one event came');
  return { world, client, ...event };
}

const verdict = async (client: Client, ...asked: readonly [string, Parameters<typeof verify>[2]?]) =>
  Object((await verify(client, ...asked)).body).verification_status;

describe('an event', () => {
  test('is sent of what came later than its answer, and names our id', async () => {
    const { receiver, client } = await tellingWorld();
    await paid(client);
    await paid(client, { token: 'tok_visa_pending_7000', reference: 'pay_2' });
    await authorized(client, { token: 'tok_visa_pending_7000', reference: 'pay_3' });
    const held = await authorized(client, { token: 'tok_visa_capture_pending_7200', reference: 'pay_4' });
    await captureOf(client, held.id);
    const taken = await paid(client, { token: 'tok_visa_refund_pending_7100', reference: 'pay_5' });
    await refundOf(client, taken.id);
    const events = (await untilReceived(receiver, 4)).map(({ body }) => Object(JSON.parse(body)));
    const told = events.map(({ event_type: type, resource }) => [
      type,
      resource.status,
      resource.invoice_id,
      resource.custom_id,
    ]);
    expect(told.toSorted((one, other) => String(one).localeCompare(String(other)))).toEqual([
      ['PAYMENT.AUTHORIZATION.CREATED', 'CREATED', undefined, 'pay_3'],
      ['PAYMENT.CAPTURE.COMPLETED', 'COMPLETED', undefined, 'pay_2'],
      ['PAYMENT.CAPTURE.COMPLETED', 'COMPLETED', 'cap_1', 'pay_4'],
      ['PAYMENT.CAPTURE.REFUNDED', 'COMPLETED', 'ref_1', 'ref_1'],
    ]);
  });

  test('has PayPal’s shape and its headers', async () => {
    const { headers, body } = await anEvent();
    expect(JSON.parse(body)).toEqual({
      id: expect.stringMatching(/^WH-[0-9A-F]{18}$/),
      event_version: '1.0',
      create_time: expect.stringMatching(/Z$/),
      resource_type: 'refund',
      resource_version: '2.0',
      event_type: 'PAYMENT.CAPTURE.REFUNDED',
      summary: expect.any(String),
      resource: expect.objectContaining({ id: expect.any(String), amount: { currency_code: 'USD', value: '10.00' } }),
    });
    expect(headers).toMatchObject({
      'paypal-transmission-id': expect.stringMatching(/^[\w-]+$/),
      'paypal-transmission-time': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      'paypal-transmission-sig': expect.stringMatching(/./),
      'paypal-cert-url': expect.stringMatching(/^https:/),
      'paypal-auth-algo': 'SHA256withRSA',
    });
  });

  test('of all that happens is sent where that is asked for', async () => {
    const { world, receiver, client } = await tellingWorld();
    await control(world, 'PUT', '/events/paypal', { mode: 'all' });
    const { id } = await authorized(client);
    await captureOf(client, id);
    await voidOf(client, id);
    await paid(client, { token: 'tok_visa_declined_0002', reference: 'pay_2' });
    const { id: taken } = await paid(client, { token: 'tok_visa_refund_declined_0058', reference: 'pay_3' });
    await refundOf(client, taken);
    // PayPal tells nobody of an authorization that it denied.
    await authorized(client, { token: 'tok_visa_declined_0002', reference: 'pay_4' });
    const pending = await paid(client, { token: 'tok_visa_refund_pending_7100', reference: 'pay_5' });
    await refundOf(client, pending.id, { movement: 'ref_2' });
    await untilReceived(receiver, 9);
    expect((await typesIn(receiver)).toSorted()).toEqual([
      'PAYMENT.AUTHORIZATION.CREATED',
      'PAYMENT.AUTHORIZATION.VOIDED',
      'PAYMENT.CAPTURE.COMPLETED',
      'PAYMENT.CAPTURE.COMPLETED',
      'PAYMENT.CAPTURE.COMPLETED',
      'PAYMENT.CAPTURE.DECLINED',
      'PAYMENT.CAPTURE.REFUNDED',
      'PAYMENT.REFUND.FAILED',
      'PAYMENT.REFUND.PENDING',
    ]);
  });

  test('of what was pending at a stop is sent by the next process', async () => {
    const { world, client } = await tellingWorld();
    await paid(client, { token: 'tok_visa_pending_7000' });
    await world.stop();
    const again = await tellingWorld(world.folder);
    await untilReceived(again.receiver, 1);
    expect(await typesIn(again.receiver)).toEqual(['PAYMENT.CAPTURE.COMPLETED']);
  });
});

describe('a signature', () => {
  test('is verified over the very bytes that were sent, also by another process', async () => {
    const { world, client, headers, body } = await anEvent();
    expect(await verdict(client, body, { headers })).toBe('SUCCESS');
    const other = await tellingWorld();
    expect(await verdict(other.client, body, { headers })).toBe('SUCCESS');
    expect((await send(`${world.control}/faults/paypal`)).body).toMatchObject({ served: { verify: 1 } });
  });

  test('is not one over the same event written anew, nor over another, nor with other words', async () => {
    const { client, headers, body } = await anEvent();
    const rewritten = JSON.stringify(JSON.parse(body), null, 1);
    expect(await verdict(client, rewritten, { headers })).toBe('FAILURE');
    expect(await verdict(client, body.replace('ref_1', 'ref_2'), { headers })).toBe('FAILURE');
    for (const [name, value] of [
      ['paypal-transmission-id', 'another'],
      ['paypal-transmission-time', '2026-01-01T00:00:00Z'],
      ['paypal-transmission-sig', 'Zm9yZ2Vk'],
      ['paypal-cert-url', 'https://example.com/cert'],
      ['paypal-auth-algo', 'none'],
    ] as const) {
      expect([name, await verdict(client, body, { headers: { ...headers, [name]: value } })]).toEqual([
        name,
        'FAILURE',
      ]);
    }
  });

  test('for a webhook that nobody registered is refused by the name of the field', async () => {
    const { client, headers, body } = await anEvent();
    expect(await verify(client, body, { headers, webhookId: 'WH2' })).toMatchObject({
      status: 400,
      body: { details: [{ field: '/webhook_id' }] },
    });
    expect((await verify({ ...client, token: 'A21AAunknown' }, body, { headers })).status).toBe(401);
  });

  test('of one webhook is none of another', () => {
    const signed = new Transmissions({ webhookId: 'WH1', secret: 's' }).sign('{}');
    const asked = {
      transmission_id: signed['paypal-transmission-id'] ?? '',
      transmission_time: signed['paypal-transmission-time'] ?? '',
      transmission_sig: signed['paypal-transmission-sig'] ?? '',
      cert_url: signed['paypal-cert-url'] ?? '',
      auth_algo: signed['paypal-auth-algo'] ?? '',
      webhook_event: {},
    };
    for (const [webhookId, isGenuine] of [
      ['WH1', true],
      ['WH2', false],
    ] as const) {
      const face = new Transmissions({ webhookId, secret: 's' });
      expect(face.isGenuine({ ...asked, webhook_id: webhookId }, '{}')).toBe(isGenuine);
    }
  });
});

test.for([
  ['{"webhook_event":{"a":1}}', '{"a":1}'],
  ['{ "webhook_event" : { "a" : [1, {"b": "}"}] } , "x":1}', '{ "a" : [1, {"b": "}"}] }'],
  ['{"x":{"webhook_event":1},"webhook_event":{"a":"\\\\","b":"\\"}"}}', '{"a":"\\\\","b":"\\"}"}'],
  ['{"x":"webhook_event","webhook_event":{}}', '{}'],
  ['{"x":1}', ''],
] as const)('the text of the event in %s is %s, byte by byte', ([text, raw]) => {
  expect(rawEventIn(text)).toBe(raw);
});
