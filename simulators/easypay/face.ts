import type { Express, RequestHandler } from 'express';
import express from 'express';
import type { Operations } from '../face/faults.ts';
import { chargeFaults, readFaults } from '../face/faults.ts';
import { createApp, HttpError } from '../http.ts';
import { addChallengeRoutes } from './challenge.ts';
import { addChargeRoutes } from './charge-routes.ts';
import type { EasyPay } from './easypay.ts';
import { addFollowUpRoutes } from './follow-up-routes.ts';

/** What can be asked of EasyPay. */
export const easypayOperations: Operations = {
  charge: chargeFaults,
  capture: chargeFaults,
  void: chargeFaults,
  refund: chargeFaults,
  lookup: readFaults,
};

const bodySizeMax = '16kb';

/** EasyPay's JSON gateway: charges, what follows them, their look-ups, and the page on which a payer confirms. */
export function createEasyPayFace(easypay: EasyPay): Express {
  return createApp(easypay.face, (app) => {
    // A payer's browser has no API key: it is known by the random token of its page.
    addChallengeRoutes(app, easypay);
    app.use(authenticate(easypay.apiKey), express.json({ limit: bodySizeMax }));
    addChargeRoutes(app, easypay);
    addFollowUpRoutes(app, easypay);
  });
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
