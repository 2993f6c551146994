import { isDeepStrictEqual } from 'node:util';
import type { Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import type { Course } from '../face/face.ts';
import { serve } from '../face/face.ts';
import type { Answer } from '../face/strikes.ts';
import { HttpError, parseRequest } from '../http.ts';
import { keepCharge, keepOrder } from './commit.ts';
import { minorUnitsOf } from './money.ts';
import type { OrderRequest, PaymentSource, StoredOrder } from './order.ts';
import {
  chargeOf,
  chargeOrder,
  chargeRequestSchema,
  makeOrder,
  orderRequestSchema,
  purchaseOf,
  tokenOf,
} from './order.ts';
import type { PayPal } from './paypal.ts';
import { refusals, requestIdOf } from './request-ids.ts';
import { unknownResource } from './rules.ts';
import { shownOrder } from './shown.ts';

const creationSchema = orderRequestSchema.extend({ payment_source: z.unknown().optional() });

/** `POST /v2/checkout/orders` */
export async function postOrder(paypal: PayPal, request: Request, response: Response): Promise<void> {
  const requestId = requestIdOf(request);
  const { payment_source: source, ...asked } = parseRequest(creationSchema, request.body);
  if (source !== undefined) throw singleStep;
  const order = makeOrder(asked, requestId);
  const { amount, custom_id: reference } = purchaseOf(order);
  // An amount that PayPal cannot take is refused before anything is kept.
  minorUnitsOf(amount, 'purchase_units.0.amount');
  const call = { operation: 'create', reference, key: requestId, response };
  await serve(paypal.face, call, creationOf(paypal, order));
}

/** `POST /v2/checkout/orders/{id}/capture` and `/authorize`, each for orders of its intent. */
export function postCharge(paypal: PayPal, intent: OrderRequest['intent']): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const requestId = requestIdOf(request);
    const { payment_source: source } = parseRequest(chargeRequestSchema, request.body ?? {});
    const order = paypal.orders.get(request.params.id);
    const reference = order === undefined ? null : purchaseOf(order).custom_id;
    const course = order === undefined ? unknownOrder : courseOf(paypal, order, { intent, requestId, source });
    await serve(paypal.face, { operation: 'charge', reference, key: requestId, response }, course);
  };
}

/** `GET /v2/checkout/orders/{id}` */
export async function getOrder(paypal: PayPal, request: Request<{ id: string }>, response: Response): Promise<void> {
  const { id } = request.params;
  const order = paypal.orders.get(id);
  const reference = order === undefined ? null : purchaseOf(order).custom_id;
  // Read when its turn comes: a parked look-up sees what happened meanwhile.
  const course: Course = order === undefined ? unknownOrder : { kind: 'read', read: () => answerOf(paypal, 200, id) };
  await serve(paypal.face, { operation: 'lookup', reference, key: null, response }, course);
}

function creationOf(paypal: PayPal, order: StoredOrder): Course {
  const { request, request_id: requestId } = order;
  const { creations } = paypal.orders;
  const standing = creations.standingOf(requestId, request);
  switch (standing.kind) {
    case 'reused':
    case 'in_progress':
      return refusals[standing.kind];
    case 'stored':
      return { kind: 'repeat', answer: answerOf(paypal, 200, standing.result) };
    case 'new':
      return {
        kind: 'work',
        whileReserved: (work) => creations.whileReserved(requestId, request, work),
        commit: async () => {
          await keepOrder(paypal, order);
          return answerOf(paypal, 201, order.id);
        },
      };
  }
}

interface ChargeAsked {
  readonly intent: OrderRequest['intent'];
  readonly requestId: string;
  readonly source: PaymentSource | undefined;
}

function courseOf(paypal: PayPal, order: StoredOrder, { intent, requestId, source }: ChargeAsked): Course {
  const { charges } = paypal.orders;
  if (order.request.intent !== intent) return otherIntent;
  const standing = charges.standingOf(requestId, order.id);
  switch (standing.kind) {
    case 'reused':
    case 'in_progress':
      return refusals[standing.kind];
    case 'stored':
      return isDeepStrictEqual(chargeOf(order)?.payment_source, source)
        ? { kind: 'repeat', answer: answerOf(paypal, 200, order.id) }
        : refusals.reused;
    case 'new': {
      if (chargeOf(order) !== undefined) return { kind: 'refuse', error: alreadyCharged[intent] };
      if (charges.isWorkedOn(order.id)) return refusals.in_progress;
      if (source === undefined) return { kind: 'refuse', error: notApproved };
      const { behavior } = tokenOf(source);
      if (behavior.kind === 'never') return { kind: 'ignore' };
      if (behavior.kind === 'challenge') return { kind: 'refuse', error: payerActionRequired };
      return {
        kind: 'work',
        afterMs: behavior.kind === 'approve' ? behavior.afterMs : 0,
        whileReserved: (work) => charges.whileReserved(requestId, order.id, work),
        commit: async () => {
          const chargesBefore = paypal.orders.chargedWith(purchaseOf(order).custom_id);
          await keepCharge(paypal, chargeOrder(order, { requestId, source }, chargesBefore));
          return answerOf(paypal, 201, order.id);
        },
      };
    }
  }
}

function answerOf({ orders }: PayPal, status: number, orderId: string): Answer {
  return { status, ...shownOrder(orders.standing(orderId)) };
}

const unknownOrder: Course = { kind: 'refuse', error: unknownResource };
const otherIntent: Course = {
  kind: 'refuse',
  error: new HttpError(422, 'ACTION_DOES_NOT_MATCH_INTENT', 'The order was made with the other intent'),
};
// PayPal itself takes such an order and captures it at once. Nobody who wants two steps may send one.
const singleStep = new HttpError(
  422,
  'SINGLE_STEP_ORDER_NOT_SUPPORTED',
  'An order with a payment source would be captured at once: send the payment source with the capture',
  'payment_source',
);
const notApproved = new HttpError(
  422,
  'ORDER_NOT_APPROVED',
  'The payer has not approved the order, and the request names no payment source',
  'payment_source',
);
const payerActionRequired = new HttpError(
  422,
  'PAYER_ACTION_REQUIRED',
  'The payer must act before the order can be paid',
  'payment_source',
);
const alreadyCharged = {
  CAPTURE: new HttpError(
    422,
    'ORDER_ALREADY_CAPTURED',
    'The order was captured by a request with another PayPal-Request-Id',
  ),
  AUTHORIZE: new HttpError(
    422,
    'ORDER_ALREADY_AUTHORIZED',
    'The order was authorized by a request with another PayPal-Request-Id',
  ),
} as const;
