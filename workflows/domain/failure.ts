/** Why a card was declined, in one vocabulary for all providers. */
export const declineCodes = [
  'card_declined',
  'insufficient_funds',
  'expired_card',
  'incorrect_cvc',
  'lost_or_stolen_card',
] as const;

export type DeclineCode = (typeof declineCodes)[number];

/** Why a payment ended as `failed`, or why a person must decide (`unresolved`). */
export type PaymentFailureCode =
  | DeclineCode
  | 'provider_rejected'
  | 'provider_unavailable'
  | 'outcome_unknown'
  | 'amount_mismatch'
  | 'resolved_not_charged';

/** The `failure` object of a payment: a code for programs and a sentence for people, without personal data. */
export interface PaymentFailure {
  readonly code: PaymentFailureCode;
  readonly message: string;
}

const messages: Readonly<Record<PaymentFailureCode, string>> = {
  card_declined: 'The card was declined. Ask the payer for another payment method.',
  insufficient_funds: 'The card has insufficient funds.',
  expired_card: 'The card has expired.',
  incorrect_cvc: 'The card security code is incorrect.',
  lost_or_stolen_card: 'The card was declined. Ask the payer for another payment method.',
  provider_rejected: 'The provider refused the request as invalid; nothing was charged.',
  provider_unavailable: 'No provider could be reached before the payment expired; nothing was charged.',
  outcome_unknown: 'The provider never said whether it charged the card; an operator decides.',
  amount_mismatch: 'The provider reported another amount than the one requested; an operator decides.',
  resolved_not_charged: 'An operator found that the card was not charged.',
};

/** The failure object for a code. */
export function failureOf(code: PaymentFailureCode): PaymentFailure {
  return { code, message: messages[code] };
}
