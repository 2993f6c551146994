import { describe, expect, test } from 'vitest';
import { type DeclineClass, declineClasses, declineCodes, failureOf } from '../../workflows/domain/failure.ts';

/** What may follow each decline, once more: as the API's documents promise it. */
const promised: Readonly<Record<DeclineClass, readonly string[]>> = {
  never: [
    'card_declined',
    'expired_card',
    'incorrect_cvc',
    'lost_or_stolen_card',
    'suspected_fraud',
    'authentication_failed',
    'authorization_expired',
    'refund_declined',
  ],
  retry_same: ['insufficient_funds', 'limit_exceeded'],
  retry_other: ['not_permitted', 'issuer_unavailable', 'processing_error', 'authentication_required'],
};

describe('a decline', () => {
  test('has one of three classes, whatever its code', () => {
    expect(Object.values(promised).flat().toSorted()).toEqual(declineCodes.toSorted());
    expect(Object.keys(declineClasses).toSorted()).toEqual(declineCodes.toSorted());
    for (const code of declineCodes) expect(promised[declineClasses[code]], code).toContain(code);
  });

  test.each(declineCodes)('as %s is a failure with its class and a sentence for people', (code) => {
    const failure = failureOf(code);
    expect(failure).toEqual({ code, declineClass: declineClasses[code], message: expect.any(String) });
    expect(failure.message).toMatch(/^[A-Z].{15,}\.$/);
  });

  test('for theft or fraud says no more to the payer than any other decline', () => {
    const { message } = failureOf('card_declined');
    for (const code of ['lost_or_stolen_card', 'suspected_fraud'] as const)
      expect(failureOf(code).message).toBe(message);
  });
});

test.each([
  'provider_rejected',
  'provider_unavailable',
  'no_eligible_provider',
  'outcome_unknown',
  'amount_mismatch',
  'resolved_not_charged',
  'resolved_not_moved',
] as const)('%s is no decline: it has no class', (code) => {
  expect(failureOf(code)).toMatchObject({
    code,
    declineClass: null,
    message: expect.stringMatching(/^[A-Z].{15,}\.$/),
  });
});
