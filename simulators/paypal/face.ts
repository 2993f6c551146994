import type { Express, Request, RequestHandler, Response } from 'express';
import express from 'express';
import { z } from 'zod';
import { serve } from '../face/face.ts';
import type { Operations } from '../face/faults.ts';
import { chargeFaults, commitFaults, readFaults } from '../face/faults.ts';
import { createApp, HttpError } from '../http.ts';
import { completeChargeLater, completeFollowUpLater } from './commit.ts';
import { postFollowUp } from './follow-up-call.ts';
import { getOrder, postCharge, postOrder } from './order-calls.ts';
import type { PayPal } from './paypal.ts';
import type { AccessTokens } from './tokens.ts';
import { tokenSeconds } from './tokens.ts';
import { keepRawBody, postVerification } from './verification-call.ts';

/** What can be asked of PayPal; `charge` is to capture or to authorize an order. An access token is no commit: nobody
 * misses one that was not told. What a void answers names the whole authorization and no amount of its own. */
export const paypalOperations: Operations = {
  token: readFaults,
  create: commitFaults,
  charge: chargeFaults,
  capture: chargeFaults,
  void: commitFaults,
  refund: chargeFaults,
  lookup: readFaults,
  verify: readFaults,
};

const bodySizeMax = '64kb';
/** A verification carries a whole event. */
const verificationSizeMax = '1mb';
const authorizations = '/v2/payments/authorizations/:id';

/** PayPal's REST face: an OAuth token; of Orders v2 to create, capture, authorize and show; of Payments v2 to capture and
 * void an authorization and to refund a capture; and to verify the signature of an event. */
export function createPayPalFace(paypal: PayPal): Express {
  return createApp(paypal.face, (app) => {
    app.post('/v1/oauth2/token', express.urlencoded({ extended: false, limit: bodySizeMax }), (request, response) =>
      postToken(paypal, request, response),
    );
    app.use(authenticate(paypal.tokens));
    app.post(
      '/v1/notifications/verify-webhook-signature',
      express.json({ limit: verificationSizeMax, verify: keepRawBody }),
      (request, response) => postVerification(paypal, request, response),
    );
    app.use(express.json({ limit: bodySizeMax }));
    app.post('/v2/checkout/orders', (request, response) => postOrder(paypal, request, response));
    app.post('/v2/checkout/orders/:id/capture', postCharge(paypal, 'CAPTURE'));
    app.post('/v2/checkout/orders/:id/authorize', postCharge(paypal, 'AUTHORIZE'));
    app.get('/v2/checkout/orders/:id', (request, response) => getOrder(paypal, request, response));
    app.post(`${authorizations}/capture`, postFollowUp(paypal, 'capture'));
    app.post(`${authorizations}/void`, postFollowUp(paypal, 'void'));
    app.post('/v2/payments/captures/:id/refund', postFollowUp(paypal, 'refund'));
  });
}

/** Completes what a former process left pending, each when it would have been due. */
export function resumePayPal(paypal: PayPal): void {
  for (const order of paypal.orders.pending()) completeChargeLater(paypal, order);
  for (const followUp of paypal.orders.pendingFollowUps()) completeFollowUpLater(paypal, followUp);
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
