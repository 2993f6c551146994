import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import { databaseStep } from './ask-of-the-world.ts';
import { capturable } from './capturable.ts';
import { charge } from './charge.ts';
import { businessNowText } from './clock.ts';
import type { PaymentWorkflowInput, PaymentWorkflowResult } from './contract.ts';
import { invariant } from './domain/invariant.ts';
import { carryOut } from './movement.ts';
import { payerAction } from './payer-action.ts';
import { PaymentProcess } from './payment-process.ts';
import type { Acceptance } from './ports.ts';
import { reconcileEvents } from './reconcile.ts';
import { record, refresh } from './record.ts';
import { resolution } from './resolution.ts';
import { showEnd, showStep } from './status-board.ts';

/**
 * The life of a payment. It is accepted (or found again), charged at most once, captured or voided where it was only reserved,
 * and recorded; it stays open only while something can still happen to it. Every step may be repeated by a crash, a reset or a
 * second run: the database's row decides what is still to be done.
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
  while (!payment.isSettled) {
    showStep(payment);
    await advance(payment);
  }
  showEnd(payment);
  await condition(allHandlersFinished);
  await reconcileEvents(payment.attention, input);
  return { status: payment.status, failure: payment.row.failure };
}

/** One step of the story, and its record. */
async function advance(payment: PaymentProcess): Promise<void> {
  const { openMovement } = payment.row;
  if (openMovement !== null) {
    payment.isStale = true;
    const { id, state } = await carryOut(payment.workOn(openMovement));
    await refresh(payment);
    return payment.endWish(id, { kind: 'ended', state });
  }
  switch (payment.status) {
    case 'pending':
      return record(payment, await charge(payment));
    case 'requires_action':
      return record(payment, await payerAction(payment));
    case 'unresolved':
      return record(payment, await resolution(payment));
    default:
      invariant(
        payment.canBeCaptured,
        `this version does not know how to go on with a payment that is ${payment.status}`,
      );
      return capturable(payment);
  }
}

function accept(input: PaymentWorkflowInput): Promise<Acceptance> {
  const acceptance = { ...input, now: businessNowText() };
  return databaseStep('accept: commit the payment as pending', (ports) => ports.acceptPayment(acceptance));
}
