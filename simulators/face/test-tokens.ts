/** Why an issuer declines; each face says it with its own code. */
export type DeclineReason =
  | 'do_not_honor'
  | 'insufficient_funds'
  | 'expired_card'
  | 'incorrect_cvc'
  | 'lost_card'
  | 'limit_exceeded'
  | 'issuer_away'
  | 'processing_error';

/** What becomes of a charge on a test token. */
type TestBehavior =
  | { readonly kind: 'approve'; readonly afterMs: number }
  | { readonly kind: 'decline'; readonly reason: DeclineReason }
  /** Declined for want of funds by the first keys of a reference, and approved after so many. */
  | { readonly kind: 'later'; readonly declines: number }
  | { readonly kind: 'pending' }
  /** The payer must confirm it. */
  | { readonly kind: 'challenge' }
  | { readonly kind: 'never' };

/** What becomes of a capture or refund where it is not approved at once. */
type AfterBehavior = 'decline' | 'pending';

/** The card behind a test token, or the PayPal wallet, which has no number. */
export type TestToken = {
  readonly behavior: TestBehavior;
  readonly captures?: AfterBehavior;
  readonly refunds?: AfterBehavior;
} & (
  | { readonly brand: 'visa' | 'mastercard' | 'amex'; readonly lastFour: string }
  | { readonly brand: 'paypal'; readonly lastFour: null }
);

/** How long what is pending waits for its approval. */
export const pendingMs = 2_000;

const approve: TestBehavior = { kind: 'approve', afterMs: 0 };
const decline = (reason: DeclineReason): TestBehavior => ({ kind: 'decline', reason });

/** Every token that the test modes of the providers know. A wallet is known to PayPal alone. */
export const testTokens: ReadonlyMap<string, TestToken> = new Map<string, TestToken>([
  ['tok_visa_4242', { brand: 'visa', lastFour: '4242', behavior: approve }],
  ['tok_mastercard_5454', { brand: 'mastercard', lastFour: '5454', behavior: approve }],
  ['tok_amex_0005', { brand: 'amex', lastFour: '0005', behavior: approve }],
  ['tok_visa_declined_0002', { brand: 'visa', lastFour: '0002', behavior: decline('do_not_honor') }],
  ['tok_visa_insufficient_9995', { brand: 'visa', lastFour: '9995', behavior: decline('insufficient_funds') }],
  ['tok_visa_expired_0069', { brand: 'visa', lastFour: '0069', behavior: decline('expired_card') }],
  ['tok_visa_cvc_0127', { brand: 'visa', lastFour: '0127', behavior: decline('incorrect_cvc') }],
  ['tok_visa_lost_9987', { brand: 'visa', lastFour: '9987', behavior: decline('lost_card') }],
  ['tok_visa_limit_0061', { brand: 'visa', lastFour: '0061', behavior: decline('limit_exceeded') }],
  ['tok_visa_issuer_away_0091', { brand: 'visa', lastFour: '0091', behavior: decline('issuer_away') }],
  ['tok_visa_error_0096', { brand: 'visa', lastFour: '0096', behavior: decline('processing_error') }],
  ['tok_visa_slow_3000', { brand: 'visa', lastFour: '3000', behavior: { kind: 'approve', afterMs: 3_000 } }],
  ['tok_visa_pending_7000', { brand: 'visa', lastFour: '7000', behavior: { kind: 'pending' } }],
  ['tok_visa_challenge_3220', { brand: 'visa', lastFour: '3220', behavior: { kind: 'challenge' } }],
  ['tok_visa_capture_declined_0057', { brand: 'visa', lastFour: '0057', behavior: approve, captures: 'decline' }],
  ['tok_visa_capture_pending_7200', { brand: 'visa', lastFour: '7200', behavior: approve, captures: 'pending' }],
  ['tok_visa_refund_declined_0058', { brand: 'visa', lastFour: '0058', behavior: approve, refunds: 'decline' }],
  ['tok_visa_refund_pending_7100', { brand: 'visa', lastFour: '7100', behavior: approve, refunds: 'pending' }],
  ['tok_visa_later_9996', { brand: 'visa', lastFour: '9996', behavior: { kind: 'later', declines: 1 } }],
  ['tok_visa_later_9997', { brand: 'visa', lastFour: '9997', behavior: { kind: 'later', declines: 2 } }],
  ['tok_visa_never_0000', { brand: 'visa', lastFour: '0000', behavior: { kind: 'never' } }],
  ['tok_paypal_wallet_1', { brand: 'paypal', lastFour: null, behavior: approve }],
  ['tok_paypal_declined_2', { brand: 'paypal', lastFour: null, behavior: decline('do_not_honor') }],
]);
