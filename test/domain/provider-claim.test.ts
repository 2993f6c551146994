import { describe, expect, test } from 'vitest';
import { isRecorded, type ProviderClaim } from '../../workflows/domain/provider-claim.ts';

const at = (provider: string, ...states: string[]) => states.map((state) => ({ provider, state }));
const states = [
  'sent',
  'unknown',
  'not_sent',
  'prepared',
  'requires_action',
  'approved',
  'declined',
  'rejected',
  'mismatched',
  'unanswered',
  'voided',
];

describe('a provider’s claim is recorded already', () => {
  test.each<[ProviderClaim, string[]]>([
    ['approved', ['approved']],
    ['declined', ['declined']],
    ['pending', ['requires_action', 'approved', 'declined']],
    ['other', []],
  ])('when %s finds an attempt in one of %j, and in no other state', (claim, agreeing) => {
    expect(states.filter((state) => isRecorded(claim, 'easypay', at('easypay', state)))).toEqual(agreeing);
  });

  test('only when every attempt at that provider says so: the event does not name which one it is about', () => {
    expect(isRecorded('approved', 'easypay', at('easypay', 'approved', 'approved'))).toBe(true);
    expect(isRecorded('approved', 'easypay', at('easypay', 'declined', 'approved'))).toBe(false);
    expect(isRecorded('declined', 'easypay', at('easypay', 'declined', 'approved'))).toBe(false);
    expect(isRecorded('declined', 'easypay', at('easypay', 'declined', 'sent'))).toBe(false);
  });

  test('never by what another provider did: approved at both would be a double charge', () => {
    const attempts = [...at('easypay', 'unanswered'), ...at('paypal', 'approved')];
    expect(isRecorded('approved', 'easypay', attempts)).toBe(false);
    expect(isRecorded('approved', 'paypal', attempts)).toBe(true);
    expect(isRecorded('approved', 'easypay', at('paypal', 'approved'))).toBe(false);
    expect(isRecorded('approved', 'easypay', [])).toBe(false);
  });
});
