/** What a provider's event says of the payment or movement that it names. `other`: something that moves no money of ours. */
export type ProviderClaim = 'approved' | 'declined' | 'pending' | 'other';

/** A business attempt as its row says; the states stand in `prisma/attempts.ts`. */
export interface RecordedAttempt {
  readonly provider: string;
  readonly state: string;
}

/** The states in which an attempt's row says the same as the claim, or knows more. */
const agreeing: Readonly<Record<ProviderClaim, ReadonlySet<string>>> = {
  approved: new Set(['approved']),
  declined: new Set(['declined']),
  pending: new Set(['requires_action', 'approved', 'declined']),
  other: new Set(),
};

/**
 * Whether a claim of this provider tells nothing that is not recorded. An event names a payment or movement and none of its
 * attempts, so every attempt there must agree: "approved" may be about the one that was given up before the one that was
 * approved, or come from a provider that was given up for another one; only a look-up tells.
 */
export function isRecorded(claim: ProviderClaim, provider: string, attempts: readonly RecordedAttempt[]): boolean {
  const there = attempts.filter((attempt) => attempt.provider === provider);
  return there.length > 0 && there.every(({ state }) => agreeing[claim].has(state));
}
