import { faultTypeOf, locally, regularly, requireUnbroken } from './ask-of-the-world.ts';
import { businessNow, waitUntil } from './clock.ts';
import {
  answered,
  canceled,
  type Decision,
  delayed,
  exhausted,
  expired,
  rejected,
  rerouted,
  retryScheduled,
  unanswered,
  unroutable,
} from './decision.ts';
import { type DeclineCode, declineClasses } from './domain/failure.ts';
import { attemptIdOf } from './domain/ids.ts';
import type { ChargeOutcome, FinalOutcome } from './domain/outcome.ts';
import { retryDelayOf } from './domain/terms.ts';
import { runUntil } from './interruptible.ts';
import type { PaymentProcess } from './payment-process.ts';
import * as policies from './policies.ts';
import type { AskAnswer, AttemptSnapshot, Candidate, ChargeAnswer } from './ports.ts';
import { showStep } from './status-board.ts';

/**
 * One step towards charging the card at most once: says what to record, or null to read the row again and go on from what
 * it says. A charge whose outcome is unknown is asked about, and sent again, with the same key, only when the answer allows
 * it; the next provider's turn comes only when certainly nothing happened at the one before.
 */
export async function charge(payment: PaymentProcess): Promise<Decision | null> {
  const { doubtful } = payment;
  if (doubtful === null && payment.isRetryAhead) return waitForRetry(payment);
  const given = doubtful === null ? givenUp(payment) : null; // nobody gives up a charge that is in doubt
  if (given !== null) return given;
  if (isDue(payment.delayDueAt)) return delayed(payment.row.openAttemptId);
  if (doubtful === null) return send(payment);
  const mayRepeat = doubtful.state === 'unknown' && payment.isWanted && payment.isRepeatable;
  return mayRepeat ? sendPatiently(payment, [candidateOf(doubtful)]) : ask(payment, doubtful);
}

/** Between two rounds of a declined payment nothing is sent, unless a person wants it now. */
async function waitForRetry(payment: PaymentProcess): Promise<Decision | null> {
  const { attention, row } = payment;
  const retryAt = row.retryAt ?? row.expiresAt;
  payment.doing = `declined: the next round begins at ${retryAt}`;
  showStep(payment);
  const isInterrupted = () => payment.cancelRequest !== null || attention.isCalled;
  await waitUntil(Date.parse(retryAt), isInterrupted, 'the next round');
  attention.answer();
  if (payment.cancelRequest !== null) return canceled(payment.cancelRequest);
  if (attention.isUrgent || isDue(Date.parse(retryAt))) payment.beginRound();
  return null;
}

/** What people or time decided meanwhile. */
function givenUp(payment: PaymentProcess): Decision | null {
  if (payment.cancelRequest !== null) return canceled(payment.cancelRequest);
  return payment.isExpired ? expired() : null;
}

/** Every candidate has a quick try, one after another; then all of them are tried patiently, round by round. */
function send(payment: PaymentProcess): Decision | Promise<Decision | null> {
  const { candidates, lastDecline } = payment;
  const untried = candidates.find(({ attemptNumber }) => !payment.triedAtOnce.has(attemptNumber));
  if (untried !== undefined) return sendAtOnce(payment, untried);
  // Nobody waits for a provider that is away when another one has given a reason already.
  if (lastDecline !== null)
    return nextRound(payment, lastDecline, null) ?? exhausted(lastDecline.provider, lastDecline.code);
  return candidates.length === 0 ? unroutable() : sendPatiently(payment, candidates);
}

/** The quick way: one local try. */
async function sendAtOnce(payment: PaymentProcess, candidate: Candidate): Promise<Decision | null> {
  payment.triedAtOnce.add(candidate.attemptNumber);
  payment.doing = `charging at ${candidate.provider}`;
  const { chargePayment } = locally({ ...policies.chargeFirst, summary: `charge at ${candidate.provider}` });
  try {
    return afterSending(payment, await chargePayment(attemptOf(payment, [candidate], false)));
  } catch (error) {
    // Its preparation may have been made: go on patiently, in the route's order, instead of turning to the next at once.
    if (faultTypeOf(error) === 'unprepared') payment.giveUpHaste();
    return afterFailedSend(payment, error);
  }
}

/** The patient way: rounds with backoff until there is an answer, the payment expires, or somebody interrupts. */
async function sendPatiently(payment: PaymentProcess, candidates: readonly Candidate[]): Promise<Decision | null> {
  const where = candidates.map(({ provider }) => provider).join(', then ');
  payment.becomePatient();
  payment.doing = `charging at ${where}, again after each failure until ${payment.row.expiresAt}`;
  showStep(payment);
  const { chargePayment } = regularly({ ...policies.chargeLater(candidates.length), summary: `charge at ${where}` });
  const end = nextLook(payment, Date.parse(payment.row.expiresAt));
  const { attention } = payment;
  const { calls } = attention;
  const isInterrupted = () => payment.cancelRequest !== null || attention.calls > calls;
  try {
    const attempt = attemptOf(payment, candidates, attention.takeUrgency());
    const answer = await runUntil(() => chargePayment(attempt), end, isInterrupted);
    return answer.kind === 'interrupted' ? null : afterSending(payment, answer.value);
  } catch (error) {
    return afterFailedSend(payment, error);
  }
}

