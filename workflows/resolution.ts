import { condition } from '@temporalio/workflow';
import { type Decision, resolved } from './decision.ts';
import { invariant } from './domain/invariant.ts';
import type { PaymentProcess } from './payment-process.ts';
import { showStep } from './status-board.ts';

/** Waits for a person to decide a payment whose outcome nobody could learn. */
export async function resolution(payment: PaymentProcess): Promise<Decision> {
  payment.doing = 'waiting for an operator: update `resolvePayment` with outcome, evidence, actor and reason';
  showStep(payment);
  await condition(() => payment.resolution !== null);
  const { row, resolution: act } = payment;
  invariant(act !== null, 'the wait ended without a resolution');
  invariant(row.openAttemptId !== null && row.processor !== null, 'an unresolved payment has an open attempt');
  return resolved(act, row.processor, row.openAttemptId);
}
