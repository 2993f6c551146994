import { setTimeout as delay } from 'node:timers/promises';
import type { Express, Request, RequestHandler, Response } from 'express';
import express from 'express';
import { z } from 'zod';
import type { Book } from '../bank/book.ts';
import type { CallClass, Faults, Injection } from '../faults.ts';
import { errorAnswers, errorBody, HttpError, notFound, parseRequest } from '../http.ts';
import type { Parking } from '../parking.ts';
import type { Answer } from './answers.ts';
import { chargeAnswer, deliver, strikeBefore } from './answers.ts';
import type { ChargeRequest, StoredCharge } from './charge.ts';
import { chargeRequestSchema, decideCharge } from './charge.ts';
import type { Charges, KeyStanding } from './charges.ts';
import type { TestCard } from './test-tokens.ts';
import { testCards } from './test-tokens.ts';

/** What the EasyPay face works with. Work that still waits when `stopping` fires ends there, as in a crash. */
export interface EasyPay {
  readonly apiKey: string;
  readonly book: Book;
  readonly charges: Charges;
  readonly faults: Faults;
  readonly parking: Parking;
  readonly stopping: AbortSignal;
  readonly warn: (message: string) => void;
}

interface ChargeCall {
  readonly key: string;
  readonly request: ChargeRequest;
  readonly card: TestCard;
}

const callClasses: Readonly<Record<KeyStanding['kind'], CallClass>> = {
  new: 'commits',
  stored: 'replays',
  reused: 'conflicts',
  in_progress: 'conflicts',
};
const lateCommitMsDefault = 2_000;
const pendingMsMax = 2_000;
const bodySizeMax = '16kb';

const headersSchema = z.object({
  'idempotency-key': z.string('is required').min(1).max(255),
  'x-correlation-id': z.string().max(255).optional(),
});
const lookupSchema = z.strictObject({ reference: z.string('is required').min(1).max(255) });

/** EasyPay's JSON gateway: `POST /v1/charges` and `GET /v1/charges?reference=`. */
export function createEasyPayFace(easypay: EasyPay): Express {
  const face = express().disable('x-powered-by').disable('etag');
  face.use(authenticate(easypay.apiKey));
  face.post('/v1/charges', express.json({ limit: bodySizeMax }), (request, response) =>
    postCharge(easypay, request, response),
  );
  face.get('/v1/charges', (request, response) => getCharges(easypay, request, response));
  face.use(notFound);
  face.use(errorAnswers(easypay.warn));
  return face;
}

/** Approves the charges that a former process left pending, each when it would have been due. */
export function resumePending(easypay: EasyPay): void {
  for (const stored of easypay.charges.pending()) {
    const ageMs = Date.now() - Date.parse(stored.charge.created_at);
    approveLater(easypay, stored, Math.min(Math.max(0, pendingMsMax - ageMs), pendingMsMax));
  }
}

function authenticate(apiKey: string): RequestHandler {
  const expected = `Bearer ${apiKey}`;
  return (request, response, next) => {
    const correlationId = request.get('x-correlation-id');
    if (correlationId !== undefined) response.setHeader('x-correlation-id', correlationId);
    if (request.get('authorization') === expected) next();
    else throw new HttpError(401, 'unauthorized', 'Send the API key as "Authorization: Bearer <key>"');
  };
}

async function getCharges(easypay: EasyPay, request: Request, response: Response): Promise<void> {
  const { reference } = parseRequest(lookupSchema, request.query);
  const injection = easypay.faults.decide('lookup', 'looks_up');
  if (strikeBefore(response, injection)) return;
  const answer = { status: 200, body: { charges: easypay.charges.withReference(reference) } };
  await deliver(response, answer, injection, {
    onServed: () => easypay.faults.served('lookup'),
    stopping: easypay.stopping,
  });
}

async function postCharge(easypay: EasyPay, request: Request, response: Response): Promise<void> {
  const call = readCall(request);
  const standing = easypay.charges.standingOf(call.key, call.request);
  const injection = easypay.faults.decide('charge', callClasses[standing.kind]);
  if (strikeBefore(response, injection)) return;
  switch (standing.kind) {
    case 'reused':
      return answerCharge(easypay, response, injection, keyReused);
    case 'in_progress':
      return answerCharge(easypay, response, injection, requestInProgress);
    case 'stored': {
      const answer = chargeAnswer(200, standing.charge, injection);
      return answerCharge(easypay, response, injection, { ...answer, headers: { 'idempotent-replayed': 'true' } });
    }
    case 'new':
      // Such a card keeps its caller waiting and reserves nothing.
      if (call.card.behavior.kind === 'never') return undefined;
      return easypay.charges.whileReserved(call.key, call.request, () => charge(easypay, call, response, injection));
  }
}

// From here on the work goes on whether the client waits or not.
async function charge(
  easypay: EasyPay,
  call: ChargeCall,
  response: Response,
  injection: Injection | undefined,
): Promise<void> {
  const { behavior } = call.card;
  const place = { reference: call.request.reference, key: call.key };
  const isLate = injection?.fault === 'late_commit';
  if (isLate) await pause(easypay, injection.delayMs ?? lateCommitMsDefault);
  if (behavior.kind === 'approve') await pause(easypay, behavior.afterMs);
  await easypay.parking.pass('before_commit', place);
  const stored = { charge: decideCharge(call.request, call.key, call.card), request: call.request };
  await easypay.charges.store(easypay.book, stored);
  if (behavior.kind === 'pending') approveLater(easypay, stored, behavior.approvedAfterMs);
  if (isLate) injection.happened();
  await easypay.parking.pass('after_commit', place);
  if (!isLate) await answerCharge(easypay, response, injection, chargeAnswer(201, stored.charge, injection));
}

function answerCharge(
  easypay: EasyPay,
  response: Response,
  injection: Injection | undefined,
  answer: Answer,
): Promise<void> {
  return deliver(response, answer, injection, {
    onServed: () => easypay.faults.served('charge'),
    stopping: easypay.stopping,
  });
}

function approveLater(easypay: EasyPay, stored: StoredCharge, afterMs: number): void {
  const work = async () => {
    await pause(easypay, afterMs);
    await easypay.charges.approve(easypay.book, stored);
  };
  work().catch((error: unknown) => {
    if (!easypay.stopping.aborted) easypay.warn(`A pending charge was not approved: ${String(error)}`);
  });
}

async function pause(easypay: EasyPay, ms: number): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal: easypay.stopping });
}

function readCall(request: Request): ChargeCall {
  const headers = parseRequest(headersSchema, request.headers);
  const body = parseRequest(chargeRequestSchema, request.body);
  const card = testCards.get(body.card_token);
  if (card === undefined) {
    throw new HttpError(422, 'unknown_card_token', 'EasyPay knows no such card token', 'card_token');
  }
  return { key: headers['idempotency-key'], request: body, card };
}

const keyReused: Answer = {
  status: 409,
  body: errorBody('idempotency_key_reused', 'This idempotency key came with another body before'),
};
const requestInProgress: Answer = {
  status: 409,
  body: errorBody('request_in_progress', 'The first call with this idempotency key is still being worked on'),
};
