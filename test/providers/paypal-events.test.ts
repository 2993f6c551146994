import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createPaypalEvents, type PaypalEventsOptions } from '../../activities/providers/paypal/events.ts';
import { type EventHeaders, EventRefused, type ProviderEvents } from '../../activities/providers/provider-events.ts';
import { Transmissions } from '../../simulators/paypal/transmissions.ts';
import { type Simulators, startSimulators } from '../../simulators/simulators.ts';
import { type Bank, bankAt } from '../support/bank.ts';
import { stubServer } from './stub.ts';
import { faultKindOf, faultOf, secrets } from './world.ts';

const webhookId = 'WH1';
const folder = mkdtempSync(join(tmpdir(), 'paypal-events-'));
const opened: ProviderEvents[] = [];
let simulators: Simulators;
let bank: Bank;
let events: ProviderEvents;

function connect(url: string, changes: Partial<PaypalEventsOptions> = {}): ProviderEvents {
  const credentials = { clientId: secrets.paypalClient, clientSecret: secrets.paypal };
  const reader = createPaypalEvents({ accountId: 'main', webhookId, url, ...credentials, ...changes });
  opened.push(reader);
  return reader;
}

beforeAll(async () => {
  simulators = await startSimulators({
    host: '127.0.0.1',
    controlPort: 0,
    easypayPort: 0,
    dataDir: folder,
    easypayApiKey: secrets.easypay,
    paypalClientId: secrets.paypalClient,
    paypalClientSecret: secrets.paypal,
    paypalWebhookUrl: 'http://127.0.0.1:1/',
    paypalWebhookId: webhookId,
  });
  bank = bankAt(simulators.controlUrl, 'paypal');
  events = connect(simulators.paypalUrl);
});
afterEach(() => bank.heal());
afterAll(async () => {
  await Promise.all(opened.map((one) => one.close()));
  await simulators.stop();
  rmSync(folder, { recursive: true });
});

const event = {
  id: 'WH-4711',
  create_time: '2026-11-02T10:00:00Z',
  resource_type: 'capture',
  event_type: 'PAYMENT.CAPTURE.COMPLETED',
  resource: {
    id: 'CAP1',
    status: 'COMPLETED',
    amount: { currency_code: 'USD', value: '25.99' },
    invoice_id: 'cap_1',
    custom_id: 'pay_1',
  },
};

/** The headers that PayPal sends with this body. */
const signed = (body: string): EventHeaders => new Transmissions({ webhookId, secret: secrets.paypal }).sign(body);
const read = (body: string, headers: EventHeaders = signed(body)) => events.read(Buffer.from(body), headers);
const readEvent = (changes: object) => read(JSON.stringify({ ...event, ...changes }));

/** Why it was refused; anything else fails the test. */
async function refusalOf(work: Promise<unknown>): Promise<EventRefused> {
  const end: unknown = await work.catch((error: unknown) => error);
  if (end instanceof EventRefused) return end;
  throw new Error(`ended without a refusal: ${inspect(end)}`);
}

