/** Why a card was declined, in one vocabulary for all providers. */
export const declineCodes = [
  'card_declined',
  'insufficient_funds',
  'limit_exceeded',
  'expired_card',
  'incorrect_cvc',
  'lost_or_stolen_card',
  'suspected_fraud',
  'not_permitted',
  'issuer_unavailable',
  'processing_error',
  'authentication_failed',
  'authentication_required',
  'authorization_expired',
  'refund_declined',
] as const;

export type DeclineCode = (typeof declineCodes)[number];

/**
 * What may follow a decline: `retry_same`: the same card may succeed later. `retry_other`: another provider may succeed at
 * once, because the reason lies between this one and the issuer. `never`: the issuer's word on this card.
 */
export type DeclineClass = 'retry_same' | 'retry_other' | 'never';

/** The class of every decline; a new code cannot be forgotten here. */
export const declineClasses: Readonly<Record<DeclineCode, DeclineClass>> = {
  card_declined: 'never',
  insufficient_funds: 'retry_same',
  limit_exceeded: 'retry_same',
  expired_card: 'never',
  incorrect_cvc: 'never',
  lost_or_stolen_card: 'never',
  suspected_fraud: 'never',
  not_permitted: 'retry_other',
  issuer_unavailable: 'retry_other',
  processing_error: 'retry_other',
  authentication_failed: 'never',
  authentication_required: 'retry_other',
  authorization_expired: 'never',
  refund_declined: 'never',
};

/** Why a payment ended as `failed`, or why a person must decide (`unresolved`). */
export type PaymentFailureCode =
  | DeclineCode
  | 'provider_rejected'
  | 'provider_unavailable'
  | 'no_eligible_provider'
  | 'outcome_unknown'
  | 'amount_mismatch'
  | 'resolved_not_charged'
  | 'resolved_not_moved';

/** The `failure` object of a payment: a code for programs and a sentence for people, without personal data. */
export interface PaymentFailure {
  readonly code: PaymentFailureCode;
  readonly message: string;
  /** What may follow a decline; null when it was none. */
  readonly declineClass: DeclineClass | null;
}

const messages: Readonly<Record<PaymentFailureCode, string>> = {
  card_declined: 'The card was declined. Ask the payer for another payment method.',
  insufficient_funds: 'The card has insufficient funds.',
  expired_card: 'The card has expired.',
  incorrect_cvc: 'The card security code is incorrect.',
  limit_exceeded: 'The card is over its limit.',
  lost_or_stolen_card: 'The card was declined. Ask the payer for another payment method.',
  suspected_fraud: 'The card was declined. Ask the payer for another payment method.',
  not_permitted: 'The card does not allow this payment at this provider.',
  issuer_unavailable: 'The bank that issued the card could not be reached; nothing was charged.',
  processing_error: 'The card network failed to process the payment; nothing was charged.',
  provider_rejected: 'The provider refused the request as invalid; no money moved.',
  provider_unavailable: 'The provider could not be reached in time; no money moved.',
  no_eligible_provider: 'None of the providers of this merchant takes such a payment; nothing was charged.',
  outcome_unknown: 'The provider never said whether it happened; an operator decides.',
  amount_mismatch: 'The provider reported another amount than the one requested; an operator decides.',
  resolved_not_charged: 'An operator found that the card was not charged.',
  resolved_not_moved: 'An operator found that it did not happen.',
  authentication_failed: 'The payer did not pass the check of the card’s issuer; nothing was charged.',
  authentication_required: 'The issuer wants the payer to act, which is not possible at this provider.',
  authorization_expired: 'The reservation has expired at the provider; nothing was captured.',
  refund_declined: 'The provider declined the refund. Pay the money back in another way.',
};

/** The failure object for a code. */
export function failureOf(code: PaymentFailureCode): PaymentFailure {
  return { code, message: messages[code], declineClass: isDeclineCode(code) ? declineClasses[code] : null };
}

function isDeclineCode(code: PaymentFailureCode): code is DeclineCode {
  return code in declineClasses;
}
