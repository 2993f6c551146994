import { isDeepStrictEqual } from 'node:util';
import type { Express, Request, RequestHandler, Response } from 'express';
import express from 'express';
import { z } from 'zod';
import type { Book } from '../bank/book.ts';
import type { Course, Face } from '../face/face.ts';
import { serve } from '../face/face.ts';
import type { Operations } from '../face/faults.ts';
import { chargeFaults, commitFaults, readFaults } from '../face/faults.ts';
import { doLater, remainingMs } from '../face/later.ts';
import type { Answer } from '../face/strikes.ts';
import type { TestToken } from '../face/test-tokens.ts';
import { pendingMs, testTokens } from '../face/test-tokens.ts';
import { createApp, HttpError, parseRequest } from '../http.ts';
import { minorUnitsOf } from './money.ts';
import type { CapturedOrder, PaymentSource, StoredOrder } from './order.ts';
import {
  captureOrder,
  captureRequestSchema,
  makeOrder,
  orderRequestSchema,
  purchaseOf,
  shownOrder,
  vaultOf,
} from './order.ts';
import type { Orders } from './orders.ts';
import type { AccessTokens } from './tokens.ts';
import { tokenSeconds } from './tokens.ts';

/** What can be asked of PayPal. An access token is no commit: nobody misses one that was not told. */
export const paypalOperations: Operations = {
  token: readFaults,
  create: commitFaults,
  charge: chargeFaults,
  lookup: readFaults,
};

/** What the PayPal face works with. */
export interface PayPal {
  readonly face: Face;
  /** The one client it knows. */
  readonly client: { readonly id: string; readonly secret: string } | undefined;
  readonly book: Book;
  readonly orders: Orders;
  readonly tokens: AccessTokens;
}

const bodySizeMax = '64kb';

const requestIdSchema = z.object({ 'paypal-request-id': z.string('is required').min(1).max(108) });
const creationSchema = orderRequestSchema.extend({ payment_source: z.unknown().optional() });

/** PayPal's REST face: an OAuth token, and of Orders v2 to create, capture and show. */
export function createPayPalFace(paypal: PayPal): Express {
  return createApp(paypal.face, (app) => {
    app.post('/v1/oauth2/token', express.urlencoded({ extended: false, limit: bodySizeMax }), (request, response) =>
      postToken(paypal, request, response),
    );
    app.use(authenticate(paypal.tokens), express.json({ limit: bodySizeMax }));
    app.post('/v2/checkout/orders', (request, response) => postOrder(paypal, request, response));
    app.post('/v2/checkout/orders/:id/capture', (request, response) => postCapture(paypal, request, response));
    app.get('/v2/checkout/orders/:id', (request, response) => getOrder(paypal, request, response));
  });
}

/** Completes the captures that a former process left pending, each when it would have been due. */
export function resumePayPal(paypal: PayPal): void {
  for (const order of paypal.orders.pending()) {
    completeLater(paypal, order, remainingMs(order.capture.created_at, pendingMs));
  }
}

function authenticate(tokens: AccessTokens): RequestHandler {
  return (request, _response, next) => {
    const [scheme, token = ''] = (request.get('authorization') ?? '').split(' ');
    if (scheme === 'Bearer' && tokens.isGood(token)) next();
    else throw new HttpError(401, 'authentication_failure', 'The access token is missing, unknown or expired');
  };
}

