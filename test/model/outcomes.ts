import {
  capturableOf,
  charged,
  ended,
  type Facts,
  isAtRest,
  type Life,
  laterOf,
  type Move,
  openMoveOf,
  refundableOf,
  statusOf,
} from './model.ts';

/** What was asked. `body` tells one body from another. Amounts are minor units; null: none was named. */
export type Asked =
  | { readonly kind: 'create'; readonly isOther: boolean }
  | { readonly kind: 'capture' | 'refund'; readonly key: string; readonly body: string; readonly amount: bigint | null }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'payer'; readonly approves: boolean }
  | { readonly kind: 'resolve payment'; readonly fits: boolean }
  | { readonly kind: 'resolve refund'; readonly key: string; readonly fits: boolean };

/** What was answered: a payer's page answers in the same numbers. */
export interface Answer {
  readonly status: number;
  /** Of a problem. */
  readonly code: string | null;
  /** Of a payment that is shown. */
  readonly payment: Shown | null;
  /** Of a refund that is shown. */
  readonly refund: { readonly status: string; readonly amount: bigint } | null;
}

/** A payment as it is shown. */
export interface Shown {
  readonly status: string;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly voided: bigint;
  readonly refunded: bigint;
}

/** A request with its answer. */
export interface Exchange {
  readonly asked: Asked;
  readonly answer: Answer;
}

/** One way in which a request may be answered, and how the payment stands after it. */
interface Outcome {
  readonly statuses: readonly number[];
  readonly codes: readonly string[];
  readonly next: Life;
}

/** How sure it is what the product knows: a request that comes early meets what is still being finished. */
export interface Moment {
  readonly facts: Facts;
  /** Its workflow has come to rest since the last request, and knows what the rows say: a killed worker's may be behind them. */
  readonly isSettled: boolean;
}

/**
 * How a payment may stand after these requests, which were under way at the same time, had these answers: every order in which
 * they may have been taken is tried, with all that may happen by itself in between. Nothing: no order explains the answers.
 */
export function follow(lives: readonly Life[], moment: Moment, exchanges: readonly Exchange[]): Life[] {
  const { facts, isSettled } = moment;
  const isAlone = exchanges.length === 1;
  const isStrict = isAlone && isSettled && lives.every((life) => isAtRest(life, facts));
  const all = 2 ** exchanges.length - 1;
  const reached = new Map<number, Life[]>([[0, laterOf(lives, facts)]]);
  for (let taken = 0; taken < all; taken++) {
    for (const [index, exchange] of exchanges.entries()) {
      const bit = 2 ** index;
      if ((taken & bit) !== 0) continue;
      const next = (reached.get(taken) ?? []).flatMap((life) => explain(life, moment, exchange, isStrict));
      if (next.length === 0) continue;
      reached.set(taken | bit, laterOf([...(reached.get(taken | bit) ?? []), ...next], facts));
    }
  }
  const ends = (reached.get(all) ?? []).filter((life) => exchanges.every((exchange) => isProven(life, exchange)));
  const shown = isAlone ? exchanges[0]?.answer.payment : null;
  return shown
    ? laterOf(
        ends.filter((life) => shows(life, shown)),
        facts,
      )
    : ends;
}

/** What the model would have taken for an answer, for people. */
export function expectations(lives: readonly Life[], facts: Facts, asked: Asked): string[] {
  const outcomes = laterOf(lives, facts).flatMap((life) =>
    outcomesOf(life, facts, asked, false).map(
      ({ statuses, codes }) => `${[...statuses, ...codes].join('/')} while it is ${statusOf(life)}`,
    ),
  );
  return [...new Set(outcomes)];
}

/** Whether a payment that stands so is shown so. */
export function shows(life: Life, shown: Shown): boolean {
  return (
    statusOf(life) === shown.status &&
    life.authorized === shown.authorized &&
    life.captured === shown.captured &&
    life.voided === shown.voided &&
    life.refunded === shown.refunded
  );
}

