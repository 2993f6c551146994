import { condition } from '@temporalio/workflow';
import { databaseStep, faultTypeOf, locally, regularly, requireUnbroken } from './ask-of-the-world.ts';
import type { Attention } from './attention.ts';
import { businessNow, businessNowText } from './clock.ts';
import { attemptIdOf } from './domain/ids.ts';
import { invariant } from './domain/invariant.ts';
import { isMovementOver } from './domain/movement.ts';
import { runUntil } from './interruptible.ts';
import { answered, gaveUp, type MovementDecision, resolved, unanswered } from './movement-decision.ts';
import * as policies from './policies.ts';
import type { AskAnswer, MovementSnapshot, PaymentSnapshot, SentMovement } from './ports.ts';

/** A movement at work, in the payment's workflow or in its own. */
export interface MovementWork {
  /** The row as it was last read or written. */
  row: MovementSnapshot;
  readonly attention: Attention;
  /** Whether a person must decide where it certainly did not happen. */
  mustSucceed(): boolean;
  /** Shows operators what it does now. */
  show(doing: string): void;
  /** Takes over every row that was read or written; and the payment's, where it came along. */
  adopt(row: MovementSnapshot, payment?: PaymentSnapshot): void;
}

interface Memory {
  wasSentAtOnce: boolean;
  hasAsked: boolean;
  /** Not after the provider refused a repeat as wrong. */
  isRepeatable: boolean;
  /** How many decisions in a row came too late for the row. */
  overtaken: number;
}

/**
 * Carries a capture, void or refund on to its next state, with the rules of a charge: one provider, one key; a quick try, then
 * patient ones; asked about where the outcome is unknown; and where nobody can say, a person does. Its row says what is done
 * already; one that is over stays as it is.
 */
export async function carryOut(work: MovementWork): Promise<MovementSnapshot> {
  const memory: Memory = { wasSentAtOnce: false, hasAsked: false, isRepeatable: true, overtaken: 0 };
  const { state } = work.row;
  while (work.row.state === state && !isMovementOver(state)) {
    await write(work, memory, await next(work, memory));
    if (work.row.openAttemptId === null) memory.isRepeatable = true;
  }
  return work.row;
}

/** One step: says what to write, or null to read the row again and go on from what it says. */
async function next(work: MovementWork, memory: Memory): Promise<MovementDecision | null> {
  const { row } = work;
  if (row.state === 'unresolved') return awaitResolution(work);
  const isExpired = businessNow() >= Date.parse(row.expiresAt);
  if (row.openAttemptId === null) {
    if (isExpired) return gaveUp(row, 'provider_unavailable', work.mustSucceed());
    return memory.wasSentAtOnce ? sendPatiently(work, memory) : sendAtOnce(work, memory);
  }
  const mayRepeat = !isExpired && memory.isRepeatable;
  return row.attemptState === 'unknown' && mayRepeat ? sendPatiently(work, memory) : ask(work, memory, mayRepeat);
}

async function sendAtOnce(work: MovementWork, memory: Memory): Promise<MovementDecision | null> {
  memory.wasSentAtOnce = true;
  const { sendMovement } = locally({ ...policies.chargeFirst, summary: `${work.row.kind} at ${work.row.provider}` });
  try {
    return afterSending(work, await sendMovement({ ...sendableOf(work), isUrgent: false }));
  } catch (error) {
    return afterFailedSend(memory, error);
  }
}

async function sendPatiently(work: MovementWork, memory: Memory): Promise<MovementDecision | null> {
  const { row, attention } = work;
  const summary = `${row.kind} at ${row.provider}`;
  work.show(`${summary}, again after each failure until ${row.expiresAt}`);
  const { sendMovement } = regularly({ ...policies.chargeLater(1), summary });
  const end = { at: Date.parse(row.expiresAt), summary: 'time to look again at what is wanted' };
  const { calls } = attention;
  try {
    const order = { ...sendableOf(work), isUrgent: attention.takeUrgency() };
    const answer = await runUntil(
      () => sendMovement(order),
      end,
      () => attention.calls > calls,
    );
    return answer.kind === 'interrupted' ? null : afterSending(work, answer.value);
  } catch (error) {
    return afterFailedSend(memory, error);
  }
}

function afterSending(work: MovementWork, answer: SentMovement): MovementDecision | null {
  switch (answer.kind) {
    case 'moved_on':
      return null;
    case 'rejected':
      return gaveUp({ ...work.row, openAttemptId: attemptOf(work) }, 'provider_rejected', work.mustSucceed());
    case 'answered':
      return afterOutcome(work, answer.outcome);
  }
}

