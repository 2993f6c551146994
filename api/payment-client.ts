import {
  type Client,
  isGrpcServiceError,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import {
  type AwaitedPayment,
  awaitAccepted,
  awaitOutcome,
  type PaymentWorkflowInput,
  paymentStartOptions,
  paymentWorkflowType,
} from '../workflows/contract.ts';
import { formatMoney } from '../workflows/domain/money.ts';
import type { PaymentRequest } from '../workflows/ports.ts';

/** A payment to be started, or attached to where its workflow exists. */
export interface PaymentSubmission extends PaymentWorkflowInput {
  readonly request: PaymentRequest;
}

/**
 * What came of a submission. The payment's row is the truth in every case; this says what to expect of it.
 *
 * - an `AwaitedPayment`: the workflow answered.
 * - `not_sent`: Temporal was found unreachable before anything was sent.
 * - `no_answer`: it was sent, and no answer came before the deadline. That says nothing about the payment.
 */
export type Submitted = AwaitedPayment | { readonly kind: 'not_sent' } | { readonly kind: 'no_answer' };

/** How the API talks to payment workflows. */
export interface PaymentClient {
  /** Starts the workflow or attaches to the open one, and waits for what `until` names, at most until `deadline` (ms). */
  submit(payment: PaymentSubmission, until: 'accepted' | 'outcome', deadline: number): Promise<Submitted>;
  /** Starts a new run where the last one closed and left the payment unfinished. */
  resume(payment: PaymentSubmission, deadline: number): Promise<void>;
  /** Whether Temporal answers within `timeoutMs`. */
  isReachable(timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
}

/** After this long without a word from Temporal, ask whether it is there before sending a payment. */
const silenceMs = 1_000;
const probeTimeoutMs = 1_000;

/** Wraps a Temporal client. */
export function createPaymentClient(client: Client): PaymentClient {
  const { connection } = client;
  let heardAt = 0;

  async function isReachable(timeoutMs: number): Promise<boolean> {
    try {
      await connection.withDeadline(Date.now() + timeoutMs, () => connection.workflowService.getSystemInfo({}));
      heardAt = Date.now();
      return true;
    } catch {
      heardAt = 0;
      return false;
    }
  }

  return {
    isReachable,

    async submit(payment, until, deadline) {
      const isSilent = Date.now() - heardAt > silenceMs;
      if (isSilent && !(await isReachable(Math.min(probeTimeoutMs, deadline - Date.now()))))
        return { kind: 'not_sent' };
      const { requestHash } = payment.request;
      const update = until === 'outcome' ? awaitOutcome : awaitAccepted;
      const startWorkflowOperation = new WithStartWorkflowOperation(paymentWorkflowType, {
        ...startOptions(payment),
        workflowIdConflictPolicy: 'USE_EXISTING',
      });
      try {
        const answer = await connection.withDeadline(deadline, () =>
          client.workflow.executeUpdateWithStart(update, {
            args: [{ requestHash }],
            updateId: `${update.name}:${requestHash}`,
            startWorkflowOperation,
          }),
        );
        heardAt = Date.now();
        return answer;
      } catch (error) {
        if (!isNoAnswer(error)) throw error;
        heardAt = 0;
        return { kind: 'no_answer' };
      }
    },

    async resume(payment, deadline) {
      try {
        await connection.withDeadline(deadline, () =>
          client.workflow.start(paymentWorkflowType, startOptions(payment)),
        );
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError) && !isNoAnswer(error)) throw error;
      }
    },

    close: () => connection.close(),
  };
}

function startOptions(payment: PaymentSubmission) {
  const { request, paymentId, merchantId } = payment;
  const money = formatMoney({ amountMinor: BigInt(request.amountMinor), currency: request.currency });
  const summary = `${money} · ${request.externalId ?? paymentId}`;
  return {
    ...paymentStartOptions({ paymentId, merchantId, currency: request.currency, summary }),
    args: [payment] satisfies [PaymentWorkflowInput],
  };
}

/** Lost connections, missed deadlines and runs that ended while we waited: the row must be asked. */
function isNoAnswer(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  return isGrpcServiceError(error) || isGrpcServiceError(error instanceof Error ? error.cause : undefined);
}
