import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEasypay } from '../../activities/providers/easypay/easypay.ts';
import { createEasypayEvents } from '../../activities/providers/easypay/events.ts';
import { createProviderEvents } from '../../activities/providers/events-index.ts';
import { type EventHeaders, EventRefused } from '../../activities/providers/provider-events.ts';
import { type Simulators, startSimulators } from '../../simulators/simulators.ts';
import { until } from '../support/until.ts';
import { stubServer } from './stub.ts';
import { aCall, aCharge, aMovement } from './world.ts';

const secret = 'test-webhook-secret';
const events = createEasypayEvents({ accountId: 'main', secret });

const event = {
  id: 'epe_1',
  type: 'charge.approved',
  created_at: '2026-11-02T10:00:00.000Z',
  data: {
    reference: 'pay_1',
    charge_reference: 'pay_1',
    status: 'approved',
    amount_minor: '2599',
    currency: 'USD',
  },
};

const nowSeconds = () => Math.floor(Date.now() / 1_000);
const hmac = (body: string | Buffer, sentAt: number | string, key = secret) =>
  createHmac('sha256', key).update(`${sentAt}.`).update(body).digest('hex');
const signed = (body: string | Buffer, sentAt: number | string = nowSeconds(), key = secret): EventHeaders => ({
  'easypay-signature': `t=${sentAt},v1=${hmac(body, sentAt, key)}`,
});
const read = (body: string | Buffer, headers: EventHeaders = signed(body)) => events.read(Buffer.from(body), headers);
const readEvent = (changes: object) => read(JSON.stringify({ ...event, ...changes }));

/** Why the body was refused; anything else fails the test. */
async function refusalOf(work: Promise<unknown>): Promise<EventRefused> {
  const end: unknown = await work.catch((error: unknown) => error);
  if (end instanceof EventRefused) return end;
  throw new Error(`ended without a refusal: ${inspect(end)}`);
}

describe('an event of EasyPay', () => {
  test('that is signed is read, with the signature for the record', async () => {
    const body = JSON.stringify(event);
    const headers = signed(body);
    expect(await read(body, headers)).toEqual({
      eventId: 'epe_1',
      type: 'charge.approved',
      reference: 'pay_1',
      claim: 'approved',
      signature: headers['easypay-signature'],
      payload: event,
    });
  });

  test.each([
    ['charge.approved', 'approved'],
    ['charge.declined', 'declined'],
    ['charge.pending', 'pending'],
    ['charge.requires_action', 'pending'],
    ['charge.voided', 'other'],
    ['capture.approved', 'approved'],
    ['capture.declined', 'declined'],
    ['void.approved', 'approved'],
    ['refund.pending', 'pending'],
    ['refund.declined', 'declined'],
    ['account.approved', 'other'],
    ['payout.paid', 'other'],
    ['constructor', 'other'],
  ])('of the type %s claims: %s', async (type, claim) => {
    expect(await readEvent({ type })).toMatchObject({ type, claim });
  });

  test.each([null, undefined, '', 17, 'of somebody else', 'x'.repeat(201), 'pay\0'])(
    'with the reference %j names none of ours',
    async (reference) => {
      expect((await readEvent({ data: { ...event.data, reference } })).reference).toBeNull();
    },
  );

  test('keeps no more than what is known of an event, in words that can be stored', async () => {
    const data = { ...event.data, status: 'appr\0oved \uD83D', cardholder: 'Jane Doe' };
    const { payload } = await readEvent({ data, cardholder: 'Jane Doe' });
    expect(JSON.stringify(payload)).not.toMatch(/Jane|\\u0000|\\ud83d/);
  });

  test('belongs to its account', () => {
    expect(events).toMatchObject({ provider: 'easypay', accountId: 'main' });
  });
});

