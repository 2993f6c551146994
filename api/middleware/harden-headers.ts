import type { RequestHandler } from 'express';

/**
 * What every answer says to browsers, whoever asked: nothing is to be guessed, framed, run from elsewhere or reached without
 * TLS. `X-XSS-Protection` turns off a filter of old browsers that could itself be abused.
 */
export const securityHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'X-XSS-Protection': '0',
  'Strict-Transport-Security': 'max-age=31536000',
  'Content-Security-Policy': "default-src 'self'",
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  'Permissions-Policy': 'geolocation=(), microphone=(), camera=()',
} as const;

/** Answers are data for programs, which nobody may store: they are about money. */
export const hardenHeaders: RequestHandler = (request, response, next) => {
  delete request.headers['if-none-match']; // nobody has stored an answer to compare with: Express would say 304 to `*`
  response.set({ 'Cache-Control': 'no-store', ...securityHeaders });
  next();
};
