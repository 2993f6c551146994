import { randomBytes } from 'node:crypto';
import type { Express, Request, Response } from 'express';
import express from 'express';
import { z } from 'zod';
import type { Course, Face } from '../face/face.ts';
import { serve } from '../face/face.ts';
import type { Operations } from '../face/faults.ts';
import { commitFaults } from '../face/faults.ts';
import type { Keys } from '../face/keys.ts';
import { keyReused, requestInProgress } from '../face/keys.ts';
import { createApp, parseRequest } from '../http.ts';
import type { Shelf } from '../shelf.ts';

/** What can be asked of the SMS gateway. */
export const smsOperations: Operations = { send: commitFaults };

const headersSchema = z.object({ 'idempotency-key': z.string('is required').min(1).max(255) });
const requestSchema = z.strictObject({
  to: z.string().regex(/^\+[1-9][0-9]{6,14}$/, 'must be a phone number like +15550100'),
  text: z.string().min(1).max(1_600),
});
type SmsRequest = z.infer<typeof requestSchema>;

/** A text message that was sent. */
export interface Sms extends SmsRequest {
  readonly id: string;
  readonly idempotency_key: string;
}

/** What the SMS gateway works with. Both end with the process. */
export interface SmsGateway {
  readonly face: Face;
  readonly keys: Keys<SmsRequest, string>;
  readonly messages: Shelf<Sms>;
}

/** The SMS gateway: `POST /v1/messages` with an `Idempotency-Key`. */
export function createSmsFace(gateway: SmsGateway): Express {
  return createApp(gateway.face, (app) => {
    app.post('/v1/messages', express.json({ limit: '16kb' }), (request, response) =>
      postMessage(gateway, request, response),
    );
  });
}

async function postMessage(gateway: SmsGateway, request: Request, response: Response): Promise<void> {
  const key = parseRequest(headersSchema, request.headers)['idempotency-key'];
  const asked = parseRequest(requestSchema, request.body);
  await serve(gateway.face, { operation: 'send', reference: asked.to, key, response }, courseOf(gateway, key, asked));
}

function courseOf({ keys, messages }: SmsGateway, key: string, request: SmsRequest): Course {
  const standing = keys.standingOf(key, request);
  switch (standing.kind) {
    case 'reused':
      return { kind: 'refuse', error: keyReused };
    case 'in_progress':
      return { kind: 'refuse', error: requestInProgress };
    case 'stored':
      return { kind: 'repeat', answer: { status: 200, body: { id: standing.result } } };
    case 'new':
      return {
        kind: 'work',
        whileReserved: (work) => keys.whileReserved(key, request, work),
        commit: async () => {
          const id = `sms_${randomBytes(12).toString('hex')}`;
          messages.put({ id, idempotency_key: key, ...request });
          keys.keep(key, request, id, new Date().toISOString());
          return { status: 201, body: { id } };
        },
      };
  }
}
