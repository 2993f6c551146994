import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultName, Injection } from '../faults.ts';
import { errorBody, sendJson, sendText } from '../http.ts';
import type { Charge } from './charge.ts';

/** What a call is answered when nothing goes wrong on the way. */
export interface Answer {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

const slowMsDefault = 3_000;
const retryAfterMsDefault = 1_000;
const brokenBody = errorBody('internal_error', 'Something went wrong');

const strikesBefore: Readonly<Partial<Record<FaultName, (response: ServerResponse, delayMs?: number) => void>>> = {
  '429': (response, delayMs = retryAfterMsDefault) => {
    const seconds = String(Math.ceil(delayMs / 1_000));
    const body = errorBody('rate_limited', `Too many requests; try again in ${seconds} s`);
    sendJson(response, 429, body, { 'retry-after': seconds });
  },
  '503': (response) =>
    sendJson(response, 503, errorBody('service_unavailable', 'Certainly not processed; try again later')),
  '500_before': (response) => sendJson(response, 500, brokenBody),
  reset: (response) => response.socket?.resetAndDestroy(),
  never: () => undefined,
};

const strikesAnswer: Readonly<Partial<Record<FaultName, (response: ServerResponse, answer: Answer) => void>>> = {
  '500_after': (response) => sendJson(response, 500, brokenBody),
  lost_after: (response) => response.destroy(),
  cut_json: (response, answer) => {
    const text = JSON.stringify(answer.body);
    sendText(response, answer.status, text.slice(0, Math.floor(text.length / 2)), answer.headers);
  },
};

/** Strikes before the commit, when the injection is of that kind, and tells whether it did: then the call is over. */
export function strikeBefore(response: ServerResponse, injection: Injection | undefined): boolean {
  if (injection === undefined) return false;
  const strike = strikesBefore[injection.fault];
  if (strike === undefined) return false;
  strike(response, injection.delayMs);
  injection.happened();
  return true;
}

/** Gives the answer, or what the injection makes of it. Only what reaches an open connection is counted: `onServed`
 * hears of an answer without fault. */
export async function deliver(
  response: ServerResponse,
  answer: Answer,
  injection: Injection | undefined,
  context: { readonly onServed: () => void; readonly stopping: AbortSignal },
): Promise<void> {
  if (injection?.fault === 'slow') {
    await delay(injection.delayMs ?? slowMsDefault, undefined, { signal: context.stopping });
  }
  if (response.destroyed) return;
  const strike = injection === undefined ? undefined : strikesAnswer[injection.fault];
  if (strike === undefined) sendJson(response, answer.status, answer.body, answer.headers);
  else strike(response, answer);
  if (injection === undefined) context.onServed();
  else injection.happened();
}

/** The answer that shows a charge, with the wrong amount when the injection says so. */
export function chargeAnswer(status: number, charge: Charge, injection: Injection | undefined): Answer {
  if (injection?.fault !== 'wrong_amount') return { status, body: charge };
  return { status, body: { ...charge, amount_minor: String(BigInt(charge.amount_minor) + 1n) } };
}
