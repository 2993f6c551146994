import type { Client } from '@temporalio/client';
import {
  awaitAccepted,
  awaitOutcome,
  awaitRefund,
  type CaptureAct,
  cancelPayment,
  capturePayment,
  type OperatorAct,
  type PaymentWorkflowInput,
  paymentTaskQueue,
  type Resolution,
  resolvePayment,
  resolveRefund,
} from '../../workflows/contract.ts';
import { updateIdOf } from '../../workflows/domain/ids.ts';
import type { MovementRequest, PaymentRequest } from '../../workflows/ports.ts';
import type { NoAnswer, NotTaken, Refused } from './answers.ts';
import { createHints, type Hints } from './hints.ts';
import { type Acted, openLine } from './line.ts';
import {
  type KnownPayment,
  paymentStart,
  type RefundToStart,
  refundStart,
  type WorkflowStart,
} from './workflow-starts.ts';

/** A payment to be started, or attached to where its workflow exists. */
export interface PaymentSubmission extends PaymentWorkflowInput {
  readonly request: PaymentRequest;
}

/** The same for a refund. */
interface RefundSubmission extends RefundToStart {
  readonly request: MovementRequest;
}

/** What to wait for: that the row is committed, or that there is nothing more to wait for. */
export type Until = 'accepted' | 'outcome';

/** What came of sending something to a workflow. The row is the truth in every case; this says what to expect of it. */
export type Submitted = Acted | Refused | NotTaken | NoAnswer;

/**
 * How the API talks to the workflows of payments and refunds. Each of these starts the workflow or attaches to the open one;
 * the same again is known as a repeat. Deadlines are instants in ms.
 */
export interface PaymentClient extends Hints {
  /** Makes a payment. */
  submit(payment: PaymentSubmission, until: Until, deadline: number): Promise<Submitted>;
  /** Starts a new run where the last one closed and left the payment unfinished; null unless it was refused. */
  resume(payment: PaymentSubmission, deadline: number): Promise<NotTaken | null>;
  capture(
    payment: KnownPayment,
    captureId: string,
    act: CaptureAct,
    until: Until,
    deadline: number,
  ): Promise<Submitted>;
  /** `key` tells one cancellation from another, as for the other acts of people. */
  cancel(payment: KnownPayment, key: string, act: OperatorAct, until: Until, deadline: number): Promise<Submitted>;
  resolve(payment: KnownPayment, key: string, act: Resolution, until: Until, deadline: number): Promise<Submitted>;
  /** Makes a refund. */
  refund(refund: RefundSubmission, until: Until, deadline: number): Promise<Submitted>;
  /** As `resume`. */
  resumeRefund(refund: RefundToStart, deadline: number): Promise<NotTaken | null>;
  resolveRefund(
    refund: RefundToStart,
    key: string,
    act: Resolution,
    until: Until,
    deadline: number,
  ): Promise<Submitted>;
  /** Whether Temporal answers within `timeoutMs`. */
  isReachable(timeoutMs: number): Promise<boolean>;
  /** How many workers ask for payments to work on. Rejects when Temporal does not answer within `timeoutMs`. */
  countWorkers(timeoutMs: number): Promise<number>;
  close(): Promise<void>;
}

/** Temporal's `TaskQueueType`. */
const workflowTasks = 1;

/** A worker's poll waits for work for a minute at most; Temporal lists whoever polled within five. */
const pollSeconds = 75;

/** Wraps a Temporal client. */
export function createPaymentClient(client: Client): PaymentClient {
  const { connection } = client;
  const line = openLine(client);
  return {
    submit(payment, until, deadline) {
      const { requestHash } = payment.request;
      const update = until === 'outcome' ? awaitOutcome : awaitAccepted;
      const message = { update, updateId: `${update.name}:${requestHash}`, question: { requestHash } };
      return line.ask(submissionStart(payment), message, deadline);
    },
    resume: (payment, deadline) => line.restart(submissionStart(payment), deadline),
    capture(payment, captureId, act, until, deadline) {
      const message = { update: capturePayment, updateId: `capture:${captureId}`, question: act };
      return line.act(paymentStart(payment), message, until, deadline);
    },
    cancel(payment, key, act, until, deadline) {
      const message = {
        update: cancelPayment,
        updateId: updateIdOf('cancel', key, JSON.stringify(act)),
        question: act,
      };
      return line.act(paymentStart(payment), message, until, deadline);
    },
    resolve(payment, key, act, until, deadline) {
      const message = {
        update: resolvePayment,
        updateId: updateIdOf('resolve', key, JSON.stringify(act)),
        question: act,
      };
      return line.act(paymentStart(payment), message, until, deadline);
    },
    refund(refund, until, deadline) {
      const { requestHash } = refund.request;
      const updateId = `${awaitRefund.name}:${until}:${requestHash}`;
      return line.ask(
        refundStart(refund),
        { update: awaitRefund, updateId, question: { requestHash, until } },
        deadline,
      );
    },
    resumeRefund: (refund, deadline) => line.restart(refundStart(refund), deadline),
    resolveRefund(refund, key, act, until, deadline) {
      const message = {
        update: resolveRefund,
        updateId: updateIdOf('resolve', key, JSON.stringify(act)),
        question: act,
      };
      return line.act(refundStart(refund), message, until, deadline);
    },
    isReachable: async (timeoutMs) => (await line.probe(timeoutMs)) === null,
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
    ...createHints(client),
    close: () => connection.close(),
  };
}

function submissionStart(payment: PaymentSubmission): WorkflowStart {
  const { externalId, amountMinor, currency } = payment.request;
  return paymentStart({ ...payment, externalId: externalId ?? payment.paymentId, amountMinor, currency });
}
