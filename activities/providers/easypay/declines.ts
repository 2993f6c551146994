import type { DeclineCode } from '../../../workflows/domain/failure.ts';
import type { MovementKind } from '../../../workflows/domain/movement.ts';

/**
 * EasyPay's response codes are those of ISO 8583 field 39, as Visa and Mastercard publish their meanings, and letters of
 * its own for what no issuer says. The rest, `05` among them, is the issuer's word without a reason.
 */
const declines: ReadonlyMap<string, DeclineCode> = new Map<string, DeclineCode>([
  ['1A', 'authentication_failed'],
  ['34', 'suspected_fraud'],
  ['41', 'lost_or_stolen_card'],
  ['43', 'lost_or_stolen_card'],
  ['51', 'insufficient_funds'],
  ['54', 'expired_card'],
  ['57', 'not_permitted'],
  ['59', 'suspected_fraud'],
  ['61', 'limit_exceeded'],
  ['62', 'not_permitted'],
  ['65', 'limit_exceeded'],
  ['82', 'incorrect_cvc'],
  ['91', 'issuer_unavailable'],
  ['96', 'processing_error'],
  ['N0', 'authorization_expired'],
]);

/** Our code for a response code of EasyPay's. A refund is declined for one reason (`R0`), whatever an issuer adds to it. */
export function declineCodeOf(responseCode: string, operation: 'charge' | MovementKind): DeclineCode {
  if (operation === 'refund') return 'refund_declined';
  return declines.get(responseCode) ?? 'card_declined';
}
