import { HttpError } from '../http.ts';
import type { FollowUp, FollowUpAsked } from './follow-up.ts';
import type { Money } from './money.ts';
import { minorUnitsOf } from './money.ts';
import type { Charge, StoredOrder } from './order.ts';
import { purchaseOf } from './order.ts';

/** An order with all that followed its capture or authorization, oldest first. */
export interface Standing {
  readonly order: StoredOrder;
  readonly followUps: readonly FollowUp[];
}

/** A capture, whether of an order or of an authorization. */
export interface Capture {
  readonly id: string;
  readonly status: Charge['status'] | FollowUp['status'];
  readonly amount: Money;
}

/** The status that the order's authorization shows; undefined without one. */
export function authorizationStatusOf(standing: Standing): string | undefined {
  const { authorization } = standing.order;
  if (authorization?.status !== 'CREATED') return authorization?.status;
  if (isVoided(standing)) return 'VOIDED';
  if (isUsedUp(standing)) return 'CAPTURED';
  return heldOf(standing) < amountOf(standing) ? 'PARTIALLY_CAPTURED' : 'CREATED';
}

/** The status that a capture shows: what was paid back of it, too. */
export function captureStatusOf({ followUps }: Standing, { id, status, amount }: Capture): string {
  const refunded = sumOf(followUps, 'refund', id, ['COMPLETED']);
  if (status !== 'COMPLETED' || refunded === 0n) return status;
  return refunded < minorUnitsOf(amount) ? 'PARTIALLY_REFUNDED' : 'REFUNDED';
}

/** All captures of the order, oldest first. */
function capturesOf({ order, followUps }: Standing): Capture[] {
  const { amount } = purchaseOf(order);
  const own = order.capture === undefined ? [] : [{ id: order.capture.id, status: order.capture.status, amount }];
  return [...own, ...followUps.filter(({ kind }) => kind === 'capture')];
}

/** What the authorization still holds, in minor units: what is captured, and what waits to be, is gone. A final capture
 * leaves the rest where it is; the issuer lets go of it some day. */
export function heldOf(standing: Standing): bigint {
  const { authorization } = standing.order;
  if (authorization === undefined) return 0n;
  return amountOf(standing) - sumOf(standing.followUps, 'capture', authorization.id, ['COMPLETED', 'PENDING']);
}

/** Why it may not be done now; undefined when it may. Amounts that are pending count as taken. */
export function refusalOf(asked: FollowUpAsked, standing: Standing): HttpError | undefined {
  switch (asked.kind) {
    case 'capture':
      return captureRefusal(asked.request, standing);
    case 'void':
      return voidRefusal(standing);
    case 'refund':
      return refundRefusal(asked, standing);
  }
}

function captureRefusal(request: Extract<FollowUpAsked, { kind: 'capture' }>['request'], standing: Standing) {
  const { authorization } = standing.order;
  const amount = minorUnitsOf(request.amount);
  if (authorization?.status === 'DENIED') return refusals.AUTHORIZATION_DENIED;
  if (authorization?.status === 'PENDING') return refusals.PENDING_AUTHORIZATION;
  if (isVoided(standing)) return refusals.AUTHORIZATION_VOIDED;
  if (isUsedUp(standing)) return refusals.AUTHORIZATION_ALREADY_CAPTURED;
  if (standing.followUps.some((one) => one.kind === 'capture' && one.request.invoice_id === request.invoice_id)) {
    return refusals.DUPLICATE_INVOICE_ID;
  }
  if (request.amount.currency_code !== purchaseOf(standing.order).amount.currency_code) {
    return refusals.AUTH_CAPTURE_CURRENCY_MISMATCH;
  }
  // PayPal itself would take up to 115 %, which no shop here may ask for.
  return amount > heldOf(standing) ? refusals.MAX_CAPTURE_AMOUNT_EXCEEDED : undefined;
}

function voidRefusal(standing: Standing): HttpError | undefined {
  if (standing.order.authorization?.status !== 'CREATED') return refusals.CANNOT_BE_VOIDED;
  if (isVoided(standing)) return refusals.PREVIOUSLY_VOIDED;
  return isUsedUp(standing) ? refusals.PREVIOUSLY_CAPTURED : undefined;
}

