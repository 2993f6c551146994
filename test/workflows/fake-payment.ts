import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import type { DeclineCode } from '../../workflows/domain/failure.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { ChargeOutcome, FaultKind, FinalOutcome, ProviderResponse } from '../../workflows/domain/outcome.ts';
import type { Route } from '../../workflows/domain/routing.ts';
import type {
  Acceptance,
  AcceptPayment,
  AskAnswer,
  AskProvider,
  AttemptSnapshot,
  Candidate,
  ChargeAnswer,
  ChargeAttempt,
  PaymentPorts,
  PaymentSnapshot,
  Transition,
  TransitionAnswer,
} from '../../workflows/ports.ts';

/** What a port does in one call: answers, or throws a failure as activities do. */
export type Step<Answer> = (fake: FakePayment) => Answer | Promise<Answer>;

/** A call that the workflow made. */
export interface Call {
  readonly port: keyof PaymentPorts;
  readonly isLocal: boolean;
  readonly attempt: number;
  readonly at: number;
}

/** What a test decides about one payment's world. Each list is used up call by call; its last step is for all others. */
export interface Script {
  readonly charge?: readonly Step<ChargeOutcome>[];
  readonly ask?: readonly Step<AskAnswer>[];
  /** Null: as the database does it. */
  readonly accept?: readonly (Step<Acceptance> | null)[];
  readonly record?: readonly (Step<TransitionAnswer> | null)[];
  /** The row as it is before the workflow starts; without it there is none. */
  readonly row?: Partial<PaymentSnapshot>;
  /** Of a payment that has no row yet. */
  readonly expiresInMs?: number;
  /** Which providers may charge it, in order; only EasyPay by default. */
  readonly candidates?: readonly string[];
  readonly askForMs?: number;
}

/** One payment's row, its provider, and a protocol of what the workflow asked of them. It keeps the promises of the ports. */
export class FakePayment {
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
  row: PaymentSnapshot | null;
  /** When a provider that asked for a wait may be sent an attempt again, by number. */
  readonly notBefore = new Map<number, number>();
  /** An earlier send of the open attempt may have arrived. */
  #isDoubtful = false;
  readonly #script: Script;

  constructor(snapshot: PaymentSnapshot, script: Script) {
    this.id = snapshot.id;
    const route = routeTo(script);
    this.row = script.row === undefined ? null : { ...snapshot, route, ...script.row };
    const open = this.row?.openAttemptId;
    if (open) this.setAttempt({ id: open, number: 1, provider: 'easypay', state: 'sent', declineCode: null });
    this.#script = script;
  }

