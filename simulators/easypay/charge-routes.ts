import type { Express, Request, Response } from 'express';
import type { Course } from '../face/face.ts';
import { serve } from '../face/face.ts';
import type { Answer } from '../face/strikes.ts';
import { testTokens } from '../face/test-tokens.ts';
import { HttpError, parseRequest } from '../http.ts';
import type { Card, ChargeRequest, StoredCharge } from './charge.ts';
import { chargeRequestSchema, decideCharge } from './charge.ts';
import { keepCharge } from './commit.ts';
import type { EasyPay } from './easypay.ts';
import { answerOf, keyOf, knownCourse, referenceOf } from './requests.ts';

interface ChargeCall {
  readonly key: string;
  readonly request: ChargeRequest;
  readonly card: Card;
}

/** `POST /v1/charges` and `GET /v1/charges?reference=`. */
export function addChargeRoutes(app: Express, easypay: EasyPay): void {
  app.post('/v1/charges', (request, response) => postCharge(easypay, request, response));
  app.get('/v1/charges', (request, response) => getCharges(easypay, request, response));
}

/** The card behind a token. Throws a 422 when EasyPay can charge none by it. */
export function cardOf(token: string): Card {
  const card = testTokens.get(token);
  if (card !== undefined && card.brand !== 'paypal') return card;
  throw new HttpError(422, 'unknown_card_token', 'EasyPay knows no such card token', 'card_token');
}

async function getCharges(easypay: EasyPay, request: Request, response: Response): Promise<void> {
  const reference = referenceOf(request);
  const read = () => {
    const charges = easypay.charges.withReference(reference).map((stored) => shownCharge(easypay, stored));
    return { status: 200, body: { charges } };
  };
  await serve(easypay.face, { operation: 'lookup', reference, key: null, response }, { kind: 'read', read });
}

async function postCharge(easypay: EasyPay, request: Request, response: Response): Promise<void> {
  const key = keyOf(request);
  const body = parseRequest(chargeRequestSchema, request.body);
  const asked = { key, request: body, card: cardOf(body.card_token) };
  const call = { operation: 'charge', reference: body.reference, key, response };
  await serve(easypay.face, call, courseOf(easypay, asked));
}

function courseOf(easypay: EasyPay, { key, request, card }: ChargeCall): Course {
  const { charges } = easypay;
  const keys = charges.keys.charge;
  const standing = keys.standingOf(key, request);
  if (standing.kind !== 'new') return knownCourse(standing, (id) => answerAs(easypay, 200, charges.get(id)));
  if (card.behavior.kind === 'never') return { kind: 'ignore' };
  return {
    kind: 'work',
    afterMs: card.behavior.kind === 'approve' ? card.behavior.afterMs : 0,
    whileReserved: (work) => keys.whileReserved(key, request, work),
    commit: async () => {
      const stored = decideCharge(request, key, card, charges.withReference(request.reference).length);
      await keepCharge(easypay, stored);
      return answerAs(easypay, 201, stored);
    },
  };
}

function answerAs(easypay: EasyPay, status: number, stored: StoredCharge | undefined): Answer {
  if (stored === undefined) throw new Error('A key stands for a charge that is not in the book');
  return answerOf(status, shownCharge(easypay, stored));
}

/** The charge as EasyPay shows it: with the address of the page on which its payer confirms it, while that is awaited. */
function shownCharge({ publicUrl }: EasyPay, { charge, challenge }: StoredCharge) {
  const isAwaited = charge.status === 'requires_action' && challenge !== undefined;
  return { ...charge, action_url: isAwaited ? `${publicUrl}/challenge/${challenge}` : null };
}
