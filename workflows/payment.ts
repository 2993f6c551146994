import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import { databaseStep } from './ask-of-the-world.ts';
import { charge } from './charge.ts';
import { businessNowText } from './clock.ts';
import type { PaymentWorkflowInput, PaymentWorkflowResult } from './contract.ts';
import type { Decision } from './decision.ts';
import { invariant } from './domain/invariant.ts';
import { isFinal } from './domain/payment-status.ts';
import { PaymentProcess } from './payment-process.ts';
import type { Acceptance } from './ports.ts';
import { record } from './record.ts';
import { resolution } from './resolution.ts';
import { showEnd, showStep } from './status-board.ts';

/**
 * The life of a payment. It is accepted (or found again), charged at most once, and recorded; it stays open only while
 * something can still happen to it. Every step may be repeated by a crash, a reset or a second run: the database's row
 * decides what is still to be done.
 */
export async function paymentWorkflow(input: PaymentWorkflowInput): Promise<PaymentWorkflowResult> {
  const payment = new PaymentProcess(input);
  payment.listen();
  CancellationScope.current().cancelRequested.catch(() => payment.requestCancelFromTemporal());
  return CancellationScope.nonCancellable(() => live(payment, input));
}

async function live(payment: PaymentProcess, input: PaymentWorkflowInput): Promise<PaymentWorkflowResult> {
  const acceptance = await accept(input);
  if (acceptance.kind === 'refused') {
    payment.refuse(acceptance.code);
    await condition(allHandlersFinished);
    return { refused: acceptance.code };
  }
  payment.adopt(acceptance.payment);
  while (!isFinal(payment.status)) {
    showStep(payment);
    await record(payment, await decide(payment));
  }
  showEnd(payment);
  await condition(allHandlersFinished);
  return { status: payment.status, failure: payment.row.failure };
}

function decide(payment: PaymentProcess): Promise<Decision | null> {
  if (payment.status === 'unresolved') return resolution(payment);
  invariant(
    payment.status === 'pending',
    `this version does not know how to go on with a payment that is ${payment.status}`,
  );
  return charge(payment);
}

function accept(input: PaymentWorkflowInput): Promise<Acceptance> {
  const acceptance = { ...input, now: businessNowText() };
  return databaseStep('accept: commit the payment as pending', (ports) => ports.acceptPayment(acceptance));
}
