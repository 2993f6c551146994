import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import { businessNow } from './clock.ts';
import {
  type AwaitedPayment,
  awaitAccepted,
  awaitOutcome,
  cancelPayment,
  getPayment,
  type OperatorAct,
  type PaymentView,
  type PaymentWorkflowInput,
  type Resolution,
  resolvePayment,
  retryNow,
} from './contract.ts';
import { containsCardNumber } from './domain/card-number.ts';
import type { DeclineCode } from './domain/failure.ts';
import { invariant } from './domain/invariant.ts';
import { isFinal, type PaymentStatus } from './domain/payment-status.ts';
import { delayAfterMs } from './policies.ts';
import type { AttemptSnapshot, Candidate, PaymentRefusal, PaymentSnapshot } from './ports.ts';

/**
 * What one payment's workflow knows, what others asked of it, and the guards that decide which requests it takes. The
 * handlers are one line each; the story that acts on them is in `payment.ts`.
 */
export class PaymentProcess {
  readonly input: PaymentWorkflowInput;
  /** What it does now, for operators. */
  doing = 'accepting the payment';
  /** The candidates that had their quick first try in this run. */
  readonly triedAtOnce = new Set<number>();
  /** Whether a charge in doubt may be sent again with its key; not after the provider refused a repeat as wrong. */
  isRepeatable = true;
  /** Whether the provider was asked at least once. */
  hasAsked = false;
  cancelRequest: OperatorAct | null = null;
  resolution: Resolution | null = null;
  retriesAsked = 0;
  /** How many decisions in a row came too late for the row. */
  overtaken = 0;

  /** Since when it goes on patiently: nothing that was tried at once decided it. */
  #patientSince: number | null = null;
  #isUrgent = false;
  #row: PaymentSnapshot | null = null;
  #refusal: PaymentRefusal | null = null;

  constructor(input: PaymentWorkflowInput) {
    this.input = input;
  }

