import { databaseStep } from './ask-of-the-world.ts';
import { businessNowText } from './clock.ts';
import type { Decision } from './decision.ts';
import { invariant } from './domain/invariant.ts';
import type { PaymentProcess } from './payment-process.ts';
import type { Transition } from './ports.ts';

/** So often another run may be faster; after that it is not another run, but rows that contradict each other. */
const overtakenMax = 10;

/**
 * Writes a decision and takes over the row as it is then. Where the payment had moved on meanwhile, nothing is written
 * and the row says what to decide next. Null: no decision, only read the row again.
 */
export async function record(payment: PaymentProcess, decision: Decision | null): Promise<void> {
  if (decision === null) return reread(payment);
  const transition = transitionOf(payment, decision);
  const isMove = transition.fromStatus !== transition.toStatus;
  const summary = `record: ${isMove ? `${transition.fromStatus} → ${transition.toStatus}` : transition.eventType}`;
  const answer = await databaseStep(summary, (ports) => ports.recordTransition(transition));
  invariant(answer.kind !== 'illegal', answer.kind === 'illegal' ? answer.reason : '');
  payment.overtaken = answer.kind === 'moved_on' ? payment.overtaken + 1 : 0;
  invariant(payment.overtaken < overtakenMax, `${overtakenMax} decisions in a row did not fit the row`);
  payment.adopt(answer.payment);
}

/** Reads the row again, unless the last step brought it along. */
export async function refresh(payment: PaymentProcess): Promise<void> {
  if (payment.isStale) await reread(payment);
}

async function reread(payment: PaymentProcess): Promise<void> {
  const { paymentId, merchantId, isTest } = payment.input;
  const input = { paymentId, merchantId, isTest, now: businessNowText() };
  const found = await databaseStep('read the row again', (ports) => ports.acceptPayment(input));
  invariant(found.kind === 'accepted', 'the row of an accepted payment is gone');
  payment.adopt(found.payment);
}

function transitionOf(payment: PaymentProcess, decision: Decision): Transition {
  const { id, merchantId, version, status } = payment.row;
  const { to, eventType, ...rest } = decision;
  const isMove = to !== status; // then the event is named by it
  return {
    paymentId: id,
    merchantId,
    fromVersion: version,
    fromStatus: status,
    toStatus: to,
    eventType: isMove || eventType === null ? `payment.${to}` : eventType,
    ...rest,
    now: businessNowText(),
  };
}
