import cors from 'cors';
import type { RequestHandler } from 'express';

const methods = ['GET', 'POST', 'PUT', 'DELETE'];
const allowedHeaders = ['Authorization', 'Content-Type', 'Idempotency-Key', 'Prefer', 'X-Request-Id'];
const exposedHeaders = [
  'Idempotency-Key',
  'Idempotent-Replayed',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
];
/** How long a browser may remember what a preflight said. */
const maxAge = 600;

/**
 * Lets pages of these origins, and of no others, read our answers. A preflight of theirs is answered at once, from memory alone;
 * to all others it is as if there were no such thing. Without cookies: whoever calls sends a key or a token.
 */
export function allowOrigins(origins: readonly string[]): readonly RequestHandler[] {
  if (origins.length === 0) return [];
  const allowed = new Set(origins);
  return [
    (_request, response, next) => {
      response.vary('Origin');
      next();
    },
    cors({
      origin: (origin, answer) => answer(null, origin !== undefined && allowed.has(origin) ? origin : false),
      methods,
      allowedHeaders,
      exposedHeaders,
      maxAge,
    }),
  ];
}
