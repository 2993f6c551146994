import { doLater, remainingMs } from '../face/later.ts';
import { pendingMs } from '../face/test-tokens.ts';
import type { Charge, StoredCharge, Verdict } from './charge.ts';
import { approved, movementOf } from './charge.ts';
import type { EasyPay } from './easypay.ts';
import { chargeEvent, followUpEvent } from './event.ts';
import type { FollowUp, StoredFollowUp } from './follow-up.ts';
import { approveFollowUp, movementOfFollowUp } from './follow-up.ts';

/** Resolves when a new charge is on disk, together with its movement if it is approved. */
export async function keepCharge(easypay: EasyPay, stored: StoredCharge): Promise<void> {
  await storeCharge(easypay, stored, false);
  if (stored.charge.status === 'pending') approveChargeLater(easypay, stored.charge);
}

/** Resolves when a new capture, void or refund is on disk, together with its movement if it is approved. */
export async function keepFollowUp(easypay: EasyPay, stored: StoredFollowUp): Promise<void> {
  await storeFollowUp(easypay, stored, false);
  if (stored.follow_up.status === 'pending') approveFollowUpLater(easypay, stored.follow_up);
}

/** Ends the waiting of a charge. Resolves with whether it still waited. */
export function completeCharge(
  easypay: EasyPay,
  chargeId: string,
  waitingFor: 'pending' | 'requires_action',
  verdict: Verdict,
): Promise<boolean> {
  return easypay.turns.inTurn(chargeId, async () => {
    const stored = easypay.charges.get(chargeId);
    if (stored?.charge.status !== waitingFor) return false;
    await storeCharge(easypay, { ...stored, charge: { ...stored.charge, ...verdict } }, true);
    return true;
  });
}

/** Approves what a former process left pending, each when it would have been due. */
export function resumeEasyPay(easypay: EasyPay): void {
  for (const charge of easypay.charges.pendingCharges()) approveChargeLater(easypay, charge);
  for (const followUp of easypay.charges.pendingFollowUps()) approveFollowUpLater(easypay, followUp);
}

function approveChargeLater(easypay: EasyPay, { id, created_at }: Charge): void {
  doLater(easypay.face, remainingMs(created_at, pendingMs), async () => {
    await completeCharge(easypay, id, 'pending', approved);
  });
}

function approveFollowUpLater(easypay: EasyPay, { id, charge_id: chargeId, created_at }: FollowUp): void {
  doLater(easypay.face, remainingMs(created_at, pendingMs), () =>
    easypay.turns.inTurn(chargeId, async () => {
      const stored = easypay.charges.followUp(chargeId, id);
      if (stored?.follow_up.status === 'pending') await storeFollowUp(easypay, approveFollowUp(stored), true);
    }),
  );
}

async function storeCharge({ book, events }: EasyPay, stored: StoredCharge, isLate: boolean): Promise<void> {
  const { charge } = stored;
  const memo = { provider: 'easypay', value: stored };
  await book.commit(charge.status === 'approved' ? { movement: movementOf(charge), memo } : { memo });
  events.tell(isLate, chargeEvent(charge));
}

async function storeFollowUp(easypay: EasyPay, stored: StoredFollowUp, isLate: boolean): Promise<void> {
  const { follow_up: followUp } = stored;
  const memo = { provider: 'easypay', value: stored };
  const movement = movementOfFollowUp(followUp);
  await easypay.book.commit(movement === undefined ? { memo } : { movement, memo });
  const charge = easypay.charges.get(followUp.charge_id)?.charge;
  if (charge !== undefined) easypay.events.tell(isLate, followUpEvent(followUp, charge));
}
