import type { RequestHandler, Response } from 'express';
import type { ApiDeps } from '../deps.ts';
import { requestIdOf } from './identify-request.ts';

const knownMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counts every request and writes one line about it, when it is over. The first of all handlers, so that none escapes. */
export function measureRequests({ logger, metrics }: Pick<ApiDeps, 'logger' | 'metrics'>): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    metrics.requestBegan();
    response.once('close', () => {
      const durationMs = performance.now() - startedAt;
      const operation = operationOf(response);
      const method = knownMethods.has(request.method) ? request.method : 'other';
      const status = response.writableFinished ? response.statusCode : null;
      const statusClass = status === null ? 'aborted' : `${Math.floor(status / 100)}xx`;
      metrics.requestEnded({ operation, method, statusClass, durationMs });
      const answer = { status, code: problemOf(response), duration_ms: Math.round(durationMs) };
      const line = { operation, method, ...answer, request_id: requestIdOf(response) };
      logger.info(line, status === null ? 'the caller went away before the answer' : 'served');
    });
    next();
  };
}

/** Says which operation a request is for, as soon as that is known. */
export function nameOperation(operationId: string): RequestHandler {
  return (_request, response, next) => {
    response.locals['operation'] = operationId;
    next();
  };
}

/** The code of the problem that was answered, if any. */
export function problemOf(response: Response): string | null {
  const problem: unknown = response.locals['problem'];
  return typeof problem === 'string' ? problem : null;
}

/** Requests that no route took, and those for the docs, are one: their addresses are anybody's. */
function operationOf(response: Response): string {
  return String(response.locals['operation'] ?? 'none');
}
