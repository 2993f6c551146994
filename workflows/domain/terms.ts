/** Delayed retries of a payment that was declined for a reason that may pass. */
export interface RetryTerms {
  /** Seconds before each further round; the last one serves for all after it. */
  readonly scheduleSeconds: readonly number[];
  /** Rounds in all, the first one included. */
  readonly attemptsMax: number;
}

/** A merchant's terms as they were when the payment was accepted. */
export interface PaymentTerms {
  /** To try to charge, capture, void or refund. */
  readonly expiresAfterSeconds: number;
  /** To go on asking a provider about an unknown outcome after that. */
  readonly askForSeconds: number;
  /** For the payer to act. */
  readonly actionWithinSeconds: number;
  /** To capture what was reserved; then the rest is voided. */
  readonly captureWithinSeconds: number;
  readonly retry: RetryTerms | null;
  readonly feeBasisPoints: number;
  /** Minor units of the payment's currency, as a decimal string. */
  readonly feeFixedMinor: string;
}

/** The seconds to wait before the next round after so many were declined; null: there is none. */
export function retryDelayOf({ retry }: PaymentTerms, retriesMade: number): number | null {
  if (retry === null || retriesMade + 1 >= retry.attemptsMax) return null;
  return retry.scheduleSeconds[Math.min(retriesMade, retry.scheduleSeconds.length - 1)] ?? null;
}

/**
 * The fee on all that was captured so far, in minor units: a share, rounded half up, and a fixed part, and never more than
 * was captured. The database has the same function, `payment_fee`; a test compares the two.
 */
export function feeOf(captured: bigint, { feeBasisPoints, feeFixedMinor }: PaymentTerms): bigint {
  if (captured === 0n) return 0n;
  const fee = (captured * BigInt(feeBasisPoints) + 5000n) / 10_000n + BigInt(feeFixedMinor);
  return fee < captured ? fee : captured;
}
