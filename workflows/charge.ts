import { faultTypeOf, locally, regularly, requireUnbroken, waitAskedMs } from './ask-of-the-world.ts';
import { businessNow, waitUntil } from './clock.ts';
import { answered, canceled, type Decision, expired, rejected, unanswered } from './decision.ts';
import { attemptIdOf } from './domain/ids.ts';
import { runUntil } from './interruptible.ts';
import type { PaymentProcess } from './payment-process.ts';
import * as policies from './policies.ts';
import type { AskAnswer, AttemptReference, ChargeAnswer } from './ports.ts';
import { showStep } from './status-board.ts';

/** Where a step of charging leads: to a decision, to another send, or to asking first. */
type Next =
  | { readonly kind: 'decided'; readonly decision: Decision | null }
  | { readonly kind: 'send' }
  | { readonly kind: 'ask' };

/**
 * Charges the card at most once and says what to record (null: the row moved on, read it again). It goes back and forth
 * between sending and asking: a send whose outcome is unknown is asked about, and sent again, with the same key, only
 * when the answer allows it.
 */
export async function charge(payment: PaymentProcess): Promise<Decision | null> {
  let next: Next = { kind: payment.isInDoubt ? 'ask' : 'send' };
  for (let step = 0; ; step++) {
    const given = givenUp(payment);
    if (given !== null) return given;
    if (next.kind === 'send' && payment.isWanted) {
      next = step === 0 ? await sendFirst(payment) : await sendPatiently(payment);
    } else {
      next = await ask(payment);
    }
    if (next.kind === 'decided') return next.decision;
  }
}

/** What people or time decided meanwhile. Nobody gives up a charge that is in doubt. */
function givenUp(payment: PaymentProcess): Decision | null {
  if (payment.isInDoubt) return null;
  if (payment.cancelRequest !== null) return canceled(payment.cancelRequest);
  return payment.isExpired ? expired() : null;
}

/** The quick way: one local try. */
async function sendFirst(payment: PaymentProcess): Promise<Next> {
  const { chargePayment } = locally({ ...policies.chargeFirst, summary: `charge at ${provider}, first try` });
  try {
    return afterSending(payment, await chargePayment({ ...referenceFor(payment), isUrgent: false }));
  } catch (error) {
    const next = afterFailedSend(payment, error);
    await waitAsAsked(payment, waitAskedMs(error));
    return next;
  }
}

/** The engine itself honors the wait that a provider asks for between later tries, but not after a local one. */
async function waitAsAsked(payment: PaymentProcess, waitMs: number): Promise<void> {
  if (waitMs === 0) return;
  payment.doing = `waiting, as ${provider} asked us to`;
  showStep(payment);
  const end = Math.min(businessNow() + waitMs, Date.parse(payment.row.expiresAt));
  const isInterrupted = () => payment.cancelRequest !== null || payment.retriesAsked > 0;
  await waitUntil(end, isInterrupted, `${provider} asked us to slow down`);
}

/** The patient way: tried again with backoff until there is an answer, the payment expires, or somebody interrupts. */
async function sendPatiently(payment: PaymentProcess): Promise<Next> {
  payment.doing = `charging at ${provider}, again after each failure until ${payment.row.expiresAt}`;
  showStep(payment);
  const { chargePayment } = regularly({ ...policies.chargeLater, summary: `charge at ${provider}` });
  const end = { at: Date.parse(payment.row.expiresAt), summary: 'the payment expires' };
  const retries = payment.retriesAsked;
  const isInterrupted = () => payment.cancelRequest !== null || payment.retriesAsked > retries;
  try {
    const attempt = { ...referenceFor(payment), isUrgent: payment.takeUrgency() };
    const answer = await runUntil(() => chargePayment(attempt), end, isInterrupted);
    return answer.kind === 'interrupted' ? { kind: 'send' } : afterSending(payment, answer.value);
  } catch (error) {
    return afterFailedSend(payment, error);
  }
}

function afterSending(payment: PaymentProcess, answer: ChargeAnswer): Next {
  switch (answer.kind) {
    case 'moved_on':
      return { kind: 'decided', decision: null };
    case 'pending':
      payment.isInDoubt = true;
      return { kind: 'ask' };
    default:
      return { kind: 'decided', decision: answered(answer, provider, attemptIdFor(payment)) };
  }
}

function afterFailedSend(payment: PaymentProcess, error: unknown): Next {
  const type = faultTypeOf(error);
  switch (type) {
    case 'rejected':
      return { kind: 'decided', decision: rejected(provider, attemptIdFor(payment)) };
    case 'unavailable':
    case 'rate_limited':
    case 'misconfigured':
    case 'not_now':
      return { kind: 'send' };
    case 'rejected_in_doubt':
      payment.isInDoubt = true;
      payment.isRepeatable = false;
      return { kind: 'ask' };
    default:
      // A time-out, a lost worker, a database that failed half-way: the request may be on its way.
      requireUnbroken(error);
      payment.isInDoubt = true;
      return { kind: 'ask' };
  }
}

/** Asks what came of the attempt until the provider says or `ask_until` comes. */
async function ask(payment: PaymentProcess): Promise<Next> {
  const askUntil = askUntilOf(payment);
  if (businessNow() >= askUntil) return { kind: 'decided', decision: unanswered(provider, attemptIdFor(payment)) };
  payment.doing = `asking ${provider} what came of the charge, until ${payment.row.askUntil}`;
  showStep(payment);
  const { askProvider } = regularly({ ...policies.ask, summary: `ask ${provider} what came of the charge` });
  const mayRepeat = payment.isWanted && payment.isRepeatable;
  const at = mayRepeat ? Math.min(askUntil, Date.parse(payment.row.expiresAt)) : askUntil;
  const retries = payment.retriesAsked;
  const isInterrupted = () => payment.retriesAsked > retries || (mayRepeat && payment.cancelRequest !== null);
  try {
    const work = () => askProvider({ ...referenceFor(payment), mayRepeat });
    const answer = await runUntil(work, { at, summary: 'time to look again at what is wanted' }, isInterrupted);
    payment.hasAsked = true;
    return answer.kind === 'interrupted' ? { kind: 'ask' } : afterAsking(payment, answer.value);
  } catch (error) {
    // The last try before an interruption failed by itself: still unknown.
    requireUnbroken(error);
    payment.hasAsked = true;
    return { kind: 'ask' };
  }
}

/** After a long outage the time to ask may be over before the first question: then it is asked for half a minute. */
function askUntilOf(payment: PaymentProcess): number {
  const askUntil = Date.parse(payment.row.askUntil);
  const now = businessNow();
  return payment.hasAsked || now < askUntil ? askUntil : now + 30_000;
}

function afterAsking(payment: PaymentProcess, answer: AskAnswer): Next {
  switch (answer.kind) {
    case 'nothing_happened':
      payment.isInDoubt = false;
      payment.isRepeatable = true;
      return { kind: 'send' };
    case 'repeat':
      return { kind: 'send' };
    default:
      return { kind: 'decided', decision: answered(answer, provider, attemptIdFor(payment)) };
  }
}

/** The one provider of this installation. */
const provider = 'easypay';

function referenceFor(payment: PaymentProcess): AttemptReference {
  const { paymentId, merchantId } = payment.input;
  return { paymentId, merchantId, attemptNumber: payment.attemptNumber, provider };
}

function attemptIdFor(payment: PaymentProcess): string {
  return attemptIdOf(payment.input.paymentId, 'charge', payment.attemptNumber);
}
