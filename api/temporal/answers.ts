import {
  ApplicationFailure,
  NamespaceNotFoundError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { grpcCodeOf } from '../../runtime/grpc.ts';
import type { SubscriptionActRefusal } from '../../workflows/domain/billing/subscription-act.ts';
import type { MovementRefusal, PaymentRefusal } from '../../workflows/ports.ts';
import type { SubscriptionRefusal } from '../../workflows/subscription-ports.ts';

/** Temporal was found unreachable before anything was sent, or it refused what was sent; `cause` is its error. */
export interface NotTaken {
  readonly kind: 'not_taken';
  readonly cause: unknown;
}

/** It was sent, and no answer came before the deadline, or the run ended first. That says nothing about what it did. */
export interface NoAnswer {
  readonly kind: 'no_answer';
  readonly cause: unknown;
}

/** The workflow will not do it: nothing is stored. */
export interface Refused {
  readonly kind: 'refused';
  readonly code: PaymentRefusal | SubscriptionRefusal | UpdateRefusal;
  /** A sentence, where the code alone does not tell. */
  readonly detail?: string;
}

/** What handlers and validators throw, as the type of their failure; `refused` is any reason without a code of its own. */
type UpdateRefusal =
  | MovementRefusal
  | SubscriptionActRefusal
  | 'batch_over'
  | 'not_unresolved'
  | 'wrong_outcome'
  | 'refused';

/** gRPC's words for a request that the server read and will not take, however often it comes. */
const serverRefusals: ReadonlySet<number | null> = new Set([
  3, // INVALID_ARGUMENT, as for a search attribute that the namespace lacks
  7, // PERMISSION_DENIED
  9, // FAILED_PRECONDITION
  12, // UNIMPLEMENTED
  16, // UNAUTHENTICATED
]);

/** Whether Temporal itself will not take the request. */
export function isServerRefusal(error: unknown): boolean {
  return error instanceof NamespaceNotFoundError || serverRefusals.has(grpcCodeOf(error));
}

/** Lost connections, missed deadlines and runs that ended while we waited: the row must be asked. */
export function isNoAnswer(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  return isRunGone(error) || grpcCodeOf(error) !== null;
}

/** The types of the failures that Temporal's server itself gives an update. */
const withdrawn: ReadonlySet<string | null | undefined> = new Set([
  'AcceptedUpdateCompletedWorkflow', // the run ended first
  'UnprocessedUpdate', // a workflow task ended without having seen it, as happens to many updates at once
]);

/**
 * Nobody will answer what was sent: an operator terminated or reset the run that we waited for, or the server has withdrawn
 * the update. A handler's own failure is another thing.
 */
export function isRunGone(error: unknown): boolean {
  return error instanceof WorkflowNotFoundError || withdrawn.has(failureOf(error)?.type);
}

const updateRefusals: Readonly<Record<UpdateRefusal, true>> = {
  not_found: true,
  idempotency_key_reused: true,
  payment_not_capturable: true,
  payment_not_cancelable: true,
  payment_not_refundable: true,
  movement_in_progress: true,
  amount_exceeds_capturable: true,
  too_many_captures: true,
  amount_exceeds_refundable: true,
  refund_spans_captures: true,
  subscription_ended: true,
  subscription_not_pausable: true,
  subscription_not_paused: true,
  invoice_open: true,
  charge_in_progress: true,
  nothing_to_retry: true,
  change_refused: true,
  batch_over: true,
  plan_not_available: true,
  not_unresolved: true,
  wrong_outcome: true,
  refused: true,
};

/** The refusal that a workflow's handler, or its validator, threw; null for any other error, such as a defect. */
export function refusalOf(error: unknown): Refused | null {
  const failure = failureOf(error);
  const code = failure?.type ?? '';
  return failure !== null && isRefusal(code) ? { kind: 'refused', code, detail: failure.message } : null;
}

function isRefusal(type: string): type is UpdateRefusal {
  return Object.hasOwn(updateRefusals, type);
}

/** What a workflow's handler, or its validator, threw. */
function failureOf(error: unknown): ApplicationFailure | null {
  return error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure ? error.cause : null;
}