describe('an event of PayPal', () => {
  test('that PayPal says it signed is read, with the signature for the record', async () => {
    const body = JSON.stringify(event);
    const headers = signed(body);
    expect(await read(body, headers)).toEqual({
      eventId: 'WH-4711',
      type: 'PAYMENT.CAPTURE.COMPLETED',
      reference: 'cap_1',
      claim: 'approved',
      signature: headers['paypal-transmission-sig'],
      payload: event,
    });
    expect(events).toMatchObject({ provider: 'paypal', accountId: 'main' });
  });

  test.each([
    ['blanks and line ends', JSON.stringify(event, null, 3)],
    ['escapes that need not be', JSON.stringify(event).replaceAll('a', '\\u0061').replaceAll('/', '\\/')],
    ['numbers that are written anew in another way', JSON.stringify({ ...event, n: 0 }).replace('"n":0', '"n":300.00')],
    ['two members of one name', JSON.stringify(event).replace('{', '{"id":"WH-1",')],
    ['letters of all sorts', JSON.stringify({ ...event, summary: 'Ümläüte 💸' })],
  ])('with %s is verified as it came', async (_name, body) => {
    expect(await read(body)).toMatchObject({ eventId: 'WH-4711' });
  });

  test.each([
    ['PAYMENT.AUTHORIZATION.CREATED', 'approved'],
    ['PAYMENT.AUTHORIZATION.VOIDED', 'other'],
    ['PAYMENT.CAPTURE.COMPLETED', 'approved'],
    ['PAYMENT.CAPTURE.PENDING', 'pending'],
    ['PAYMENT.CAPTURE.DECLINED', 'declined'],
    ['PAYMENT.CAPTURE.DENIED', 'declined'],
    ['PAYMENT.CAPTURE.REFUNDED', 'approved'],
    ['PAYMENT.CAPTURE.REVERSED', 'other'],
    ['PAYMENT.REFUND.PENDING', 'pending'],
    ['PAYMENT.REFUND.FAILED', 'declined'],
    ['CHECKOUT.PAYMENT-APPROVAL.REVERSED', 'other'],
    ['CUSTOMER.DISPUTE.CREATED', 'other'],
  ])('of the type %s claims: %s', async (type, claim) => {
    expect(await readEvent({ event_type: type })).toMatchObject({ type, claim });
  });

  test.each([
    [{ invoice_id: 'cap_1', custom_id: 'pay_1' }, 'cap_1'],
    [{ custom_id: 'pay_1' }, 'pay_1'],
    [{ invoice_id: 'an invoice of somebody else', custom_id: 'pay_1' }, 'pay_1'],
    [{ invoice_id: 17, custom_id: null }, null],
    [{ custom_id: 'x'.repeat(128) }, null],
    [{}, null],
    ['no resource', null],
  ])('about %j is about ours: %s', async (resource, reference) => {
    expect(await readEvent({ resource })).toMatchObject({ reference });
  });

  test('keeps nothing of what else PayPal knows of a payer', async () => {
    const payer = { email_address: 'jane@example.com', name: 'Jane Doe' };
    const { payload } = await readEvent({ payer, summary: 'Jane Doe', resource: { ...event.resource, payer } });
    expect(JSON.stringify(payload)).not.toMatch(/jane/i);
  });

  test.each([
    ['no id', { id: undefined }],
    ['an id that is none', { id: 'a b' }],
    ['no type', { event_type: undefined }],
    ['a type that is none', { event_type: 'Paid by Jane' }],
  ])('with %s is unreadable, and its words are not repeated', async (_name, changes) => {
    const refusal = await refusalOf(readEvent(changes));
    expect(refusal.reason).toBe('unreadable');
    expect(inspect(refusal)).not.toMatch(/Jane|cap_1/);
  });
});

describe('what is no event of PayPal', () => {
  test('is refused by its signature: another body, another webhook, another signature', async () => {
    const body = JSON.stringify(event);
    const headers = signed(body);
    const forged = body.replace('25.99', '99.99');
    expect((await refusalOf(read(forged, headers))).reason).toBe('signature');
    expect((await refusalOf(read(body.replace('{', '{ '), headers))).reason).toBe('signature');
    const other = { ...headers, 'paypal-transmission-sig': 'Zm9yZ2Vk' };
    expect((await refusalOf(read(body, other))).reason).toBe('signature');
    const elsewhere = new Transmissions({ webhookId: 'WH2', secret: secrets.paypal }).sign(body);
    expect((await refusalOf(read(body, elsewhere))).reason).toBe('signature');
  });

  test.each([
    'paypal-transmission-id',
    'paypal-transmission-time',
    'paypal-transmission-sig',
    'paypal-cert-url',
    'paypal-auth-algo',
  ])('is refused by its signature without asking PayPal when %s is missing, twice there, or nonsense', async (name) => {
    const body = JSON.stringify(event);
    await bank.inject([]);
    for (const value of [undefined, ['a', 'b'], '', '"}, "webhook_id": "WH2', 'x'.repeat(2_000)]) {
      const refusal = await refusalOf(read(body, { ...signed(body), [name]: value }));
      expect(refusal.reason).toBe('signature');
    }
    expect(await bank.served()).toMatchObject({ verify: 0 });
  });

  test.each([
    ['three days and a minute ago', -1, 'stale'],
    ['three days and a minute ahead', 1, 'stale'],
  ])('is stale when it was sent %s', async (_name, sign, reason) => {
    const body = JSON.stringify(event);
    const time = new Date(Date.now() + sign * (3 * 24 * 3_600_000 + 60_000)).toISOString();
    expect((await refusalOf(read(body, { ...signed(body), 'paypal-transmission-time': time }))).reason).toBe(reason);
  });

  test('is not stale when it was sent within three days: then the signature counts', async () => {
    const body = JSON.stringify(event);
    const time = new Date(Date.now() - 3 * 24 * 3_600_000 + 60_000).toISOString();
    const refusal = await refusalOf(read(body, { ...signed(body), 'paypal-transmission-time': time }));
    expect(refusal.reason).toBe('signature');
  });

  test.each([
    ['nothing', ''],
    ['no JSON', 'id=WH-4711'],
    ['more than one value', '{},"webhook_id":"WH2","x":{}'],
    ['half a value', '{"id":'],
    ['JSON behind a byte order mark', `\uFEFF${JSON.stringify(event)}`],
  ])('is unreadable without asking PayPal when it holds %s', async (_name, body) => {
    await bank.inject([]);
    expect((await refusalOf(read(body))).reason).toBe('unreadable');
    expect(await bank.served()).toMatchObject({ verify: 0 });
  });

  test('is unreadable when it is no UTF-8', async () => {
    const body = Buffer.from([0x22, 0xff, 0x22]);
    expect((await refusalOf(events.read(body, signed('""')))).reason).toBe('unreadable');
  });
});

