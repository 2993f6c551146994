import { condition, currentUpdateInfo, setHandler } from '@temporalio/workflow';
import { Attention } from './attention.ts';
import { businessNow } from './clock.ts';
import {
  type AwaitedPayment,
  awaitAccepted,
  awaitOutcome,
  type CaptureAct,
  type CaptureEnd,
  cancelPayment,
  capturePayment,
  getPayment,
  type OperatorAct,
  type PaymentView,
  type PaymentWorkflowInput,
  payerReturned,
  providerEventReceived,
  type Resolution,
  type ResolvedOutcome,
  resolvePayment,
  retryNow,
} from './contract.ts';
import type { DeclineCode } from './domain/failure.ts';
import { movementIdOf } from './domain/ids.ts';
import { invariant } from './domain/invariant.ts';
import { parseMoney } from './domain/money.ts';
import { isMovementOver, type MovementState } from './domain/movement.ts';
import { capturableOf, isFinal, type PaymentAmounts, type PaymentStatus } from './domain/payment-status.ts';
import {
  patiently,
  type Question,
  refuse,
  requireAct,
  requireOutcome,
  requireQuestion,
  requireResolution,
} from './guards.ts';
import type { MovementWork } from './movement.ts';
import { wholeRow } from './older-rows.ts';
import { delayAfterMs } from './policies.ts';
import type {
  AttemptSnapshot,
  Candidate,
  MovementRefusal,
  MovementRequest,
  MovementSnapshot,
  PaymentRefusal,
  PaymentSnapshot,
} from './ports.ts';
import { showStep } from './status-board.ts';
import { mustVoid } from './void.ts';

/** A capture that somebody asked for, and what became of it. */
export interface CaptureWish {
  readonly captureId: string;
  readonly request: MovementRequest;
  end: CaptureWishEnd | null;
}

