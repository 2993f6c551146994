import type { AdministrativeAct } from '../prisma/audit-logs.ts';
import type { Principal } from './principal.ts';

/** Who does what this request asks for, when and as a part of what, for the log. */
export function actOrigin(
  request: { readonly requestId: string; readonly receivedAt: Date },
  { actor }: Principal,
): Pick<AdministrativeAct, 'actor' | 'correlationId' | 'at'> {
  return { actor, correlationId: request.requestId, at: request.receivedAt };
}