async function postToken(paypal: PayPal, request: Request, response: Response): Promise<void> {
  const { face, client, tokens } = paypal;
  const expected = client && `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;
  if (expected === undefined || request.get('authorization') !== expected) {
    throw new HttpError(401, 'invalid_client', 'Client Authentication failed');
  }
  const { grant_type: grant } = z.object({ grant_type: z.string().optional() }).catch({}).parse(request.body);
  if (grant !== 'client_credentials') throw new HttpError(400, 'unsupported_grant_type', 'Use client_credentials');
  const read = () => ({
    status: 200,
    body: { access_token: tokens.issue(), token_type: 'Bearer', expires_in: tokenSeconds },
  });
  await serve(face, { operation: 'token', reference: null, key: null, response }, { kind: 'read', read });
}

async function postOrder(paypal: PayPal, request: Request, response: Response): Promise<void> {
  const requestId = requestIdOf(request);
  const { payment_source: source, ...asked } = parseRequest(creationSchema, request.body);
  if (source !== undefined) throw singleStep;
  const order = makeOrder(asked, requestId);
  const { amount, custom_id: reference } = purchaseOf(order);
  // An amount that PayPal cannot take is refused before anything is kept.
  minorUnitsOf(amount);
  const call = { operation: 'create', reference, key: requestId, response };
  await serve(paypal.face, call, creationOf(paypal, order));
}

function creationOf({ book, orders }: PayPal, order: StoredOrder): Course {
  const { request, request_id: requestId } = order;
  const standing = orders.creations.standingOf(requestId, request);
  switch (standing.kind) {
    case 'reused':
    case 'in_progress':
      return refusals[standing.kind];
    case 'stored':
      return { kind: 'repeat', answer: answerOf(200, orders.get(standing.result) ?? order) };
    case 'new':
      return {
        kind: 'work',
        whileReserved: (work) => orders.creations.whileReserved(requestId, request, work),
        commit: async () => {
          await orders.store(book, order);
          return answerOf(201, order);
        },
      };
  }
}

async function postCapture(paypal: PayPal, request: Request<{ id: string }>, response: Response): Promise<void> {
  const requestId = requestIdOf(request);
  const { payment_source: source } = parseRequest(captureRequestSchema, request.body ?? {});
  const order = paypal.orders.get(request.params.id);
  const reference = order === undefined ? null : purchaseOf(order).custom_id;
  const course = order === undefined ? unknownOrder : captureOf(paypal, order, requestId, source);
  await serve(paypal.face, { operation: 'charge', reference, key: requestId, response }, course);
}

function captureOf(paypal: PayPal, order: StoredOrder, requestId: string, source?: PaymentSource): Course {
  const { book, orders } = paypal;
  const { captures } = orders;
  const standing = captures.standingOf(requestId, order.id);
  switch (standing.kind) {
    case 'reused':
    case 'in_progress':
      return refusals[standing.kind];
    case 'stored':
      return isDeepStrictEqual(order.capture?.payment_source, source)
        ? { kind: 'repeat', answer: answerOf(200, order) }
        : refusals.reused;
    case 'new': {
      if (order.capture !== undefined) return { kind: 'refuse', error: alreadyCaptured };
      if (captures.isWorkedOn(order.id)) return refusals.in_progress;
      if (source === undefined) return { kind: 'refuse', error: notApproved };
      const token = tokenOf(source);
      if (token.behavior.kind === 'never') return { kind: 'ignore' };
      return {
        kind: 'work',
        afterMs: token.behavior.kind === 'approve' ? token.behavior.afterMs : 0,
        whileReserved: (work) => captures.whileReserved(requestId, order.id, work),
        commit: async () => {
          const captured = captureOrder(order, { requestId, source }, token);
          await orders.store(book, captured);
          if (captured.capture.status === 'PENDING') completeLater(paypal, captured, pendingMs);
          return answerOf(201, captured);
        },
      };
    }
  }
}

async function getOrder({ face, orders }: PayPal, request: Request<{ id: string }>, response: Response): Promise<void> {
  const { id } = request.params;
  const order = orders.get(id);
  const reference = order === undefined ? null : purchaseOf(order).custom_id;
  // Read again when its turn comes: a parked look-up sees what happened meanwhile.
  const course: Course =
    order === undefined ? unknownOrder : { kind: 'read', read: () => answerOf(200, orders.get(id) ?? order) };
  await serve(face, { operation: 'lookup', reference, key: null, response }, course);
}

function completeLater({ face, book, orders }: PayPal, order: CapturedOrder, afterMs: number): void {
  doLater(face, afterMs, () => orders.complete(book, order));
}

function requestIdOf(request: Pick<Request, 'headers'>): string {
  return parseRequest(requestIdSchema, request.headers)['paypal-request-id'];
}

function tokenOf(source: PaymentSource): TestToken {
  const { kind, token } = vaultOf(source);
  const known = testTokens.get(token);
  if (known !== undefined && (known.brand === 'paypal') === (kind === 'paypal')) return known;
  const field = `payment_source.${kind}.vault_id`;
  throw new HttpError(422, 'TOKEN_ID_NOT_FOUND', `The vault holds no such ${kind}`, field);
}

function answerOf(status: number, order: StoredOrder): Answer {
  const token = order.capture && tokenOf(order.capture.payment_source);
  return { status, body: shownOrder(order, token), wrongBody: shownOrder(order, token, true) };
}

const unknownOrder: Course = {
  kind: 'refuse',
  error: new HttpError(404, 'INVALID_RESOURCE_ID', 'The specified resource does not exist'),
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
  'The payer has not approved the order, and the capture names no payment source',
  'payment_source',
);
/** By what a request id stands for when it cannot be taken. */
const refusals = {
  reused: {
    kind: 'refuse',
    error: new HttpError(
      422,
      'PAYPAL_REQUEST_ID_PREVIOUSLY_USED',
      'This PayPal-Request-Id came with another request before',
    ),
  },
  in_progress: {
    kind: 'refuse',
    error: new HttpError(
      409,
      'PREVIOUS_REQUEST_IN_PROGRESS',
      'An earlier request on this resource is still being worked on',
    ),
  },
} satisfies Readonly<Record<string, Course>>;
const alreadyCaptured = new HttpError(
  422,
  'ORDER_ALREADY_CAPTURED',
  'The order was captured by a request with another PayPal-Request-Id',
);
