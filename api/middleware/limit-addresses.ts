import type { Request, RequestHandler, Response } from 'express';
import { hashSecret } from '../../runtime/api-key.ts';
import { clientNetworkOf } from '../../runtime/client-network.ts';
import type { Budget } from '../../runtime/rate-limits.ts';
import type { ApiDeps } from '../deps.ts';
import type { ProblemCode } from '../errors.ts';
import { holdToLimit } from './hold-to-limit.ts';
import { originOf } from './identify-request.ts';

/** Whoever asks this much decides whether the process lives: it is always told. It costs nothing. */
export const unlimitedPath = '/health/live';

/** What is answered to a secret that nobody has. */
const wrongSecret: ReadonlySet<unknown> = new Set<ProblemCode>([
  'unauthorized',
  'login_refused',
  'refresh_refused',
  'invitation_refused',
]);

/**
 * Takes the request from the budget of the client's address (of IPv6, its /64), before anything is asked of the database. An
 * address that sent too many wrong secrets within a minute is refused as well, whatever it sends next. Holds for everything but
 * `/health/live`, also for what is not found.
 */
export function limitAddresses(deps: Pick<ApiDeps, 'rateLimits' | 'httpPolicy' | 'apiKeyPepper'>): RequestHandler {
  const { rateLimits, httpPolicy } = deps;
  return async (request, response, next) => {
    if (request.path === unlimitedPath) return next();
    const client = clientOf(deps, request);
    const requests = addressBudget('address', client, httpPolicy.addressLimitPerMinute);
    const wrongSecrets = addressBudget('wrong-secrets', client, httpPolicy.wrongSecretLimitPerMinute);
    holdToLimit(response, await rateLimits.spend([requests], [wrongSecrets]));
    response.once('close', () => {
      if (isWrongSecret(request, response)) void rateLimits.spend([wrongSecrets]);
    });
    next();
  };
}

/** What the client's address, of IPv6 its /64, is counted by: addresses are personal data, so it is a hash. */
export function clientOf({ apiKeyPepper }: Pick<ApiDeps, 'apiKeyPepper'>, request: Request): string {
  return hashSecret(clientNetworkOf(originOf(request)), apiKeyPepper);
}

/** A budget per minute of a client as `clientOf` names it. */
export function addressBudget(policy: string, client: string, limit: number): Budget {
  return { name: `${policy}:${client}`, policy, limit, windowSeconds: 60 };
}

/** A request that brought no secret at all guessed nothing. */
function isWrongSecret({ headers }: Request, { locals }: Response): boolean {
  return (
    wrongSecret.has(locals['problem']) && (headers.authorization !== undefined || locals['problem'] !== 'unauthorized')
  );
}
