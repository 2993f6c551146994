import type { Express, Request, Response } from 'express';
import type { Course } from '../face/face.ts';
import { serve } from '../face/face.ts';
import { HttpError, parseRequest } from '../http.ts';
import type { StoredCharge } from './charge.ts';
import { cardOf } from './charge-routes.ts';
import { keepFollowUp } from './commit.ts';
import type { EasyPay } from './easypay.ts';
import type { FollowUpAsked, FollowUpKind } from './follow-up.ts';
import { decideFollowUp, followUpRequestSchemas } from './follow-up.ts';
import { answerOf, keyOf, knownCourse, referenceOf } from './requests.ts';
import { amountOf, refusalOf } from './rules.ts';

type ChargeRequest = Request<{ id: string }>;

const kinds: Readonly<Record<string, FollowUpKind>> = { captures: 'capture', voids: 'void', refunds: 'refund' };

/** `POST /v1/charges/{id}/captures|voids|refunds`, and `GET` of the same with `?reference=`. */
export function addFollowUpRoutes(app: Express, easypay: EasyPay): void {
  for (const [name, kind] of Object.entries(kinds)) {
    const path = `/v1/charges/:id/${name}`;
    app.post(path, (request: ChargeRequest, response) => postFollowUp(easypay, kind, request, response));
    app.get(path, (request: ChargeRequest, response) => getFollowUps(easypay, kind, request, response));
  }
}

async function getFollowUps(easypay: EasyPay, kind: FollowUpKind, request: ChargeRequest, response: Response) {
  const { charges, face } = easypay;
  const reference = referenceOf(request);
  const { id } = request.params;
  const read = () => {
    const movements = charges.followUpsOf(id).filter((one) => one.kind === kind && one.reference === reference);
    return { status: 200, body: { movements } };
  };
  const course: Course = charges.get(id) === undefined ? unknownCharge : { kind: 'read', read };
  await serve(face, { operation: 'lookup', reference, key: null, response }, course);
}

async function postFollowUp(easypay: EasyPay, kind: FollowUpKind, request: ChargeRequest, response: Response) {
  const key = keyOf(request);
  const body = parseRequest(followUpRequestSchemas[kind], request.body);
  const charge = easypay.charges.get(request.params.id);
  const asked = { chargeId: request.params.id, kind, key, request: body };
  const course = charge === undefined ? unknownCharge : courseOf(easypay, asked, charge);
  await serve(easypay.face, { operation: kind, reference: body.reference, key, response }, course);
}

function courseOf(easypay: EasyPay, asked: FollowUpAsked, charge: StoredCharge): Course {
  const { charges, turns } = easypay;
  const { chargeId, kind, key, request } = asked;
  const keys = charges.keys[kind];
  const standing = keys.standingOf(key, { chargeId, request });
  if (standing.kind !== 'new') {
    return knownCourse(standing, (id) => {
      const stored = charges.followUp(chargeId, id);
      if (stored === undefined) throw new Error(`A key stands for a ${kind} that is not in the book`);
      return answerOf(200, stored.follow_up);
    });
  }
  const refusal = refusalOf(asked, charges.standingOf(charge));
  if (refusal !== undefined) return { kind: 'refuse', error: refusal };
  return {
    kind: 'work',
    whileReserved: (work) => keys.whileReserved(key, { chargeId, request }, work),
    // Others may have taken the amount since the call came in: in its turn it is asked again, and decided.
    commit: () => turns.inTurn(chargeId, () => commitFollowUp(easypay, asked)),
  };
}

async function commitFollowUp(easypay: EasyPay, asked: FollowUpAsked) {
  const stored = easypay.charges.get(asked.chargeId);
  if (stored === undefined) throw unknownCharge.error;
  const standing = easypay.charges.standingOf(stored);
  const refusal = refusalOf(asked, standing);
  if (refusal !== undefined) throw refusal;
  const { charge, request } = stored;
  const money = { amount: amountOf(asked.request, standing), currency: charge.currency };
  const followUp = decideFollowUp(asked, money, cardOf(request.card_token));
  await keepFollowUp(easypay, followUp);
  return answerOf(201, followUp.follow_up);
}

const unknownCharge = {
  kind: 'refuse',
  error: new HttpError(404, 'unknown_charge', 'EasyPay knows no such charge'),
} satisfies Course;