describe('the signature of an event of EasyPay', () => {
  const body = JSON.stringify(event);

  test('is over the bytes as they came, not over what they mean', async () => {
    const spaced = `{ "id": "epe_1",\n${body.slice(1)}`;
    expect(await read(spaced)).toMatchObject({ eventId: 'epe_1' });
    expect((await refusalOf(read(spaced, signed(body)))).reason).toBe('signature');
  });

  test('may be one of several, while the secret changes', async () => {
    const sentAt = nowSeconds();
    const both = [hmac(body, sentAt, 'the next secret'), hmac(body, sentAt)];
    for (const order of [both, both.toReversed()]) {
      const header = `t=${sentAt}, ${order.map((one) => `v1=${one}`).join(', ')}`;
      expect(await read(body, { 'easypay-signature': header })).toMatchObject({ eventId: 'epe_1' });
    }
  });

  test('of another scheme is passed over', async () => {
    const sentAt = nowSeconds();
    const header = `t=${sentAt},v0=00,v1=${hmac(body, sentAt)},v2=anything`;
    expect(await read(body, { 'easypay-signature': header })).toMatchObject({ eventId: 'epe_1' });
    const without = { 'easypay-signature': `t=${sentAt},v0=${hmac(body, sentAt)}` };
    expect((await refusalOf(read(body, without))).reason).toBe('signature');
  });

  const sentAt = nowSeconds();
  const good = hmac(body, sentAt);
  test.each([
    ['absent', undefined],
    ['empty', ''],
    ['given twice', [`t=${sentAt},v1=${good}`, `t=${sentAt},v1=${good}`]],
    ['without a time', `v1=${good}`],
    ['with two times', `t=${sentAt},t=${sentAt},v1=${good}`],
    ['with a time that is no number', `t=now,v1=${hmac(body, 'now')}`],
    ['with a time that is negative', `t=-5,v1=${hmac(body, -5)}`],
    ['with a time that was not signed', `t=${sentAt + 1},v1=${good}`],
    ['without a signature', `t=${sentAt}`],
    ['with an empty signature', `t=${sentAt},v1=`],
    ['with half of a signature', `t=${sentAt},v1=${good.slice(0, 32)}`],
    ['with more than a signature', `t=${sentAt},v1=${good}00`],
    ['with something that is not hexadecimal', `t=${sentAt},v1=${'z'.repeat(64)}`],
    ['by another secret', `t=${sentAt},v1=${hmac(body, sentAt, 'another')}`],
    ['by an empty secret', `t=${sentAt},v1=${hmac(body, sentAt, '')}`],
    ['over another body', `t=${sentAt},v1=${hmac(`${body} `, sentAt)}`],
    ['of the body alone', `t=${sentAt},v1=${createHmac('sha256', secret).update(body).digest('hex')}`],
    ['of endless length', `t=${sentAt},v1=${good},${'v1=0,'.repeat(10_000)}`],
  ])('that is %s is refused, and nothing of it is repeated', async (_name, header) => {
    const refusal = await refusalOf(read(body, { 'easypay-signature': header }));
    expect(refusal.reason).toBe('signature');
    expect(inspect(refusal)).not.toContain(secret);
    expect(refusal.message).not.toMatch(/[0-9a-f]{16}/);
  });

  test.each([-301, 301])('from %i s away is stale', async (seconds) => {
    // Another second may begin meanwhile: away from the edge in the direction in which the clock runs.
    const from = nowSeconds() + seconds + Math.sign(seconds) * 30;
    expect((await refusalOf(read(body, signed(body, from)))).reason).toBe('stale');
  });

  test.each([-270, 270])('from %i s away is in time', async (seconds) => {
    expect(await read(body, signed(body, nowSeconds() + seconds))).toMatchObject({ eventId: 'epe_1' });
  });

  test('that is forged and old is forged, which is the graver of the two', async () => {
    const refusal = await refusalOf(read(body, signed(body, nowSeconds() - 3_600, 'another')));
    expect(refusal.reason).toBe('signature');
  });

  test('needs a secret: an empty one proves nothing', () => {
    expect(() => createEasypayEvents({ accountId: 'main', secret: '' })).toThrow(/empty secret/);
  });
});

describe('a body that EasyPay signed', () => {
  test.each([
    ['empty', ''],
    ['no JSON', '<html>'],
    ['JSON of something else', '[]'],
    ['broken UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['without an id', JSON.stringify({ ...event, id: undefined })],
    ['with an id that cannot be stored', JSON.stringify({ ...event, id: 'epe\0' })],
    ['with a type that is no word', JSON.stringify({ ...event, type: 'Jane Doe' })],
    ['without data', JSON.stringify({ ...event, data: null })],
  ])('and that is %s cannot be read, and nothing of it is repeated', async (_name, body) => {
    const refusal = await refusalOf(read(body));
    expect(refusal.reason).toBe('unreadable');
    expect(inspect(refusal)).not.toMatch(/Jane|html/);
  });
});

describe('the accounts whose events are taken', () => {
  const easypay = { accountId: 'main', secret };
  const client = { url: 'http://127.0.0.1:1', clientId: 'test-client', clientSecret: 'test-paypal-secret' };
  const paypal = { accountId: 'shop', webhookId: 'WH-1', ...client };

  test('are found by provider and account', async () => {
    const all = createProviderEvents({ easypay, paypal });
    expect([...all.keys()]).toEqual(['easypay/main', 'paypal/shop']);
    for (const [key, one] of all) expect(`${one.provider}/${one.accountId}`).toBe(key);
    await Promise.all([...all.values()].map((one) => one.close()));
  });

  test('are those that have settings, and no others', () => {
    expect([...createProviderEvents({ easypay, paypal: null }).keys()]).toEqual(['easypay/main']);
    expect(createProviderEvents({ easypay: null, paypal: null }).size).toBe(0);
  });
});

describe('what EasyPay’s face sends', () => {
  const receiver = stubServer();
  const folder = mkdtempSync(join(tmpdir(), 'easypay-events-'));
  let simulators: Simulators | undefined;

  beforeAll(async () => {
    simulators = await startSimulators({
      host: '127.0.0.1',
      controlPort: 0,
      easypayPort: 0,
      dataDir: folder,
      easypayApiKey: 'test-easypay-key',
      easypayWebhookUrl: receiver.url,
      easypayWebhookSecret: secret,
    });
    await fetch(`${simulators.controlUrl}/events/easypay`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ mode: 'all' }),
    });
  });
  afterAll(async () => {
    await simulators?.stop();
    rmSync(folder, { recursive: true });
  });

  test('is signed as we verify it, and names our payment and our movement', async () => {
    receiver.answerWith({ status: 200, body: '{}' });
    const easypay = createEasypay({ url: simulators?.easypayUrl ?? '', apiKey: 'test-easypay-key' });
    const charge = aCharge();
    const { response } = await easypay.charge(charge, aCall());
    const refund = aMovement('refund', charge, response.transactionId);
    await easypay.move(refund, aCall());
    await easypay.close();
    await until('both were sent', () => receiver.seen.length === 2);
    const all = await Promise.all(receiver.seen.map(({ body, headers }) => read(body, headers)));
    expect(all.toSorted((one, other) => one.type.localeCompare(other.type))).toMatchObject([
      { type: 'charge.approved', reference: charge.reference, claim: 'approved' },
      { type: 'refund.approved', reference: refund.reference, claim: 'approved' },
    ]);
    expect(new Set(all.map(({ eventId }) => eventId)).size).toBe(2);
  });
});
