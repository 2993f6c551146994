import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { ApiDeps } from './deps.ts';
import { Problem } from './errors.ts';
import type { Preference } from './request-headers.ts';
import type { NotTaken, Refused } from './temporal/answers.ts';
import type { Submitted, Until } from './temporal/payment-client.ts';

/** What a request is about, for whoever must repeat it. */
export interface Subject {
  /** The object's id, as problems and logs name it. */
  readonly named: Readonly<Record<string, string>>;
  readonly idempotencyKey: string;
}

/** A request about a payment. */
export function aboutPayment(paymentId: string, idempotencyKey: string): Subject {
  return { named: { payment_id: paymentId }, idempotencyKey };
}

/** A request about a subscription. */
export function aboutSubscription(subscriptionId: string, idempotencyKey: string): Subject {
  return { named: { subscription_id: subscriptionId }, idempotencyKey };
}

/** Something that a request wants of a workflow, and the row that says what became of it. Deadlines are instants in ms. */
export interface Errand<Row> extends Subject {
  /** Sends it, or attaches to what was sent before. */
  readonly submit: (until: Until, deadline: number) => Promise<Submitted>;
  /** Starts a new run where the workflow answered and the row says that it is not over. Null unless it was refused. */
  readonly resume: (deadline: number) => Promise<NotTaken | null>;
  /** The row as it is now; null: nothing says yet that this was accepted. */
  readonly read: () => Promise<Row | null>;
  /** Whether there is nothing to wait for. */
  readonly isSettled: (row: Row) => boolean;
  /** What the workflow's refusal means to the caller while there is no row. */
  readonly refusal: (refused: Refused) => Problem;
}

/** How long a caller waits. */
interface Waiting {
  readonly headers: { readonly prefer?: Preference | undefined };
  readonly requestId: string;
  readonly receivedAt: Date;
}

/** Between two submissions, where the first ended at once; doubled from one to the next, up to a cap. */
const pauseMinMs = 100;
const pauseMaxMs = 1_000;

/** However long the caller wants to wait, the row's commit is waited for at least so long. */
const acceptanceWaitMs = 5_000;

/**
 * Does the errand, waits as long as the caller wants (`waitSeconds` unless the request says), and reads the row. Whatever
 * the engine says, the answer comes from the row. Throws the refusal, `not_accepted` or `acceptance_unknown` without one.
 */
export async function submitAndRead<Row>(
  deps: ApiDeps,
  request: Waiting,
  waitSecondsDefault: number,
  errand: Errand<Row>,
): Promise<Row> {
  const preference = request.headers.prefer;
  const waitSeconds = preference?.waitSeconds ?? waitSecondsDefault;
  const isPatient = waitSeconds > 0 && preference?.respondAsync !== true;
  const received = request.receivedAt.getTime();
  const outcomeBy = received + waitSeconds * 1000;
  const acceptedBy = Math.max(outcomeBy, received + acceptanceWaitMs);

  let until: Until = isPatient ? 'outcome' : 'accepted';
  let isSent = false;
  for (let pauseMs = pauseMinMs; ; pauseMs = Math.min(pauseMaxMs, pauseMs * 2)) {
    const deadline = until === 'outcome' ? outcomeBy : acceptedBy;
    const submitted = await errand.submit(until, deadline);
    isSent ||= submitted.kind !== 'not_taken';
    const row = await readAfter(errand, isSent, () => errand.read());
    // With a row, it was something else that was refused: a run of another body, say.
    if (row === null && submitted.kind === 'refused') throw errand.refusal(submitted);
    const now = Date.now();
    if (row !== null && (errand.isSettled(row) || until === 'accepted' || now >= outcomeBy)) return row;
    const last = submitted.kind === 'stored' ? await errand.resume(acceptedBy) : submitted;
    const isRefused = last?.kind === 'not_taken';
    const cause = last !== null && 'cause' in last ? last.cause : undefined;
    if (row === null && (now >= acceptedBy || isRefused)) throw notAccepted(errand, isSent, cause);
    if (row !== null && isRefused) {
      // Its row says that it is accepted; Temporal, which could say more, is away or refuses.
      deps.logger.warn({ err: cause, ...errand.named, request_id: request.requestId }, 'not sent to Temporal');
      return row;
    }
    await pause(Math.max(0, Math.min(pauseMs, deadline - now)));
    if (now >= outcomeBy) until = 'accepted';
  }
}

/** What an act on an existing row is made of. */
interface Act<Row> extends Subject {
  readonly send: (until: Until, deadline: number) => Promise<Submitted>;
  readonly find: () => Promise<Row | null>;
  /** Whether the row alone says that there is nothing left to do, whoever did it. */
  readonly isOver: (row: Row) => boolean;
  /** Whether what the act began goes on when it has come to its end itself; that is waited for too. */
  readonly isUnderWay?: (row: Row) => boolean;
  readonly refusal: (refused: Refused) => Problem;
}

/** An act on its way. */
export interface ActErrand<Row> extends Errand<Row> {
  /** Whether the workflow said that the act has come to its end. */
  readonly isEnded: () => boolean;
}

/** The errand of an act on a row that was there before: the row speaks of the act only once the workflow has taken it on. */
export function actErrand<Row>({ send, find, isOver, isUnderWay, ...about }: Act<Row>): ActErrand<Row> {
  let isTaken = false;
  let isEnded = false;
  return {
    ...about,
    async submit(until, deadline) {
      if (isEnded) return { kind: 'stored' };
      const submitted = await send(until, deadline);
      isEnded ||= submitted.kind === 'stored';
      isTaken ||= isEnded || submitted.kind === 'accepted';
      return submitted;
    },
    resume: () => Promise.resolve(null),
    async read() {
      const row = await find();
      return row !== null && (isTaken || isOver(row)) ? row : null;
    },
    isSettled: (row) => isOver(row) || (isEnded && isUnderWay?.(row) !== true),
    isEnded: () => isEnded,
  };
}

/** Reads before anything is sent: where the database refuses, this request certainly was not accepted. */
export function readBefore<Row>(subject: Subject, read: () => Promise<Row>): Promise<Row> {
  return readAfter(subject, false, read);
}

/** Reads what became of it. A database that is away now says nothing about what was sent before. */
export async function readAfter<Row>(subject: Subject, isSent: boolean, read: () => Promise<Row>): Promise<Row> {
  try {
    return await read();
  } catch (cause) {
    throw cause instanceof Problem ? cause : notAccepted(subject, isSent, cause);
  }
}

/** A request for an act on the object in its path. */
interface ActRequest {
  readonly headers: { readonly 'idempotency-key'?: string | undefined };
  readonly params: { readonly id: string };
}

/** Makes the refusal of acts while the database is away, whoever asks; `about` throws `not_found` for an id of another form. */
export function refusedInOutage(about: (id: string, idempotencyKey: string) => Subject) {
  return ({ headers, params }: ActRequest, _caller: unknown, outage: unknown): Problem =>
    notAccepted(about(params.id, headers['idempotency-key'] ?? randomUUID()), false, outage);
}

/** The refusal of a request without a row: what it sent may still arrive. */
export function notAccepted({ named, idempotencyKey }: Subject, isSent: boolean, cause?: unknown): Problem {
  return new Problem(isSent ? 'acceptance_unknown' : 'not_accepted', {
    headers: { 'Retry-After': '2', 'Idempotency-Key': idempotencyKey },
    members: { ...named },
    cause,
  });
}
