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
};

/** Why a payment ended as `failed`, or why a person must decide (`unresolved`). */
export type PaymentFailureCode =
  | DeclineCode
  | 'provider_rejected'
  | 'provider_unavailable'
  | 'no_eligible_provider'
  | 'outcome_unknown'
  | 'amount_mismatch'
  | 'resolved_not_charged';

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
  provider_rejected: 'The provider refused the request as invalid; nothing was charged.',
  provider_unavailable: 'No provider could be reached before the payment expired; nothing was charged.',
  no_eligible_provider: 'None of the providers of this merchant takes such a payment; nothing was charged.',
  outcome_unknown: 'The provider never said whether it charged the card; an operator decides.',
  amount_mismatch: 'The provider reported another amount than the one requested; an operator decides.',
  resolved_not_charged: 'An operator found that the card was not charged.',
};

/** The failure object for a code. */
export function failureOf(code: PaymentFailureCode): PaymentFailure {
  return { code, message: messages[code], declineClass: isDeclineCode(code) ? declineClasses[code] : null };
}

function isDeclineCode(code: PaymentFailureCode): code is DeclineCode {
  return code in declineClasses;
}