function explain(life: Life, { facts, isSettled }: Moment, { asked, answer }: Exchange, isStrict: boolean): Life[] {
  const isEarly = !isSettled && (asked.kind === 'capture' || asked.kind === 'cancel');
  const behind = isEarly ? [refused(life, 'movement_in_progress')] : [];
  return [...outcomesOf(life, facts, asked, isStrict), ...behind]
    .filter((outcome) => isAnswer(outcome, answer))
    .map(({ next }) => next);
}

function isAnswer({ statuses, codes }: Outcome, { status, code }: Answer): boolean {
  return statuses.includes(status) && (code === null ? codes.length === 0 : codes.includes(code));
}

/** What an answer says of the time at which it came. */
function isProven(life: Life, { asked, answer }: Exchange): boolean {
  switch (asked.kind) {
    case 'create':
      return answer.status !== 201 || life.charge !== 'pending';
    case 'capture':
      return answer.status !== 201 || moveOf(life, asked.kind, asked.key)?.state !== 'pending';
    case 'refund':
      return answer.refund === null || showsRefund(moveOf(life, 'refund', asked.key), answer);
    case 'cancel':
      return isCancelProven(life, answer);
    default:
      return true;
  }
}

function showsRefund(move: Move | undefined, { status, refund }: Answer): boolean {
  if (move === undefined || refund === null || move.amount !== refund.amount) return false;
  if ((refund.status === 'pending') !== (status === 202)) return false;
  switch (refund.status) {
    case 'pending':
      return true;
    case 'unresolved':
      return move.state === 'unresolved' || move.state === 'succeeded';
    default:
      return move.state === refund.status;
  }
}

function isCancelProven(life: Life, { status, code }: Answer): boolean {
  if (status === 200) return isOver(life) && isReleased(life);
  if (code === 'too_late_to_cancel') return isOver(life) && !isReleased(life);
  const hasFailedVoid = life.moves.some(({ kind, state }) => kind === 'void' && state === 'failed');
  if (code === 'payment_not_cancelable') return life.charge === 'failed' || hasFailedVoid;
  return true;
}

/** Whether nothing is left that could be withdrawn or given back. */
function isOver(life: Life): boolean {
  if (life.charge === 'failed' || life.charge === 'canceled') return true;
  return life.charge === 'charged' && capturableOf(life) === 0n;
}

function isReleased(life: Life): boolean {
  return life.charge === 'canceled' || life.voided > 0n;
}

function outcomesOf(life: Life, facts: Facts, asked: Asked, isStrict: boolean): Outcome[] {
  switch (asked.kind) {
    case 'create':
      return asked.isOther ? [refused(life, 'idempotency_key_reused', 422)] : [done(life, [201, 202])];
    case 'capture':
      return outcomesOfCapture(life, asked, isStrict);
    case 'refund':
      return outcomesOfRefund(life, asked, isStrict);
    case 'cancel':
      return outcomesOfCancel(life);
    case 'payer':
      return outcomesOfPayer(life, asked.approves);
    case 'resolve payment':
      return outcomesOfResolution(life, facts, asked.fits);
    case 'resolve refund': {
      const refund = moveOf(life, 'refund', asked.key);
      if (!asked.fits) return [refused(life, 'validation_failed', 422)];
      if (refund?.state !== 'unresolved') return [refused(life, 'not_unresolved')];
      return [done(ended(life, refund, 'succeeded'), [200, 202])];
    }
  }
}

type Movement = Extract<Asked, { kind: 'capture' | 'refund' }>;

function outcomesOfCapture(life: Life, asked: Movement, isStrict: boolean): Outcome[] {
  const before = repeated(life, asked);
  if (before !== null) return before;
  const left = capturableOf(life);
  const isMoving = isUndecided(life) || life.isCanceling || openMoveOf(life) !== undefined;
  const isDone = asked.amount === null && life.captured > 0n && left === 0n;
  const codes = [
    ...(isMoving && life.charge !== 'requires_action' ? ['movement_in_progress'] : []),
    ...(left === 0n && life.charge !== 'pending' ? ['payment_not_capturable'] : []),
    ...(asked.amount !== null && asked.amount > left && left > 0n ? ['amount_exceeds_capturable'] : []),
  ];
  if (isDone && isStrict) return [done(life, [200])];
  const refusals = codes.slice(0, isStrict ? 1 : codes.length).map((code) => refused(life, code));
  if (isDone) return [done(life, [200]), ...refusals];
  return codes.length > 0 ? refusals : [opened(life, asked, asked.amount ?? left)];
}

