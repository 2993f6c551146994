import { pipeline } from 'node:stream/promises';
import express, { type Express, type RequestHandler, type Response } from 'express';
import type { ApiDeps } from './deps.ts';
import { docsPage } from './docs-page.ts';
import { Problem } from './errors.ts';
import { allowOrigins } from './middleware/allow-origins.ts';
import { answerProblems } from './middleware/answer-problems.ts';
import { authenticate } from './middleware/authenticate.ts';
import { authorize } from './middleware/authorize.ts';
import { hardenHeaders } from './middleware/harden-headers.ts';
import { identifyRequest, originOf, receivedAtOf, requestIdOf } from './middleware/identify-request.ts';
import { limitAddresses } from './middleware/limit-addresses.ts';
import { limitCallers } from './middleware/limit-callers.ts';
import { knownOf } from './middleware/locals.ts';
import { measureRequests, nameOperation } from './middleware/measure-requests.ts';
import { readBytes, readJson } from './middleware/read-body.ts';
import { readFile } from './middleware/read-file.ts';
import { recordCalls } from './middleware/record-calls.ts';
import { restrictKeys } from './middleware/restrict-keys.ts';
import { validate } from './middleware/validate.ts';
import { verifySignature } from './middleware/verify-signature.ts';
import { openApiDocument } from './openapi.ts';
import { permissions } from './permissions.ts';
import { bytesBody, fileBody, type Route, type RouteAnswer } from './route.ts';
import { routes as allRoutes } from './routes/index.ts';

/**
 * The API as an Express app. Every request passes the same layers in the same order: the limit of its address, authentication,
 * authorization, the key's own rules, its body, its signature, the caller's limits, validation; then it is served. Where a key or token is needed, nobody unknown
 * makes it read a body; routes that anybody may call read theirs first, as the proof stands in it.
 */
export function createApp(deps: ApiDeps, routes: readonly Route[] = allRoutes): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.set('trust proxy', deps.httpPolicy.trustedProxies);
  app.use(measureRequests(deps));
  app.use(hardenHeaders);
  app.use(identifyRequest);
  for (const layer of allowOrigins(deps.httpPolicy.corsOrigins)) app.use(layer);
  app.use(limitAddresses(deps));
  for (const route of routes) {
    requirePermission(route);
    app[route.method](
      expressPath(route),
      nameOperation(route.operationId),
      recordCalls(deps, route),
      ...layersOf(deps, route),
      served(deps, route),
    );
  }
  const document = openApiDocument(routes);
  app.get('/openapi.json', (_request, response) => void response.json(document));
  app.all('/openapi.json', (_request, _response, next) =>
    next(new Problem('method_not_allowed', { headers: { Allow: 'GET' } })),
  );
  app.use('/docs', docsPage());
  for (const path of new Set(routes.map(expressPath))) app.all(path, refuseMethod(routes, path));
  app.use((_request, _response, next) => next(new Problem('not_found')));
  app.use(answerProblems(deps.logger));
  return app;
}

/** Who calls, and whether they may; the body; and then what is judged with it. */
function layersOf(deps: ApiDeps, route: Route): readonly RequestHandler[] {
  const reading = readingOf(route);
  if (route.permission === null) return reading;
  const knowing = [authenticate(deps), authorize(route.permission), restrictKeys()];
  // A body may come slowly, and whoever sends it may have lost the right to meanwhile.
  const again = reading.length > 0 ? knowing : [];
  return [...knowing, ...reading, ...again, verifySignature(deps), limitCallers(deps, route)];
}

function readingOf({ body }: Route): readonly RequestHandler[] {
  if (body === undefined) return [];
  if (body === fileBody) return [readFile()];
  return body === bytesBody ? readBytes : readJson;
}

/** A route that forgot to say who may call it does not start. */
function requirePermission({ operationId, permission }: Route): void {
  if (permission === null || permission === 'self') return;
  if (!Object.hasOwn(permissions, permission))
    throw new Error(`${operationId} does not say who may call it: name its permission`);
}

function served(deps: ApiDeps, route: Route): RequestHandler {
  return async (request, response) => {
    const requestId = requestIdOf(response);
    const valid = validate(route, request);
    const from = { requestId, origin: originOf(request), receivedAt: receivedAtOf(response) };
    const context = { ...from, rawBody: request.body, sentHeaders: request.headers };
    const { principal, outage } = knownOf(response);
    if (outage !== null && route.servesInOutage !== true)
      throw route.refusal?.({ ...valid, ...context }, principal, outage) ?? outage;
    const answer = await route.serve(deps, { ...valid, ...context }, principal);
    response.status(answer.status).set(answer.headers ?? {});
    if (route.envelope === 'csv') return sendPieces(response, answer.data);
    if (route.envelope === 'text' || route.envelope === 'page') response.send(answer.data);
    else response.json(route.envelope === 'none' ? answer.data : inEnvelope(answer, requestId));
  };
}

/** Whoever takes them slowly slows down their making; where that fails, the connection is cut, so that nobody takes a part for all. */
async function sendPieces(response: Response, pieces: unknown): Promise<void> {
  response.type('text/csv');
  await pipeline(pieces as AsyncIterable<string>, response).catch(() => response.destroy());
}

function inEnvelope({ data, page }: RouteAnswer, requestId: string) {
  return { data, ...page, request_id: requestId, timestamp: new Date().toISOString() };
}

/** OpenAPI's `{id}` as Express has it. */
function expressPath(route: Route): string {
  return route.path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function refuseMethod(routes: readonly Route[], path: string): RequestHandler {
  const allowed = routes.filter((route) => expressPath(route) === path).map((route) => route.method.toUpperCase());
  return (_request, _response, next) =>
    next(new Problem('method_not_allowed', { headers: { Allow: allowed.join(', ') } }));
}
