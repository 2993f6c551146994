import express, { type Express, type RequestHandler } from 'express';
import type { ApiDeps } from './deps.ts';
import { docsPage } from './docs-page.ts';
import { Problem } from './errors.ts';
import { answerProblems } from './middleware/answer-problems.ts';
import { type Authenticate, createAuthenticate } from './middleware/authenticate.ts';
import { identifyRequest, originOf, receivedAtOf, requestIdOf } from './middleware/identify-request.ts';
import { measureRequests, nameOperation } from './middleware/measure-requests.ts';
import { readBytes, readJson } from './middleware/read-body.ts';
import { validate } from './middleware/validate.ts';
import { openApiDocument } from './openapi.ts';
import { bytesBody, type Caller, type Operator, type Route, type RouteAnswer } from './route.ts';
import { routes as allRoutes } from './routes/index.ts';

/**
 * The API as an Express app. A request is identified, then authenticated, then read and validated, then served; nobody
 * without a key makes it read a body.
 */
export function createApp(deps: ApiDeps, routes: readonly Route[] = allRoutes): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.use(measureRequests(deps));
  app.use(identifyRequest);
  app.use(hardenHeaders);
  const authenticate = createAuthenticate(deps);
  for (const route of routes) {
    const path = expressPath(route);
    app[route.method](
      path,
      nameOperation(route.operationId),
      authenticated(authenticate, route),
      ...readingOf(route),
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

function readingOf({ body }: Route): readonly RequestHandler[] {
  if (body === undefined) return [];
  return body === bytesBody ? readBytes : readJson;
}

function authenticated(authenticate: Authenticate, route: Route): RequestHandler {
  const { permission } = route;
  return async (request, response, next) => {
    const who = permission === null ? { caller: null, outage: null } : await authenticate(request, permission);
    Object.assign(response.locals, who);
    next();
  };
}

function served(deps: ApiDeps, route: Route): RequestHandler {
  return async (request, response) => {
    const requestId = requestIdOf(response);
    const caller = response.locals['caller'] as Caller | Operator | null;
    const valid = validate(route, request);
    const from = { requestId, origin: originOf(request), receivedAt: receivedAtOf(response) };
    const context = { ...from, rawBody: request.body, sentHeaders: request.headers };
    const { outage } = response.locals;
    if (outage !== null) throw route.refusal?.({ ...valid, ...context }, caller, outage) ?? outage;
    const answer = await route.serve(deps, { ...valid, ...context }, caller);
    response.status(answer.status).set(answer.headers ?? {});
    if (route.envelope === 'text' || route.envelope === 'page') response.send(answer.data);
    else response.json(route.envelope === 'none' ? answer.data : inEnvelope(answer, requestId));
  };
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

/** Answers are data for programs: nothing may be stored by caches, guessed, framed or run. */
const hardenHeaders: RequestHandler = (request, response, next) => {
  delete request.headers['if-none-match']; // nobody has stored an answer to compare with: Express would say 304 to `*`
  response.set({
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'self'",
    'X-Frame-Options': 'DENY',
  });
  next();
};
