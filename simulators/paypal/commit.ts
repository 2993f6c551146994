import { doLater, remainingMs } from '../face/later.ts';
import { pendingMs } from '../face/test-tokens.ts';
import { chargeEvent, followUpEvent } from './event.ts';
import type { FollowUp } from './follow-up.ts';
import { completeFollowUp, movementOfFollowUp } from './follow-up.ts';
import type { StoredOrder } from './order.ts';
import { chargeOf, completeCharge, movementOf, purchaseOf } from './order.ts';
import type { PayPal } from './paypal.ts';

/** Resolves when an order that nobody has paid is on disk. */
export async function keepOrder({ book }: PayPal, order: StoredOrder): Promise<void> {
  await book.commit({ memo: memoOf(order) });
}

/** Resolves when an order that was just captured or authorized is on disk, together with its movement if it has one. */
export async function keepCharge(paypal: PayPal, order: StoredOrder): Promise<void> {
  await storeCharge(paypal, order, false);
  if (chargeOf(order)?.status === 'PENDING') completeChargeLater(paypal, order);
}

/** Resolves when a capture, void or refund is on disk, together with its movement if it has one. */
export async function keepFollowUp(paypal: PayPal, followUp: FollowUp): Promise<void> {
  await storeFollowUp(paypal, followUp, false);
  if (followUp.status === 'PENDING') completeFollowUpLater(paypal, followUp);
}

/** Approves what is pending of an order, when it is due. */
export function completeChargeLater(paypal: PayPal, order: StoredOrder): void {
  const since = chargeOf(order)?.created_at ?? order.created_at;
  doLater(paypal.face, remainingMs(since, pendingMs), () =>
    paypal.turns.inTurn(order.id, () => storeCharge(paypal, completeCharge(order), true)),
  );
}

/** Completes a pending capture or refund, when it is due. */
export function completeFollowUpLater(paypal: PayPal, followUp: FollowUp): void {
  doLater(paypal.face, remainingMs(followUp.created_at, pendingMs), () =>
    paypal.turns.inTurn(followUp.order_id, () => storeFollowUp(paypal, completeFollowUp(followUp), true)),
  );
}

async function storeCharge({ book, orders, events }: PayPal, order: StoredOrder, isLate: boolean): Promise<void> {
  const movement = movementOf(order);
  await book.commit({ ...(movement && { movement }), memo: memoOf(order) });
  const event = chargeEvent(orders.standing(order.id));
  if (event !== undefined) events.tell(isLate, event);
}

async function storeFollowUp({ book, orders, events }: PayPal, followUp: FollowUp, isLate: boolean): Promise<void> {
  const { order } = orders.standing(followUp.order_id);
  const movement = movementOfFollowUp(followUp, purchaseOf(order).custom_id);
  await book.commit({ ...(movement && { movement }), memo: memoOf(followUp) });
  events.tell(isLate, followUpEvent(followUp, orders.standing(followUp.order_id)));
}

function memoOf(value: StoredOrder | FollowUp) {
  return { provider: 'paypal', value };
}
