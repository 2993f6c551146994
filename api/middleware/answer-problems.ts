import type { ErrorRequestHandler, Response } from 'express';
import { isDatabaseAway } from '../../prisma/database.ts';
import type { Logger } from '../../runtime/logger.ts';
import { Problem, type ProblemCode, problemBody, problemCatalogue } from '../errors.ts';
import { requestIdOf } from './identify-request.ts';

/**
 * Turns whatever was thrown into `application/problem+json`. Nothing of an unknown error is shown. Every 401 has its challenge
 * from here (RFC 9110, section 15.5.2), unless the problem brings another one.
 */
export function answerProblems(logger: Logger): ErrorRequestHandler {
  return (error: unknown, _request, response, _next) => {
    const problem = error instanceof Problem ? error : problemOf(error);
    const requestId = requestIdOf(response);
    response.locals['problem'] = problem.code;
    if (problemCatalogue[problem.code].status >= 500) {
      logger.error({ err: problem.cause ?? error, code: problem.code, request_id: requestId }, 'request failed');
    }
    sendProblem(response, problem, requestId);
  };
}

function sendProblem(response: Response, problem: Problem, requestId: string): void {
  const { status } = problemCatalogue[problem.code];
  response
    .status(status)
    .set(status === 401 ? { 'WWW-Authenticate': challengeOf(problem.code) } : {})
    .set(problem.headers)
    .type('application/problem+json')
    .send(JSON.stringify(problemBody(problem, requestId)));
}

/** What was right once, and is no more. */
const ended: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'token_expired',
  'token_revoked',
  'api_key_expired',
  'api_key_revoked',
]);

/** How to prove who calls, as RFC 6750 has it. */
function challengeOf(code: ProblemCode): string {
  return ended.has(code) ? 'Bearer error="invalid_token"' : 'Bearer';
}

/** Errors of the body reader carry a `type`; everything else is ours. */
function problemOf(error: unknown): Problem {
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  switch (type) {
    case 'request.aborted':
    case 'request.size.invalid':
      return new Problem('invalid_json');
    case 'entity.too.large':
      return new Problem('body_too_large');
    case 'encoding.unsupported':
      return new Problem('unsupported_media_type');
    default:
      break;
  }
  if (error instanceof URIError) return new Problem('not_found');
  if (isDatabaseAway(error)) {
    return new Problem('unavailable', { headers: { 'Retry-After': '2' }, cause: error });
  }
  return new Problem('internal_error', { cause: error });
}
