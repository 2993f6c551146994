import type { RequestHandler } from 'express';
import type { ApiDeps } from '../deps.ts';
import { identify } from '../identify.ts';
import { setKnown } from './locals.ts';

/**
 * Finds out who calls, by an API key, an operator's key or an access token. Without a right secret the answer is
 * `unauthorized`, whatever is wrong; whoever has it learns what keeps it from being served, and no more.
 */
export function authenticate(deps: ApiDeps): RequestHandler {
  return async (request, response, next) => {
    setKnown(response, await identify(deps, request.headersDistinct['authorization']));
    next();
  };
}
