import type { PaymentFailureCode } from '../../workflows/domain/failure.ts';

const anotherCard = 'Please try again with another card or another way to pay.';
const askBank = 'Your bank did not approve it. Please ask your bank, or pay in another way.';
const tryLater = 'It was a technical problem on our side. Please try again later.';

/** Why a payment failed, in words for the payer: what to do next, and nothing that helps whoever tries stolen cards. */
export const payerWords: Readonly<Record<PaymentFailureCode, string>> = {
  card_declined: askBank,
  insufficient_funds: `There was not enough money available. ${anotherCard}`,
  limit_exceeded: `The card is over its limit. ${anotherCard}`,
  expired_card: `The card has expired. ${anotherCard}`,
  incorrect_cvc: 'The security code of the card was not right. Please check it and try again.',
  lost_or_stolen_card: askBank,
  suspected_fraud: askBank,
  not_permitted: `The card does not allow this payment. ${anotherCard}`,
  issuer_unavailable: 'Your bank could not be reached. Please try again later.',
  processing_error: tryLater,
  provider_rejected: tryLater,
  provider_unavailable: tryLater,
  no_eligible_provider: `This way to pay is not possible for this payment. ${anotherCard}`,
  outcome_unknown: tryLater,
  amount_mismatch: tryLater,
  resolved_not_charged: tryLater,
  resolved_not_moved: tryLater,
  authentication_failed: `Your bank did not confirm that it was you. ${anotherCard}`,
  authentication_required: `Your bank wants to confirm that it is you, which is not possible here. ${anotherCard}`,
  authorization_expired: tryLater,
  refund_declined: tryLater,
};