  async acceptPayment(input: AcceptPayment): Promise<Acceptance> {
    const step = stepOf(this.#script.accept, this.#log('acceptPayment'));
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
    this.#log('chargePayment');
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
    const count = this.#log('askProvider');
    this.asked.push(input);
    const answer = await (stepOf(this.#script.ask, count) ?? approves)(this);
    if (answer.kind === 'nothing_happened') this.freeAttempt();
    if (answer.kind === 'repeat') this.#doubt();
    return answer;
  }

  async recordTransition(input: Transition): Promise<TransitionAnswer> {
    const step = stepOf(this.#script.record, this.#log('recordTransition'));
    return step ? step(this) : this.write(input);
  }

  /** What the database does with a transition. */
  write(input: Transition): TransitionAnswer {
    if (this.row === null) throw new Error('there is no row to write to');
    if (input.fromVersion !== this.row.version || input.openAttemptId !== this.row.openAttemptId) {
      return { kind: 'moved_on', payment: this.row };
    }
    this.transitions.push(input);
    const end = input.attemptEnd;
    if (end !== null) this.#stateOfOpen(end.state, declineCodeOf(end.outcome));
    if (!input.keepsAttemptOpen) this.#isDoubtful = false;
    const payment = this.change({
      delayedAt: input.eventType === 'payment.delayed' ? input.now : this.row.delayedAt,
      status: input.toStatus,
      version: input.fromVersion + 1,
      failure: input.failure,
      processor: input.provider ?? this.row.processor,
      openAttemptId: input.keepsAttemptOpen ? this.row.openAttemptId : null,
    });
    return { kind: 'done', payment };
  }

  /** Changes the row, as another process would. */
  change(changes: Partial<PaymentSnapshot>): PaymentSnapshot {
    if (this.row === null) throw new Error('there is no row to change');
    this.row = { ...this.row, ...changes };
    return this.row;
  }

  /** The open attempt certainly did not happen. */
  freeAttempt(): void {
    this.#isDoubtful = false;
    this.#stateOfOpen('not_sent');
    this.change({ openAttemptId: null });
  }

  /** This send of the open attempt certainly did not happen: it is free, or as doubtful as it was before. */
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
  #log(port: keyof PaymentPorts): number {
    const { isLocal, attempt } = activityInfo();
    const before = this.callsOf(port).length;
    this.calls.push({ port, isLocal, attempt, at: Date.now() });
    return before;
  }
}

/** The faults after which certainly nothing happened: the next candidate's turn. */
const certain: ReadonlySet<string> = new Set(['unavailable', 'rate_limited', 'misconfigured', 'not_now']);

function declineCodeOf(outcome: FinalOutcome | null): DeclineCode | null {
  return outcome?.kind === 'declined' ? outcome.declineCode : null;
}

function routeTo({ candidates = ['easypay'] }: Script): Route {
  return { rule: null, reason: 'a test', candidates, ineligible: [] };
}

function stepOf<T>(steps: readonly T[] | undefined, count: number): T | undefined {
  return steps?.[Math.min(count, steps.length - 1)];
}

/** The row that the database makes of an accepted request. */
export function rowOf(input: AcceptPayment, script: Script = {}): PaymentSnapshot {
  const { request } = input;
  if (request === undefined) throw new Error('a new payment needs its request');
  const start = Date.parse(input.now);
  return {
    id: input.paymentId,
    merchantId: input.merchantId,
    isTest: input.isTest,
    externalId: request.externalId ?? input.paymentId,
    requestHash: request.requestHash,
    correlationId: request.correlationId,
    status: 'pending',
    version: 1,
    amountMinor: request.amountMinor,
    currency: request.currency,
    processor: null,
    openAttemptId: null,
    route: routeTo(script),
    attempts: [],
    delayedAt: null,
    failure: null,
    expiresAt: new Date(start + (script.expiresInMs ?? 3_600_000)).toISOString(),
    askUntil: new Date(start + (script.askForMs ?? 86_400_000)).toISOString(),
  };
}

const response: ProviderResponse = {
  transactionId: 'ch_1',
  responseCode: '00',
  responseMessage: 'Approved',
  card: { brand: 'visa', lastFour: '4242' },
};

export const approves = () => ({ kind: 'approved', response }) as const;
export const decidesLater = () => ({ kind: 'pending', response }) as const;
export const namesAnotherAmount = () =>
  ({ kind: 'mismatched', response, reported: { amountMinor: '2600', currency: 'USD' } }) as const;
export const nothingHappened = () => ({ kind: 'nothing_happened' }) as const;
export const allowsRepeat = () => ({ kind: 'repeat' }) as const;
export const declines = (declineCode: DeclineCode) => () => ({ kind: 'declined', declineCode, response }) as const;

/** A fault of the provider, with the delay that it asks for or the activity names. The last two kinds leave the attempt open. */
export function fault(kind: FaultKind, nextRetryDelayMs = 30) {
  return (fake: FakePayment): never => {
    const isOpen = kind === 'unknown_outcome' || kind === 'rejected';
    const number = fake.sent.at(-1) ?? 1;
    if (kind === 'rate_limited') fake.notBefore.set(number, Date.now() + nextRetryDelayMs);
    if (!isOpen) fake.releaseAttempt();
    throw ApplicationFailure.create({
      type: kind,
      message: `the provider: ${kind}`,
      nonRetryable: isOpen,
      nextRetryDelay: nextRetryDelayMs,
    });
  };
}

export const outcomeUnknown = fault('unknown_outcome');

/** The provider did not confirm what it must make before the charge, which was not sent. */
export function unprepared(fake: FakePayment): never {
  fake.freeAttempt();
  throw ApplicationFailure.create({ type: 'unprepared', message: 'not prepared yet', nextRetryDelay: 30 });
}

/** The provider refuses what comes before the charge as wrong. */
export function rejectsPreparation(fake: FakePayment): never {
  fake.freeAttempt();
  throw ApplicationFailure.create({ type: 'rejected', message: 'the provider: rejected', nonRetryable: true });
}

/** What each candidate does, by its number: its own list, used up send by send. */
export function perCandidate(steps: Readonly<Record<number, readonly Step<ChargeOutcome>[]>>) {
  return (fake: FakePayment): ChargeOutcome | Promise<ChargeOutcome> => {
    const number = fake.sent.at(-1) ?? 0;
    const count = fake.sent.filter((each) => each === number).length - 1;
    return (stepOf(steps[number], count) ?? approves)(fake);
  };
}

/** The provider refuses a repeat as wrong, which says nothing about the first send. */
export function rejectsRepeat(): never {
  throw ApplicationFailure.create({ type: 'rejected_in_doubt', message: 'the provider: rejected', nonRetryable: true });
}

/** Asked, and the provider cannot say yet. */
export function stillUnknown(nextRetryDelayMs = 30) {
  return (): never => {
    throw ApplicationFailure.create({
      type: 'unknown_outcome',
      message: 'not known yet',
      nextRetryDelay: nextRetryDelayMs,
    });
  };
}

export function databaseAway(): never {
  throw ApplicationFailure.create({
    type: 'database_unavailable',
    message: 'the database is away',
    nextRetryDelay: 20,
  });
}

export function breaksInvariant(): never {
  throw ApplicationFailure.create({ type: 'broken_invariant', message: 'a rule is broken', nonRetryable: true });
}

/** A step that stands still until the test opens the gate. */
export function gate<Answer>(step: Step<Answer>): {
  readonly step: Step<Answer>;
  readonly open: () => void;
  readonly reached: Promise<void>;
} {
  const opened = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  return {
    step: async (fake) => {
      reached.resolve();
      await opened.promise;
      return step(fake);
    },
    open: () => opened.resolve(),
    reached: reached.promise,
  };
}