function afterOutcome(work: MovementWork, outcome: AskAnswer | { readonly kind: 'pending' }): MovementDecision | null {
  switch (outcome.kind) {
    case 'approved':
    case 'declined':
    case 'mismatched':
      return answered(work.row, outcome, attemptOf(work), work.mustSucceed());
    default:
      return null;
  }
}

/** Whatever failed, the row knows what may be done now. */
function afterFailedSend(memory: Memory, error: unknown): null {
  requireUnbroken(error);
  if (faultTypeOf(error) === 'rejected_in_doubt') memory.isRepeatable = false;
  return null;
}

/** Asks what came of it until the provider says or `ask_until` comes. */
async function ask(work: MovementWork, memory: Memory, mayRepeat: boolean): Promise<MovementDecision | null> {
  const { row, attention } = work;
  const askUntil = Date.parse(row.askUntil);
  if (businessNow() >= askUntil && memory.hasAsked) return unanswered(row, attemptOf(work));
  const summary = `ask ${row.provider} what came of the ${row.kind}`;
  work.show(`${summary}, until ${row.askUntil}`);
  const { askMovement } = regularly({ ...policies.ask, summary });
  const until = memory.hasAsked || businessNow() < askUntil ? askUntil : businessNow() + policies.lastQuestionsMs;
  const end = { at: mayRepeat ? Math.min(until, Date.parse(row.expiresAt)) : until, summary: 'time to look again' };
  const { calls } = attention;
  try {
    const question = { ...sendableOf(work), mayRepeat };
    const answer = await runUntil(
      () => askMovement(question),
      end,
      () => attention.calls > calls,
    );
    return answer.kind === 'interrupted' ? null : afterOutcome(work, answer.value);
  } catch (error) {
    // Or the last try before an interruption failed by itself: still unknown.
    requireUnbroken(error);
    return null;
  } finally {
    memory.hasAsked = true;
  }
}

/** Waits for a person, or for the provider to speak after all. What is written first counts. */
async function awaitResolution(work: MovementWork): Promise<MovementDecision | null> {
  const { row, attention } = work;
  const isProvenNothing = row.openAttemptId === null && row.attemptState === 'not_sent';
  if (isProvenNothing && !work.mustSucceed()) return gaveUp(row, 'provider_unavailable', false);
  work.show('waiting for an operator: resolve it with outcome, evidence, actor and reason');
  await condition(() => attention.hasResolution || attention.isCalled);
  const resolution = attention.takeResolution();
  if (resolution !== null) return resolved(row, resolution);
  attention.answer();
  if (row.openAttemptId === null) return null;
  const { askMovement } = regularly({ ...policies.askLate, summary: `ask ${row.provider} again` });
  try {
    return afterOutcome(work, await askMovement({ ...sendableOf(work), mayRepeat: false }));
  } catch (error) {
    requireUnbroken(error);
    return null;
  }
}

/** So often another run may be faster; after that it is not another run, but rows that contradict each other. */
const overtakenMax = 10;

async function write(work: MovementWork, memory: Memory, decision: MovementDecision | null): Promise<void> {
  const { row } = work;
  if (decision === null) return reread(work);
  if (decision.toState === row.state) return; // the provider says again what a person looks at already
  const step = { ...referenceOf(work), kind: row.kind, fromVersion: row.version, fromState: row.state, ...decision };
  const summary = `record: ${row.kind} ${row.state} → ${decision.toState}`;
  const answer = await databaseStep(summary, (ports) => ports.settleMovement({ ...step, now: businessNowText() }));
  invariant(answer.kind !== 'illegal', answer.kind === 'illegal' ? answer.reason : '');
  memory.overtaken = answer.kind === 'moved_on' ? memory.overtaken + 1 : 0;
  invariant(memory.overtaken < overtakenMax, `${overtakenMax} decisions in a row did not fit the row`);
  work.adopt(answer.movement, answer.kind === 'done' ? answer.payment : undefined);
}

async function reread(work: MovementWork): Promise<void> {
  const { kind } = work.row;
  const input = { ...referenceOf(work), kind, now: businessNowText() };
  const found = await databaseStep('read the row again', (ports) => ports.openMovement(input));
  invariant(found.kind === 'opened', 'the row of a movement is gone');
  work.adopt(found.movement);
}

function referenceOf({ row }: MovementWork) {
  return { movementId: row.id, paymentId: row.paymentId, merchantId: row.merchantId };
}

function sendableOf(work: MovementWork) {
  const { kind, provider } = work.row;
  return { ...referenceOf(work), kind, provider };
}

function attemptOf({ row }: MovementWork): string {
  return attemptIdOf(row.id, row.kind, 1);
}
