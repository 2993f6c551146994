import type { SearchAttributePair } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { PaymentFailure } from './domain/failure.ts';
import type { MovementState } from './domain/movement.ts';
import type { PaymentStatus } from './domain/payment-status.ts';
import type { MovementRefusal, MovementRequest, PaymentRefusal, PaymentRequest } from './ports.ts';

/** Where payments run. */
export const paymentTaskQueue = 'payments';
/** Long work for which nobody waits, of batches and test clocks: with slots of its own, it takes none of the payments'. */
export const backgroundTaskQueue = 'background';

/** Names as histories store them: part of the public API. */
export const paymentWorkflowType = 'paymentWorkflow';
export const refundWorkflowType = 'refundWorkflow';
export const sweepWorkflowType = 'sweepWorkflow';
export const cleanupWorkflowType = 'cleanupWorkflow';

/** The schedule that restarts payments without a workflow, and its period. */
export const sweepScheduleId = 'payment-sweep';
export const sweepEverySeconds = 30;

/** The schedule that removes sessions, tokens and the like that have expired, and its period. */
export const cleanupScheduleId = 'expired-cleanup';
export const cleanupEverySeconds = 3_600;

/** Search attributes and their Temporal types; `PaymentStatus` is the status as it was when the workflow closed. */
export const searchAttributes = {
  PaymentStatus: 'Keyword',
  Provider: 'Keyword',
  MerchantId: 'Keyword',
  Currency: 'Keyword',
  NeedsReview: 'Bool',
  PaymentId: 'Keyword',
  SubscriptionId: 'Keyword',
} as const;

/** Starts or resumes a payment. Without `request` the row must exist: it holds all that the workflow needs. */
export interface PaymentWorkflowInput {
  readonly paymentId: string;
  readonly merchantId: string;
  readonly isTest: boolean;
  readonly request?: PaymentRequest;
}

/** How a payment's workflow ended. Callers read the row; this is for operators. */
export type PaymentWorkflowResult =
  | { readonly status: PaymentStatus; readonly failure: PaymentFailure | null }
  | { readonly refused: PaymentRefusal };

/** What a waiting API call learns: only that there is something to read in the database, or why there never will be. */
export type AwaitedPayment = { readonly kind: 'stored' } | { readonly kind: 'refused'; readonly code: PaymentRefusal };

/** An operator's act carries who and why; both go to the audit trail. */
export interface OperatorAct {
  readonly actor: string;
  readonly reason: string;
}

/** What a person found out about a charge, capture, void or refund whose outcome stayed unknown. */
export interface Resolution extends OperatorAct {
  /** `failed`: it did not happen. Any other: it did, in the word that fits what is open. */
  readonly outcome: ResolvedOutcome;
  /** Where that can be seen: a statement line, a case number at the provider. */
  readonly evidence: string;
}

export type ResolvedOutcome = 'authorized' | 'captured' | 'canceled' | 'refunded' | 'failed';

/** A wish to capture. People leave out what only programs know. */
export interface CaptureAct extends OperatorAct {
  /** Decimal string in units of the currency; absent: all that is left. */
  readonly amount?: string;
  readonly idempotencyKey?: string;
  readonly requestHash?: string;
  readonly correlationId?: string;
  readonly origin?: string;
}

/** What became of a capture when it came to an end: its row has the rest. */
export interface CaptureEnd {
  readonly captureId: string;
  readonly state: MovementState;
  readonly status: PaymentStatus;
}

/** Starts or resumes a refund. Without `request` the row must exist. */
export interface RefundWorkflowInput {
  readonly refundId: string;
  readonly paymentId: string;
  readonly merchantId: string;
  readonly request?: MovementRequest;
}

/** How a refund's workflow ended. Callers read the row; this is for operators. */
export type RefundWorkflowResult =
  | { readonly state: MovementState; readonly failure: PaymentFailure | null }
  | { readonly refused: MovementRefusal };

/** What a waiting API call learns of a refund. */
export type AwaitedRefund = { readonly kind: 'stored' } | { readonly kind: 'refused'; readonly code: MovementRefusal };

