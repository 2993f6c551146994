import type { DeclineCode } from './failure.ts';

/** What a provider said, in its own words, kept for support and reconciliation. */
export interface ProviderResponse {
  readonly transactionId: string;
  readonly responseCode: string;
  readonly responseMessage: string;
  readonly card: { readonly brand: string; readonly lastFour: string } | null;
}

/**
 * How a provider answered a charge or a movement after it. These are values, never thrown.
 *
 * - `approved`: the money moved, or is reserved for us, for exactly the amount that we asked for.
 * - `declined`: certainly nothing moved.
 * - `pending`: the provider will know later; ask again.
 * - `requires_action`: of a charge: the payer must first act at `redirectUrl`, a link with a random token; ask again.
 * - `mismatched`: approved, but the provider reports another amount (minor units) or currency than ours; a person decides.
 */
export type ChargeOutcome =
  | { readonly kind: 'approved'; readonly response: ProviderResponse }
  | { readonly kind: 'declined'; readonly declineCode: DeclineCode; readonly response: ProviderResponse }
  | { readonly kind: 'pending'; readonly response: ProviderResponse }
  | { readonly kind: 'requires_action'; readonly response: ProviderResponse; readonly redirectUrl: string }
  | {
      readonly kind: 'mismatched';
      readonly response: ProviderResponse;
      readonly reported: { readonly amountMinor: string; readonly currency: string };
    };

/** An outcome after which the provider has nothing more to say about the attempt. */
export type FinalOutcome = Exclude<ChargeOutcome, { kind: 'pending' | 'requires_action' }>;

/**
 * What can go wrong in a call to a provider. Each kind answers two questions: did it happen, and may we repeat it?
 *
 * | kind              | did it happen?  | may we repeat it?                        |
 * |-------------------|-----------------|------------------------------------------|
 * | `rejected`        | certainly not   | no: our request is wrong                 |
 * | `unavailable`     | certainly not   | yes, with backoff                        |
 * | `rate_limited`    | certainly not   | yes, after the delay that was named      |
 * | `misconfigured`   | certainly not   | yes, once an operator has acted          |
 * | `unknown_outcome` | nobody knows    | ask first; never another key or provider |
 */
export type FaultKind = 'rejected' | 'unavailable' | 'rate_limited' | 'misconfigured' | 'unknown_outcome';