describe('PayPal, asked about an event,', () => {
  const stub = stubServer();
  const body = JSON.stringify(event);

  test.each([
    ['refuse', 'unavailable'],
    ['429', 'rate_limited'],
    ['500_before', 'unknown_outcome'],
    ['503', 'unknown_outcome'],
    ['reset', 'unknown_outcome'],
    ['cut_json', 'unknown_outcome'],
  ])('and hit by %s is a fault, %s, and no word about the event', async (fault, kind) => {
    await bank.inject([{ operation: 'verify', probability: 1, fault }]);
    expect(await faultKindOf(read(body))).toBe(kind);
    await bank.heal();
    expect(await read(body)).toMatchObject({ eventId: 'WH-4711' });
  });

  test('with a wrong secret or webhook of ours is misconfigured, and names the setting', async () => {
    const wrongSecret = connect(simulators.paypalUrl, { clientSecret: 'wrong' });
    expect(await faultOf(wrongSecret.read(Buffer.from(body), signed(body)))).toMatchObject({
      kind: 'misconfigured',
      message: expect.stringMatching(/check PAYPAL_CLIENT_ID/),
    });
    const wrongWebhook = connect(simulators.paypalUrl, { webhookId: 'WH2' });
    expect(await faultOf(wrongWebhook.read(Buffer.from(body), signed(body)))).toMatchObject({
      kind: 'misconfigured',
      message: expect.stringMatching(/check PAYPAL_WEBHOOK_ID/),
    });
  });

  test('is told the headers, our webhook, and the event byte by byte', async () => {
    stub.answerWith({ status: 200, body: '{"verification_status":"SUCCESS"}' });
    const spaced = JSON.stringify(event, null, 2);
    const headers = signed(spaced);
    await connect(stub.url).read(Buffer.from(spaced), headers);
    const [seen] = stub.seen;
    expect(seen).toMatchObject({ method: 'POST', path: '/v1/notifications/verify-webhook-signature' });
    expect(seen?.body).toContain(`"webhook_event":${spaced}}`);
    expect(JSON.parse(seen?.body ?? '')).toEqual({
      transmission_id: headers['paypal-transmission-id'],
      transmission_time: headers['paypal-transmission-time'],
      transmission_sig: headers['paypal-transmission-sig'],
      cert_url: headers['paypal-cert-url'],
      auth_algo: headers['paypal-auth-algo'],
      webhook_id: webhookId,
      webhook_event: event,
    });
  });

  test.each([400, 422])('and answering %i about what the sender wrote means that it is not signed', async (status) => {
    stub.answerWith({ status, body: JSON.stringify({ name: 'VALIDATION_ERROR', details: [{ field: 'cert_url' }] }) });
    expect((await refusalOf(connect(stub.url).read(Buffer.from(body), signed(body)))).reason).toBe('signature');
  });

  test.each([
    ['nonsense', 200, '<html>', 'unknown_outcome'],
    ['another word', 200, '{"verification_status":"PERHAPS"}', 'unknown_outcome'],
    ['a 403', 403, '{"name":"NOT_AUTHORIZED"}', 'misconfigured'],
    ['a 404', 404, '', 'misconfigured'],
  ])('and answering with %s is a fault', async (_name, status, answer, kind) => {
    stub.answerWith({ status, body: answer });
    expect(await faultKindOf(connect(stub.url).read(Buffer.from(body), signed(body)))).toBe(kind);
  });
});
