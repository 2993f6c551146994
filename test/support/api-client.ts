import { randomUUID } from 'node:crypto';
import type { PaymentObject } from '../../api/payment-object.ts';

/** A valid request for 25.99 USD, with what a test wants otherwise. */
export function aPayment(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { amount: '25.99', currency: 'USD', payment_method: 'credit_card', card_token: 'tok_visa_4242', ...changes };
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly request_id: string;
  readonly errors?: readonly { pointer?: string; header?: string; parameter?: string; detail: string }[];
  readonly payment_id?: string;
}

/** An answer of the API, read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The payment of a 2xx; throws on any other answer, showing it. */
  readonly payment: PaymentObject;
  /** The problem of any other answer; throws on a 2xx. */
  readonly problem: Problem;
}

export interface PostOptions {
  readonly key?: string;
  readonly headers?: Record<string, string>;
  readonly apiKey: string;
}

/** `POST /api/v1/payments`; a fresh idempotency key unless one is given. */
export async function postPayment(apiUrl: string, body: unknown, options: PostOptions): Promise<Answer> {
  return read(
    await fetch(`${apiUrl}/api/v1/payments`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${options.apiKey}`,
        'content-type': 'application/json',
        'idempotency-key': options.key ?? randomUUID(),
        ...options.headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  );
}

/** `GET /api/v1/payments/{id}`. */
export async function getPayment(apiUrl: string, id: string, apiKey: string): Promise<Answer> {
  return read(await fetch(`${apiUrl}/api/v1/payments/${id}`, { headers: { authorization: `Bearer ${apiKey}` } }));
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  const { status, headers } = response;
  return {
    status,
    headers,
    text,
    get payment() {
      if (!response.ok) throw new Error(`expected a payment, got ${status}: ${text}`);
      return (JSON.parse(text) as { data: PaymentObject }).data;
    },
    get problem() {
      if (response.ok) throw new Error(`expected a problem, got ${status}: ${text}`);
      return JSON.parse(text) as Problem;
    },
  };
}
