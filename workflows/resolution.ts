import { condition } from '@temporalio/workflow';
import { regularly, requireUnbroken } from './ask-of-the-world.ts';
import { answered, type Decision, foundNothing, resolved } from './decision.ts';
import type { PaymentProcess } from './payment-process.ts';
import * as policies from './policies.ts';
import type { AskAnswer } from './ports.ts';
import { showStep } from './status-board.ts';

/**
 * Waits for a person to decide a payment whose outcome nobody could learn, or for the provider to speak after all. What is
 * written first counts; the other one, where it contradicts, is a discrepancy. Null: nothing to write.
 */
export async function resolution(payment: PaymentProcess): Promise<Decision | null> {
  const { row, attention } = payment;
  if (row.openAttemptId === null) return foundNothing(); // proven by the last look-up, before it could be written
  payment.doing = 'waiting for an operator: update `resolvePayment` with outcome, evidence, actor and reason';
  showStep(payment);
  await condition(() => attention.hasResolution || attention.isCalled);
  const act = attention.takeResolution();
  if (act !== null) return resolved(act, row.processor, row.openAttemptId, row.captureMethod);
  attention.answer();
  return afterLateAnswer(payment, await askLate(payment));
}

/** Asks about the open charge a few times, because somebody has a reason to. Null: still unknown. */
export async function askLate(payment: PaymentProcess): Promise<AskAnswer | null> {
  const { doubtful, input } = payment;
  if (doubtful === null) return null;
  const { paymentId, merchantId } = input;
  const { number: attemptNumber, provider } = doubtful;
  const { askProvider } = regularly({ ...policies.askLate, summary: `ask ${provider} again` });
  try {
    return await askProvider({ paymentId, merchantId, attemptNumber, provider, mayRepeat: false });
  } catch (error) {
    requireUnbroken(error);
    return null;
  }
}

function afterLateAnswer({ row, doubtful }: PaymentProcess, answer: AskAnswer | null): Decision | null {
  if (answer === null || doubtful === null) return null;
  switch (answer.kind) {
    case 'approved':
    case 'declined':
      return answered(answer, doubtful.provider, doubtful.id, row.captureMethod);
    default: // told again what a person looks at already, or proven to be nothing, which the row says now
      return null;
  }
}
