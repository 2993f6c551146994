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
export function orderOf(changes: { value?: string; currency?: string; reference?: string } = {}) {
  const { value = '25.99', currency = 'USD', reference = 'pay_1' } = changes;
  return {
    intent: 'CAPTURE',
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
