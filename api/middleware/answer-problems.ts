import type { ErrorRequestHandler, Response } from 'express';
import { isDatabaseAway } from '../../prisma/database.ts';
import type { Logger } from '../../runtime/logger.ts';
import { Problem, problemBody, problemCatalogue } from '../errors.ts';
import { requestIdOf } from './identify-request.ts';

/** Turns whatever was thrown into `application/problem+json`. Nothing of an unknown error is shown. */
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
  response
    .status(problemCatalogue[problem.code].status)
    .set(problem.headers)
    .type('application/problem+json')
    .send(JSON.stringify(problemBody(problem, requestId)));
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
