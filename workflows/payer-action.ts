import { afterOutcome } from './charge.ts';
import { businessNow, waitUntil } from './clock.ts';
import { type Decision, unanswered } from './decision.ts';
import { invariant } from './domain/invariant.ts';
import type { PaymentProcess } from './payment-process.ts';
import { askLate } from './resolution.ts';
import { showStep } from './status-board.ts';
import { voidPayment } from './void.ts';

/** So often the provider may refuse to give up a charge that the payer has not confirmed; then a person decides. */
const voidsMax = 5;

/** A payer who goes back and forth makes us ask no more often than this. */
const askPauseMs = 3_000;

/**
 * Waits for the payer to act. The provider's event or the payer's return is a reason to ask the provider; when the time is
 * over, or the payment is withdrawn, it is asked a last time and told to give the charge up.
 */
export async function payerAction(payment: PaymentProcess): Promise<Decision | null> {
  const { row, attention, doubtful } = payment;
  invariant(doubtful !== null && row.actionExpiresAt !== null, 'a payer acts for an open charge, and not for ever');
  if (row.voids >= voidsMax) return unanswered(doubtful.provider, doubtful.id);
  const endsAt = Date.parse(row.actionExpiresAt);
  payment.doing = `waiting for the payer to act until ${row.actionExpiresAt}`;
  showStep(payment);
  const isInterrupted = () => payment.cancelRequest !== null || attention.isCalled;
  await waitUntil(endsAt, isInterrupted, 'the payer’s time is over');
  await waitUntil(
    Math.min(endsAt, payment.askAgainAt),
    () => payment.cancelRequest !== null,
    'a pause between questions',
  );
  attention.answer();
  const answer = await askLate(payment);
  payment.askAgainAt = businessNow() + askPauseMs;
  const isDecided =
    answer !== null && (answer.kind === 'approved' || answer.kind === 'declined' || answer.kind === 'mismatched');
  if (isDecided) return afterOutcome(payment, { attemptNumber: doubtful.number, provider: doubtful.provider }, answer);
  const isOver = payment.cancelRequest !== null || businessNow() >= endsAt;
  if (isOver) await voidPayment(payment);
  return null;
}
