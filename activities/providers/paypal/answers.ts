import { z } from 'zod';
import type { ChargeOutcome, FaultKind } from '../../../workflows/domain/outcome.ts';
import { lastFourDigits, quotable, readBody, readBodyOrNull, remark, transactionId } from '../answer-parts.ts';
import { type HttpAnswer, retryAfterMsOf } from '../http.ts';
import { type ChargeLookUp, type PrepareRequest, ProviderFault } from '../provider.ts';
import { fromPaypalValue } from './amounts.ts';
import { declineCodeOf, declineCodeOfIssue } from './declines.ts';

/** An amount that cannot be counted in minor units of ISO 4217 makes the answer unreadable. */
const amountSchema = z
  .object({ currency_code: z.string(), value: z.string().max(32) })
  .transform(({ currency_code: currency, value }, context) => {
    const amountMinor = fromPaypalValue(value, currency);
    if (amountMinor !== null) return { amountMinor, currency };
    context.addIssue('no amount of money');
    return z.NEVER;
  });

const captureSchema = z.object({
  id: transactionId,
  // A capture that was refunded since, by people in PayPal's own pages, did move the money before.
  status: z.enum(['COMPLETED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'PENDING', 'DECLINED', 'FAILED']),
  status_details: z
    .object({ reason: remark(200) })
    .nullish()
    .catch(null),
  amount: amountSchema,
  custom_id: z.string(),
  processor_response: z
    .object({ response_code: remark(20) })
    .nullish()
    .catch(null),
});

type PaypalCapture = z.infer<typeof captureSchema>;

const orderSchema = z.object({
  id: z.string(),
  status: z.string(),
  purchase_units: z
    .array(z.object({ payments: z.object({ captures: z.array(captureSchema).default([]) }).optional() }))
    .length(1),
  payment_source: z
    .object({ card: z.object({ brand: remark(40), last_digits: lastFourDigits }) })
    .nullish()
    .catch(null),
});

type PaypalOrder = z.infer<typeof orderSchema>;

const preparedSchema = z.object({
  // It becomes a part of paths.
  id: z.string().regex(/^[A-Z0-9]{1,36}$/),
  purchase_units: z.array(z.object({ custom_id: z.string(), amount: amountSchema })).length(1),
});

const tokenSchema = z.object({
  access_token: z.string().regex(/^[\w.~+/=-]{1,4000}$/),
  token_type: z.literal('Bearer'),
  expires_in: z.number().positive(),
});

const word = quotable(/^[A-Z_]{1,60}$/);
// One detail that cannot be read must not hide what the others say.
const detailSchema = z.object({ issue: word }).catch({ issue: '(unreadable detail)' });
const errorSchema = z.object({
  name: word,
  details: z.array(detailSchema).optional().catch([]),
});
/** An operator reads the message of a fault; the rest is in PayPal's log. */
const issuesNamedMax = 5;
const oauthErrorSchema = z.object({ error: quotable(/^[a-z_]{1,60}$/) });

/** An access token as PayPal gave it, with the seconds that it is good for. */
export interface GivenToken {
  readonly value: string;
  readonly goodForSeconds: number;
}

/** The token in an answer of the token endpoint. Throws a `ProviderFault`. */
export function readToken(answer: HttpAnswer): GivenToken {
  if (answer.status === 200) {
    const { access_token: value, expires_in: goodForSeconds } = readBody('PayPal', tokenSchema, answer);
    return { value, goodForSeconds };
  }
  const code = readBodyOrNull(oauthErrorSchema, answer)?.error ?? '(no code)';
  const said = `PayPal answered ${answer.status} ${code} to the request for an access token`;
  if (answer.status === 401 || code === 'invalid_client') {
    throw new ProviderFault('misconfigured', `${said}: check PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET`);
  }
  if (answer.status === 400 || answer.status === 403 || answer.status === 404) {
    throw new ProviderFault('misconfigured', `${said}: check PAYPAL_URL and what the client may do`);
  }
  throw passing(answer, said);
}

/** An access token that PayPal did not take; with one, nothing at all is processed. */
export function refusedToken(isNew: boolean): ProviderFault {
  return isNew
    ? new ProviderFault('misconfigured', 'PayPal refused an access token of its own: check PAYPAL_URL')
    : new ProviderFault('unavailable', 'PayPal took back our access token: the next try fetches a new one');
}

/** The id of the order that an answer to its creation names. Throws a `ProviderFault`. */
export function readPrepared(answer: HttpAnswer, asked: PrepareRequest): string {
  if (answer.status !== 200 && answer.status !== 201) throw faultOf(answer);
  const { id, purchase_units: units } = readBody('PayPal', preparedSchema, answer);
  const isOurs = units.every(
    ({ custom_id: reference, amount }) =>
      reference === asked.reference && amount.amountMinor === asked.amountMinor && amount.currency === asked.currency,
  );
  if (isOurs) return id;
  throw new ProviderFault('unknown_outcome', 'PayPal answered with an order for another payment or amount');
}

/** What PayPal's answer to our capture means. Throws a `ProviderFault` when it is no outcome. */
export function readCapture(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome {
  if (answer.status !== 200 && answer.status !== 201) return refusedCapture(answer, asked);
  const outcome = outcomeIn(readBody('PayPal', orderSchema, answer), asked);
  if (outcome !== null) return outcome;
  throw new ProviderFault('unknown_outcome', 'PayPal answered with an order that has no capture');
}

/** What PayPal's order says about our capture: its outcome, or null when there is none. Throws a `ProviderFault`. */
export function readOrder(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome | null {
  if (answer.status === 404 && wordsOf(answer).name === 'RESOURCE_NOT_FOUND') return null;
  if (answer.status !== 200) throw faultOf(answer);
  return outcomeIn(readBody('PayPal', orderSchema, answer), asked);
}

function outcomeIn(order: PaypalOrder, asked: ChargeLookUp): ChargeOutcome | null {
  const captures = order.purchase_units.flatMap((unit) => unit.payments?.captures ?? []);
  if (order.id !== asked.preparationId || captures.some((capture) => capture.custom_id !== asked.reference)) {
    throw new ProviderFault('unknown_outcome', 'PayPal answered about another order or payment');
  }
  // An order is captured once; should there be more, one that moved money counts before one that did not.
  const capture = captures.find(isPaid) ?? captures.find(({ status }) => status === 'PENDING') ?? captures[0];
  if (capture !== undefined) return outcomeOf(capture, order, asked);
  if (order.status !== 'COMPLETED') return null;
  throw new ProviderFault('unknown_outcome', 'PayPal calls the order completed and does not show its capture');
}

function isPaid({ status }: PaypalCapture): boolean {
  return status === 'COMPLETED' || status === 'PARTIALLY_REFUNDED' || status === 'REFUNDED';
}

function outcomeOf(capture: PaypalCapture, order: PaypalOrder, asked: ChargeLookUp): ChargeOutcome {
  const card = order.payment_source?.card;
  const responseCode = capture.processor_response?.response_code ?? capture.status;
  const response = {
    transactionId: capture.id,
    responseCode,
    responseMessage: capture.status_details?.reason ?? capture.status,
    card: card === undefined ? null : { brand: card.brand.toLowerCase(), lastFour: card.last_digits },
  };
  if (capture.status === 'PENDING') return { kind: 'pending', response };
  if (!isPaid(capture)) return { kind: 'declined', declineCode: declineCodeOf(responseCode), response };
  const { amountMinor, currency } = capture.amount;
  if (amountMinor === asked.amountMinor && currency === asked.currency) return { kind: 'approved', response };
  return { kind: 'mismatched', response, reported: { amountMinor: amountMinor.toString(), currency } };
}

/** Issues that say that an earlier capture of ours may have arrived: the look-up tells. */
const doubtfulIssues: ReadonlySet<string> = new Set([
  'ORDER_ALREADY_CAPTURED',
  'PAYPAL_REQUEST_ID_PREVIOUSLY_USED',
  'PREVIOUS_REQUEST_IN_PROGRESS',
]);

/**
 * An error may name several issues, in no promised order: one that leaves the outcome open counts first, then a decline,
 * and only without both what the status says. A decline in the form of an error names no capture: support finds it by the
 * order.
 */
function refusedCapture(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome {
  const { issues } = wordsOf(answer);
  const doubtful = issues.find((issue) => doubtfulIssues.has(issue));
  if (doubtful !== undefined) throw waiting('unknown_outcome', answer, `PayPal answered ${answer.status} ${doubtful}`);
  if (answer.status !== 422 || asked.preparationId === null) throw faultOf(answer);
  for (const issue of issues) {
    const declineCode = declineCodeOfIssue(issue);
    if (declineCode === null) continue;
    const response = { transactionId: asked.preparationId, responseCode: issue, responseMessage: issue, card: null };
    return { kind: 'declined', declineCode, response };
  }
  throw faultOf(answer);
}

/**
 * The one place that decides what a refusal or an error of PayPal's says about the money. A 401 does not come here:
 * `refusedToken`.
 */
function faultOf(answer: HttpAnswer): ProviderFault {
  const { status } = answer;
  const { name, said } = wordsOf(answer);
  if (status === 400 || status === 422) return new ProviderFault('rejected', said);
  if (status === 404 && name === 'RESOURCE_NOT_FOUND') return new ProviderFault('rejected', said);
  if (status === 403 || status === 404) {
    return new ProviderFault('misconfigured', `${said}: check PAYPAL_URL and what the client may do`);
  }
  return passing(answer, said);
}

/** What time may heal. PayPal documents no error as "not processed": a 503, too, may come from behind the door. */
function passing(answer: HttpAnswer, said: string): ProviderFault {
  return waiting(answer.status === 429 ? 'rate_limited' : 'unknown_outcome', answer, said);
}

function waiting(kind: FaultKind, answer: HttpAnswer, said: string): ProviderFault {
  return new ProviderFault(kind, said, { retryAfterMs: retryAfterMsOf(answer, Date.now()) });
}

/** What an error says in codes, and our sentence that names them. */
function wordsOf(answer: HttpAnswer): {
  readonly name: string;
  readonly issues: readonly string[];
  readonly said: string;
} {
  const error = readBodyOrNull(errorSchema, answer);
  const name = error?.name ?? '(no name)';
  const issues = [...new Set(error?.details?.map(({ issue }) => issue))];
  return { name, issues, said: ['PayPal answered', answer.status, name, ...issues.slice(0, issuesNamedMax)].join(' ') };
}
