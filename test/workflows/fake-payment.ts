import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import type { DeclineCode } from '../../workflows/domain/failure.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { canMove } from '../../workflows/domain/payment-status.ts';
import type {
  Acceptance,
  AcceptPayment,
  AskAnswer,
  AskProvider,
  AttemptEnd,
  AttemptSnapshot,
  Candidate,
  ChargeAnswer,
  ChargeAttempt,
  PaymentPorts,
  PaymentSnapshot,
  Reconcile,
  Reconciled,
  Transition,
  TransitionAnswer,
} from '../../workflows/ports.ts';
import { FakeMovements } from './fake-movements.ts';
import { approves, outcomeUnknown, type Sendable } from './provider-steps.ts';
import { afterTransition, rowOf } from './rows.ts';
import { type Call, type Script, type Step, stepOf } from './script.ts';

/** One payment's row, its provider, and a protocol of what the workflow asked of them. It keeps the promises of the ports. */
export class FakePayment implements Sendable {
  readonly id: string;
  readonly calls: Call[] = [];
  /** What was written, in order. */
  readonly transitions: Transition[] = [];
  /** The attempt numbers that were sent to a provider, and when. */
  readonly sent: number[] = [];
  readonly sentAt: number[] = [];
  /** Every execution of a charge, with its candidates. */
  readonly rounds: ChargeAttempt[] = [];
  /** The questions that were asked. */
  readonly asked: AskProvider[] = [];
  /** What was to be held against the provider again. */
  readonly reconciled: Reconcile[] = [];
  row: PaymentSnapshot | null;
  /** When a provider that asked for a wait may be sent an attempt again, by number. */
  readonly notBefore = new Map<number, number>();
  /** An earlier send of the open attempt may have arrived. */
  #isDoubtful = false;
  readonly #script: Script;
  #answer: Step<AskAnswer> | null = null;
  /** Its captures, voids and refunds. */
  readonly movements: FakeMovements;

  constructor(snapshot: PaymentSnapshot, script: Script) {
    this.id = snapshot.id;
    this.row = script.row === undefined ? null : { ...snapshot, ...script.row };
    const open = this.row?.openAttemptId;
    if (open && this.row?.attempts.length === 0)
      this.setAttempt({ id: open, number: 1, provider: 'easypay', state: 'sent', declineCode: null });
    this.#script = script;
    this.movements = new FakeMovements(this, script);
  }

