import { isUtf8 } from 'node:buffer';
import express, { type Request, type RequestHandler } from 'express';
import { findCardNumber } from '../card-numbers.ts';
import { Problem } from '../errors.ts';

const bytesMax = 64 * 1024;
const depthMax = 20;

/** Reads a JSON body: UTF-8, at most 64 KB, uncompressed, `application/json`. */
export const readJson: readonly RequestHandler[] = [
  (request, _response, next) => {
    if (request.is('application/json') === false || request.headers['content-type'] === undefined) {
      next(new Problem('unsupported_media_type'));
    } else next();
  },
  express.json({
    limit: bytesMax,
    strict: false,
    inflate: false,
    type: () => true,
    verify: (_request, _response, bytes) => {
      if (!isUtf8(bytes)) throw new Problem('invalid_json', { detail: 'The body is not UTF-8.' });
    },
  }),
  (request, _response, next) => {
    try {
      inspect(request);
      next();
    } catch (error) {
      next(error);
    }
  },
];

/** What no body may hold, whatever its schema says. */
function inspect(request: Request): void {
  const body: unknown = request.body;
  if (body === undefined) throw new Problem('invalid_json', { detail: 'The body is empty.' });
  refuseHazards(body);
  const pointer = findCardNumber(body);
  if (pointer !== null) {
    throw new Problem('card_number_refused', { errors: [{ pointer, detail: 'holds a card number' }] });
  }
}

/** `__proto__` as a member and nesting without end: nobody sends them by accident. */
function refuseHazards(body: unknown): void {
  let level: { value: unknown; pointer: string }[] = [{ value: body, pointer: '' }];
  for (let depth = 0; level.length > 0; depth++) {
    const next: typeof level = [];
    for (const { value, pointer } of level) {
      if (typeof value !== 'object' || value === null) continue;
      if (depth >= depthMax) throw notValid(pointer, `must not be nested deeper than ${depthMax} levels`);
      for (const [key, member] of Object.entries(value)) {
        const at = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        if (key === '__proto__') throw notValid(at, 'is not allowed');
        next.push({ value: member, pointer: at });
      }
    }
    level = next;
  }
}

function notValid(pointer: string, detail: string): Problem {
  return new Problem('validation_failed', { errors: [{ pointer, detail }] });
}
