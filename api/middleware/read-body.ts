import { isUtf8 } from 'node:buffer';
import express, { type Request, type RequestHandler } from 'express';
import { containsCardNumber, findCardNumber } from '../../workflows/domain/card-number.ts';
import { pointerToken } from '../../workflows/domain/json-pointer.ts';
import { findDuplicateMember } from '../duplicate-member.ts';
import { Problem } from '../errors.ts';
import { bodyBytesOf, setBodyBytes } from './locals.ts';

const bytesMax = 64 * 1024;
const signedBytesMax = 256 * 1024;
const depthMax = 20;

/** The very bytes are what a signature is made over, whatever becomes of the body. */
const keepBytes: RequestHandler = (request, response, next) => {
  if (!Buffer.isBuffer(request.body)) request.body = Buffer.alloc(0);
  setBodyBytes(response, request.body);
  next();
};

/** Reads a JSON body: UTF-8, at most 64 KB, uncompressed, `application/json`. */
export const readJson: readonly RequestHandler[] = [
  (request, _response, next) => next(isJson(request) ? undefined : new Problem('unsupported_media_type')),
  express.raw({ limit: bytesMax, inflate: false, type: () => true }),
  keepBytes,
  (request, response, next) => {
    request.body = parse(bodyBytesOf(response));
    next();
  },
];

/** Reads a body as the very bytes that were signed: at most 256 KB of any type, uncompressed. */
export const readBytes: readonly RequestHandler[] = [
  express.raw({ limit: signedBytesMax, inflate: false, type: () => true }),
  keepBytes,
];

function isJson(request: Request): boolean {
  const type = request.headers['content-type'];
  if (type === undefined || request.is('application/json') === false) return false;
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(type)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}

function parse(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new Problem('invalid_json', { detail: 'The body is empty.' });
  if (!isUtf8(bytes)) throw new Problem('invalid_json', { detail: 'The body is not UTF-8.' });
  return parseJson(bytes.toString());
}

/** What a text is as JSON; throws where it is none, names a member twice, or holds a card number or what nobody sends by accident. */
export function parseJson(text: string): unknown {
  const body = parseText(text);
  refuseCardNumbers(body, text);
  refuseHazards(body);
  const duplicate = findDuplicateMember(text);
  if (duplicate !== null) throw notValid(duplicate, 'stands there twice');
  return body;
}

/** A byte order mark is no JSON to `JSON.parse` either: RFC 8259 forbids to send one. */
function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem('invalid_json'); // without the cause, which quotes the body
  }
}

/** Before anything that names parts of the body. The text is read too: parsing drops digits of long numbers, and members. */
function refuseCardNumbers(body: unknown, text: string): void {
  const pointer = findCardNumber(body) ?? (containsCardNumber(withoutEscapes(text)) ? '' : null);
  if (pointer === null) return;
  throw new Problem('card_number_refused', { errors: [{ pointer, detail: 'holds a card number' }] });
}

function withoutEscapes(json: string): string {
  return json.replaceAll(/\\u([0-9a-f]{4})/gi, (_escape, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
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
        const at = `${pointer}/${pointerToken(key)}`;
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
