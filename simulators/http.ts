import type { ServerResponse } from 'node:http';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import express from 'express';
import { z } from 'zod';

/** An error that ends a request with a status and a code. `field` names the part of the request that is wrong. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;

  constructor(status: number, code: string, message: string, field?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

/** The body that a server writes about an error. */
export type Wording = (error: HttpError) => object;

/** The wording of everything that has none of its own: `{ error: { code, message, field? } }`. */
export const plainWording: Wording = ({ code, message, field }) => ({
  error: field === undefined ? { code, message } : { code, message, field },
});

/** A server's application: its routes between what all have in common. `warn` hears of errors that are our own. */
export function createApp(
  options: { readonly wording: Wording; readonly warn: (message: string) => void },
  addRoutes: (app: Express) => void,
): Express {
  const app = express().disable('x-powered-by').disable('etag');
  addRoutes(app);
  app.use(notFound);
  app.use(errorAnswers(options.wording, options.warn));
  return app;
}

/** Sends an error in the server's own words. */
export function sendError(
  response: ServerResponse,
  error: HttpError,
  wording: Wording,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendJson(response, error.status, wording(error), headers);
}

/** Sends a body as JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendText(response, status, JSON.stringify(body), headers);
}

/** Sends a text that claims to be JSON, with its true length. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const length = String(Buffer.byteLength(text));
  response.writeHead(status, { ...headers, 'content-type': 'application/json', 'content-length': length }).end(text);
}

/** Returns the value as the schema reads it. Throws a 400 that names the first wrong field and tells all. */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => ({ field: fieldOf(issue), message: issue.message }));
  const message = problems.map((one) => (one.field === '' ? one.message : `${one.field}: ${one.message}`)).join('; ');
  throw new HttpError(400, 'invalid_request', message, problems[0]?.field || 'body');
}

function fieldOf(issue: z.core.$ZodIssue): string {
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, ...issue.keys.slice(0, 1)] : issue.path;
  return path.join('.');
}

const notFound: RequestHandler = (request) => {
  throw new HttpError(404, 'not_found', `There is no ${request.method} ${request.path} here`);
};

function errorAnswers(wording: Wording, warn: (message: string) => void): ErrorRequestHandler {
  // Express tells error handlers from others by their four parameters.
  return (error: unknown, request, response, _next) => {
    const known = knownError(error);
    // Work that ends because the process stops has nobody to answer.
    if (error instanceof Error && error.name === 'AbortError') {
      response.destroy();
      return;
    }
    if (known === undefined) warn(`${request.method} ${request.path} failed: ${String(error)}`);
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    sendError(response, known ?? new HttpError(500, 'internal_error', 'The simulator failed'), wording);
  };
}

function knownError(error: unknown): HttpError | undefined {
  if (error instanceof HttpError) return error;
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return undefined;
  // What the body parser and the router throw: too large, not JSON, a broken URL.
  if (error.status === 413) return new HttpError(413, 'payload_too_large', 'The body is too large');
  if (error.status < 500) return new HttpError(error.status, 'invalid_request', error.message, 'body');
  return undefined;
}
