import { ApplicationFailure, CancellationScope } from '@temporalio/workflow';
import type { OperatorAct, Resolution, ResolvedOutcome } from './contract.ts';
import { containsCardNumber } from './domain/card-number.ts';

/** Who asks, by the hash of the body that they sent. */
export interface Question {
  readonly requestHash: string;
}

/** Refuses a question that does not say which request asks. */
export function requireQuestion(asked: Question): void {
  if (!isText(asked?.requestHash)) refuse('requestHash is missing: say which request asks');
}

/** Refuses an act of nobody, without a reason, with a card number in it, or with text that no database can store. */
export function requireAct(act: OperatorAct): void {
  const texts = Object.values(act ?? {}).filter((value) => typeof value === 'string');
  if (texts.some(containsCardNumber)) refuse('the text holds a card number: leave it out');
  if (texts.some((text) => text.includes('\0') || !text.isWellFormed())) {
    refuse('the text holds a character that cannot be stored: leave it out');
  }
  if (!isText(act?.actor)) refuse('actor is missing: say who acts');
  if (!isText(act.reason)) refuse('reason is missing: say why');
}

/** Refuses a resolution of nobody, without a reason or without evidence. */
export function requireResolution(act: Resolution): void {
  requireAct(act);
  if (!isText(act.evidence)) refuse('evidence is missing: say where the outcome can be seen');
}

/** Refuses another outcome than the thing in question can have. */
export function requireOutcome({ outcome }: Resolution, outcomes: readonly ResolvedOutcome[]): void {
  if (!outcomes.includes(outcome)) {
    refuse(`outcome must be ${outcomes.map((one) => `"${one}"`).join(' or ')}`, 'wrong_outcome');
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '' && value.length <= 500;
}

/** A handler whose caller is answered also after somebody canceled the workflow in Temporal: what was begun goes on then. */
export function patiently<Asked, Answer>(handle: (asked: Asked) => Promise<Answer>): (asked: Asked) => Promise<Answer> {
  return (asked) => CancellationScope.nonCancellable(() => handle(asked));
}

/** Refuses an update. `type` is a code that programs may read: one of the API's, or `refused`. */
export function refuse(message: string, type = 'refused'): never {
  throw ApplicationFailure.nonRetryable(message, type);
}
