/** A span of time that money was asked for. */
export interface Span {
  readonly start: Date;
  readonly end: Date;
}

/**
 * The part of an amount that belongs to the rest of a span from `now` on: `amount × rest ÷ whole` in milliseconds, exact but for
 * one rounding to a whole minor unit, half away from zero. What is used and what is left always sum to the amount.
 */
export function unusedPart(amountMinor: bigint, { start, end }: Span, now: Date): bigint {
  const whole = BigInt(end.getTime() - start.getTime());
  if (whole <= 0n) return 0n;
  const from = now < start ? start : now;
  const rest = from < end ? BigInt(end.getTime() - from.getTime()) : 0n;
  return roundedQuotient(amountMinor * rest, whole);
}

function roundedQuotient(dividend: bigint, divisor: bigint): bigint {
  const size = dividend < 0n ? -dividend : dividend;
  const rounded = (2n * size + divisor) / (2n * divisor);
  return dividend < 0n ? -rounded : rounded;
}
