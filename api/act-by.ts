import type { ActBy, ActByOwner } from '../prisma/audit-logs.ts';
import type { Principal } from './principal.ts';
import type { RouteRequest } from './route.ts';

/** What a request says of when, and as a part of what, something is done. */
type Asking = Pick<RouteRequest<unknown, unknown, unknown>, 'requestId' | 'receivedAt'>;

/** Who does what this request asks for, when and as a part of what, for the log. */
export function actBy(request: Asking, { actor }: Pick<Principal, 'actor'>): ActBy {
  return { ...actByOwner(request), actor };
}

/** The same where it is done by whom the thing belongs to, such as a session by who holds a token of it. */
export function actByOwner({ requestId: correlationId, receivedAt: at }: Asking): ActByOwner {
  return { correlationId, at };
}
