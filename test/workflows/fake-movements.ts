import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import { attemptIdOf } from '../../workflows/domain/ids.ts';
import { canMoveMovement, type MovementKind } from '../../workflows/domain/movement.ts';
import { canMove } from '../../workflows/domain/payment-status.ts';
import type {
  AskAnswer,
  AskMovement,
  MovementRefusal,
  MovementSnapshot,
  MovementStep,
  MovementStepAnswer,
  OpenedMovement,
  OpenMovement,
  PaymentSnapshot,
  SendMovement,
  SentMovement,
} from '../../workflows/ports.ts';
import type { FakePayment } from './fake-payment.ts';
import { approves, outcomeUnknown, type Sendable } from './provider-steps.ts';
import { afterMovement, amountsOf, movementRowOf, refusalOf } from './rows.ts';
import { type Script, stepOf } from './script.ts';

/** What the workflows did with a payment's captures, voids and refunds, and the ports by which they did it. */
export class FakeMovements {
  /** The requests that made a row. */
  readonly opened: OpenMovement[] = [];
  /** What was written of them, in order. */
  readonly steps: MovementStep[] = [];
  /** What was sent to the provider, in order. */
  readonly sent: { readonly kind: MovementKind; readonly key: string; readonly at: number }[] = [];
  readonly asked: AskMovement[] = [];
  readonly #payment: FakePayment;
  readonly #script: Script;
  readonly #movements = new Map<string, FakeMovement>();

  constructor(payment: FakePayment, script: Script) {
    this.#payment = payment;
    this.#script = script;
    if (payment.row?.openMovement) this.add(payment.row.openMovement);
  }

