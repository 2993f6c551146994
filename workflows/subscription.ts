import { allHandlersFinished, CancellationScope, condition, continueAsNew, workflowInfo } from '@temporalio/workflow';
import { databaseStep } from './ask-of-the-world.ts';
import { businessNow, businessNowText, waitUntil } from './clock.ts';
import { showStep } from './subscription-board.ts';
import { followCharge } from './subscription-charge.ts';
import type { SubscriptionWorkflowInput, SubscriptionWorkflowResult } from './subscription-contract.ts';
import type { SubscriptionAcceptance, SubscriptionPorts } from './subscription-ports.ts';
import { SubscriptionProcess } from './subscription-process.ts';
import { giveBack } from './subscription-refunds.ts';

/**
 * The life of a subscription. It knows when: it waits for what the row says is due, for a charge to end, or for somebody's wish. What
 * is to be done then, the rules behind `stepSubscription` decide on the row, so that every step may be repeated by a crash, a reset
 * or a second run. It lives for years and continues as new between two steps.
 */
export async function subscriptionWorkflow(input: SubscriptionWorkflowInput): Promise<SubscriptionWorkflowResult> {
  const subscription = new SubscriptionProcess(input);
  subscription.listen();
  // Ending a subscription is an act of its own: who cancels the workflow stops nothing.
  return CancellationScope.nonCancellable(() => live(subscription, input));
}

/** So many steps are a history of about a thousand events. */
const stepsMax = 100;

async function live(
  subscription: SubscriptionProcess,
  input: SubscriptionWorkflowInput,
): Promise<SubscriptionWorkflowResult> {
  const acceptance = await accept(input);
  if (acceptance.kind === 'refused') {
    subscription.refuse(acceptance.code);
    await condition(allHandlersFinished);
    return { refused: acceptance.code };
  }
  subscription.adopt(acceptance.subscription);
  for (let steps = 0; !subscription.row.isOver; steps += 1) {
    if (steps >= stepsMax || workflowInfo().continueAsNewSuggested) await goOnAsNew(subscription, input);
    await advance(subscription);
  }
  showStep(subscription, 'done');
  await condition(allHandlersFinished);
  return { status: subscription.row.status };
}

/** One step of the story. */
async function advance(subscription: SubscriptionProcess): Promise<void> {
  const { row } = subscription;
  if (subscription.hasWish) return subscription.grantWish();
  if (row.charge !== null) return followCharge(subscription, row.charge);
  if (row.refunds.length > 0) return giveBack(subscription, row.refunds);
  if (subscription.isStale) return subscription.look();
  if (row.due !== null && Date.parse(row.due.at) <= now(subscription)) {
    showStep(subscription, row.due.step);
    return subscription.step({ kind: row.due.step });
  }
  return wait(subscription);
}

/** The time that its dates go by: that of its test clock, if it has one. */
function now({ row }: SubscriptionProcess): number {
  return row.clockNow === null ? businessNow() : Date.parse(row.clockNow);
}

async function wait(subscription: SubscriptionProcess): Promise<void> {
  const { due, clockNow } = subscription.row;
  const isCalled = () => subscription.hasWish || subscription.isStale;
  const summary = due === null ? 'until somebody acts' : `until ${due.step.replaceAll('_', ' ')}`;
  showStep(subscription, `waiting ${summary}`);
  if (due === null || clockNow !== null) await condition(isCalled);
  else await waitUntil(Date.parse(due.at), isCalled, summary);
}

/**
 * A new run from the row; not while something is under way that this one follows, and not while somebody waits for an answer that only
 * the next step brings.
 */
async function goOnAsNew(subscription: SubscriptionProcess, input: SubscriptionWorkflowInput): Promise<void> {
  if (!subscription.isQuiet || !(subscription.isCalm || allHandlersFinished())) return;
  await condition(() => allHandlersFinished() || subscription.hasWish);
  if (!subscription.isQuiet) return;
  const { subscriptionId, merchantId, isTest } = input;
  await continueAsNew<typeof subscriptionWorkflow>({ subscriptionId, merchantId, isTest });
}

function accept(input: SubscriptionWorkflowInput): Promise<SubscriptionAcceptance> {
  const acceptance = { ...input, now: businessNowText() };
  return databaseStep<SubscriptionAcceptance, SubscriptionPorts>('accept: commit the subscription', (ports) =>
    ports.acceptSubscription(acceptance),
  );
}