/** What became of it. */
export type CaptureWishEnd =
  | { readonly kind: 'ended'; readonly state: MovementState }
  | { readonly kind: 'refused'; readonly code: MovementRefusal };

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
  /** A wish to withdraw it; null again when it was acted on. */
  cancelRequest: OperatorAct | null = null;
  /** The captures that were asked for, the first one at work. */
  readonly captureWishes: CaptureWish[] = [];
  readonly attention = new Attention();
  /** Before then the provider is not asked again how far the payer is. */
  askAgainAt = 0;
  /** Whether the row may have changed since it was read. */
  isStale = false;
  /** How many decisions in a row came too late for the row. */
  overtaken = 0;

  /** Since when it goes on patiently: nothing that was tried at once decided it. */
  #patientSince: number | null = null;
  /** The round that a person did not want to wait for, or whose time has come. */
  #roundBegun = 0;
  #row: PaymentSnapshot | null = null;
  /** What it carries out, or did last. */
  #work: MovementWork | null = null;
  #refusal: PaymentRefusal | null = null;

  constructor(input: PaymentWorkflowInput) {
    this.input = input;
  }

  /** Registers the handlers; before the first await, or early messages are lost. */
  listen(): void {
    const isDecided = () => this.status !== 'pending' || this.isRetryAhead;
    const isAccepted = () => true;
    setHandler(
      awaitAccepted,
      patiently((asked) => this.#stored(asked, isAccepted)),
      { validator: requireQuestion },
    );
    setHandler(
      awaitOutcome,
      patiently((asked) => this.#stored(asked, isDecided)),
      { validator: requireQuestion },
    );
    setHandler(
      capturePayment,
      patiently((act) => this.#capture(act)),
      { validator: (act) => this.#mayCapture(act) },
    );
    setHandler(
      cancelPayment,
      patiently((act) => this.#cancel(act)),
      { validator: (act) => this.#mayCancel(act) },
    );
    setHandler(retryNow, () => this.#retry(), { validator: (act) => this.#mayRetry(act) });
    setHandler(
      resolvePayment,
      patiently((act) => this.#resolve(act)),
      { validator: (act) => this.#mayResolve(act) },
    );
    setHandler(providerEventReceived, ({ providerEventId }) => this.attention.note(providerEventId));
    setHandler(payerReturned, () => this.attention.call());
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

  /** Whether nothing more can happen to it but refunds and disputes. */
  get isSettled(): boolean {
    return isFinal(this.status) && this.row.openMovement === null && !this.canBeCaptured;
  }

  /** Whether something is reserved that may be captured, or voided. */
  get canBeCaptured(): boolean {
    return this.status !== 'unresolved' && capturableOf(this.#amounts) > 0n;
  }

  get #amounts(): PaymentAmounts {
    const { authorizedMinor, capturedMinor, voidedMinor, refundedMinor } = this.row;
    return {
      authorized: BigInt(authorizedMinor),
      captured: BigInt(capturedMinor),
      voided: BigInt(voidedMinor),
      refunded: BigInt(refundedMinor),
    };
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

  /** Whether it was declined, and its next round has not begun. */
  get isRetryAhead(): boolean {
    const { retryAt, retriesMade } = this.row;
    return retryAt !== null && retriesMade > this.#roundBegun && businessNow() < Date.parse(retryAt);
  }

  /** The next round begins, whether its time has come or not. */
  beginRound(): void {
    this.#roundBegun = this.row.retriesMade;
    this.#patientSince = null;
  }

  /** A capture or void of it, for the one who carries it out. */
  workOn(row: MovementSnapshot): MovementWork {
    const work: MovementWork = {
      row,
      attention: this.attention,
      mustSucceed: () => row.kind === 'void' && mustVoid(this),
      show: (doing) => {
        this.doing = doing;
        showStep(this);
      },
      adopt: (next, payment) => {
        work.row = next;
        if (payment !== undefined) this.adopt(payment);
      },
    };
    this.#work = work;
    return work;
  }

  /** Tells whoever asked for this capture what became of it. */
  endWish(captureId: string, end: CaptureWishEnd): void {
    const index = this.captureWishes.findIndex((wish) => wish.captureId === captureId);
    for (const wish of this.captureWishes.splice(index, index < 0 ? 0 : 1)) wish.end = end;
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
    this.#row = wholeRow(row);
    this.isStale = false;
    if (row.openAttemptId === null) this.isRepeatable = true;
    if (row.status !== 'unresolved') this.attention.dropResolution();
    this.#leaveToAPerson();
  }

  /** The attempt by which money may have moved without our knowing: then we ask, and neither give up nor send another. */
  get doubtful(): AttemptSnapshot | null {
    const { openAttemptId, attempts } = this.row;
    if (openAttemptId === null) return null;
    const open = attempts.find(({ id }) => id === openAttemptId);
    invariant(open !== undefined, 'the open attempt of a payment has a row');
    return open;
  }

  /** The providers that have not said a last word in this round, in the order of the route. */
  get candidates(): Candidate[] {
    const { route, attempts } = this.row;
    const isOver = (number: number) => attempts.some((attempt) => attempt.number === number && isEnded(attempt.state));
    return route.candidates
      .map((provider, index) => ({ attemptNumber: this.#numbersBefore + index + 1, provider }))
      .filter(({ attemptNumber }) => !isOver(attemptNumber));
  }

  /** The last provider that declined in this round, and why. */
  get lastDecline(): { provider: string; code: DeclineCode } | null {
    const declined = this.row.attempts.findLast(
      ({ declineCode, number }) => declineCode !== null && number > this.#numbersBefore,
    );
    return declined?.declineCode ? { provider: declined.provider, code: declined.declineCode } : null;
  }

  /** The numbers of the rounds before: each has one for every place of the route. */
  get #numbersBefore(): number {
    return this.row.retriesMade * this.row.route.candidates.length;
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

  /** Joins the cancellation or void that is under way, whoever began it: all are told the same end. */
  async #cancel(act: OperatorAct): Promise<{ status: PaymentStatus }> {
    const isJoining = this.cancelRequest !== null;
    this.cancelRequest ??= act; // before the row is known, too: nothing may be sent then
    try {
      await this.#accepted();
      if (!isJoining) this.#requireCancelable(); // the validator may have been asked before the row was known
      this.#leaveToAPerson();
    } catch (error) {
      this.cancelRequest = null;
      throw error;
    }
    await condition(() => this.cancelRequest === null || this.isSettled || this.status === 'unresolved');
    return { status: this.status };
  }

  #mayCancel(act: OperatorAct): void {
    requireAct(act);
    if (this.#row !== null && this.cancelRequest === null) this.#requireCancelable();
  }

  #requireCancelable(): void {
    if (this.isSettled) refuse(`the payment is ${this.status}: nothing is left to cancel`, 'payment_not_cancelable');
    if (this.#movement?.kind === 'void') return; // it is what is wanted: its end is waited for
    if (this.status === 'unresolved') refuse('the outcome is unknown: use resolvePayment', 'movement_in_progress');
    if (this.#isMoving) refuse('a capture is under way', 'movement_in_progress');
  }

  /** Where nobody could learn whether a void happened, a person decides what comes next: no wish outlasts that. */
  #leaveToAPerson(): void {
    if (this.status === 'unresolved' && this.row.openMovement?.kind === 'void') this.cancelRequest = null;
  }

  async #capture(act: CaptureAct): Promise<CaptureEnd> {
    // Where the row is known nothing may come between the validator's judgement and the wish.
    if (this.#row === null) await this.#accepted();
    const order = this.#orderOf(act);
    const known = this.captureWishes.find(({ captureId }) => captureId === order.captureId);
    const wish: CaptureWish = known ?? { ...order, end: null };
    if (known === undefined) {
      this.#requireCapturable(act, order.captureId);
      this.captureWishes.push(wish);
    }
    await condition(() => wish.end !== null || this.isSettled);
    const { captureId, end } = wish;
    if (end === null) return refuse(`the payment is ${this.status} now`, 'payment_not_capturable');
    if (end.kind === 'refused') return refuse('the payment does not allow this capture', end.code);
    return { captureId, state: end.state, status: this.status };
  }

  #mayCapture(act: CaptureAct): void {
    requireAct(act);
    if (this.#row === null) return; // judged when it is known
    const { captureId } = this.#orderOf(act);
    const isKnown = this.captureWishes.some((wish) => wish.captureId === captureId);
    if (!isKnown) this.#requireCapturable(act, captureId);
  }

  /** A repeat of the capture that is open attaches to it. */
  #requireCapturable(act: CaptureAct, captureId: string): void {
    const { currency, status } = this.row;
    if (this.#movement?.id === captureId) return;
    const amount = act.amount === undefined ? null : parseMoney(act.amount, currency);
    if (amount?.ok === false) refuse(`amount: ${amount.problem}`);
    if (status === 'pending' || status === 'unresolved') refuse(`the payment is ${status}`, 'movement_in_progress');
    this.#refuseMeanwhile();
    const left = capturableOf(this.#amounts);
    if (left <= 0n) refuse(`the payment is ${status}: nothing is left to capture`, 'payment_not_capturable');
    if (amount !== null && amount.money.amountMinor > left)
      refuse('the amount is more than what is left to capture', 'amount_exceeds_capturable');
  }

  /** A capture's id and request; for people, who leave the rest out, the id of their update is the key. */
  #orderOf(act: CaptureAct): Pick<CaptureWish, 'captureId' | 'request'> {
    const idempotencyKey = act.idempotencyKey ?? currentUpdateInfo()?.id ?? 'capture';
    const amount = act.amount === undefined ? null : parseMoney(act.amount, this.row.currency);
    const request: MovementRequest = {
      idempotencyKey,
      requestHash: act.requestHash ?? idempotencyKey,
      correlationId: act.correlationId ?? this.row.correlationId,
      actor: act.actor,
      origin: act.origin ?? 'workflow',
      reason: act.reason,
      amountMinor: amount?.ok === true ? amount.money.amountMinor.toString() : null,
      captureId: null,
    };
    return { captureId: movementIdOf('capture', this.input.paymentId, idempotencyKey), request };
  }

  /** While something else is at work on it. */
  #refuseMeanwhile(): void {
    if (this.cancelRequest !== null) refuse('a cancellation is under way', 'movement_in_progress');
    if (this.#isMoving) refuse('a capture or void is under way', 'movement_in_progress');
  }

  /** The capture or void that is at work, or was when the row was read. */
  get #movement(): MovementSnapshot | null {
    const atWork = this.#work?.row ?? null;
    return atWork !== null && !isMovementOver(atWork.state) ? atWork : this.row.openMovement;
  }

  get #isMoving(): boolean {
    return this.captureWishes.length > 0 || this.#movement !== null;
  }

  #retry(): { retried: true } {
    this.attention.hurry();
    return { retried: true };
  }

  #mayRetry(act: OperatorAct): void {
    requireAct(act);
    if (this.#row?.status !== 'pending' && !this.#isMoving) refuse('there is nothing to retry now');
  }

  async #resolve(act: Resolution): Promise<{ status: PaymentStatus }> {
    await this.#accepted();
    await condition(() => !this.#isCatchingUp);
    this.#requireUnresolved(act); // the validator may have been asked before the row was known
    this.attention.resolve(act);
    await condition(() => this.status !== 'unresolved');
    if (!this.attention.wasTaken(act))
      refuse(`the provider spoke first: the payment is ${this.status}`, 'not_unresolved');
    return { status: this.status };
  }

  #mayResolve(act: Resolution): void {
    requireResolution(act);
    if (this.#row !== null && !this.#isCatchingUp) this.#requireUnresolved(act);
  }

  /** Nobody could learn what came of the capture or void at work, and the payment's row, which says so, is not read yet. */
  get #isCatchingUp(): boolean {
    return this.isStale && this.#work?.row.state === 'unresolved' && this.status !== 'unresolved';
  }

  #requireUnresolved(act: Resolution): void {
    if (this.status !== 'unresolved')
      refuse('there is nothing to resolve: the payment is not unresolved', 'not_unresolved');
    requireOutcome(act, this.#outcomes); // afterwards: what is settled has no outcomes to choose from
    if (this.attention.hasResolution) refuse('a resolution is under way', 'movement_in_progress');
  }

  /** What can have become of what is open. */
  get #outcomes(): ResolvedOutcome[] {
    const { openMovement, captureMethod } = this.row;
    if (openMovement !== null) return [openMovement.kind === 'void' ? 'canceled' : 'captured', 'failed'];
    return [captureMethod === 'manual' ? 'authorized' : 'captured', 'failed'];
  }

  async #accepted(): Promise<void> {
    await condition(() => this.#refusal !== null || this.#row !== null);
    if (this.#refusal !== null) refuse('the payment was never accepted');
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

const openStates: ReadonlySet<string> = new Set(['sent', 'unknown', 'not_sent', 'requires_action']);

/** Whether a provider has said its last word on an attempt; the states stand in `prisma/attempts.ts`. */
function isEnded(state: string): boolean {
  return !openStates.has(state);
}
