import type { Express, Request, RequestHandler, Response } from 'express';
import express from 'express';
import { z } from 'zod';
import type { Book } from '../bank/book.ts';
import type { Course, Face } from '../face/face.ts';
import { serve } from '../face/face.ts';
import type { Operations } from '../face/faults.ts';
import { chargeFaults, readFaults } from '../face/faults.ts';
import { keyReused, requestInProgress } from '../face/keys.ts';
import { doLater, remainingMs } from '../face/later.ts';
import type { Answer } from '../face/strikes.ts';
import { pendingMs, testTokens } from '../face/test-tokens.ts';
import { createApp, HttpError, parseRequest } from '../http.ts';
import type { Card, Charge, ChargeRequest, StoredCharge } from './charge.ts';
import { chargeRequestSchema, decideCharge } from './charge.ts';
import type { Charges } from './charges.ts';

/** What can be asked of EasyPay. */
export const easypayOperations: Operations = { charge: chargeFaults, lookup: readFaults };

/** What the EasyPay face works with. */
export interface EasyPay {
  readonly face: Face;
  readonly apiKey: string;
  readonly book: Book;
  readonly charges: Charges;
}

interface ChargeCall {
  readonly key: string;
  readonly request: ChargeRequest;
  readonly card: Card;
}

const bodySizeMax = '16kb';

const headersSchema = z.object({
  'idempotency-key': z.string('is required').min(1).max(255),
  'x-correlation-id': z.string().max(255).optional(),
});
const lookupSchema = z.strictObject({ reference: z.string('is required').min(1).max(255) });

/** EasyPay's JSON gateway: `POST /v1/charges` and `GET /v1/charges?reference=`. */
export function createEasyPayFace(easypay: EasyPay): Express {
  return createApp(easypay.face, (app) => {
    app.use(authenticate(easypay.apiKey));
    app.post('/v1/charges', express.json({ limit: bodySizeMax }), (request, response) =>
      postCharge(easypay, request, response),
    );
    app.get('/v1/charges', (request, response) => getCharges(easypay, request, response));
  });
}

/** Approves the charges that a former process left pending, each when it would have been due. */
export function resumeEasyPay(easypay: EasyPay): void {
  for (const stored of easypay.charges.pending()) {
    approveLater(easypay, stored, remainingMs(stored.charge.created_at, pendingMs));
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

async function getCharges({ face, charges }: EasyPay, request: Request, response: Response): Promise<void> {
  const { reference } = parseRequest(lookupSchema, request.query);
  const read = () => ({ status: 200, body: { charges: charges.withReference(reference) } });
  await serve(face, { operation: 'lookup', reference, key: null, response }, { kind: 'read', read });
}

async function postCharge(easypay: EasyPay, request: Request, response: Response): Promise<void> {
  const asked = readCharge(request);
  const call = { operation: 'charge', reference: asked.request.reference, key: asked.key, response };
  await serve(easypay.face, call, courseOf(easypay, asked));
}

function courseOf(easypay: EasyPay, { key, request, card }: ChargeCall): Course {
  const { book, charges } = easypay;
  const standing = charges.keys.standingOf(key, request);
  switch (standing.kind) {
    case 'reused':
      return { kind: 'refuse', error: keyReused };
    case 'in_progress':
      return { kind: 'refuse', error: requestInProgress };
    case 'stored': {
      const headers = { 'idempotent-replayed': 'true' };
      return { kind: 'repeat', answer: { ...answerOf(200, standing.result), headers } };
    }
    case 'new':
      if (card.behavior.kind === 'never') return { kind: 'ignore' };
      return {
        kind: 'work',
        afterMs: card.behavior.kind === 'approve' ? card.behavior.afterMs : 0,
        whileReserved: (work) => charges.keys.whileReserved(key, request, work),
        commit: async () => {
          const stored = { charge: decideCharge(request, key, card), request };
          await charges.store(book, stored);
          if (stored.charge.status === 'pending') approveLater(easypay, stored, pendingMs);
          return answerOf(201, stored.charge);
        },
      };
  }
}

function approveLater({ face, book, charges }: EasyPay, stored: StoredCharge, afterMs: number): void {
  doLater(face, afterMs, () => charges.approve(book, stored));
}

function readCharge(request: Request): ChargeCall {
  const headers = parseRequest(headersSchema, request.headers);
  const body = parseRequest(chargeRequestSchema, request.body);
  const card = testTokens.get(body.card_token);
  if (card === undefined || card.brand === 'paypal') {
    throw new HttpError(422, 'unknown_card_token', 'EasyPay knows no such card token', 'card_token');
  }
  return { key: headers['idempotency-key'], request: body, card };
}

function answerOf(status: number, charge: Charge): Answer {
  const wrongBody = { ...charge, amount_minor: String(BigInt(charge.amount_minor) + 1n) };
  return { status, body: charge, wrongBody };
}
