import type { DeclineCode } from '../../../workflows/domain/failure.ts';
import type { MovementKind } from '../../../workflows/domain/movement.ts';

/**
 * What a capture's `processor_response.response_code` says in our words. Source: PayPal's list "Processor Response Code",
 * developer.paypal.com/serversdk/php/models/enumerations/processor-response-code/; the comments are its names. The
 * rest, `0500 DO_NOT_HONOR` and `5100 GENERIC_DECLINE` among them, is `card_declined`.
 */
const byResponseCode = new Map<string, DeclineCode>([
  ['5120', 'insufficient_funds'], // INSUFFICIENT_FUNDS
  ['5710', 'limit_exceeded'], // TX_ATTEMPTS_EXCEED_LIMIT
  ['PPAX', 'limit_exceeded'], // AMOUNT_EXCEEDED
  ['PPEL', 'limit_exceeded'], // EXCEEDS_FREQUENCY_LIMIT
  ['PPNL', 'limit_exceeded'], // EXCEEDS_NETWORK_FREQUENCY_LIMIT
  ['1380', 'expired_card'], // INVALID_EXPIRATION
  ['5400', 'expired_card'], // EXPIRED_CARD
  ['PPEF', 'expired_card'], // EXPIRED_FUNDING_INSTRUMENT
  ['PPEX', 'expired_card'], // EXPIRY_DATE
  ['00N7', 'incorrect_cvc'], // CVV2_FAILURE_POSSIBLE_RETRY_WITH_CVV
  ['1382', 'incorrect_cvc'], // INVALID_CARD_VERIFICATION_VALUE
  ['5110', 'incorrect_cvc'], // CVV2_FAILURE
  ['PCVV', 'incorrect_cvc'], // CVV_FAILURE
  ['9520', 'lost_or_stolen_card'], // LOST_OR_STOLEN
  ['9500', 'suspected_fraud'], // SUSPECTED_FRAUD
  ['5180', 'not_permitted'], // INVALID_OR_RESTRICTED_CARD
  ['5700', 'not_permitted'], // TRANSACTION_NOT_PERMITTED
  ['PPAE', 'not_permitted'], // AMEX_DISABLED
  ['PPCT', 'not_permitted'], // CARD_TYPE_UNSUPPORTED
  ['PPTT', 'not_permitted'], // TRANSACTION_TYPE_UNSUPPORTED
  ['5910', 'issuer_unavailable'], // ISSUER_NOT_AVAILABLE_NOT_RETRIABLE
  ['5920', 'issuer_unavailable'], // ISSUER_NOT_AVAILABLE_RETRIABLE
  ['0960', 'processing_error'], // SYSTEM_MALFUNCTION
  ['8000', 'processing_error'], // PROCESSOR_SYSTEM_ERROR
  ['8100', 'processing_error'], // FATAL_COMMUNICATION_ERROR
  ['8110', 'processing_error'], // RETRIABLE_COMMUNICATION_ERROR
  ['8220', 'processing_error'], // SYSTEM_UNAVAILABLE
  ['9100', 'processing_error'], // DECLINED_PLEASE_RETRY
  ['PPER', 'processing_error'], // INTERNAL_SYSTEM_ERROR
  ['PPNT', 'processing_error'], // NETWORK_ERROR
  ['PPS3', 'authorization_expired'], // BANKAUTH_EXPIRED
]);

/**
 * The issues of a refused capture or authorization (HTTP 422) that are the word of an issuer or of PayPal about the payer,
 * not about our request. Source: the 422 answers of "Capture payment for order" and "Authorize payment for order",
 * developer.paypal.com/docs/api/orders/v2/, and of "Capture authorized payment", developer.paypal.com/docs/api/payments/v2/.
 */
const byIssue = new Map<string, DeclineCode>([
  ['INSTRUMENT_DECLINED', 'card_declined'],
  ['TRANSACTION_REFUSED', 'card_declined'],
  ['PAYER_CANNOT_PAY', 'card_declined'],
  ['PAYER_ACCOUNT_RESTRICTED', 'card_declined'],
  ['PAYER_ACCOUNT_LOCKED_OR_CLOSED', 'card_declined'],
  ['REDIRECT_PAYER_FOR_ALTERNATE_FUNDING', 'card_declined'],
  ['REFERENCED_CARD_EXPIRED', 'expired_card'],
  ['TRANSACTION_LIMIT_EXCEEDED', 'limit_exceeded'],
  ['CARD_BRAND_NOT_SUPPORTED', 'not_permitted'],
  ['PAYER_ACTION_REQUIRED', 'authentication_required'],
  // PayPal looks at the key first: a capture of ours that it made before would have been answered again.
  ['AUTHORIZATION_EXPIRED', 'authorization_expired'],
]);

/**
 * The issues of a refused refund (HTTP 422) that are PayPal's word about this refund, not about our request: the money must
 * go back in another way. Source: the 422 answers of "Refund captured payment", developer.paypal.com/docs/api/payments/v2/.
 */
const refundIssues: ReadonlySet<string> = new Set([
  'CAPTURE_DISPUTED_PARTIAL_REFUND_NOT_ALLOWED',
  'MAX_NUMBER_OF_REFUNDS_EXCEEDED',
  'PARTIAL_REFUND_NOT_ALLOWED',
  'PAYER_ACCOUNT_LOCKED_OR_CLOSED',
  'REFUND_FAILED_INSUFFICIENT_FUNDS',
  'REFUND_IS_RESTRICTED',
  'REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK',
  'REFUND_TIME_LIMIT_EXCEEDED',
  'TRANSACTION_DISPUTED',
  'TRANSACTION_REFUSED',
]);

/** Why a declined capture or authorization was declined. */
export function declineCodeOf(responseCode: string): DeclineCode {
  return byResponseCode.get(responseCode) ?? 'card_declined';
}

/** Why a refused capture or authorization is a decline; null when it is none. */
export function declineCodeOfIssue(issue: string): DeclineCode | null {
  return byIssue.get(issue) ?? null;
}

/** Why a refused capture, void or refund after a charge is a decline; null when it is none. */
export function declineCodeOfMovementIssue(issue: string, kind: MovementKind): DeclineCode | null {
  if (kind === 'refund') return refundIssues.has(issue) ? 'refund_declined' : null;
  return kind === 'capture' ? declineCodeOfIssue(issue) : null;
}
