import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowFailure, condition, ParentClosePolicy, startChild } from '@temporalio/workflow';
import {
  type RefundWorkflowInput,
  type RefundWorkflowResult,
  refundStartOptions,
  refundWorkflowType,
} from './contract.ts';
import { movementIdOf } from './domain/ids.ts';
import { formatMoney } from './domain/money.ts';
import type { refundWorkflow } from './refund.ts';
import { showStep } from './subscription-board.ts';
import type { UnusedPart } from './subscription-ports.ts';
import type { SubscriptionProcess } from './subscription-process.ts';

/** Before it is looked again at a refund that another run has begun. */
const againMs = 60_000;

/** How a refund ended: `later`: it cannot be told yet. */
type RefundEnd = 'refunded' | 'failed' | 'later';

/** Has the unused part of what was paid refunded, each by a workflow of its own under an id that is that refund's alone. */
export async function giveBack(subscription: SubscriptionProcess, refunds: readonly UnusedPart[]): Promise<void> {
  showStep(subscription, 'refunding what is unused');
  const ends = await Promise.all(refunds.map((refund) => refundAtMost(subscription, refund)));
  if (ends.includes('later')) await condition(() => subscription.hasWish, againMs);
  else await subscription.step({ kind: 'settle_refunds', isWhole: !ends.includes('failed') });
}

/** Where somebody has refunded so much already that the unused part is not left, what is left is given back. */
async function refundAtMost(subscription: SubscriptionProcess, refund: UnusedPart): Promise<RefundEnd> {
  const result = await resultOf(subscription, refund);
  if (result === null) return 'later';
  if (!('refused' in result) || result.refused !== 'amount_exceeds_refundable') return endOf(result);
  const idempotencyKey = `${refund.request.idempotencyKey}:rest`;
  const rest = await resultOf(subscription, {
    ...refund,
    refundId: movementIdOf('refund', refund.paymentId, idempotencyKey),
    request: { ...refund.request, idempotencyKey, amountMinor: null },
  });
  if (rest === null) return 'later';
  const isNothingLeft = 'refused' in rest && rest.refused === 'amount_exceeds_refundable';
  return isNothingLeft ? 'refunded' : endOf(rest);
}

function endOf(result: RefundWorkflowResult): RefundEnd {
  if ('refused' in result) return result.refused === 'movement_in_progress' ? 'later' : 'failed';
  return result.state === 'succeeded' ? 'refunded' : 'failed';
}

/** How the refund's workflow ended; null: another run has begun it, and is left to go on. */
async function resultOf(
  { input }: SubscriptionProcess,
  { refundId, paymentId, amountMinor, currency, request }: UnusedPart,
): Promise<RefundWorkflowResult | null> {
  const { merchantId } = input;
  const summary = `refund of ${formatMoney({ amountMinor: BigInt(amountMinor), currency })}`;
  const start: RefundWorkflowInput = { refundId, paymentId, merchantId, request };
  try {
    const refund = await startChild<typeof refundWorkflow>(refundWorkflowType, {
      ...refundStartOptions({ refundId, paymentId, merchantId, currency, summary }),
      parentClosePolicy: ParentClosePolicy.ABANDON,
      args: [start],
    });
    return await refund.result();
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError || error instanceof ChildWorkflowFailure) return null;
    throw error;
  }
}
