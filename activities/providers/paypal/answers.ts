import { z } from 'zod';
import type { ChargeOutcome, ProviderResponse } from '../../../workflows/domain/outcome.ts';
import { quotable, readBody, readBodyOrNull } from '../answer-parts.ts';
import type { HttpAnswer } from '../http.ts';
import { type ChargeLookUp, type PrepareRequest, ProviderFault } from '../provider.ts';
import { declineCodeOf, declineCodeOfIssue } from './declines.ts';
import { faultOf, passing, throwIfInDoubt, wordsOf } from './faults.ts';
import {
  amountSchema,
  approvedOver,
  orderSchema,
  type PaypalOrder,
  responseOf,
  verdictOf,
  weightiest,
} from './resources.ts';

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

/** What PayPal's answer to our capture or authorization of an order means. Throws a `ProviderFault` when it is no outcome. */
export function readCharge(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome {
  if (answer.status !== 200 && answer.status !== 201) return refusedCharge(answer, asked);
  const outcome = outcomeIn(readBody('PayPal', orderSchema, answer), asked);
  if (outcome !== null) return outcome;
  throw new ProviderFault('unknown_outcome', 'PayPal answered with an order that nobody has paid');
}

/** What PayPal's order says about our charge: its outcome, or null when there is none. Throws a `ProviderFault`. */
export function readOrder(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome | null {
  if (answer.status === 404 && wordsOf(answer).name === 'RESOURCE_NOT_FOUND') return null;
  if (answer.status !== 200) throw faultOf(answer);
  return outcomeIn(readBody('PayPal', orderSchema, answer), asked);
}

function outcomeIn(order: PaypalOrder, asked: ChargeLookUp): ChargeOutcome | null {
  const [{ payments }] = order.purchase_units;
  const charges = asked.capture === 'manual' ? payments.authorizations : payments.captures;
  if (order.id !== asked.preparationId || charges.some((charge) => charge.custom_id !== asked.reference)) {
    throw new ProviderFault('unknown_outcome', 'PayPal answered about another order or payment');
  }
  // An order is captured or authorized once; should there be more, one that moved money counts.
  const charge = weightiest<(typeof charges)[number]>(charges);
  if (charge !== undefined) return outcomeOf(charge, order, asked);
  if (order.status === payerActionRequired) return refusal(asked, payerActionRequired);
  if (order.status !== 'COMPLETED') return null;
  throw new ProviderFault('unknown_outcome', 'PayPal calls the order completed and does not show what was paid');
}

function outcomeOf(
  charge: PaypalOrder['purchase_units'][0]['payments']['captures' | 'authorizations'][number],
  order: PaypalOrder,
  asked: ChargeLookUp,
): ChargeOutcome {
  const response = responseOf(charge, cardOf(order));
  switch (verdictOf(charge)) {
    case 'pending':
      return { kind: 'pending', response };
    case 'declined':
      return { kind: 'declined', declineCode: declineCodeOf(response.responseCode), response };
    case 'approved':
      return approvedOver(charge.amount, asked, response);
  }
}

function cardOf({ payment_source: source }: PaypalOrder): ProviderResponse['card'] {
  const card = source?.card;
  return card === undefined ? null : { brand: card.brand.toLowerCase(), lastFour: card.last_digits };
}

/** An issue, and the status of an order: nothing is charged until the payer has acted, for which there is no way here. */
const payerActionRequired = 'PAYER_ACTION_REQUIRED';

/**
 * An error may name several issues, in no promised order: one that leaves the outcome open counts first, then a decline,
 * and only without both what the status says.
 */
function refusedCharge(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome {
  const words = wordsOf(answer);
  throwIfInDoubt(answer, words);
  const issues = answer.status === 422 ? words.issues : [];
  const decline = issues.map((issue) => refusal(asked, issue)).find((one) => one !== null);
  if (decline === undefined) throw faultOf(answer);
  return decline;
}

/** A decline in the form of an error, which names no capture: support finds it by the order. Null when it is no decline. */
function refusal({ preparationId }: ChargeLookUp, issue: string): ChargeOutcome | null {
  const declineCode = declineCodeOfIssue(issue);
  if (declineCode === null || preparationId === null) return null;
  const response = { transactionId: preparationId, responseCode: issue, responseMessage: issue, card: null };
  return { kind: 'declined', declineCode, response };
}
