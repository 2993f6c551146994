import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type CallAnswer, callApi } from '../support/api-call.ts';

/** A subscription as the API shows it, as far as the calculation speaks of it. */
export interface ShownSubscription {
  readonly id: string;
  readonly status: string;
  readonly quantity: number;
  readonly plan_id: string;
  readonly cycles_billed: number;
  readonly current_period_end: string | null;
  readonly next_billing_date: string | null;
  readonly open_invoice_id: string | null;
  readonly dunning: { readonly next_try_at: string | null; readonly ends_at: string } | null;
}

/** What a merchant's program does: it calls until it has a definite answer, under one key per wish. */
export interface MerchantCalls {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Throws, with the refusal, where the answer is no success. */
  send<Data>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<Data>;
  read<Data>(path: string): Promise<Data>;
}

const triesMax = 60;

/** Calls of one merchant. */
export function merchantCalls(apiUrl: string, apiKey: string): MerchantCalls {
  const call = async <Data>(method: string, path: string, body: unknown, headers: Record<string, string>) => {
    for (let tries = 1; ; tries++) {
      const answer = await callApi<{ data: Data }>(apiUrl, apiKey, { method, path, body, headers });
      const isOpen = answer.status === 202 || answer.status === 503;
      if (!isOpen) return dataOf(answer, `${method} ${path}`);
      if (tries === triesMax) throw new Error(`${method} ${path} had no definite answer, last ${answer.status}`);
      await pause(200);
    }
  };
  return {
    apiUrl,
    apiKey,
    send: (method, path, body) => call(method, path, body, { 'idempotency-key': randomUUID(), prefer: 'wait=20' }),
    read: (path) => call('GET', path, undefined, {}),
  };
}

function dataOf<Data>(answer: CallAnswer<{ data: Data }>, what: string): Data {
  if (answer.status < 300) return answer.body.data;
  const { code, errors, detail } = answer.problem;
  throw new Error(`${what} was refused: ${answer.status} ${code} ${detail ?? ''} ${JSON.stringify(errors ?? [])}`);
}