  async acceptPayment(input: AcceptPayment): Promise<Acceptance> {
    const step = stepOf(this.#script.accept, this.log('acceptPayment'));
    if (step) return step(this);
    if (this.row === null) {
      if (input.request === undefined) return { kind: 'refused', code: 'not_found' };
      this.row = rowOf(input, this.#script);
    } else if (input.request !== undefined && input.request.requestHash !== this.row.requestHash) {
      return { kind: 'refused', code: 'idempotency_key_reused' };
    }
    return { kind: 'accepted', payment: this.row };
  }

  async chargePayment(input: ChargeAttempt): Promise<ChargeAnswer> {
    this.log('chargePayment');
    this.rounds.push(input);
    const failures: ApplicationFailure[] = [];
    for (const candidate of input.candidates) {
      try {
        return await this.#chargeAt(candidate, input.isUrgent);
      } catch (error) {
        const isCertain = error instanceof ApplicationFailure && certain.has(error.type ?? '') && !this.#isDoubtful;
        if (!isCertain) throw error;
        failures.push(error);
      }
    }
    const waitOf = ({ nextRetryDelay }: ApplicationFailure) => Number(nextRetryDelay ?? 0);
    throw failures.toSorted((one, other) => waitOf(one) - waitOf(other))[0];
  }

  async #chargeAt(by: Candidate, isUrgent: boolean): Promise<ChargeAnswer> {
    const { attemptNumber, provider } = by;
    const attemptId = attemptIdOf(this.id, 'charge', attemptNumber);
    if (this.row?.status !== 'pending') return { kind: 'moved_on' };
    const known = this.row.attempts.find(({ number }) => number === attemptNumber);
    if (this.row.openAttemptId !== null && this.row.openAttemptId !== attemptId) return { kind: 'moved_on' };
    if (known !== undefined && !sendable.has(known.state)) return { kind: 'moved_on' };
    if (this.row.openAttemptId !== null && known?.state !== 'unknown') return outcomeUnknown(this);
    const waitMs = (this.notBefore.get(attemptNumber) ?? 0) - Date.now();
    if (waitMs > 0 && !isUrgent) throw ApplicationFailure.create({ type: 'not_now', nextRetryDelay: waitMs });
    this.change({ openAttemptId: attemptId });
    this.setAttempt({ id: attemptId, number: attemptNumber, provider, state: 'sent', declineCode: null });
    const count = this.sent.push(attemptNumber) - 1;
    this.sentAt.push(Date.now());
    try {
      return { kind: 'answered', by, outcome: await (stepOf(this.#script.charge, count) ?? approves)(this) };
    } catch (error) {
      if (!(error instanceof ApplicationFailure) || error.type !== 'rejected') throw error;
      return { kind: 'rejected', by, openAttemptId: this.row.openAttemptId };
    }
  }

  async askProvider(input: AskProvider): Promise<AskAnswer> {
    const count = this.log('askProvider');
    this.asked.push(input);
    const answer = await (this.#answer ?? stepOf(this.#script.ask, count) ?? approves)(this);
    if (answer.kind === 'nothing_happened') this.freeAttempt();
    if (answer.kind === 'repeat') this.#doubt();
    return answer;
  }

  /** What the provider says from now on, whatever the script wanted. */
  answerQuestionsWith(step: Step<AskAnswer>): void {
    this.#answer = step;
  }

  async recordTransition(input: Transition): Promise<TransitionAnswer> {
    const step = stepOf(this.#script.record, this.log('recordTransition'));
    return step ? step(this) : this.write(input);
  }

  /** What the database does with a transition. */
  write(input: Transition): TransitionAnswer {
    if (this.row === null) throw new Error('there is no row to write to');
    if (input.fromVersion !== this.row.version || input.openAttemptId !== this.row.openAttemptId) {
      return { kind: 'moved_on', payment: this.row };
    }
    const { status } = this.row;
    if (status !== input.toStatus && !canMove(status, input.toStatus))
      return { kind: 'illegal', reason: `a payment cannot go from ${status} to ${input.toStatus}` };
    this.transitions.push(input);
    const end = input.attemptEnd;
    if (end !== null) this.#stateOfOpen(end.state, declineCodeOf(end.outcome));
    if (!input.keepsAttemptOpen) this.#isDoubtful = false;
    return { kind: 'done', payment: this.change(afterTransition(this.row, input)) };
  }

  async reconcile(input: Reconcile): Promise<Reconciled> {
    const count = this.log('reconcile');
    this.reconciled.push(input);
    return (stepOf(this.#script.reconcile, count) ?? (() => ({ lookedUp: 1, discrepancies: 0 })))(this);
  }

  /** Changes the row, as another process would. */
  change(changes: Partial<PaymentSnapshot>): PaymentSnapshot {
    if (this.row === null) throw new Error('there is no row to change');
    this.row = { ...this.row, ...changes };
    return this.row;
  }

  postpone(delayMs: number): void {
    this.notBefore.set(this.sent.at(-1) ?? 1, Date.now() + delayMs);
  }

  freeAttempt(): void {
    this.#isDoubtful = false;
    this.#stateOfOpen('not_sent');
    this.change({ openAttemptId: null });
  }

  releaseAttempt(): void {
    if (this.#isDoubtful) this.#doubt();
    else this.freeAttempt();
  }

  #doubt(): void {
    this.#isDoubtful = true;
    this.#stateOfOpen('unknown');
  }

  /** Writes an attempt's row. */
  setAttempt(attempt: AttemptSnapshot): void {
    const others = (this.row?.attempts ?? []).filter(({ number }) => number !== attempt.number);
    this.change({ attempts: [...others, attempt].toSorted((one, other) => one.number - other.number) });
  }

  #stateOfOpen(state: string, declineCode: DeclineCode | null = null): void {
    const open = this.row?.attempts.find(({ id }) => id === this.row?.openAttemptId);
    if (open !== undefined) this.setAttempt({ ...open, state, declineCode });
  }

  callsOf(port: keyof PaymentPorts): Call[] {
    return this.calls.filter((call) => call.port === port);
  }

  /** Answers how often this port was called before. */
  log(port: keyof PaymentPorts): number {
    const { isLocal, attempt } = activityInfo();
    const before = this.callsOf(port).length;
    this.calls.push({ port, isLocal, attempt, at: Date.now() });
    return before;
  }
}

/** The states of an attempt that its provider has not said a last word on. */
const sendable: ReadonlySet<string> = new Set(['sent', 'unknown', 'not_sent']);

/** The faults after which certainly nothing happened: the next candidate's turn. */
const certain: ReadonlySet<string> = new Set(['unavailable', 'rate_limited', 'misconfigured', 'not_now']);

function declineCodeOf(outcome: AttemptEnd['outcome']): DeclineCode | null {
  return outcome?.kind === 'declined' ? outcome.declineCode : null;
}
