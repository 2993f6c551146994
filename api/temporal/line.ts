import { randomUUID } from 'node:crypto';
import {
  type Client,
  type UpdateDefinition,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/client';
import {
  isNoAnswer,
  isRunGone,
  isServerRefusal,
  type NoAnswer,
  type NotTaken,
  type Refused,
  refusalOf,
} from './answers.ts';
import type { WorkflowStart } from './workflow-starts.ts';

/** What to send to a workflow, under an id by which it knows a repeat. */
interface Message<Answer, Question> {
  readonly update: UpdateDefinition<Answer, [Question]>;
  readonly updateId: string;
  readonly question: Question;
}

/** `stored`: it has come to its end. `accepted`: the workflow has taken it on, and its history holds it. */
export type Acted = { readonly kind: 'stored' | 'accepted' } | Refused | NotTaken | NoAnswer;

/** The API's line to Temporal: every message starts its workflow, or goes to the open one. Deadlines are instants in ms. */
export interface Line {
  /** Null when Temporal answers within `timeoutMs`. */
  probe(timeoutMs: number): Promise<NotTaken | null>;
  /** Waits for the workflow's answer. */
  ask<Answer, Question>(
    start: WorkflowStart,
    message: Message<Answer, Question>,
    deadline: number,
  ): Promise<Answer | NotTaken | NoAnswer>;
  /** Asks a workflow to act, and waits until it has (`outcome`), or until it has taken that on and moments longer. */
  act<Answer, Question>(
    start: WorkflowStart,
    message: Message<Answer, Question>,
    until: 'accepted' | 'outcome',
    deadline: number,
  ): Promise<Acted>;
  /** Starts a new run where none is open; null unless it was refused. */
  restart(start: WorkflowStart, deadline: number): Promise<NotTaken | null>;
}

/** After this long without a word from Temporal, ask whether it is there before sending anything. */
const silenceMs = 1_000;
const probeTimeoutMs = 1_000;

/** What is refused, or done, at once is told even to callers who do not want to wait. */
const momentsMs = 250;

/** Refusals that depend on what else is at work, or was: a repeat may be taken. */
const passingRefusals: ReadonlySet<unknown> = new Set([
  'movement_in_progress',
  'payment_not_capturable',
  'payment_not_cancelable',
  'payment_not_refundable',
  'amount_exceeds_capturable',
  'amount_exceeds_refundable',
  'refund_spans_captures',
  'subscription_not_pausable',
  'subscription_not_paused',
  'invoice_open',
  'charge_in_progress',
  'nothing_to_retry',
  'change_refused',
]);

/** Temporal hands back what it stored for a message's id. A refusal that may have passed is asked for anew, once. */
async function judgedAnew<Answer>(updateId: string, send: (updateId: string) => Promise<Answer>): Promise<Answer> {
  const answer = await send(updateId);
  const isPassing =
    typeof answer === 'object' && answer !== null && 'code' in answer && passingRefusals.has(answer.code);
  return isPassing ? send(`${updateId}:${randomUUID()}`) : answer;
}

/** Opens the line of a client. */
export function openLine(client: Client): Line {
  const { connection, workflow } = client;
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

  async function send<Answer>(
    { type, options }: WorkflowStart,
    exchange: (startWorkflowOperation: WithStartWorkflowOperation<() => Promise<unknown>>) => Promise<Answer>,
    deadline: number,
  ): Promise<Answer | NotTaken | NoAnswer> {
    const isSilent = Date.now() - heardAt > silenceMs;
    const silence = isSilent ? await probe(Math.min(probeTimeoutMs, deadline - Date.now())) : null;
    if (silence !== null) return silence;
    const operation = new WithStartWorkflowOperation(type, { ...options, workflowIdConflictPolicy: 'USE_EXISTING' });
    let isTaken = false;
    operation.workflowHandle().then(
      () => (isTaken = true),
      () => undefined,
    );
    try {
      const answer = await connection.withDeadline(deadline, () => exchange(operation));
      heardAt = Date.now();
      return answer;
    } catch (error) {
      if (!isTaken && isServerRefusal(error)) return { kind: 'not_taken', cause: error };
      if (!isNoAnswer(error)) throw error;
      heardAt = 0;
      return { kind: 'no_answer', cause: error };
    }
  }

  async function act<Answer, Question>(
    start: WorkflowStart,
    { update, updateId, question }: Message<Answer, Question>,
    until: 'accepted' | 'outcome',
    deadline: number,
  ): Promise<Acted> {
    try {
      const taken = await send(
        start,
        (startWorkflowOperation) =>
          workflow.startUpdateWithStart(update, {
            args: [question],
            updateId,
            waitForStage: 'ACCEPTED',
            startWorkflowOperation,
          }),
        deadline,
      );
      if ('kind' in taken) return taken;
      const endedBy = until === 'outcome' ? deadline : Math.min(deadline, Date.now() + momentsMs);
      await connection.withDeadline(endedBy, () => taken.result());
      return { kind: 'stored' };
    } catch (error) {
      const refused = refusalOf(error);
      if (refused !== null) return refused;
      if (!isNoAnswer(error)) throw error;
      return isRunGone(error) ? { kind: 'no_answer', cause: error } : { kind: 'accepted' };
    }
  }

  return {
    probe,

    ask: (start, message, deadline) =>
      judgedAnew(message.updateId, (updateId) =>
        send(
          start,
          (startWorkflowOperation) =>
            workflow.executeUpdateWithStart(message.update, {
              args: [message.question],
              updateId,
              startWorkflowOperation,
            }),
          deadline,
        ),
      ),

    act: (start, message, until, deadline) =>
      judgedAnew(message.updateId, (updateId) => act(start, { ...message, updateId }, until, deadline)),

    async restart({ type, options }, deadline) {
      try {
        await connection.withDeadline(deadline, () => workflow.start(type, options));
      } catch (error) {
        if (isServerRefusal(error)) return { kind: 'not_taken', cause: error };
        if (!(error instanceof WorkflowExecutionAlreadyStartedError) && !isNoAnswer(error)) throw error;
      }
      return null;
    },
  };
}
