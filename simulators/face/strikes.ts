import type { ServerResponse } from 'node:http';
import { HttpError, sendError, sendJson, sendText } from '../http.ts';
import type { Face } from './face.ts';
import type { FaultName, Injection } from './faults.ts';
import { pause } from './later.ts';

/** What a call is answered when nothing goes wrong on the way. */
export interface Answer {
  readonly status: number;
  /** Absent: an answer without a body. */
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** The same body with another amount, where it names one: what `wrong_amount` makes of it. */
  readonly wrongBody?: object;
}

const slowMsDefault = 3_000;
const retryAfterMsDefault = 1_000;
// Nothing listens on port 1: who follows the redirect finds out.
const redirectTarget = 'http://127.0.0.1:1/';

type StrikeBefore = (face: Face, response: ServerResponse, delayMs?: number) => void;

const brokenDown: StrikeBefore = (face, response) =>
  sendError(response, new HttpError(500, 'internal_error', 'Something went wrong'), face.wording);

const strikesBefore: Readonly<Partial<Record<FaultName, StrikeBefore>>> = {
  '429': (face, response, delayMs = retryAfterMsDefault) => {
    const seconds = String(Math.ceil(delayMs / 1_000));
    const error = new HttpError(429, 'rate_limited', `Too many requests; try again in ${seconds} s`);
    sendError(response, error, face.wording, { 'retry-after': seconds });
  },
  '503': (face, response) => {
    const error = new HttpError(503, 'service_unavailable', 'Certainly not processed; try again later');
    sendError(response, error, face.wording);
  },
  '500_before': brokenDown,
  '410': (face, response) => sendError(response, new HttpError(410, 'gone', 'Nobody is here any more'), face.wording),
  redirect: (_face, response) => response.writeHead(302, { location: redirectTarget, 'content-length': '0' }).end(),
  reset: (_face, response) => response.socket?.resetAndDestroy(),
  never: () => undefined,
};

type StrikeAnswer = (face: Face, response: ServerResponse, answer: Answer) => void;

const strikesAnswer: Readonly<Partial<Record<FaultName, StrikeAnswer>>> = {
  '500_after': (face, response) => brokenDown(face, response),
  lost_after: (_face, response) => response.destroy(),
  wrong_amount: (_face, response, answer) => send(response, { ...answer, body: answer.wrongBody ?? {} }),
  cut_json: (_face, response, { status, body, headers }) => {
    const text = JSON.stringify(body ?? {});
    sendText(response, status, text.slice(0, Math.floor(text.length / 2)), headers);
  },
};

/** Strikes before the commit, when the injection is of that kind, and tells whether it did: then the call is over. */
export function strikeBefore(face: Face, response: ServerResponse, injection: Injection | undefined): boolean {
  if (injection === undefined) return false;
  const strike = strikesBefore[injection.fault];
  if (strike === undefined) return false;
  strike(face, response, injection.delayMs);
  injection.happened();
  return true;
}

/** Gives the answer, or what the injection makes of it. Only what reaches an open connection is counted. */
export async function deliver(
  face: Face,
  call: { readonly operation: string; readonly response: ServerResponse },
  answer: Answer,
  injection: Injection | undefined,
): Promise<void> {
  const { operation, response } = call;
  if (injection?.fault === 'slow') await pause(face, injection.delayMs ?? slowMsDefault);
  if (response.destroyed) return;
  const strike = injection === undefined ? undefined : strikesAnswer[injection.fault];
  if (strike === undefined) send(response, answer);
  else strike(face, response, answer);
  if (injection === undefined) face.faults.served(operation);
  else injection.happened();
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  if (body === undefined) response.writeHead(status, headers).end();
  else sendJson(response, status, body, headers);
}