  /** Registers the handlers; before the first await, or early messages are lost. */
  listen(): void {
    setHandler(awaitAccepted, (asked) => this.#stored(asked, () => true), { validator: requireQuestion });
    setHandler(awaitOutcome, (asked) => this.#stored(asked, () => this.status !== 'pending'), {
      validator: requireQuestion,
    });
    setHandler(cancelPayment, (act) => this.#cancel(act), { validator: (act) => this.#mayCancel(act) });
    setHandler(retryNow, () => this.#retry(), { validator: (act) => this.#mayRetry(act) });
    setHandler(resolvePayment, (act) => this.#resolve(act), { validator: (act) => this.#mayResolve(act) });
    setHandler(getPayment, () => this.#view());
  }

  /** The row as it was last read or written. */
  get row(): PaymentSnapshot {
    invariant(this.#row !== null, 'the payment is not accepted yet');
    return this.#row;
  }

  get status(): PaymentStatus {
    return this.row.status;
  }

  get isExpired(): boolean {
    return businessNow() >= Date.parse(this.row.expiresAt);
  }

  /** Neither a cancellation nor the expiry speaks against sending. */
  get isWanted(): boolean {
    return this.cancelRequest === null && !this.isExpired;
  }

  /** When payer and merchant are to be told that it takes longer; null: they were told, or it goes quickly so far. */
  get delayDueAt(): number | null {
    if (this.row.delayedAt !== null || this.#patientSince === null) return null;
    return this.#patientSince + delayAfterMs;
  }

  /** No more quick first tries. */
  giveUpHaste(): void {
    for (const { attemptNumber } of this.candidates) this.triedAtOnce.add(attemptNumber);
  }

  /** All behind this candidate have their quick turn, also those that had one before or were denied it. */
  giveTurnsBehind(attemptNumber: number): void {
    for (const number of this.triedAtOnce) if (number > attemptNumber) this.triedAtOnce.delete(number);
  }

  becomePatient(): void {
    this.#patientSince ??= businessNow();
  }

  /** Takes over a row, after `accept` and after every step. */
  adopt(row: PaymentSnapshot): void {
    this.#row = row;
    if (row.openAttemptId === null) this.isRepeatable = true;
  }

  /** The attempt by which money may have moved without our knowing: then we ask, and neither give up nor send another. */
  get doubtful(): AttemptSnapshot | null {
    const { openAttemptId, attempts } = this.row;
    if (openAttemptId === null) return null;
    const open = attempts.find(({ id }) => id === openAttemptId);
    invariant(open !== undefined, 'the open attempt of a payment has a row');
    return open;
  }

  /** The providers that have not said a last word, in the order of the route. */
  get candidates(): Candidate[] {
    const { route, attempts } = this.row;
    const isOver = (number: number) => attempts.some((attempt) => attempt.number === number && isEnded(attempt.state));
    return route.candidates
      .map((provider, index) => ({ attemptNumber: index + 1, provider }))
      .filter(({ attemptNumber }) => !isOver(attemptNumber));
  }

  /** The last provider that declined, and why. */
  get lastDecline(): { provider: string; code: DeclineCode } | null {
    const declined = this.row.attempts.findLast(({ declineCode }) => declineCode !== null);
    return declined?.declineCode ? { provider: declined.provider, code: declined.declineCode } : null;
  }

  /** Whether an operator asked for the next send; true once per request. */
  takeUrgency(): boolean {
    const isUrgent = this.#isUrgent;
    this.#isUrgent = false;
    return isUrgent;
  }

  refuse(code: PaymentRefusal): void {
    this.#refusal = code;
  }

  /** An operator canceled the workflow itself: the same wish, by another door. */
  requestCancelFromTemporal(): void {
    this.cancelRequest ??= { actor: 'operator:temporal', reason: 'cancellation requested in Temporal' };
  }

  async #stored(asked: Question, isEnough: () => boolean): Promise<AwaitedPayment> {
    await condition(() => this.#refusal !== null || this.#row !== null);
    const known = this.#row ?? this.input.request;
    if (known !== undefined && asked.requestHash !== known.requestHash)
      return { kind: 'refused', code: 'idempotency_key_reused' }; // a refusal of the other body is not for them
    if (this.#refusal !== null) return { kind: 'refused', code: this.#refusal };
    await condition(isEnough);
    return { kind: 'stored' };
  }

  async #cancel(act: OperatorAct): Promise<{ status: PaymentStatus }> {
    this.cancelRequest = act;
    return this.#end();
  }

  #mayCancel(act: OperatorAct): void {
    requireAct(act);
    if (this.#row !== null && isFinal(this.status)) refuse(`the payment is ${this.status}: nothing is left to cancel`);
    if (this.#row?.status === 'unresolved') refuse('the outcome is unknown: use resolvePayment');
    if (this.cancelRequest !== null) refuse('a cancellation is under way');
  }

  #retry(): { retried: true } {
    this.retriesAsked += 1;
    this.#isUrgent = true;
    return { retried: true };
  }

  #mayRetry(act: OperatorAct): void {
    requireAct(act);
    if (this.#row?.status !== 'pending') refuse('there is nothing to retry now');
  }

  async #resolve(act: Resolution): Promise<{ status: PaymentStatus }> {
    this.resolution = act;
    return this.#end();
  }

  #mayResolve(act: Resolution): void {
    requireAct(act);
    if (act.outcome !== 'captured' && act.outcome !== 'failed') refuse('outcome must be "captured" or "failed"');
    if (!isText(act.evidence)) refuse('evidence is missing: say where the outcome can be seen');
    if (this.#row?.status !== 'unresolved') refuse('there is nothing to resolve: the payment is not unresolved');
    if (this.resolution !== null) refuse('a resolution is under way');
  }

  async #end(): Promise<{ status: PaymentStatus }> {
    await condition(() => this.#refusal !== null || (this.#row !== null && isFinal(this.status)));
    if (this.#refusal !== null) refuse('the payment was never accepted');
    return { status: this.status };
  }

  #view(): PaymentView {
    return {
      paymentId: this.input.paymentId,
      status: this.#row?.status ?? null,
      version: this.#row?.version ?? null,
      doing: this.doing,
    };
  }
}

/** Whether a provider has said its last word on an attempt; the other states stand in `prisma/attempts.ts`. */
function isEnded(state: string): boolean {
  return state !== 'sent' && state !== 'unknown' && state !== 'not_sent';
}

interface Question {
  readonly requestHash: string;
}

function requireQuestion(asked: Question): void {
  if (!isText(asked?.requestHash)) refuse('requestHash is missing: say which request asks');
}

function requireAct(act: OperatorAct): void {
  if (Object.values(act ?? {}).some((text) => typeof text === 'string' && containsCardNumber(text))) {
    refuse('the text holds a card number: leave it out');
  }
  if (!isText(act?.actor)) refuse('actor is missing: say who acts');
  if (!isText(act.reason)) refuse('reason is missing: say why');
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '' && value.length <= 500;
}

function refuse(message: string): never {
  throw ApplicationFailure.nonRetryable(message, 'refused');
}
