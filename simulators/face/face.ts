import type { ServerResponse } from 'node:http';
import type { Wording } from '../http.ts';
import { HttpError } from '../http.ts';
import type { CallClass, Faults, Injection } from './faults.ts';
import { pause } from './later.ts';
import type { ParkableCall, Parking } from './parking.ts';
import type { Answer } from './strikes.ts';
import { deliver, strikeBefore } from './strikes.ts';

/** What every face has beside its wire format and its rules. Work that still waits when `stopping` fires ends there,
 * as in a crash. */
export interface Face {
  readonly faults: Faults;
  readonly parking: Parking;
  readonly stopping: AbortSignal;
  readonly warn: (message: string) => void;
  /** How the face words its errors. */
  readonly wording: Wording;
}

/** One call of a client. */
export interface Call extends ParkableCall {
  readonly response: ServerResponse;
}

/** What the face's rules make of a call. */
export type Course =
  /** It is refused, and nothing is stored. */
  | { readonly kind: 'refuse'; readonly error: HttpError }
  /** It was done before, and is answered again. */
  | { readonly kind: 'repeat'; readonly answer: Answer }
  /** It only reads. */
  | { readonly kind: 'read'; readonly read: () => Answer }
  /** It keeps its caller waiting for ever, commits nothing and reserves nothing. */
  | { readonly kind: 'ignore' }
  | Work;

/** Work that commits something. It goes on whether its client waits or not. */
interface Work {
  readonly kind: 'work';
  /** How long the provider thinks before it commits. */
  readonly afterMs?: number;
  /** Runs the work while its key is held. */
  readonly whileReserved?: (work: () => Promise<void>) => Promise<void>;
  /** Resolves when all that the answer tells is stored. Throws an `HttpError` when the rules refuse now what they let
   * pass when the call came in; then nothing is stored. */
  readonly commit: () => Promise<Answer>;
}

const lateCommitMsDefault = 2_000;
const callClasses: Readonly<Record<Course['kind'], CallClass>> = {
  refuse: 'conflicts',
  repeat: 'reads',
  read: 'reads',
  ignore: 'commits',
  work: 'commits',
};

/** Leads a call along its course, through the faults and the parks that stand in its way. A key is held from this
 * very turn on, so that what the rules decided about it still holds. */
export async function serve(face: Face, call: Call, course: Course): Promise<void> {
  const injection = face.faults.decide(call.operation, callClasses[course.kind]);
  if (strikeBefore(face, call.response, injection)) return;
  switch (course.kind) {
    case 'ignore':
      return;
    case 'refuse':
      await deliver(face, call, refusalOf(face, course.error), injection);
      return;
    case 'repeat':
      await deliver(face, call, course.answer, injection);
      return;
    case 'read':
      await deliver(face, call, await between(face, call, course.read), injection);
      return;
    case 'work': {
      const work = () => carryOut(face, call, course, injection);
      await (course.whileReserved ?? runNow)(work);
      return;
    }
  }
}

const runNow = (work: () => Promise<void>): Promise<void> => work();

async function carryOut(face: Face, call: Call, work: Work, injection: Injection | undefined): Promise<void> {
  const isLate = injection?.fault === 'late_commit';
  if (isLate) await pause(face, injection.delayMs ?? lateCommitMsDefault);
  await pause(face, work.afterMs ?? 0);
  try {
    const answer = await between(face, call, async () => {
      const committed = await work.commit();
      if (isLate) injection.happened();
      return committed;
    });
    if (!isLate) await deliver(face, call, answer, injection);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    // Nothing was committed, so no fault of a commit can strike any more; a late one had no answer to give.
    if (!isLate) await deliver(face, call, refusalOf(face, error), undefined);
  }
}

function refusalOf({ wording }: Face, error: HttpError): Answer {
  return { status: error.status, body: wording(error) };
}

async function between<T>(face: Face, call: Call, act: () => T | Promise<T>): Promise<T> {
  await face.parking.pass('before_commit', call);
  const result = await act();
  await face.parking.pass('after_commit', call);
  return result;
}
