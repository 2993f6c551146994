import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { serve } from '../face/face.ts';
import { HttpError, parseRequest } from '../http.ts';
import type { PayPal } from './paypal.ts';
import { rawEventIn, verificationSchema } from './transmissions.ts';

const rawBodies = new WeakMap<IncomingMessage, Buffer>();

/** Keeps the bytes of a request that is read as JSON. */
export function keepRawBody(request: IncomingMessage, _response: ServerResponse, bytes: Buffer): void {
  rawBodies.set(request, bytes);
}

const resourceSchema = z
  .object({ resource: z.object({ invoice_id: z.string().optional(), custom_id: z.string().optional() }) })
  .catch({ resource: {} });

/** `POST /v1/notifications/verify-webhook-signature` */
export async function postVerification(paypal: PayPal, request: Request, response: Response): Promise<void> {
  const { face, transmissions } = paypal;
  const asked = parseRequest(verificationSchema, request.body);
  if (!transmissions.knows(asked.webhook_id)) {
    throw new HttpError(400, 'INVALID_WEBHOOK_ID', 'Not a valid webhook ID', 'webhook_id');
  }
  const isGenuine = transmissions.isGenuine(asked, rawEventIn(rawBodies.get(request)?.toString('utf8') ?? ''));
  const { invoice_id: invoiceId, custom_id: customId } = resourceSchema.parse(asked.webhook_event).resource;
  const call = { operation: 'verify', reference: invoiceId ?? customId ?? null, key: null, response };
  const read = () => ({ status: 200, body: { verification_status: isGenuine ? 'SUCCESS' : 'FAILURE' } });
  await serve(face, call, { kind: 'read', read });
}