function afterSending(payment: PaymentProcess, answer: ChargeAnswer): Decision | null {
  switch (answer.kind) {
    case 'moved_on':
      return null;
    case 'rejected':
      return rejected(answer.by.provider, answer.openAttemptId);
    case 'answered':
      return answer.outcome.kind === 'pending' ? null : afterOutcome(payment, answer.by, answer.outcome);
  }
}

/** A decline whose class allows another provider leads there, if there is one left; every other outcome decides. */
export function afterOutcome(
  payment: PaymentProcess,
  { attemptNumber, provider }: Candidate,
  outcome: Exclude<ChargeOutcome, { kind: 'pending' }>,
): Decision {
  const attemptId = attemptIdOf(payment.input.paymentId, 'charge', attemptNumber);
  if (outcome.kind === 'declined' && declineClasses[outcome.declineCode] === 'retry_other' && payment.isWanted) {
    const next = payment.candidates.find((candidate) => candidate.attemptNumber > attemptNumber);
    if (next !== undefined) {
      payment.giveTurnsBehind(attemptNumber);
      return rerouted(outcome, provider, attemptId, next);
    }
  }
  const retry =
    outcome.kind === 'declined'
      ? nextRound(payment, { provider, code: outcome.declineCode }, { attemptId, outcome })
      : null;
  return retry ?? answered(outcome, provider, attemptId, payment.row.captureMethod);
}

/** Another round later, where the decline may pass and the merchant's terms have one left. */
function nextRound(
  payment: PaymentProcess,
  decline: { readonly provider: string; readonly code: DeclineCode },
  ended: { readonly attemptId: string; readonly outcome: FinalOutcome } | null,
): Decision | null {
  const delaySeconds = retryDelayOf(payment.row.terms, payment.row.retriesMade);
  if (delaySeconds === null || declineClasses[decline.code] === 'never' || !payment.isWanted) return null;
  payment.attention.takeUrgency(); // it was meant for this round
  return retryScheduled(decline, new Date(businessNow() + delaySeconds * 1000).toISOString(), ended);
}

/** Whatever failed, the row knows what may be done now: the attempts that may be on their way are open in it. */
function afterFailedSend(payment: PaymentProcess, error: unknown): null {
  requireUnbroken(error);
  if (faultTypeOf(error) === 'rejected_in_doubt') payment.isRepeatable = false;
  return null;
}

/** Asks what came of the attempt until the provider says or `ask_until` comes. */
async function ask(payment: PaymentProcess, doubtful: AttemptSnapshot): Promise<Decision | null> {
  const { number: attemptNumber, provider } = doubtful;
  const attemptId = doubtful.id;
  const askUntil = askUntilOf(payment);
  if (businessNow() >= askUntil) return unanswered(provider, attemptId);
  payment.becomePatient();
  payment.doing = `asking ${provider} what came of the charge, until ${payment.row.askUntil}`;
  showStep(payment);
  const { askProvider } = regularly({ ...policies.ask, summary: `ask ${provider} what came of the charge` });
  const mayRepeat = payment.isWanted && payment.isRepeatable;
  const end = nextLook(payment, mayRepeat ? Math.min(askUntil, Date.parse(payment.row.expiresAt)) : askUntil);
  const { attention } = payment;
  const { calls } = attention;
  const isInterrupted = () => attention.calls > calls || (mayRepeat && payment.cancelRequest !== null);
  const { paymentId, merchantId } = payment.input;
  try {
    const work = () => askProvider({ paymentId, merchantId, attemptNumber, provider, mayRepeat });
    const answer = await runUntil(work, end, isInterrupted);
    payment.hasAsked = true;
    return answer.kind === 'interrupted' ? null : afterAsking(payment, candidateOf(doubtful), answer.value);
  } catch (error) {
    // Or the last try before an interruption failed by itself: still unknown.
    requireUnbroken(error);
    payment.hasAsked = true;
    return null;
  }
}

/** When to look up from a patient step: at its own end, or to say before that it takes longer. */
function nextLook(payment: PaymentProcess, endAt: number): { at: number; summary: string } {
  const { delayDueAt } = payment;
  if (delayDueAt === null || delayDueAt >= endAt) return { at: endAt, summary: 'time to look again at what is wanted' };
  return { at: delayDueAt, summary: 'time to say that it takes longer' };
}

function isDue(at: number | null): boolean {
  return at !== null && businessNow() >= at;
}

function askUntilOf(payment: PaymentProcess): number {
  const askUntil = Date.parse(payment.row.askUntil);
  const now = businessNow();
  return payment.hasAsked || now < askUntil ? askUntil : now + policies.lastQuestionsMs;
}

function afterAsking(payment: PaymentProcess, by: Candidate, answer: AskAnswer): Decision | null {
  switch (answer.kind) {
    case 'nothing_happened':
    case 'repeat':
      return null;
    default:
      return afterOutcome(payment, by, answer);
  }
}

function candidateOf({ number, provider }: AttemptSnapshot): Candidate {
  return { attemptNumber: number, provider };
}

function attemptOf(payment: PaymentProcess, candidates: readonly Candidate[], isUrgent: boolean) {
  const { paymentId, merchantId } = payment.input;
  return { paymentId, merchantId, candidates, isUrgent };
}
