import type { DeclineCode } from '../../../workflows/domain/failure.ts';
import type { ChargeOutcome } from '../../../workflows/domain/outcome.ts';
import { readBody } from '../answer-parts.ts';
import type { HttpAnswer } from '../http.ts';
import { type MovementRequest, ProviderFault } from '../provider.ts';
import { declineCodeOf, declineCodeOfMovementIssue } from './declines.ts';
import { faultOfKnown, throwIfInDoubt, wordsOf } from './faults.ts';
import {
  type Amount,
  approvedOver,
  authorizationSchema,
  captureSchema,
  type PaypalAuthorization,
  type PaypalCapture,
  type PaypalRefund,
  refundSchema,
  responseOf,
  verdictOf,
  type WholeOrder,
  weightiest,
  wholeOrderSchema,
} from './resources.ts';

/** What PayPal's answer to our capture, void or refund means. Throws a `ProviderFault` when it is no outcome. */
export function readMovement(answer: HttpAnswer, asked: MovementRequest): ChargeOutcome {
  if (answer.status !== 200 && answer.status !== 201) return refusedMovement(answer, asked);
  switch (asked.kind) {
    case 'capture': {
      const capture = readBody('PayPal', captureSchema, answer);
      if (capture.invoice_id === asked.reference && capture.custom_id === asked.paymentId) {
        return outcomeOf(capture, asked);
      }
      break;
    }
    case 'void': {
      const authorization = readBody('PayPal', authorizationSchema, answer);
      // The amount is that of the whole authorization, whatever is left of it.
      if (authorization.id === asked.chargeTransactionId && authorization.status === 'VOIDED') {
        return { kind: 'approved', response: responseOf(authorization) };
      }
      break;
    }
    case 'refund': {
      const refund = readBody('PayPal', refundSchema, answer);
      if (refund.invoice_id === asked.reference) return outcomeOf(refund, asked);
    }
  }
  throw new ProviderFault('unknown_outcome', `PayPal answered about another ${asked.kind} than ours`);
}

/**
 * What PayPal's order says about our capture, void or refund: its outcome, or null when it is not there. One that is not
 * there and never can be any more is declined: PayPal would only refuse it again. Throws a `ProviderFault`.
 */
export function readMovementIn(answer: HttpAnswer, asked: MovementRequest): ChargeOutcome | null {
  if (answer.status !== 200) throw faultOfKnown(answer);
  const order = readBody('PayPal', wholeOrderSchema, answer);
  if (order.id !== asked.preparationId) {
    throw new ProviderFault('unknown_outcome', 'PayPal answered about another order');
  }
  const [{ payments }] = order.purchase_units;
  switch (asked.kind) {
    case 'capture':
      return ours(payments.captures, asked) ?? captureThatCannotBe(payments, asked);
    case 'void':
      return voidIn(payments, asked);
    case 'refund':
      return ours(payments.refunds, asked) ?? refundThatCannotBe(payments, asked);
  }
}

type Payments = WholeOrder['purchase_units'][0]['payments'];

function ours(all: readonly (PaypalCapture | PaypalRefund)[], asked: MovementRequest): ChargeOutcome | null {
  const found = weightiest(all.filter((one) => one.invoice_id === asked.reference));
  return found === undefined ? null : outcomeOf(found, asked);
}

function outcomeOf(found: PaypalCapture | PaypalRefund, asked: MovementRequest): ChargeOutcome {
  const response = responseOf(found);
  switch (verdictOf(found)) {
    case 'pending':
      return { kind: 'pending', response };
    case 'declined': {
      const declineCode = asked.kind === 'refund' ? 'refund_declined' : declineCodeOf(response.responseCode);
      return { kind: 'declined', declineCode, response };
    }
    case 'approved':
      return approvedOver(found.amount, asked, response);
  }
}

/** A void has no id and no amount of its own: the authorization is voided, and what was not captured of it is given back. */
function voidIn(payments: Payments, asked: MovementRequest): ChargeOutcome | null {
  const authorization = authorizationIn(payments, asked);
  if (authorization.status !== 'VOIDED') return null;
  const { amountMinor, currency } = authorization.amount;
  const given = { amountMinor: amountMinor - takenBy(payments.captures), currency };
  return approvedOver(given, asked, responseOf(authorization));
}

/**
 * A voided authorization is never captured again. One that others have used up is not either; but what is shown must
 * account for all of it, so that it was not used up by a capture of ours that is not shown yet.
 */
function captureThatCannotBe(payments: Payments, asked: MovementRequest): ChargeOutcome | null {
  const authorization = authorizationIn(payments, asked);
  const isUsedUpByOthers =
    takenBy(payments.captures) >= authorization.amount.amountMinor ||
    payments.captures.some((capture) => verdictOf(capture) !== 'declined' && capture.final_capture === true);
  const isOver = authorization.status === 'VOIDED' || (authorization.status === 'CAPTURED' && isUsedUpByOthers);
  return isOver ? declined('authorization_expired', responseOf(authorization)) : null;
}

/** The same of a capture that others have refunded. The order does not say which of its captures a refund belongs to. */
function refundThatCannotBe(payments: Payments, asked: MovementRequest): ChargeOutcome | null {
  const capture = payments.captures.find(({ id }) => id === refundedId(asked));
  if (capture === undefined)
    throw new ProviderFault('unknown_outcome', 'PayPal’s order does not show what is refunded');
  if (capture.status !== 'REFUNDED') return null;
  const touched = payments.captures.filter(({ status }) => status === 'REFUNDED' || status === 'PARTIALLY_REFUNDED');
  return takenBy(payments.refunds) >= sumOf(touched) ? declined('refund_declined', responseOf(capture)) : null;
}

/** The id of the capture that a refund pays back. An automatic charge is a capture itself. */
export function refundedId({ captureTransactionId, chargeTransactionId }: MovementRequest): string {
  return captureTransactionId ?? chargeTransactionId;
}

function authorizationIn({ authorizations }: Payments, { chargeTransactionId }: MovementRequest): PaypalAuthorization {
  const found = authorizations.find(({ id }) => id === chargeTransactionId);
  if (found !== undefined) return found;
  throw new ProviderFault('unknown_outcome', 'PayPal’s order does not show the authorization');
}

function takenBy(all: readonly (PaypalCapture | PaypalRefund)[]): bigint {
  return sumOf(all.filter((one) => verdictOf(one) !== 'declined'));
}

function sumOf(all: readonly { readonly amount: Amount }[]): bigint {
  return all.reduce((sum, { amount }) => sum + amount.amountMinor, 0n);
}

function declined(declineCode: DeclineCode, response: ReturnType<typeof responseOf>): ChargeOutcome {
  return { kind: 'declined', declineCode, response };
}

/**
 * As for charges: first an issue that leaves the outcome open, then a decline, then what the status says. So an amount that
 * exceeds what is left is `rejected`: PayPal looks at the key first, so no earlier send of ours has used it up.
 */
function refusedMovement(answer: HttpAnswer, asked: MovementRequest): ChargeOutcome {
  const words = wordsOf(answer);
  throwIfInDoubt(answer, words);
  for (const issue of answer.status === 422 ? words.issues : []) {
    const declineCode = declineCodeOfMovementIssue(issue, asked.kind);
    if (declineCode === null) continue;
    const transactionId = asked.kind === 'refund' ? refundedId(asked) : asked.chargeTransactionId;
    return declined(declineCode, { transactionId, responseCode: issue, responseMessage: issue, card: null });
  }
  throw faultOfKnown(answer);
}
