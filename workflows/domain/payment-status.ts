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
  authorized: ['captured', 'canceled', 'unresolved', 'partially_refunded', 'refunded'],
  captured: ['partially_refunded', 'refunded'],
  failed: [],
  canceled: [],
  unresolved: ['authorized', 'captured', 'failed', 'canceled'],
  partially_refunded: ['refunded'],
  refunded: [],
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

/** Whether the payment's own workflow is over. Refunds and disputes of it may still follow. */
export function isFinal(status: PaymentStatus): boolean {
  return finalStatuses.has(status);
}

/** The statuses that need an open workflow; the sweep looks for rows in one of them. */
export const openStatuses: readonly PaymentStatus[] = paymentStatuses.filter((status) => !isFinal(status));