  /** The rows, in the order in which they were made. */
  get rows(): MovementSnapshot[] {
    return [...this.#movements.values()].map(({ row }) => row);
  }

  /** Makes a row, as it is before the workflow starts. */
  add(row: MovementSnapshot, captureId: string | null = null): void {
    this.#movements.set(row.id, new FakeMovement(this.#payment, row, captureId));
  }

  async openMovement(input: OpenMovement): Promise<OpenedMovement> {
    const step = stepOf(this.#script.open, this.#payment.log('openMovement'));
    return step ? step(this.#payment) : this.#open(input);
  }

  #open(input: OpenMovement): OpenedMovement {
    const { request, movementId, kind } = input;
    const existing = this.#movements.get(movementId)?.row;
    if (existing !== undefined) {
      const isSame = request === undefined || request.requestHash === existing.requestHash;
      return isSame ? { kind: 'opened', movement: existing } : { kind: 'refused', code: 'idempotency_key_reused' };
    }
    const payment = this.#payment.row;
    if (request === undefined || payment === null) return { kind: 'refused', code: 'not_found' };
    const asked = request.amountMinor === null ? null : BigInt(request.amountMinor);
    const { captured, authorized, voided } = amountsOf(payment);
    const wanted = asked ?? (kind === 'refund' ? captured - this.#reserved() : authorized - captured - voided);
    const capture = kind === 'refund' ? this.#captureFor(request.captureId, wanted) : null;
    const refusal = refusalOf(payment, kind, asked, this.#reserved()) ?? this.#spans(payment, kind, capture);
    if (refusal !== null) return { kind: 'refused', code: refusal };
    const movement = movementRowOf(payment, input, wanted);
    this.add(movement, capture?.row.id ?? null);
    this.opened.push(input);
    if (kind === 'void') this.#payment.change({ voids: payment.voids + 1 });
    if (kind !== 'refund') this.#payment.change({ openMovement: movement });
    return { kind: 'opened', movement };
  }

  /** What refunds have paid back or may still, of the payment or of one capture. */
  #reserved(captureId?: string): bigint {
    return [...this.#movements.values()]
      .filter(({ row }) => row.kind === 'refund' && row.state !== 'failed')
      .filter((each) => captureId === undefined || each.captureId === captureId)
      .reduce((sum, { row }) => sum + BigInt(row.amountMinor), 0n);
  }

  /** The oldest capture that can be paid back by so much, where the provider wants to know. */
  #captureFor(captureId: string | null, wanted: bigint): FakeMovement | null {
    if (this.#script.refundsPerCapture !== true) return null;
    const captures = [...this.#movements.values()].filter(
      ({ row }) => row.kind === 'capture' && row.state === 'succeeded' && (captureId === null || row.id === captureId),
    );
    return captures.find(({ row }) => BigInt(row.amountMinor) - this.#reserved(row.id) >= wanted) ?? null;
  }

  #spans(payment: PaymentSnapshot, kind: MovementKind, capture: FakeMovement | null): MovementRefusal | null {
    const isNamed = kind === 'refund' && this.#script.refundsPerCapture === true && payment.captureMethod === 'manual';
    return isNamed && capture === null ? 'refund_spans_captures' : null;
  }

  async sendMovement(input: SendMovement): Promise<SentMovement> {
    this.#payment.log('sendMovement');
    const movement = this.#get(input.movementId);
    const { state, attemptState, kind } = movement.row;
    if (state !== 'pending' || !sendable.has(attemptState)) return { kind: 'moved_on' };
    const waitMs = movement.waitMs(input.isUrgent && activityInfo().attempt === 1);
    if (waitMs > 0) throw ApplicationFailure.create({ type: 'not_now', nextRetryDelay: waitMs });
    if (attemptState === 'sent') return outcomeUnknown(movement);
    const key = movement.begin();
    const count = this.sent.push({ kind, key, at: Date.now() }) - 1;
    try {
      return { kind: 'answered', outcome: await (stepOf(this.#script.move, count) ?? approves)(movement) };
    } catch (error) {
      if (!(error instanceof ApplicationFailure) || error.type !== 'rejected') throw error;
      return { kind: 'rejected' };
    }
  }

  async askMovement(input: AskMovement): Promise<AskAnswer> {
    const count = this.#payment.log('askMovement');
    const movement = this.#get(input.movementId);
    if (movement.row.attemptState === null || movement.row.attemptState === 'not_sent')
      return { kind: 'nothing_happened' };
    this.asked.push(input);
    const answer = await (stepOf(this.#script.askMove, count) ?? approves)(movement);
    if (answer.kind === 'nothing_happened') movement.freeAttempt();
    if (answer.kind === 'repeat') movement.doubt();
    return answer;
  }

  async settleMovement(input: MovementStep): Promise<MovementStepAnswer> {
    const step = stepOf(this.#script.settle, this.#payment.log('settleMovement'));
    return step ? step(this.#get(input.movementId)) : this.write(input);
  }

  /** What the database does with a step. */
  write(input: MovementStep): MovementStepAnswer {
    const movement = this.#get(input.movementId);
    const { row } = movement;
    const payment = this.#payment.row;
    if (payment === null) throw new Error('a movement has a payment');
    if (row.version !== input.fromVersion || row.openAttemptId !== input.openAttemptId) {
      const isMine = ({ movementId, fromVersion, toState }: MovementStep) =>
        movementId === input.movementId && fromVersion === input.fromVersion && toState === input.toState;
      return { kind: this.steps.some(isMine) ? 'already_mine' : 'moved_on', movement: row };
    }
    const next: MovementSnapshot = {
      ...row,
      state: input.toState,
      version: row.version + 1,
      openAttemptId: input.keepsAttemptOpen ? row.openAttemptId : null,
      attemptState: input.attemptEnd?.state ?? row.attemptState,
      failure: input.failure,
    };
    if (!canMoveMovement(row.state, next.state)) return { kind: 'illegal', reason: `${row.state} to ${next.state}` };
    const changes = afterMovement(payment, next);
    const { status = payment.status } = changes;
    if (status !== payment.status && !canMove(payment.status, status))
      return { kind: 'illegal', reason: `a payment cannot go from ${payment.status} to ${status}` };
    this.steps.push(input);
    movement.row = next;
    this.#payment.change(changes);
    return { kind: 'done', movement: next };
  }

  #get(movementId: string): FakeMovement {
    const movement = this.#movements.get(movementId);
    if (movement === undefined) throw new Error(`there is no movement ${movementId}`);
    return movement;
  }
}

const sendable: ReadonlySet<string | null> = new Set([null, 'sent', 'unknown', 'not_sent']);

/** One capture, void or refund, with its attempt. */
export class FakeMovement implements Sendable {
  row: MovementSnapshot;
  /** The capture that a refund pays back. */
  readonly captureId: string | null;
  readonly payment: FakePayment;
  /** An earlier send of the attempt may have arrived. */
  #isDoubtful: boolean;
  #notBefore = 0;

  constructor(payment: FakePayment, row: MovementSnapshot, captureId: string | null) {
    this.payment = payment;
    this.row = row;
    this.captureId = captureId;
    this.#isDoubtful = row.attemptState === 'unknown';
  }

  /** Begins its attempt, and answers the key of it. */
  begin(): string {
    const openAttemptId = attemptIdOf(this.row.id, this.row.kind, 1);
    this.change({ openAttemptId, attemptState: 'sent' });
    return openAttemptId;
  }

  /** How long it may not be sent. */
  waitMs(isUrgent: boolean): number {
    if (Date.parse(this.row.expiresAt) <= Date.now()) return 1_000;
    return isUrgent ? 0 : Math.max(0, this.#notBefore - Date.now());
  }

  postpone(delayMs: number): void {
    this.#notBefore = Date.now() + delayMs;
  }

  freeAttempt(): void {
    this.#isDoubtful = false;
    this.change({ openAttemptId: null, attemptState: 'not_sent' });
  }

  releaseAttempt(): void {
    if (this.#isDoubtful) this.doubt();
    else this.freeAttempt();
  }

  /** Its outcome is unknown, and it may be sent again. */
  doubt(): void {
    this.#isDoubtful = true;
    this.change({ attemptState: 'unknown' });
  }

  /** Changes the row, as another process would. */
  change(changes: Partial<MovementSnapshot>): void {
    this.row = { ...this.row, ...changes };
    if (this.payment.row?.openMovement?.id === this.row.id) this.payment.change({ openMovement: this.row });
  }
}
