import { HttpError } from '../http.ts';
import type { Charge } from './charge.ts';
import type { FollowUp, FollowUpAsked, FollowUpKind, FollowUpRequest } from './follow-up.ts';

/** How a charge stands: itself, and all that followed it. */
export interface Standing {
  readonly charge: Charge;
  readonly followUps: readonly FollowUp[];
}

/** Why it may not be done now; undefined when it may. Amounts that are pending count as taken. */
export function refusalOf({ kind, request }: Pick<FollowUpAsked, 'kind' | 'request'>, standing: Standing) {
  const { charge } = standing;
  if (kind === 'void' && charge.status === 'requires_action') return undefined;
  if (kind === 'void' && charge.status === 'voided') return refusals.already_voided;
  if (charge.status !== 'approved') return refusals.not_authorized;
  if ('currency' in request && request.currency !== charge.currency) return refusals.currency_mismatch;
  return kind === 'refund' ? refundRefusal(request, standing) : holdRefusal(kind, request, standing);
}

/** Over how much it goes: a void over all that is still held. */
export function amountOf(request: FollowUpRequest, standing: Standing): bigint {
  return 'amount_minor' in request ? BigInt(request.amount_minor) : heldOf(standing);
}

function holdRefusal(kind: 'capture' | 'void', request: FollowUpRequest, standing: Standing): HttpError | undefined {
  if (sumOf(standing, 'void', 'approved') > 0n) return refusals.already_voided;
  const held = heldOf(standing);
  if (held === 0n) return refusals.already_captured;
  if (kind === 'capture' && amountOf(request, standing) > held) return refusals.amount_exceeds_authorized;
  return undefined;
}

function refundRefusal(request: FollowUpRequest, standing: Standing): HttpError | undefined {
  const { charge } = standing;
  const captured = charge.captured ? BigInt(charge.amount_minor) : sumOf(standing, 'capture', 'approved');
  if (captured === 0n) return refusals.not_captured;
  const left = captured - sumOf(standing, 'refund', 'approved', 'pending');
  return amountOf(request, standing) > left ? refusals.amount_exceeds_captured : undefined;
}

function heldOf(standing: Standing): bigint {
  const { charge } = standing;
  if (charge.captured || charge.status !== 'approved') return 0n;
  const given = sumOf(standing, 'void', 'approved') + sumOf(standing, 'capture', 'approved', 'pending');
  return BigInt(charge.amount_minor) - given;
}

function sumOf({ followUps }: Standing, kind: FollowUpKind, ...statuses: readonly FollowUp['status'][]): bigint {
  return followUps
    .filter((one) => one.kind === kind && statuses.includes(one.status))
    .reduce((sum, one) => sum + BigInt(one.amount_minor), 0n);
}

const refusals = {
  not_authorized: new HttpError(409, 'not_authorized', 'The charge is not approved'),
  not_captured: new HttpError(409, 'not_captured', 'Nothing of the charge is captured'),
  already_captured: new HttpError(409, 'already_captured', 'All of the charge is captured: nothing is left'),
  already_voided: new HttpError(409, 'already_voided', 'The charge is voided: nothing is left'),
  amount_exceeds_authorized: new HttpError(409, 'amount_exceeds_authorized', 'More than what is still authorized'),
  amount_exceeds_captured: new HttpError(409, 'amount_exceeds_captured', 'More than what is captured and not refunded'),
  currency_mismatch: new HttpError(422, 'currency_mismatch', 'The charge is in another currency', 'currency'),
} as const;
