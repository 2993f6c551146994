import { z } from 'zod';
import { readBody, remark, transactionId } from '../answer-parts.ts';
import type { HttpAnswer, HttpClient } from '../http.ts';
import { ProviderFault } from '../provider.ts';
import { type EventHeaders, EventRefused, type ProviderEvent, type ProviderEvents } from '../provider-events.ts';
import { createPaypalClient, type PaypalOptions } from './client.ts';
import { faultOf, wordsOf } from './faults.ts';

/** Whose events, the id of the webhook that they are sent by, and where PayPal is asked about them. */
export interface PaypalEventsOptions extends PaypalOptions {
  readonly accountId: string;
  readonly webhookId: string;
}

/**
 * PayPal's events. PayPal signs their bytes and is asked whether it did: "Verify webhook signature",
 * developer.paypal.com/docs/api/webhooks/v1/.
 */
export function createPaypalEvents({ accountId, webhookId, ...options }: PaypalEventsOptions): ProviderEvents {
  const client = createPaypalClient(options);
  return {
    provider: 'paypal',
    accountId,
    async read(body, headers): Promise<ProviderEvent> {
      const transmission = transmissionIn(headers);
      const { text, value } = jsonIn(body);
      await verify(client, { ...transmission, webhook_id: webhookId }, text);
      return { ...eventIn(value), signature: transmission.transmission_sig };
    },
    close: () => client.close(),
  };
}

const verifyTimeoutMs = 5_000;
/** PayPal sends an event again for three days until it is taken, each time with the time of that transmission. */
const toleranceMs = 3 * 24 * 3_600_000;

// What does not look like this was not written by PayPal, and is not passed on to it.
const transmissionSchema = z.object({
  'paypal-transmission-id': z.string().regex(/^[\w-]{1,50}$/),
  'paypal-transmission-time': z.iso.datetime({ offset: true }).max(100),
  'paypal-transmission-sig': z.string().regex(/^[\w+/=-]{1,500}$/),
  'paypal-cert-url': z.url({ protocol: /^https$/ }).max(500),
  'paypal-auth-algo': z.string().regex(/^[A-Za-z0-9]{1,100}$/),
});

/** The headers that prove an event, by the names that PayPal has for them when it is asked. */
type Transmission = Readonly<
  Record<'transmission_id' | 'transmission_time' | 'transmission_sig' | 'cert_url' | 'auth_algo', string>
>;

function transmissionIn(headers: EventHeaders): Transmission {
  const parsed = transmissionSchema.safeParse(headers);
  if (!parsed.success) {
    throw new EventRefused('signature', 'the PAYPAL- headers that prove an event are missing or cannot be read');
  }
  const { data } = parsed;
  const time = data['paypal-transmission-time'];
  if (Math.abs(Date.now() - Date.parse(time)) > toleranceMs) {
    throw new EventRefused('stale', 'PAYPAL-TRANSMISSION-TIME is more than three days away: check the clock');
  }
  return {
    transmission_id: data['paypal-transmission-id'],
    transmission_time: time,
    transmission_sig: data['paypal-transmission-sig'],
    cert_url: data['paypal-cert-url'],
    auth_algo: data['paypal-auth-algo'],
  };
}

/** One JSON value and nothing beside it, so that it can stand in the middle of another. */
function jsonIn(body: Buffer): { readonly text: string; readonly value: unknown } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    return { text, value: JSON.parse(text) };
  } catch {
    throw new EventRefused('unreadable', 'the body is no JSON');
  }
}

const verifiedSchema = z.object({ verification_status: z.enum(['SUCCESS', 'FAILURE']) });

/** Resolves when PayPal says that it signed the event. Its text goes there as it came: written anew it is another one. */
async function verify(
  client: HttpClient,
  asked: Transmission & { readonly webhook_id: string },
  event: string,
): Promise<void> {
  const request = {
    method: 'POST' as const,
    path: '/v1/notifications/verify-webhook-signature',
    headers: { 'content-type': 'application/json' },
    body: `${JSON.stringify(asked).slice(0, -1)},"webhook_event":${event}}`,
  };
  const call = { correlationId: asked.transmission_id, timeoutMs: verifyTimeoutMs, mayStillSend: () => true };
  if (!isGenuine(await client.send(request, call))) {
    throw new EventRefused('signature', 'PayPal did not sign this event for our webhook');
  }
}

function isGenuine(answer: HttpAnswer): boolean {
  if (answer.status === 200) return readBody('PayPal', verifiedSchema, answer).verification_status === 'SUCCESS';
  if (answer.status !== 400 && answer.status !== 422) throw faultOf(answer);
  const { fields, said } = wordsOf(answer);
  if (fields.some((field) => field.includes('webhook_id'))) {
    throw new ProviderFault('misconfigured', `${said} about the webhook: check PAYPAL_WEBHOOK_ID`);
  }
  // All else in the question is what the sender of the event wrote.
  return false;
}

/** What decides nothing is kept where it can be read: it is for the record, and a database must be able to store it. */
const note = remark(100).nullish().catch(null);
/** What is no id of ours is a reference of somebody else who uses the account. */
const reference = z
  .string()
  .regex(/^[\w-]{1,127}$/)
  .nullish()
  .catch(null);

/** No more of it is kept than what is named here: other fields hold a payer's name and address. */
const eventSchema = z.object({
  id: transactionId,
  event_type: z.string().regex(/^[A-Z0-9._-]{1,100}$/),
  create_time: note,
  resource_type: note,
  resource: z
    .object({
      id: note,
      status: note,
      amount: z.object({ currency_code: note, value: note }).nullish().catch(null),
      invoice_id: reference,
      custom_id: reference,
    })
    .catch({ id: null, status: null, invoice_id: null, custom_id: null }),
});

function eventIn(value: unknown): Omit<ProviderEvent, 'signature'> {
  const parsed = eventSchema.safeParse(value);
  // No cause: it would quote the body.
  if (!parsed.success) throw new EventRefused('unreadable', 'the body is signed by PayPal, and is no event of its');
  const event = parsed.data;
  const { invoice_id: movementId, custom_id: paymentId } = event.resource;
  return {
    eventId: event.id,
    type: event.event_type,
    // A capture of an authorization carries the payment's id, too.
    reference: movementId ?? paymentId ?? null,
    claim: claims.get(event.event_type) ?? 'other',
    payload: event,
  };
}

/**
 * By type; a refund that is paid is told as of its capture. An authorization is voided by ourselves, or in its time: its
 * event names the payment, of which it says nothing. Source: "Webhook event names",
 * developer.paypal.com/api/rest/webhooks/event-names/, which has had both words for a decline.
 */
const claims: ReadonlyMap<string, ProviderEvent['claim']> = new Map<string, ProviderEvent['claim']>([
  ['PAYMENT.AUTHORIZATION.CREATED', 'approved'],
  ['PAYMENT.CAPTURE.COMPLETED', 'approved'],
  ['PAYMENT.CAPTURE.PENDING', 'pending'],
  ['PAYMENT.CAPTURE.DECLINED', 'declined'],
  ['PAYMENT.CAPTURE.DENIED', 'declined'],
  ['PAYMENT.CAPTURE.REFUNDED', 'approved'],
  ['PAYMENT.REFUND.PENDING', 'pending'],
  ['PAYMENT.REFUND.FAILED', 'declined'],
]);
