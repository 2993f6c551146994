import { z } from 'zod';
import type { FaultKind } from '../../../workflows/domain/outcome.ts';
import { quotable, readBodyOrNull } from '../answer-parts.ts';
import { type HttpAnswer, retryAfterMsOf } from '../http.ts';
import { ProviderFault } from '../provider.ts';

const word = quotable(/^[A-Z_]{1,60}$/);
// One detail that cannot be read must not hide what the others say.
const detailSchema = z
  .object({ issue: word, field: z.string().max(200).catch('') })
  .catch({ issue: '(unreadable detail)', field: '' });
const errorSchema = z.object({
  name: word,
  details: z.array(detailSchema).optional().catch([]),
});
/** An operator reads the message of a fault; the rest is in PayPal's log. */
const issuesNamedMax = 5;

/** What an error of PayPal's says in codes, and our sentence that names them. */
export interface Words {
  readonly name: string;
  readonly issues: readonly string[];
  /** The parts of our request that it finds wrong, in PayPal's writing: never to be repeated. */
  readonly fields: readonly string[];
  readonly said: string;
}

/** What an error of PayPal's says. */
export function wordsOf(answer: HttpAnswer): Words {
  const error = readBodyOrNull(errorSchema, answer);
  const name = error?.name ?? '(no name)';
  const issues = [...new Set(error?.details?.map(({ issue }) => issue))];
  const fields = error?.details?.map(({ field }) => field) ?? [];
  const said = ['PayPal answered', answer.status, name, ...issues.slice(0, issuesNamedMax)].join(' ');
  return { name, issues, fields, said };
}

/**
 * Issues that say that an earlier send of ours may have arrived, with what it did before: the look-up tells. Source: the
 * 409 and 422 answers in the references of Orders v2 and Payments v2, developer.paypal.com/docs/api/.
 */
const doubtfulIssues: ReadonlySet<string> = new Set([
  'PAYPAL_REQUEST_ID_PREVIOUSLY_USED',
  'PREVIOUS_REQUEST_IN_PROGRESS',
  'ORDER_ALREADY_CAPTURED',
  'ORDER_ALREADY_AUTHORIZED',
  'AUTHORIZATION_ALREADY_CAPTURED',
  'AUTHORIZATION_VOIDED',
  'DUPLICATE_INVOICE_ID',
  'DUPLICATE_TRANSACTION',
  'PREVIOUSLY_VOIDED',
  'CAPTURE_FULLY_REFUNDED',
  'CAPTURED_AMOUNT_FULLY_REFUNDED',
]);

/** Throws an `unknown_outcome` when one of the issues leaves the outcome open, wherever it stands among the others. */
export function throwIfInDoubt(answer: HttpAnswer, { issues }: Words): void {
  const doubtful = issues.find((issue) => doubtfulIssues.has(issue));
  if (doubtful !== undefined) throw waiting('unknown_outcome', answer, `PayPal answered ${answer.status} ${doubtful}`);
}

/**
 * The one place that decides what a refusal or an error of PayPal's says about the money. A 401 does not come here:
 * `refusedToken`.
 */
export function faultOf(answer: HttpAnswer): ProviderFault {
  const { status } = answer;
  const { name, said } = wordsOf(answer);
  if (status === 400 || status === 422) return new ProviderFault('rejected', said);
  if (status === 404 && name === 'RESOURCE_NOT_FOUND') return new ProviderFault('rejected', said);
  if (status === 403 || status === 404) return elsewhere(said);
  return passing(answer, said);
}

/** The same about what PayPal made itself for us: whoever does not know it keeps other books than those it is in. */
export function faultOfKnown(answer: HttpAnswer): ProviderFault {
  return answer.status === 404 ? elsewhere(wordsOf(answer).said) : faultOf(answer);
}

/** What time may heal. PayPal documents no error as "not processed": a 503, too, may come from behind the door. */
export function passing(answer: HttpAnswer, said: string): ProviderFault {
  return waiting(answer.status === 429 ? 'rate_limited' : 'unknown_outcome', answer, said);
}

function elsewhere(said: string): ProviderFault {
  return new ProviderFault('misconfigured', `${said}: check PAYPAL_URL and what the client may do`);
}

function waiting(kind: FaultKind, answer: HttpAnswer, said: string): ProviderFault {
  return new ProviderFault(kind, said, { retryAfterMs: retryAfterMsOf(answer, Date.now()) });
}
