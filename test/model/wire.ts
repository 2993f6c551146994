import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Shown } from './outcomes.ts';
import { exponents, type Wait } from './sequence.ts';

type Currency = keyof typeof exponents;

/** Whoever asks: their key, and where. */
export interface Caller {
  readonly apiUrl: string;
  readonly apiKey: string;
}

/** A request, as it is sent again until its answer is definite. */
export interface Request {
  readonly path: string;
  readonly body: object;
  readonly key: string;
  readonly wait: Wait;
}

/** A payment as the API sends it, as far as it matters here. */
export interface WirePayment {
  readonly id: string;
  readonly status: string;
  readonly currency: Currency;
  readonly authorized_amount: string;
  readonly captured_amount: string;
  readonly voided_amount: string;
  readonly refunded_amount: string;
  readonly refund_count: number;
  readonly captures: readonly { readonly id: string; readonly amount: string; readonly status: string }[] | null;
  readonly next_action: { readonly redirect_url: string } | null;
}

interface WireRefund {
  readonly payment_id: string;
  readonly status: string;
  readonly amount: string;
  readonly currency: Currency;
}

/** An answer with what it says about the request itself. */
export interface WireAnswer extends Answer {
  /** The id of what it shows. */
  readonly id: string | null;
  readonly isReplay: boolean;
  /** The words of a problem. */
  readonly detail: string | null;
}

const answerWithinMs = 90_000;
const triesMax = 30;
const pauseMs = 1_000;

/** Posts until the answer is definite: what was not accepted, or nobody knows, is asked again with the same key. */
export async function postUntilDefinite(caller: Caller, request: Request): Promise<WireAnswer> {
  for (let tries = 1; ; tries++) {
    const answer = await post(caller, request);
    if (answer.status !== 503) return answer;
    if (tries === triesMax) throw new Error(`${request.path} was answered 503 ${answer.code} ${tries} times`);
    await pause(pauseMs);
  }
}

async function post({ apiUrl, apiKey }: Caller, { path, body, key, wait }: Request): Promise<WireAnswer> {
  const response = await fetch(`${apiUrl}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': key,
      prefer: wait === null ? 'respond-async' : `wait=${wait}`,
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(answerWithinMs),
  });
  const { status, headers } = response;
  const said = JSON.parse(await response.text()) as { code?: string; detail?: string; data?: WirePayment | WireRefund };
  const isReplay = headers.get('idempotent-replayed') === 'true';
  const { data } = said;
  const base = {
    status,
    code: said.code ?? null,
    payment: null,
    refund: null,
    id: null,
    isReplay,
    detail: said.detail ?? null,
  };
  if (data === undefined) return base;
  if ('captured_amount' in data) return { ...base, id: data.id, payment: shownOf(data) };
  const refund = { status: data.status, amount: minorOf(data.amount, data.currency) };
  return { ...base, id: (data as { id?: string }).id ?? null, refund };
}

/** What a payment shows, in minor units. */
export function shownOf(payment: WirePayment): Shown {
  const minor = (amount: string) => minorOf(amount, payment.currency);
  return {
    status: payment.status,
    authorized: minor(payment.authorized_amount),
    captured: minor(payment.captured_amount),
    voided: minor(payment.voided_amount),
    refunded: minor(payment.refunded_amount),
  };
}

/** Minor units of a decimal string, which must have exactly the decimals of its currency. */
export function minorOf(amount: string, currency: Currency): bigint {
  const exponent = exponents[currency];
  const form = new RegExp(exponent === 0 ? String.raw`^-?\d+$` : String.raw`^-?\d+\.\d{${exponent}}$`);
  if (!form.test(amount)) throw new Error(`"${amount}" is not written as ${currency} is`);
  return BigInt(amount.replace('.', ''));
}

/** The decimal string of minor units. */
export function decimalOf(minor: bigint, currency: Currency): string {
  const exponent = exponents[currency];
  const digits = minor.toString().padStart(exponent + 1, '0');
  return exponent === 0 ? digits : `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}
