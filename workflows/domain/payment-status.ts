/** The states of a payment; what each one means stands in `docs/payment-states.md`. */
export const paymentStatuses = [
  'pending',
  'requires_action',
  'held',
  'authorized',
  'captured',
  'failed',
  'canceled',
  'unresolved',
  'partially_refunded',
  'refunded',
] as const;

export type PaymentStatus = (typeof paymentStatuses)[number];

/**
 * Every allowed move. The database holds the same table (`payment_transitions`) and refuses any other move; a test
 * compares the two. An event without a change of status is not a move and needs no line here.
 */
export const paymentTransitions: Readonly<Record<PaymentStatus, readonly PaymentStatus[]>> = {
  pending: ['requires_action', 'held', 'authorized', 'captured', 'failed', 'canceled', 'unresolved'],
  requires_action: ['pending', 'authorized', 'captured', 'failed', 'canceled', 'unresolved'],
  held: ['pending', 'failed', 'canceled'],
  authorized: ['captured', 'canceled', 'unresolved'],
  captured: ['unresolved', 'partially_refunded', 'refunded'],
  failed: [],
  canceled: [],
  unresolved: ['requires_action', 'authorized', 'captured', 'failed', 'canceled', 'partially_refunded', 'refunded'],
  partially_refunded: ['unresolved', 'refunded'],
  refunded: ['unresolved', 'partially_refunded'],
};

/** Whether a payment may go from one status to the other. Staying where it is, is not a move: false. */
export function canMove(from: PaymentStatus, to: PaymentStatus): boolean {
  return paymentTransitions[from].includes(to);
}

const finalStatuses: ReadonlySet<PaymentStatus> = new Set([
  'captured',
  'failed',
  'canceled',
  'partially_refunded',
  'refunded',
]);

/** Whether the charge is decided. What was reserved and not captured, refunds and disputes may still follow. */
export function isFinal(status: PaymentStatus): boolean {
  return finalStatuses.has(status);
}

/** The amounts of a payment, in minor units of its currency. */
export interface PaymentAmounts {
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly voided: bigint;
  readonly refunded: bigint;
}

/** What may still be captured, or voided. */
export function capturableOf({ authorized, captured, voided }: PaymentAmounts): bigint {
  return authorized - captured - voided;
}

/**
 * What its amounts say about the status of a payment once a card was charged or an amount reserved, and nothing is open.
 * The database has the same function, `projected_status`; a test compares the two.
 */
export function projectedStatus(amounts: PaymentAmounts): PaymentStatus {
  const { captured, refunded } = amounts;
  if (captured > 0n) {
    if (refunded === 0n) return 'captured';
    return refunded < captured ? 'partially_refunded' : 'refunded';
  }
  return capturableOf(amounts) > 0n ? 'authorized' : 'canceled';
}
