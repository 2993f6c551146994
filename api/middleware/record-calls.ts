import type { Request, RequestHandler, Response } from 'express';
import type { LoggedCall } from '../../prisma/audit-logs.ts';
import { auditedAddress, auditedFields, auditedId, auditedUserAgent } from '../audit-fields.ts';
import type { ApiDeps } from '../deps.ts';
import type { Route } from '../route.ts';
import { originOf, receivedAtOf, requestIdOf } from './identify-request.ts';
import { addressBudget, clientOf } from './limit-addresses.ts';
import { knownOf } from './locals.ts';
import { problemOf } from './measure-requests.ts';

/** Adds every call to the log of calls, when it is over, also one that is refused. Probes and scrapes are no calls. */
export function recordCalls(deps: ApiDeps, { operationId, path }: Route): RequestHandler {
  if (/^\/(health|metrics)\b/.test(path)) return (_request, _response, next) => next();
  const about = { action: operationId, resourceType: resourceTypeOf(path) };
  return (request, response, next) => {
    const startedAt = performance.now();
    const { id } = request.params; // another layer's, when the call is over
    const answer = answerOf(response);
    response.once('close', () => {
      const durationMs = Math.round(performance.now() - startedAt);
      const call = { ...about, ...callOf(request, response, id, answer()), durationMs };
      void isKept(deps, request, response).then((kept) =>
        kept ? deps.callLog.add(call) : deps.metrics.callsNotLogged(1),
      );
    });
    next();
  };
}

/** So many calls that no budget of a caller bounds are kept per address and minute: more would fill the database. */
const unboundCallsPerMinute = 60;

/** What was let through has spent a budget of its caller: all of that is kept, and what anybody did, such as a login. */
async function isKept(deps: ApiDeps, request: Request, response: Response): Promise<boolean> {
  const { statusCode } = response;
  const isLetThrough = knownOf(response).principal !== null && statusCode !== 401 && statusCode !== 403;
  const hasActed = request.method !== 'GET' && statusCode < 400;
  if (isLetThrough || hasActed) return true;
  const budget = addressBudget('unbound-calls', clientOf(deps, request), unboundCallsPerMinute);
  const standing = await deps.rateLimits.spend([budget]);
  return standing?.isExceeded !== true;
}

function callOf(
  request: Request,
  response: Response,
  id: unknown,
  answer: unknown,
): Omit<LoggedCall, 'action' | 'resourceType' | 'durationMs'> {
  const { principal } = knownOf(response);
  const isMerchant = principal?.kind === 'merchant';
  const problem = problemOf(response);
  const responseData = auditedFields(problem === null ? answer : { code: problem });
  return {
    correlationId: requestIdOf(response),
    resourceId: auditedId(id) ?? auditedId(responseData['id']),
    merchantId: isMerchant ? principal.merchantId : null,
    isTest: isMerchant ? principal.isTest : null,
    userId: principal?.actor ?? null,
    ipAddress: auditedAddress(originOf(request)),
    userAgent: auditedUserAgent(request.headers['user-agent']),
    requestData: { ...auditedFields(request.query), ...auditedFields(request.body) },
    responseData,
    statusCode: response.writableFinished ? response.statusCode : null,
    createdAt: receivedAtOf(response),
  };
}

/** What is under `data` of the answer in JSON, a list as its length, once it was sent. */
function answerOf(response: Response): () => unknown {
  let sent: unknown;
  const send = response.json.bind(response);
  response.json = (body: unknown) => {
    sent = body;
    return send(body);
  };
  return () => {
    if (typeof sent !== 'object' || sent === null || !('data' in sent)) return sent;
    return Array.isArray(sent.data) ? { count: sent.data.length } : sent.data;
  };
}

/** What a route is about: `/api/v1/payments/{id}/refunds` and `/api/v1/payments` are about a `payment`. */
function resourceTypeOf(path: string): string | null {
  const [, name] = /^\/api\/v1\/(?:auth\/)?([a-z-]+)/.exec(path) ?? [];
  return name?.replaceAll('-', '_').replace(/ies$/, 'y').replace(/s$/, '') ?? null;
}
