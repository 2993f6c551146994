import type { Request } from 'express';
import { z } from 'zod';
import type { Course } from '../face/face.ts';
import { HttpError, parseRequest } from '../http.ts';

const requestIdSchema = z.object({ 'paypal-request-id': z.string('is required').min(1).max(108) });

/** The `PayPal-Request-Id` of a request. Throws a 400 without one. */
export function requestIdOf(request: Pick<Request, 'headers'>): string {
  return parseRequest(requestIdSchema, request.headers)['paypal-request-id'];
}

/** By what a request id stands for when it cannot be taken. */
export const refusals = {
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