function outcomesOfRefund(life: Life, asked: Movement, isStrict: boolean): Outcome[] {
  const before = repeated(life, asked);
  if (before !== null) return before;
  const left = refundableOf(life);
  const isMoving = isUndecided(life) || life.charge === 'requires_action' || openMoveOf(life) !== undefined;
  const codes = [
    ...(isMoving ? ['movement_in_progress'] : []),
    ...(life.captured === 0n && !isUndecided(life) && life.charge !== 'requires_action'
      ? ['payment_not_refundable']
      : []),
    ...(life.captured > 0n && (left <= 0n || (asked.amount ?? 0n) > left) ? ['amount_exceeds_refundable'] : []),
  ];
  if (codes.length === 0) return [opened(life, asked, asked.amount ?? left)];
  return codes.slice(0, isStrict ? 1 : codes.length).map((code) => refused(life, code));
}

function isUndecided(life: Life): boolean {
  return life.charge === 'pending' || statusOf(life) === 'unresolved';
}

/** What a key that was taken before is answered, or null. */
function repeated(life: Life, { kind, key, body }: Movement): Outcome[] | null {
  const move = moveOf(life, kind, key);
  if (move === undefined) return null;
  return [move.body === body ? done(life, [201, 202]) : refused(life, 'idempotency_key_reused', 422)];
}

function opened(life: Life, { kind, key, body }: Movement, amount: bigint): Outcome {
  return done({ ...life, moves: [...life.moves, { kind, key, body, amount, state: 'pending' }] }, [201, 202]);
}

/** A cancellation joins the one that is under way, and the void. */
function outcomesOfCancel(life: Life): Outcome[] {
  const open = openMoveOf(life);
  const isJoining = life.isCanceling || open?.kind === 'void';
  if (statusOf(life) === 'unresolved') return [isJoining ? done(life, [202]) : refused(life, 'movement_in_progress')];
  if (life.charge === 'failed') return [refused(life, 'payment_not_cancelable')];
  if (isOver(life)) return [isReleased(life) ? done(life, [200]) : refused(life, 'too_late_to_cancel')];
  if (open !== undefined && !isJoining) return [refused(life, 'movement_in_progress')];
  const next = { ...life, isCanceling: true };
  // How it ended is told with the answer: see `isCancelProven`.
  return [done(next, [200, 202]), refused(next, 'too_late_to_cancel'), refused(next, 'payment_not_cancelable')];
}

function outcomesOfPayer(life: Life, approves: boolean): Outcome[] {
  const tooLate = done(life, [410]);
  if (life.charge !== 'requires_action' || life.payer !== 'silent') return [tooLate];
  const acted = done({ ...life, payer: approves ? 'approved' : 'declined' } as const, [200, 303]);
  // While it is being given up, the provider may have ended it already.
  return openMoveOf(life) === undefined ? [acted] : [acted, tooLate];
}

function outcomesOfResolution(life: Life, facts: Facts, fits: boolean): Outcome[] {
  if (statusOf(life) !== 'unresolved') return [refused(life, 'not_unresolved')];
  if (!fits) return [refused(life, 'validation_failed', 422)];
  const open = openMoveOf(life);
  return [done(open === undefined ? charged(life, facts) : ended(life, open, 'succeeded'), [200, 202])];
}

function moveOf({ moves }: Life, kind: Move['kind'], key: string): Move | undefined {
  return moves.find((move) => move.kind === kind && move.key === key);
}

function done(next: Life, statuses: readonly number[]): Outcome {
  return { statuses, codes: [], next };
}

function refused(next: Life, code: string, status = 409): Outcome {
  return { statuses: [status], codes: [code], next };
}
