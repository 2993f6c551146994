import type { Request } from 'express';
import type { z } from 'zod';
import { containsCardNumber } from '../../workflows/domain/card-number.ts';
import { pointerToken } from '../../workflows/domain/json-pointer.ts';
import { type FieldError, Problem } from '../errors.ts';
import type { Route } from '../route.ts';

const errorsMax = 20;

/** Headers, parameters and body of a request as the route's declaration has them. Throws a `Problem` that names what is wrong. */
export function validate(route: Route, request: Request): { headers: unknown; params: unknown; body: unknown } {
  refuseCardInAddress(request);
  refuseUnknownQuery(request);
  return {
    headers: validHeaders(route, request),
    params: route.params.parse(request.params),
    body: route.body === undefined ? undefined : validBody(route.body, request.body),
  };
}

function validHeaders(route: Route, request: Request): unknown {
  const names = Object.keys(route.headers.shape);
  const held = names.filter((name) => containsCardNumber(String(request.headers[name] ?? '')));
  if (held.length > 0) {
    const errors = held.map((header) => ({ header, detail: 'holds a card number' }));
    throw new Problem('card_number_refused', { errors });
  }
  const repeated = names.filter((name) => name !== 'prefer' && (request.headersDistinct[name]?.length ?? 0) > 1); // RFC 7240
  if (repeated.length > 0) {
    const errors = repeated.map((header) => ({ header, detail: 'must be sent once' }));
    throw new Problem('invalid_header', { errors });
  }
  const given = Object.fromEntries(names.map((name) => [name, request.headers[name]]));
  const result = route.headers.safeParse(given);
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => ({ header: String(issue.path[0]), detail: issue.message }));
  throw new Problem('invalid_header', { errors });
}

function validBody(schema: z.ZodType, body: unknown): unknown {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const errors = result.error.issues.flatMap(fieldErrors).slice(0, errorsMax);
  throw new Problem('validation_failed', { errors });
}

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ pointer: pointerOf([...issue.path, key]), detail: 'is not a known field' }));
  }
  if (issue.code === 'invalid_key') {
    return [{ pointer: pointerOf(issue.path.slice(0, -1)), detail: 'has a name that is not allowed' }];
  }
  return [{ pointer: pointerOf(issue.path), detail: issue.message }];
}

/** JSON pointer (RFC 6901) of a path; long names are cut, lone surrogates replaced: the answer itself must be readable. */
function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${pointerToken(String(part).toWellFormed().slice(0, 100))}`).join('');
}

function refuseCardInAddress(request: Request): void {
  const texts = [request.params, request.query].flatMap((part) => Object.entries(part).flat(2)).map(String);
  if (!texts.some((text) => containsCardNumber(text))) return;
  throw new Problem('card_number_refused', { detail: 'The address of the request holds a card number.' });
}

function refuseUnknownQuery(request: Request): void {
  const [name] = Object.keys(request.query);
  if (name === undefined) return;
  throw new Problem('validation_failed', { detail: 'This route takes no query parameters.' });
}
