import {
  ApplicationFailure,
  type Client,
  NamespaceNotFoundError,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { grpcCodeOf } from '../runtime/grpc.ts';
import {
  type AwaitedPayment,
  awaitAccepted,
  awaitOutcome,
  type PaymentWorkflowInput,
  paymentStartOptions,
  paymentTaskQueue,
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
 * - `not_taken`: this submission did nothing.
 * - `no_answer`: it was sent, and no answer came before the deadline, or the run ended first. That says nothing about the
 *   payment.
 */
type Submitted = AwaitedPayment | NotTaken | NoAnswer;

/** Temporal was found unreachable before anything was sent, or it refused what was sent; `cause` is its error. */
interface NotTaken {
  readonly kind: 'not_taken';
  readonly cause: unknown;
}

interface NoAnswer {
  readonly kind: 'no_answer';
  readonly cause: unknown;
}

/** How the API talks to payment workflows. */
export interface PaymentClient {
  /** Starts the workflow or attaches to the open one, and waits for what `until` names, at most until `deadline` (ms). */
  submit(payment: PaymentSubmission, until: 'accepted' | 'outcome', deadline: number): Promise<Submitted>;
  /** Starts a new run where the last one closed and left the payment unfinished; null unless it was refused. */
  resume(payment: PaymentSubmission, deadline: number): Promise<NotTaken | null>;
  /** Whether Temporal answers within `timeoutMs`. */
  isReachable(timeoutMs: number): Promise<boolean>;
  /** How many workers ask for payments to work on. Rejects when Temporal does not answer within `timeoutMs`. */
  countWorkers(timeoutMs: number): Promise<number>;
  close(): Promise<void>;
}

/** After this long without a word from Temporal, ask whether it is there before sending a payment. */
const silenceMs = 1_000;
const probeTimeoutMs = 1_000;

/** Temporal's `TaskQueueType`. */
const workflowTasks = 1;

/** A worker's poll waits for work for a minute at most; Temporal lists whoever polled within five. */
const pollSeconds = 75;

/** Wraps a Temporal client. */
export function createPaymentClient(client: Client): PaymentClient {
  const { connection } = client;
  let heardAt = 0;

  async function probe(timeoutMs: number): Promise<NotTaken | null> {
    try {
      await connection.withDeadline(Date.now() + timeoutMs, () => connection.workflowService.getSystemInfo({}));
      heardAt = Date.now();
      return null;
    } catch (cause) {
      heardAt = 0;
      return { kind: 'not_taken', cause };
    }
  }

  return {
    isReachable: async (timeoutMs) => (await probe(timeoutMs)) === null,

    async countWorkers(timeoutMs) {
      const { pollers } = await connection.withDeadline(Date.now() + timeoutMs, () =>
        connection.workflowService.describeTaskQueue({
          namespace: client.options.namespace,
          taskQueue: { name: paymentTaskQueue },
          taskQueueType: workflowTasks,
        }),
      );
      const since = Date.now() / 1000 - pollSeconds;
      const lately = pollers.filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) > since);
      return new Set(lately.map(({ identity }) => identity)).size;
    },

    async submit(payment, until, deadline) {
      const isSilent = Date.now() - heardAt > silenceMs;
      const silence = isSilent ? await probe(Math.min(probeTimeoutMs, deadline - Date.now())) : null;
      if (silence !== null) return silence;
      const { requestHash } = payment.request;
      const update = until === 'outcome' ? awaitOutcome : awaitAccepted;
      const startWorkflowOperation = new WithStartWorkflowOperation(paymentWorkflowType, {
        ...startOptions(payment),
        workflowIdConflictPolicy: 'USE_EXISTING',
      });
      let isTaken = false;
      startWorkflowOperation.workflowHandle().then(
        () => (isTaken = true),
        () => undefined,
      );
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
        if (!isTaken && isRefusal(error)) return { kind: 'not_taken', cause: error };
        if (!isNoAnswer(error)) throw error;
        heardAt = 0;
        return { kind: 'no_answer', cause: error };
      }
    },

    async resume(payment, deadline) {
      try {
        await connection.withDeadline(deadline, () =>
          client.workflow.start(paymentWorkflowType, startOptions(payment)),
        );
      } catch (error) {
        if (isRefusal(error)) return { kind: 'not_taken', cause: error };
        if (!(error instanceof WorkflowExecutionAlreadyStartedError) && !isNoAnswer(error)) throw error;
      }
      return null;
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

/** gRPC's words for a request that the server read and will not take, however often it comes. */
const refusals: ReadonlySet<number | null> = new Set([
  3, // INVALID_ARGUMENT, as for a search attribute that the namespace lacks
  7, // PERMISSION_DENIED
  9, // FAILED_PRECONDITION
  12, // UNIMPLEMENTED
  16, // UNAUTHENTICATED
]);

function isRefusal(error: unknown): boolean {
  return error instanceof NamespaceNotFoundError || refusals.has(grpcCodeOf(error));
}

/** Lost connections, missed deadlines and runs that ended while we waited: the row must be asked. */
function isNoAnswer(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  return isRunGone(error) || grpcCodeOf(error) !== null;
}

/** An operator terminated or reset the run that we waited for. A handler's own failure is another thing. */
function isRunGone(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  if (!(error instanceof WorkflowUpdateFailedError)) return false;
  return error.cause instanceof ApplicationFailure && error.cause.type === 'AcceptedUpdateCompletedWorkflow';
}
