import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import type { DeclineCode } from '../../workflows/domain/failure.ts';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import type { FaultKind, ProviderResponse } from '../../workflows/domain/outcome.ts';
import type {
  Acceptance,
  AcceptPayment,
  AskAnswer,
  AskProvider,
  AttemptReference,
  ChargeAnswer,
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
  readonly charge?: readonly Step<ChargeAnswer>[];
  readonly ask?: readonly Step<AskAnswer>[];
  /** Null: as the database does it. */
  readonly accept?: readonly (Step<Acceptance> | null)[];
  readonly record?: readonly (Step<TransitionAnswer> | null)[];
  /** The row as it is before the workflow starts; without it there is none. */
  readonly row?: Partial<PaymentSnapshot>;
  /** Of a payment that has no row yet. */
  readonly expiresInMs?: number;
  readonly askForMs?: number;
}

/** One payment's row, its provider, and a protocol of what the workflow asked of them. It keeps the promises of the ports. */
export class FakePayment {
  readonly id: string;
  readonly calls: Call[] = [];
  /** What was written, in order. */
  readonly transitions: Transition[] = [];
  /** The attempt numbers that were sent to the provider. */
  readonly sent: number[] = [];
  /** The questions that were asked. */
  readonly asked: AskProvider[] = [];
  row: PaymentSnapshot | null;
  /** Whether the provider's rules allow the open attempt to be sent again. */
  mayRepeat = false;
  readonly #script: Script;

  constructor(snapshot: PaymentSnapshot, script: Script) {
    this.id = snapshot.id;
    this.row = script.row === undefined ? null : { ...snapshot, ...script.row };
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

  async chargePayment(input: AttemptReference): Promise<ChargeAnswer> {
    const count = this.#log('chargePayment');
    const attemptId = attemptIdOf(input.paymentId, 'charge', input.attemptNumber);
    if (this.row?.status !== 'pending') return { kind: 'moved_on' };
    if (this.row.openAttemptId !== null && !this.mayRepeat) return outcomeUnknown(this);
    this.change({ openAttemptId: attemptId });
    this.mayRepeat = false;
    this.sent.push(input.attemptNumber);
    return (stepOf(this.#script.charge, count) ?? approves)(this);
  }

  async askProvider(input: AskProvider): Promise<AskAnswer> {
    const count = this.#log('askProvider');
    this.asked.push(input);
    const answer = await (stepOf(this.#script.ask, count) ?? approves)(this);
    if (answer.kind === 'nothing_happened') this.change({ openAttemptId: null });
    if (answer.kind === 'repeat') this.mayRepeat = true;
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
    const payment = this.change({
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

/** A fault of the provider, with the delay that the activity names. Only the last two kinds leave the attempt open. */
export function fault(kind: FaultKind, nextRetryDelayMs = 30) {
  return (fake: FakePayment): never => {
    const isOpen = kind === 'unknown_outcome' || kind === 'rejected';
    if (!isOpen) fake.change({ openAttemptId: null });
    throw ApplicationFailure.create({
      type: kind,
      message: `the provider: ${kind}`,
      nonRetryable: isOpen,
      nextRetryDelay: nextRetryDelayMs,
      ...(kind === 'rate_limited' ? { details: [nextRetryDelayMs] } : {}),
    });
  };
}

export const outcomeUnknown = fault('unknown_outcome');

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