function refundRefusal(
  { parentId, request }: Extract<FollowUpAsked, { kind: 'refund' }>,
  standing: Standing,
): HttpError | undefined {
  const capture = capturesOf(standing).find(({ id }) => id === parentId);
  const amount = minorUnitsOf(request.amount);
  if (capture?.status === 'PENDING') return refusals.PENDING_CAPTURE;
  if (capture?.status !== 'COMPLETED') return refusals.INVALID_RESOURCE_ID;
  if (request.amount.currency_code !== capture.amount.currency_code) return refusals.REFUND_CAPTURE_CURRENCY_MISMATCH;
  const left = minorUnitsOf(capture.amount) - sumOf(standing.followUps, 'refund', parentId, ['COMPLETED', 'PENDING']);
  if (left === 0n) return refusals.CAPTURE_FULLY_REFUNDED;
  return amount > left ? refusals.REFUND_AMOUNT_EXCEEDED : undefined;
}

function amountOf({ order }: Standing): bigint {
  return minorUnitsOf(purchaseOf(order).amount);
}

function isVoided({ followUps }: Standing): boolean {
  return followUps.some(({ kind }) => kind === 'void');
}

function isUsedUp(standing: Standing): boolean {
  const isFinal = (one: FollowUp) => one.kind === 'capture' && one.request.final_capture && one.status !== 'DECLINED';
  return heldOf(standing) === 0n || standing.followUps.some(isFinal);
}

function sumOf(
  followUps: readonly FollowUp[],
  kind: FollowUp['kind'],
  parentId: string,
  statuses: readonly FollowUp['status'][],
): bigint {
  return followUps
    .filter((one) => one.kind === kind && one.parent_id === parentId && statuses.includes(one.status))
    .reduce((sum, { amount }) => sum + minorUnitsOf(amount), 0n);
}

const refusal = (issue: string, message: string, status = 422) => new HttpError(status, issue, message);

/** What PayPal says of an id that it does not know. */
export const unknownResource = refusal('INVALID_RESOURCE_ID', 'The specified resource does not exist', 404);

// The issues are those of PayPal's reference of payments, version 2; it has no word of its own for the first.
const refusals = {
  PENDING_AUTHORIZATION: refusal('PENDING_AUTHORIZATION', 'The authorization is not decided yet'),
  AUTHORIZATION_DENIED: refusal('AUTHORIZATION_DENIED', 'A denied authorization cannot be captured'),
  AUTHORIZATION_VOIDED: refusal('AUTHORIZATION_VOIDED', 'A voided authorization cannot be captured'),
  AUTHORIZATION_ALREADY_CAPTURED: refusal('AUTHORIZATION_ALREADY_CAPTURED', 'The authorization was captured before'),
  DUPLICATE_INVOICE_ID: refusal('DUPLICATE_INVOICE_ID', 'This invoice_id was captured before'),
  AUTH_CAPTURE_CURRENCY_MISMATCH: refusal('AUTH_CAPTURE_CURRENCY_MISMATCH', 'The authorization is in another currency'),
  MAX_CAPTURE_AMOUNT_EXCEEDED: refusal('MAX_CAPTURE_AMOUNT_EXCEEDED', 'More than what is still authorized'),
  CANNOT_BE_VOIDED: refusal('CANNOT_BE_VOIDED', 'Nothing is authorized'),
  PREVIOUSLY_VOIDED: refusal('PREVIOUSLY_VOIDED', 'The authorization was voided before'),
  PREVIOUSLY_CAPTURED: refusal('PREVIOUSLY_CAPTURED', 'The authorization was captured: nothing is left to void'),
  INVALID_RESOURCE_ID: unknownResource,
  PENDING_CAPTURE: refusal('PENDING_CAPTURE', 'The capture is not decided yet'),
  REFUND_CAPTURE_CURRENCY_MISMATCH: refusal('REFUND_CAPTURE_CURRENCY_MISMATCH', 'The capture is in another currency'),
  CAPTURE_FULLY_REFUNDED: refusal('CAPTURE_FULLY_REFUNDED', 'All of the capture was refunded before'),
  REFUND_AMOUNT_EXCEEDED: refusal('REFUND_AMOUNT_EXCEEDED', 'More than what is captured and not refunded'),
} as const;
