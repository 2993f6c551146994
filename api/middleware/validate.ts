import type { Request } from 'express';
import type { z } from 'zod';
import { containsCardNumber } from '../../workflows/domain/card-number.ts';
import { pointerToken } from '../../workflows/domain/json-pointer.ts';
import { type FieldError, Problem } from '../errors.ts';
import { noQuery, type Route } from '../route.ts';

const errorsMax = 20;

/** Headers, parameters and body of a request as the route's declaration has them. Throws a `Problem` that names what is wrong. */
export function validate(
  route: Route,
  request: Request,
): { headers: unknown; params: unknown; query: unknown; body: unknown } {
  refuseCardInAddress(request);
  return {
    headers: validHeaders(route, request),
    params: route.params.parse(request.params),
    query: validQuery(route.query ?? noQuery, request.query),
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

/** What a schema says of a value, as the API says it: each with the JSON pointer of what is meant. */
export function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ pointer: pointerOf([...issue.path, key]), detail: 'is not a known field' }));
  }
  if (issue.code === 'invalid_key') {
    return [{ pointer: pointerOf(issue.path.slice(0, -1)), detail: 'has a name that is not allowed' }];
  }
  return [{ pointer: pointerOf(issue.path), detail: issue.message }];
}

/** JSON pointer (RFC 6901) of a path. */
function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${pointerToken(readable(String(part)))}`).join('');
}

/** A name that somebody sent: long ones are cut, lone surrogates replaced, because the answer itself must be readable. */
function readable(name: string): string {
  return name.toWellFormed().slice(0, 100);
}

function validQuery(schema: z.ZodObject, query: Request['query']): unknown {
  const known = Object.keys(schema.shape);
  const list = known.length === 0 ? 'none' : known.join(', ');
  const misused = Object.entries(query).flatMap(([name, value]): FieldError[] => {
    const parameter = readable(name);
    if (!known.includes(name)) return [{ parameter, detail: `is not known here; known parameters: ${list}` }];
    return Array.isArray(value) ? [{ parameter, detail: 'must be sent once' }] : [];
  });
  if (misused.length > 0) throw new Problem('validation_failed', { errors: misused.slice(0, errorsMax) });
  const result = schema.safeParse({ ...query });
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => ({ parameter: String(issue.path[0]), detail: issue.message }));
  throw new Problem('validation_failed', { errors });
}

/** Names what holds the number, unless its name does. */
function refuseCardInAddress(request: Request): void {
  const held = Object.entries(request.query).filter((entry) => holdsCard(entry.flat(2)));
  if (held.length === 0 && !holdsCard(Object.values(request.params).flat())) return;
  const named = held.map(([name]) => name).filter((name) => !containsCardNumber(name));
  throw new Problem('card_number_refused', {
    detail: 'The address of the request holds a card number.',
    errors: named.slice(0, errorsMax).map((name) => ({ parameter: readable(name), detail: 'holds a card number' })),
  });
}

function holdsCard(texts: readonly unknown[]): boolean {
  return texts.map(String).some((text) => containsCardNumber(text));
}
