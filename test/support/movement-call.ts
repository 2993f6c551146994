import { randomUUID } from 'node:crypto';
import type { PaymentObject } from '../../api/payment-object.ts';
import type { RefundObject } from '../../api/refund-object.ts';
import { movementIdOf } from '../../workflows/domain/ids.ts';
import { aPayment, type Problem, postPayment } from './api-client.ts';
import type { World } from './world.ts';

/** An answer about a payment or a refund, read. */
export interface MovementAnswer<Data> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** What a 2xx answers; throws on any other answer, showing it. */
  readonly data: Data;
  /** The problem of any other answer; throws on a 2xx. */
  readonly problem: Problem;
}

/** What may differ from a plain request. */
export interface MovementOptions {
  readonly key?: string;
  readonly apiKey?: string;
  readonly prefer?: string;
}

/** Calls a route under `/api/v1` with a key, a minute's patience, and a fresh idempotency key unless one is given. */
export async function postTo<Data>(
  world: Pick<World, 'apiUrl' | 'merchant'>,
  path: string,
  body: unknown,
  { key = randomUUID(), apiKey = world.merchant.testKey, prefer = 'wait=60' }: MovementOptions = {},
): Promise<MovementAnswer<Data>> {
  const response = await fetch(`${world.apiUrl}/api/v1${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': key,
      prefer,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const { status, headers } = response;
  return {
    status,
    headers,
    text,
    get data() {
      if (!response.ok) throw new Error(`expected an object, got ${status}: ${text}`);
      return (JSON.parse(text) as { data: Data }).data;
    },
    get problem() {
      if (response.ok) throw new Error(`expected a problem, got ${status}: ${text}`);
      return JSON.parse(text) as Problem;
    },
  };
}

/** Captures all that is left, or the amount given. */
export function capture(world: World, paymentId: string, amount?: string, options?: MovementOptions) {
  return postTo<PaymentObject>(
    world,
    `/payments/${paymentId}/capture`,
    amount === undefined ? {} : { amount },
    options,
  );
}

/** Withdraws a payment. */
export function cancel(world: World, paymentId: string, options?: MovementOptions) {
  return postTo<PaymentObject>(world, `/payments/${paymentId}/cancel`, {}, options);
}

/** Refunds all that is left, or the amount given. */
export function refund(world: World, paymentId: string, amount?: string, options?: MovementOptions) {
  return postTo<RefundObject>(world, `/payments/${paymentId}/refund`, amount === undefined ? {} : { amount }, options);
}

/** What the answer to each kind of movement shows. */
interface Shown {
  readonly capture: PaymentObject;
  readonly refund: RefundObject;
}

/** A capture or refund to be made, whose id is known before it is posted. */
export function aMovementCall<Kind extends keyof Shown>(world: World, kind: Kind, paymentId: string, amount?: string) {
  const key = randomUUID();
  return {
    id: movementIdOf(kind, paymentId, key),
    key,
    /** Posts it; again with the same key each time. */
    post: (): Promise<MovementAnswer<Shown[Kind]>> => {
      const body = amount === undefined ? {} : { amount };
      const answer = postTo<Shown[Kind]>(world, `/payments/${paymentId}/${kind}`, body, { key });
      answer.catch(() => undefined); // looked at later, when the API may have died
      return answer;
    },
  };
}

/** The id of the first void of a payment. */
export function firstVoidIdOf(paymentId: string): string {
  return movementIdOf('void', paymentId, 'void-1');
}

/** A payment of 25.99 USD that is reserved. */
export async function anAuthorizedPayment(
  world: World,
  changes: Record<string, unknown> = {},
  apiKey = world.merchant.testKey,
): Promise<PaymentObject> {
  const { payment } = await postPayment(world.apiUrl, aPayment({ capture: 'manual', ...changes }), { apiKey });
  if (payment.status !== 'authorized') throw new Error(`expected an authorized payment, got ${payment.status}`);
  return payment;
}

/** A payment of 25.99 USD that is captured. */
export async function aCapturedPayment(
  world: World,
  changes: Record<string, unknown> = {},
  apiKey = world.merchant.testKey,
): Promise<PaymentObject> {
  const { payment } = await postPayment(world.apiUrl, aPayment(changes), { apiKey });
  if (payment.status !== 'captured') throw new Error(`expected a captured payment, got ${payment.status}`);
  return payment;
}
