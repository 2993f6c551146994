import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import { containsCardNumber } from '../../workflows/domain/card-number.ts';
import { base32 } from '../../workflows/domain/ids.ts';
import { Problem } from '../errors.ts';
import { requestIdHeader } from '../request-headers.ts';

/** Gives every request an id, the caller's own (`X-Request-Id`) or a new one, and sends it back. */
export const identifyRequest: RequestHandler = (request, response, next) => {
  const given = request.headers['x-request-id'];
  const isValid = given === undefined || requestIdHeader.safeParse(given).success;
  const isCard = typeof given === 'string' && containsCardNumber(given);
  const requestId = typeof given === 'string' && isValid && !isCard ? given : `req_${base32(randomBytes(13), 100)}`;
  response.locals['requestId'] = requestId;
  response.locals['receivedAt'] = new Date();
  response.set('X-Request-Id', requestId);
  if (isCard)
    next(new Problem('card_number_refused', { errors: [{ header: 'X-Request-Id', detail: 'holds a card number' }] }));
  else if (!isValid) {
    const detail = 'must be 1 to 64 letters, digits, dots, dashes or underscores';
    next(new Problem('invalid_header', { errors: [{ header: 'X-Request-Id', detail }] }));
  } else if (request.headers.host === undefined && request.httpVersion === '1.1') {
    next(new Problem('invalid_header', { errors: [{ header: 'Host', detail: 'is missing' }] })); // RFC 9112, section 3.2
  } else next();
};

/** The id that `identifyRequest` gave. */
export function requestIdOf(response: Response): string {
  return String(response.locals['requestId']);
}

/** When the request came in. */
export function receivedAtOf(response: Response): Date {
  const { receivedAt } = response.locals;
  return receivedAt instanceof Date ? receivedAt : new Date();
}

/**
 * The client's address, as limits and the audit trail know it: the peer's, or what the proxies say that are trusted; the peer's
 * as well where they say what is no address.
 */
export function originOf(request: Request): string {
  const { ip = '', socket } = request;
  return isIP(ip) === 0 ? (socket.remoteAddress ?? 'unknown') : ip;
}
