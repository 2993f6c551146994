import type { Request, RequestHandler } from 'express';
import type { Course } from '../face/face.ts';
import { serve } from '../face/face.ts';
import type { Answer } from '../face/strikes.ts';
import { parseRequest } from '../http.ts';
import { keepFollowUp } from './commit.ts';
import type { FollowUp, FollowUpAsked, FollowUpKind } from './follow-up.ts';
import { decideFollowUp, followUpRequestSchemas, referenceOf } from './follow-up.ts';
import { minorUnitsOf, moneyOf } from './money.ts';
import type { StoredOrder } from './order.ts';
import { chargeOf, purchaseOf, tokenOf } from './order.ts';
import type { PayPal } from './paypal.ts';
import { refusals, requestIdOf } from './request-ids.ts';
import type { Standing } from './rules.ts';
import { heldOf, refusalOf, unknownResource } from './rules.ts';
import { shownAuthorization, shownFollowUp } from './shown.ts';

interface FollowUpCall {
  readonly order: StoredOrder;
  readonly requestId: string;
  readonly asked: FollowUpAsked;
  /** Whether the answer to a void shows the authorization. */
  readonly wantsBody: boolean;
}

/** `POST /v2/payments/authorizations/{id}/capture` and `/void`, and `POST /v2/payments/captures/{id}/refund`. */
export function postFollowUp(paypal: PayPal, kind: FollowUpKind): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const requestId = requestIdOf(request);
    const asked = askedIn(kind, request);
    // An amount that PayPal cannot take is refused before anything is looked at.
    if (asked.kind !== 'void') minorUnitsOf(asked.request.amount);
    const wantsBody = request.get('prefer') === 'return=representation';
    const order = paypal.orders.withPart(kind, request.params.id);
    const reference = order === undefined ? null : referenceOf(asked, purchaseOf(order).custom_id);
    const course = order === undefined ? unknown : courseOf(paypal, { order, requestId, asked, wantsBody });
    await serve(paypal.face, { operation: kind, reference, key: requestId, response }, course);
  };
}

function askedIn(kind: FollowUpKind, { params, body }: Request<{ id: string }>): FollowUpAsked {
  const parentId = params.id;
  const sent: unknown = body ?? {};
  switch (kind) {
    case 'capture':
      return { kind, parentId, request: parseRequest(followUpRequestSchemas[kind], sent) };
    case 'void':
      return { kind, parentId, request: parseRequest(followUpRequestSchemas[kind], sent) };
    case 'refund':
      return { kind, parentId, request: parseRequest(followUpRequestSchemas[kind], sent) };
  }
}

function courseOf(paypal: PayPal, call: FollowUpCall): Course {
  const { order, requestId, asked } = call;
  const { orders } = paypal;
  const keys = orders.followUps[asked.kind];
  const standing = keys.standingOf(requestId, asked);
  switch (standing.kind) {
    case 'reused':
    case 'in_progress':
      return refusals[standing.kind];
    case 'stored':
      return { kind: 'repeat', answer: answerOf(orders.standing(order.id), 200, standing.result, call) };
    case 'new': {
      const error = refusalOf(asked, orders.standing(order.id));
      if (error !== undefined) return { kind: 'refuse', error };
      return {
        kind: 'work',
        whileReserved: (work) => keys.whileReserved(requestId, asked, work),
        commit: () => paypal.turns.inTurn(order.id, () => commit(paypal, call)),
      };
    }
  }
}

async function commit(paypal: PayPal, call: FollowUpCall): Promise<Answer> {
  const { order, requestId, asked } = call;
  const standing = paypal.orders.standing(order.id);
  const error = refusalOf(asked, standing);
  if (error !== undefined) throw error;
  const source = chargeOf(order)?.payment_source;
  if (source === undefined) throw new Error('An order that nobody has paid has nothing to move');
  const followUp = decideFollowUp(
    asked,
    { orderId: order.id, requestId, amount: amountOf(asked, standing) },
    tokenOf(source),
  );
  await keepFollowUp(paypal, followUp);
  return answerOf(paypal.orders.standing(order.id), 201, followUp.id, call);
}

function amountOf(asked: FollowUpAsked, standing: Standing): FollowUp['amount'] {
  if (asked.kind !== 'void') return asked.request.amount;
  return moneyOf(heldOf(standing), purchaseOf(standing.order).amount.currency_code);
}

function answerOf(standing: Standing, status: number, id: string, { asked, wantsBody }: FollowUpCall): Answer {
  if (asked.kind === 'void') return wantsBody ? { status: 200, ...shownAuthorization(standing) } : { status: 204 };
  const followUp = standing.followUps.find((one) => one.id === id);
  if (followUp === undefined) throw new Error(`There is no ${asked.kind} ${id}`);
  return { status, ...shownFollowUp(followUp, standing) };
}

const unknown: Course = { kind: 'refuse', error: unknownResource };
