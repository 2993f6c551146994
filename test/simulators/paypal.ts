import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Reply, WholeWorld } from './harness.ts';
import { paypalClient, send } from './harness.ts';

/** A client that holds an access token. */
export interface Client {
  readonly url: string;
  readonly token: string;
}

interface CallOptions {
  readonly id?: string;
  readonly signal?: AbortSignal;
}

const basic = ({ id, secret }: typeof paypalClient) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

/** Asks for an access token. */
export function askToken(
  world: WholeWorld,
  {
    client = paypalClient,
    body = 'grant_type=client_credentials',
    signal,
  }: {
    readonly client?: typeof paypalClient;
    readonly body?: string;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Reply> {
  return send(`${world.paypal}/v1/oauth2/token`, {
    method: 'POST',
    headers: { authorization: basic(client), 'content-type': 'application/x-www-form-urlencoded' },
    body,
    ...(signal && { signal }),
  });
}

/** Fetches an access token. */
export async function logIn(world: WholeWorld): Promise<Client> {
  const { body } = await askToken(world);
  return { url: world.paypal, token: z.object({ access_token: z.string() }).parse(body).access_token };
}

/** An order of 25.99 USD, unless told otherwise. */
export function orderOf(changes: { value?: string; currency?: string; reference?: string; intent?: string } = {}) {
  const { value = '25.99', currency = 'USD', reference = 'pay_1', intent = 'CAPTURE' } = changes;
  return {
    intent,
    purchase_units: [{ reference_id: reference, custom_id: reference, amount: { currency_code: currency, value } }],
  };
}

/** The body of a capture that a card pays. */
export const card = (token: string) => ({ payment_source: { card: { vault_id: token } } });

/** The body of a capture that a wallet pays. */
export const wallet = (token: string) => ({ payment_source: { paypal: { vault_id: token } } });

/** Creates an order. */
export function create(client: Client, order: object = orderOf(), options: CallOptions = {}): Promise<Reply> {
  return post(client, '/v2/checkout/orders', order, options);
}

/** Captures an order on a card that approves, unless told otherwise. */
export function capture(
  client: Client,
  orderId: string,
  { body = card('tok_visa_4242'), ...options }: CallOptions & { readonly body?: object } = {},
): Promise<Reply> {
  return post(client, `/v2/checkout/orders/${orderId}/capture`, body, options);
}

/** Authorizes an order on a card that approves, unless told otherwise. */
export function authorize(
  client: Client,
  orderId: string,
  { body = card('tok_visa_4242'), ...options }: CallOptions & { readonly body?: object } = {},
): Promise<Reply> {
  return post(client, `/v2/checkout/orders/${orderId}/authorize`, body, options);
}

interface Part {
  readonly value?: string;
  readonly currency?: string;
  /** The `invoice_id`. */
  readonly movement?: string;
  readonly body?: object;
}

/** Captures 10.00 USD of an authorization as `cap_1`, unless told otherwise. */
export function captureOf(
  client: Client,
  authorizationId: string,
  { value = '10.00', currency = 'USD', movement = 'cap_1', body = {}, ...options }: CallOptions & Part = {},
): Promise<Reply> {
  const whole = { amount: { currency_code: currency, value }, invoice_id: movement, ...body };
  return post(client, `/v2/payments/authorizations/${authorizationId}/capture`, whole, options);
}

/** Voids an authorization. */
export function voidOf(client: Client, authorizationId: string, options: CallOptions = {}): Promise<Reply> {
  return post(client, `/v2/payments/authorizations/${authorizationId}/void`, {}, options);
}

/** Refunds 10.00 USD of a capture as `ref_1`, unless told otherwise. */
export function refundOf(
  client: Client,
  captureId: string,
  { value = '10.00', currency = 'USD', movement = 'ref_1', body = {}, ...options }: CallOptions & Part = {},
): Promise<Reply> {
  const amount = { currency_code: currency, value };
  const whole = { amount, invoice_id: movement, custom_id: movement, ...body };
  return post(client, `/v2/payments/captures/${captureId}/refund`, whole, options);
}

/** Shows an order. */
export function show({ url, token }: Client, orderId: string, signal?: AbortSignal): Promise<Reply> {
  return send(`${url}/v2/checkout/orders/${orderId}`, {
    headers: { authorization: `Bearer ${token}` },
    ...(signal && { signal }),
  });
}

/** Creates an order and returns its id. */
export async function ordered(client: Client, changes: Parameters<typeof orderOf>[0] = {}): Promise<string> {
  const { body } = await create(client, orderOf(changes));
  return z.object({ id: z.string() }).parse(body).id;
}

/** Creates an order, authorizes it on a card and returns both ids. */
export async function authorized(
  client: Client,
  { token = 'tok_visa_4242', ...changes }: Parameters<typeof orderOf>[0] & { readonly token?: string } = {},
): Promise<{ readonly orderId: string; readonly id: string }> {
  const orderId = await ordered(client, { intent: 'AUTHORIZE', ...changes });
  const reply = await authorize(client, orderId, { body: card(token) });
  return { orderId, id: z.string().parse(paymentsIn(reply).authorizations?.[0]?.id) };
}

/** Creates an order, captures it on a card and returns both ids. */
export async function paid(
  client: Client,
  { token = 'tok_visa_4242', ...changes }: Parameters<typeof orderOf>[0] & { readonly token?: string } = {},
): Promise<{ readonly orderId: string; readonly id: string }> {
  const orderId = await ordered(client, changes);
  return { orderId, id: captureIn(await capture(client, orderId, { body: card(token) })).id };
}

/** The headers of a transmission, as its receiver sees them. */
export type TransmissionHeaders = Readonly<Record<string, string | undefined>>;

/** Asks whether PayPal signed an event, whose text is sent as it is, for the webhook `WH1` unless told otherwise. */
export function verify(
  { url, token }: Client,
  rawEvent: string,
  { headers = {}, webhookId = 'WH1' }: { readonly headers?: TransmissionHeaders; readonly webhookId?: string } = {},
): Promise<Reply> {
  const asked = {
    transmission_id: headers['paypal-transmission-id'] ?? 'none',
    transmission_time: headers['paypal-transmission-time'] ?? 'none',
    transmission_sig: headers['paypal-transmission-sig'] ?? 'none',
    cert_url: headers['paypal-cert-url'] ?? 'https://example.com/',
    auth_algo: headers['paypal-auth-algo'] ?? 'none',
    webhook_id: webhookId,
  };
  return send(`${url}/v1/notifications/verify-webhook-signature`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: `${JSON.stringify(asked).slice(0, -1)}, "webhook_event": ${rawEvent} }`,
  });
}

const partSchema = z.looseObject({ id: z.string(), status: z.string() });
const paymentsSchema = z.object({
  purchase_units: z.tuple([
    z.object({
      payments: z.strictObject({
        authorizations: z.array(partSchema).optional(),
        captures: z.array(partSchema).optional(),
        refunds: z.array(partSchema).optional(),
      }),
    }),
  ]),
});
/** All that an order that is shown has: authorizations, captures and refunds. */
export function paymentsIn({ body }: Reply) {
  return paymentsSchema.parse(body).purchase_units[0].payments;
}

const capturedSchema = z.object({
  purchase_units: z.tuple([
    z.object({ payments: z.object({ captures: z.tuple([z.looseObject({ id: z.string(), status: z.string() })]) }) }),
  ]),
});
/** The one capture of an order that is shown. Throws when there is none. */
export function captureIn({ body }: Reply) {
  return capturedSchema.parse(body).purchase_units[0].payments.captures[0];
}

function post(
  { url, token }: Client,
  path: string,
  body: object,
  { id = randomUUID(), signal }: CallOptions,
): Promise<Reply> {
  return send(`${url}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'paypal-request-id': id,
      prefer: 'return=representation',
    },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}