/** The row of a provider's event that came for a payment or a movement of it. */
export interface ProviderEventHint {
  readonly providerEventId: string;
}

/** Waits until the payment's row is committed. */
export const awaitAccepted = defineUpdate<AwaitedPayment, [{ requestHash: string }]>('awaitAccepted');
/** Waits until the payment is no longer `pending`. */
export const awaitOutcome = defineUpdate<AwaitedPayment, [{ requestHash: string }]>('awaitOutcome');
/** Withdraws a payment: takes effect if nothing was charged, and otherwise the payment ends as it must. Answers the end. */
export const cancelPayment = defineUpdate<{ status: PaymentStatus }, [OperatorAct]>('cancelPayment');
/** Ends the wait before the next try. */
export const retryNow = defineUpdate<{ retried: true }, [OperatorAct]>('retryNow');
/** Decides a payment whose outcome nobody could learn. Answers the end. */
export const resolvePayment = defineUpdate<{ status: PaymentStatus }, [Resolution]>('resolvePayment');
/** Captures all or a part of what was reserved, and answers when that capture has come to an end. */
export const capturePayment = defineUpdate<CaptureEnd, [CaptureAct]>('capturePayment');
/** Waits until the refund's row is committed, or until the refund is no longer `pending`. */
export const awaitRefund = defineUpdate<
  AwaitedRefund,
  [{ readonly requestHash: string; readonly until: 'accepted' | 'outcome' }]
>('awaitRefund');
/** Decides a refund whose outcome nobody could learn. Answers the end. */
export const resolveRefund = defineUpdate<{ state: MovementState }, [Resolution]>('resolveRefund');
/** A provider told us something: look sooner. */
export const providerEventReceived = defineSignal<[ProviderEventHint]>('providerEventReceived');
/** The payer came back from where they had to act: look sooner. */
export const payerReturned = defineSignal('payerReturned');
/** What the workflow knows and does now. */
export const getPayment = defineQuery<PaymentView>('getPayment');

export interface PaymentView {
  readonly paymentId: string;
  readonly status: PaymentStatus | null;
  readonly doing: string;
  readonly version: number | null;
}

/** The options under which every process starts a payment's workflow. */
export function paymentStartOptions(payment: {
  readonly paymentId: string;
  readonly merchantId: string;
  readonly currency: string;
  readonly summary: string;
  readonly subscriptionId?: string;
}) {
  return {
    workflowId: payment.paymentId,
    taskQueue: paymentTaskQueue,
    /** A dead worker is noticed after this long; local activities stay below it by heartbeating. */
    workflowTaskTimeout: '5 seconds',
    staticSummary: payment.summary,
    typedSearchAttributes: [
      { key: { name: 'PaymentId', type: 'KEYWORD' }, value: payment.paymentId },
      { key: { name: 'MerchantId', type: 'KEYWORD' }, value: payment.merchantId },
      { key: { name: 'Currency', type: 'KEYWORD' }, value: payment.currency },
      { key: { name: 'PaymentStatus', type: 'KEYWORD' }, value: 'pending' },
      ...(payment.subscriptionId === undefined
        ? []
        : [{ key: { name: 'SubscriptionId' as const, type: 'KEYWORD' as const }, value: payment.subscriptionId }]),
    ] satisfies SearchAttributePair[],
  } as const;
}

/** The options under which every process starts a refund's workflow. */
export function refundStartOptions(refund: {
  readonly refundId: string;
  readonly paymentId: string;
  readonly merchantId: string;
  readonly currency: string;
  readonly summary: string;
}) {
  return {
    workflowId: refund.refundId,
    taskQueue: paymentTaskQueue,
    workflowTaskTimeout: '5 seconds',
    staticSummary: refund.summary,
    typedSearchAttributes: [
      { key: { name: 'PaymentId', type: 'KEYWORD' }, value: refund.paymentId },
      { key: { name: 'MerchantId', type: 'KEYWORD' }, value: refund.merchantId },
      { key: { name: 'Currency', type: 'KEYWORD' }, value: refund.currency },
    ] satisfies SearchAttributePair[],
  } as const;
}
