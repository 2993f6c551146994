import type { WorkflowStartOptions } from '@temporalio/client';
import {
  type PaymentWorkflowInput,
  paymentStartOptions,
  paymentWorkflowType,
  type RefundWorkflowInput,
  refundStartOptions,
  refundWorkflowType,
} from '../../workflows/contract.ts';
import { formatMoney } from '../../workflows/domain/money.ts';
import type { MovementRequest, PaymentRequest } from '../../workflows/ports.ts';

/** How to start a workflow. */
export interface WorkflowStart {
  readonly type: string;
  readonly options: WorkflowStartOptions;
}

/** A payment, with what operators see of it in Temporal's lists. */
export interface KnownPayment {
  readonly paymentId: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly externalId: string;
  /** Minor units, as a decimal string. */
  readonly amountMinor: string;
  readonly currency: string;
}

/** A payment with the request that makes it; without one its row must exist. */
export interface PaymentToStart extends KnownPayment {
  readonly request?: PaymentRequest;
}

/** A refund with the request that makes it; without one its row must exist. */
export interface RefundToStart extends Omit<KnownPayment, 'amountMinor'> {
  readonly refundId: string;
  /** Of the refund; null: all that is left. */
  readonly amountMinor: string | null;
  readonly request?: MovementRequest;
}

/** How to start a payment's workflow. */
export function paymentStart({ paymentId, merchantId, isTest, request, ...shown }: PaymentToStart): WorkflowStart {
  const input: PaymentWorkflowInput = { paymentId, merchantId, isTest, ...(request && { request }) };
  const { currency } = shown;
  const options = paymentStartOptions({ paymentId, merchantId, currency, summary: summaryOf(shown) });
  return { type: paymentWorkflowType, options: { ...options, args: [input] } };
}

/** How to start a refund's workflow. */
export function refundStart({ refundId, paymentId, merchantId, request, ...shown }: RefundToStart): WorkflowStart {
  const input: RefundWorkflowInput = { refundId, paymentId, merchantId, ...(request && { request }) };
  const { currency, amountMinor, externalId } = shown;
  const summary =
    amountMinor === null ? `Refund · ${externalId}` : `Refund of ${summaryOf({ amountMinor, currency, externalId })}`;
  const options = refundStartOptions({ refundId, paymentId, merchantId, currency, summary });
  return { type: refundWorkflowType, options: { ...options, args: [input] } };
}

type Shown = Pick<KnownPayment, 'amountMinor' | 'currency' | 'externalId'>;

function summaryOf({ amountMinor, currency, externalId }: Shown): string {
  return `${formatMoney({ amountMinor: BigInt(amountMinor), currency })} · ${externalId}`;
}
