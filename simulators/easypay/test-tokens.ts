/** What EasyPay does with a charge on a test card. */
export type TestBehavior =
  | { readonly kind: 'approve'; readonly afterMs: number }
  | { readonly kind: 'decline'; readonly code: string; readonly message: string }
  | { readonly kind: 'pending'; readonly approvedAfterMs: number }
  | { readonly kind: 'never' };

/** The card behind a test token, and what becomes of charges on it. */
export interface TestCard {
  readonly brand: 'visa' | 'mastercard' | 'amex';
  readonly lastFour: string;
  readonly behavior: TestBehavior;
}

const approve: TestBehavior = { kind: 'approve', afterMs: 0 };
const decline = (code: string, message: string): TestBehavior => ({ kind: 'decline', code, message });

/** Every token that EasyPay's test mode knows. The codes are those of ISO 8583, field 39, as networks use them. */
export const testCards: ReadonlyMap<string, TestCard> = new Map<string, TestCard>([
  ['tok_visa_4242', { brand: 'visa', lastFour: '4242', behavior: approve }],
  ['tok_mastercard_5454', { brand: 'mastercard', lastFour: '5454', behavior: approve }],
  ['tok_amex_0005', { brand: 'amex', lastFour: '0005', behavior: approve }],
  ['tok_visa_declined_0002', { brand: 'visa', lastFour: '0002', behavior: decline('05', 'Do not honor') }],
  ['tok_visa_insufficient_9995', { brand: 'visa', lastFour: '9995', behavior: decline('51', 'Insufficient funds') }],
  ['tok_visa_expired_0069', { brand: 'visa', lastFour: '0069', behavior: decline('54', 'Expired card') }],
  ['tok_visa_cvc_0127', { brand: 'visa', lastFour: '0127', behavior: decline('82', 'Incorrect CVC') }],
  ['tok_visa_lost_9987', { brand: 'visa', lastFour: '9987', behavior: decline('41', 'Lost card') }],
  ['tok_visa_slow_3000', { brand: 'visa', lastFour: '3000', behavior: { kind: 'approve', afterMs: 3_000 } }],
  ['tok_visa_pending_7000', { brand: 'visa', lastFour: '7000', behavior: { kind: 'pending', approvedAfterMs: 2_000 } }],
  ['tok_visa_never_0000', { brand: 'visa', lastFour: '0000', behavior: { kind: 'never' } }],
]);
