import type { Caller } from './principal.ts';
import { hashOfBody } from './request-hash.ts';
import type { RouteRequest } from './route.ts';

/** Who asks for something to be made, under which key, as a part of what, and when. */
export interface Asking {
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly correlationId: string;
  readonly actor: string;
  readonly origin: string;
  readonly receivedAt: Date;
}

/** Who asks with this request. */
export function askingOf(
  request: Pick<RouteRequest<unknown, unknown, unknown>, 'rawBody' | 'requestId' | 'origin' | 'receivedAt'>,
  { actor }: Pick<Caller, 'actor'>,
  idempotencyKey: string,
): Asking {
  const { requestId: correlationId, origin, receivedAt } = request;
  return { idempotencyKey, requestHash: hashOfBody(request.rawBody), correlationId, actor, origin, receivedAt };
}
