import type { Request } from 'express';
import { z } from 'zod';
import type { Course } from '../face/face.ts';
import type { KeyStanding } from '../face/keys.ts';
import { keyReused, requestInProgress } from '../face/keys.ts';
import type { Answer } from '../face/strikes.ts';
import { parseRequest } from '../http.ts';

const headersSchema = z.object({
  'idempotency-key': z.string('is required').min(1).max(255),
  'x-correlation-id': z.string().max(255).optional(),
});
const lookUpSchema = z.strictObject({ reference: z.string('is required').min(1).max(255) });

/** The idempotency key of a call. Throws a 400 without one. */
export function keyOf(request: Pick<Request, 'headers'>): string {
  return parseRequest(headersSchema, request.headers)['idempotency-key'];
}

/** The reference that a look-up asks for. Throws a 400 without one. */
export function referenceOf(request: Pick<Request, 'query'>): string {
  return parseRequest(lookUpSchema, request.query).reference;
}

/** The course of a call whose key is not new: what it made is answered as it is now. */
export function knownCourse(
  standing: Exclude<KeyStanding<string>, { readonly kind: 'new' }>,
  answer: (id: string) => Answer,
): Course {
  switch (standing.kind) {
    case 'reused':
      return { kind: 'refuse', error: keyReused };
    case 'in_progress':
      return { kind: 'refuse', error: requestInProgress };
    case 'stored': {
      const headers = { 'idempotent-replayed': 'true' };
      return { kind: 'repeat', answer: { ...answer(standing.result), headers } };
    }
  }
}

/** An answer about money; `wrong_amount` makes one minor unit more of it. */
export function answerOf(status: number, body: { readonly amount_minor: string }): Answer {
  return { status, body, wrongBody: { ...body, amount_minor: String(BigInt(body.amount_minor) + 1n) } };
}
