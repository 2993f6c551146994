import { z } from 'zod';
import type { HttpAnswer } from './http.ts';
import { ProviderFault } from './provider.ts';

/**
 * Text that decides nothing: an approved charge stays approved whatever else is said about it, so this is cut and cleaned
 * of what a database cannot store (NUL, half of a surrogate pair) instead of making the answer unreadable.
 */
export const remark = (lengthMax: number) =>
  z.string().transform((text) =>
    text
      .slice(0, lengthMax)
      .toWellFormed()
      .replace(/\p{Cc}/gu, '\uFFFD'),
  );

/** A provider's id of what it did, as support will ask for it. */
export const transactionId = z.string().regex(/^[\w.:-]{1,200}$/);

/** The end of a card's number, and never more of it. */
export const lastFourDigits = z.string().regex(/^\d{4}$/);

/** A provider's short code as it may stand in our messages: what else it writes is not ours to repeat. */
export const quotable = (allowed: RegExp) =>
  z.string().transform((code) => (allowed.test(code) ? code : '(unreadable code)'));

/** The body as the schema reads it. Throws `unknown_outcome` when it cannot. */
export function readBody<T>(provider: string, schema: z.ZodType<T>, answer: HttpAnswer): T {
  const body = readBodyOrNull(schema, answer);
  if (body !== null) return body;
  // No cause: it would quote the body, which may hold a payer's data.
  throw new ProviderFault('unknown_outcome', `${provider} answered ${answer.status} with a body that cannot be read`);
}

/** The body as the schema reads it, or null. */
export function readBodyOrNull<T>(schema: z.ZodType<T>, answer: HttpAnswer): T | null {
  try {
    return schema.parse(JSON.parse(answer.body));
  } catch {
    return null;
  }
}
