import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowFailure, condition, ParentClosePolicy, proxyActivities, startChild } from '@temporalio/workflow';
import { type PaymentWorkflowInput, paymentStartOptions, paymentWorkflowType } from './contract.ts';
import { formatMoney } from './domain/money.ts';
import type { paymentWorkflow } from './payment.ts';
import { watchPayment } from './policies.ts';
import { showStep } from './subscription-board.ts';
import { backgroundPriority } from './subscription-contract.ts';
import type { SubscriptionPorts, SubscriptionSnapshot } from './subscription-ports.ts';
import type { FollowedCharge, SubscriptionProcess } from './subscription-process.ts';

type Charge = NonNullable<SubscriptionSnapshot['charge']>;

/** Before it is asked again how a payment stands whose workflow ended without an end of the payment. */
const againMs = 5_000;
/** The same where the payment was refused, which stays so until somebody clears what stands in its way. */
const refusedAgainMs = 600_000;

/** Follows the charge that is on its way until it has ended, or until somebody wants something meanwhile. */
export async function followCharge(subscription: SubscriptionProcess, charge: Charge): Promise<void> {
  showStep(subscription, `charging ${charge.paymentId}`);
  const isFollowed = subscription.followed?.paymentId === charge.paymentId;
  const followed = isFollowed && subscription.followed !== null ? subscription.followed : begin(subscription, charge);
  subscription.followed = followed;
  await condition(() => followed.isOver || subscription.hasWish);
  if (!followed.isOver) return;
  subscription.followed = null;
  if (followed.error !== null) throw followed.error;
  await subscription.step({ kind: 'settle_charge', paymentId: charge.paymentId });
  if (subscription.row.charge?.paymentId !== charge.paymentId) return;
  if (followed.isRefused) showStep(subscription, `the payment ${charge.paymentId} is refused: see its workflow`);
  await condition(() => subscription.hasWish, followed.isRefused ? refusedAgainMs : againMs);
}

function begin(subscription: SubscriptionProcess, charge: Charge): FollowedCharge {
  const followed: FollowedCharge = { paymentId: charge.paymentId, isOver: false, isRefused: false, error: null };
  const follow = async () => {
    followed.isRefused = await pay(subscription, charge);
  };
  follow()
    .catch((error: unknown) => {
      followed.error = error;
    })
    .finally(() => {
      followed.isOver = true;
    });
  return followed;
}

/**
 * The payment is a workflow of its own that outlives this one, under an id that is the charge's alone. Where it is running already,
 * after a reset or in a second run, or was terminated and started again by the sweep, its row says how it ends.
 * True: it was refused, and there is no row.
 */
async function pay(subscription: SubscriptionProcess, { paymentId, request }: Charge): Promise<boolean> {
  const { merchantId, isTest, subscriptionId } = subscription.input;
  const { currency, amountMinor } = request;
  const summary = `${formatMoney({ amountMinor: BigInt(amountMinor), currency })} · ${subscription.row.externalId}`;
  const input: PaymentWorkflowInput = { paymentId, merchantId, isTest, request };
  const isRenewal = subscription.row.cyclesBilled > 1;
  try {
    const payment = await startChild<typeof paymentWorkflow>(paymentWorkflowType, {
      ...paymentStartOptions({ paymentId, merchantId, currency, summary, subscriptionId }),
      parentClosePolicy: ParentClosePolicy.ABANDON,
      ...(isRenewal && { priority: { priorityKey: backgroundPriority, fairnessKey: merchantId } }),
      args: [input],
    });
    return 'refused' in (await payment.result());
  } catch (error) {
    const isElsewhere = error instanceof WorkflowExecutionAlreadyStartedError || error instanceof ChildWorkflowFailure;
    if (!isElsewhere) throw error;
    const ports = proxyActivities<SubscriptionPorts>({ ...watchPayment, summary: 'wait for the payment’s row' });
    await ports.awaitPayment({ merchantId, paymentId });
    return false;
  }
}
