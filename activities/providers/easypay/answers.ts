import { z } from 'zod';
import type { ChargeOutcome, ProviderResponse } from '../../../workflows/domain/outcome.ts';
import { lastFourDigits, quotable, readBody, readBodyOrNull, remark, transactionId } from '../answer-parts.ts';
import { type HttpAnswer, retryAfterMsOf } from '../http.ts';
import { type ChargeLookUp, type MovementRequest, ProviderFault } from '../provider.ts';
import { declineCodeOf } from './declines.ts';

const decidedFields = {
  reference: z.string(),
  idempotency_key: z.string(),
  amount_minor: z.string().regex(/^\d{1,19}$/),
  currency: z.string().regex(/^[A-Za-z]{3}$/),
  response_code: remark(20),
  response_message: remark(200),
};

const chargeSchema = z.object({
  ...decidedFields,
  // It becomes a part of paths.
  id: z.string().regex(/^[\w-]{1,200}$/),
  status: z.enum(['approved', 'declined', 'pending', 'requires_action', 'voided']),
  captured: z.boolean(),
  // As a browser would write it, which is without blanks and controls. Of a charge that waits for nobody it says nothing.
  action_url: z
    .url({ protocol: /^https?$/, normalize: true })
    .max(2_000)
    .nullish()
    .catch(null),
  card: z
    .object({ brand: remark(40), last_four: lastFourDigits })
    .nullable()
    .catch(null),
});

type EasypayCharge = z.infer<typeof chargeSchema>;

const movementSchema = z.object({
  ...decidedFields,
  id: transactionId,
  charge_id: z.string(),
  kind: z.string(),
  status: z.enum(['approved', 'declined', 'pending']),
});

type EasypayMovement = z.infer<typeof movementSchema>;

const chargeListSchema = z.object({ charges: z.array(chargeSchema) });
const movementListSchema = z.object({ movements: z.array(movementSchema) });
const errorSchema = z.object({ error: z.object({ code: quotable(/^[a-z_]{1,60}$/) }) });

/** What EasyPay's answer to a charge means. Throws a `ProviderFault` when it is no outcome. */
export function readCharge(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome {
  if (!isSuccess(answer)) throw faultOf(answer);
  const charge = readBody('EasyPay', chargeSchema, answer);
  if (!isOurs(charge, asked)) throw new ProviderFault('unknown_outcome', 'EasyPay answered about another charge');
  return outcomeOfCharge(charge, asked);
}

/** What EasyPay's list of charges says about ours: its outcome, or null when it is not there. Throws a `ProviderFault`. */
export function readChargeList(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome | null {
  if (answer.status !== 200) throw faultOf(answer);
  const { charges } = readBody('EasyPay', chargeListSchema, answer);
  const ours = charges.find((charge) => isOurs(charge, asked));
  return ours === undefined ? null : outcomeOfCharge(ours, asked);
}

/** What EasyPay's answer to a capture, void or refund means. Throws a `ProviderFault` when it is no outcome. */
export function readMovement(answer: HttpAnswer, asked: MovementRequest): ChargeOutcome {
  if (!isSuccess(answer)) throw refusalOf(answer) ?? faultOf(answer);
  const movement = readBody('EasyPay', movementSchema, answer);
  if (isOursOfItsCharge(movement, asked)) return outcomeOfMovement(movement, asked);
  throw new ProviderFault('unknown_outcome', `EasyPay answered about another movement than our ${asked.kind}`);
}

/** What EasyPay's list of movements says about ours: its outcome, or null when it is not there. Throws a `ProviderFault`. */
export function readMovementList(answer: HttpAnswer, asked: MovementRequest): ChargeOutcome | null {
  if (answer.status !== 200) throw faultOf(answer);
  const { movements } = readBody('EasyPay', movementListSchema, answer);
  const ours = movements.find((movement) => isOursOfItsCharge(movement, asked));
  return ours === undefined ? null : outcomeOfMovement(ours, asked);
}

type Decided = Pick<EasypayCharge, keyof typeof decidedFields>;
type Asked = Pick<ChargeLookUp, 'reference' | 'idempotencyKey' | 'amountMinor' | 'currency'>;

function isSuccess({ status }: HttpAnswer): boolean {
  return status === 200 || status === 201;
}

function isOurs(decided: Decided, asked: Asked): boolean {
  return decided.reference === asked.reference && decided.idempotency_key === asked.idempotencyKey;
}

function isOursOfItsCharge(movement: EasypayMovement, asked: MovementRequest): boolean {
  return isOurs(movement, asked) && movement.kind === asked.kind && movement.charge_id === asked.chargeTransactionId;
}

function outcomeOfCharge(charge: EasypayCharge, asked: ChargeLookUp): ChargeOutcome {
  const card = charge.card === null ? null : { brand: charge.card.brand, lastFour: charge.card.last_four };
  const response = responseOf(charge.id, charge, card);
  switch (charge.status) {
    case 'pending':
      return { kind: 'pending', response };
    case 'requires_action':
      return requiresAction(charge.action_url ?? null, response);
    case 'declined':
      return { kind: 'declined', declineCode: declineCodeOf(charge.response_code, 'charge'), response };
    case 'voided':
      // A reservation that was given back was made all the same; a charge that never was one ended without its payer.
      if (charge.response_code === approvedCode) return approvedCharge(charge, asked, response);
      return { kind: 'declined', declineCode: 'authentication_failed', response };
    case 'approved':
      return approvedCharge(charge, asked, response);
  }
}

function approvedCharge(charge: EasypayCharge, asked: ChargeLookUp, response: ProviderResponse): ChargeOutcome {
  // Taken where it was only to be reserved, or the other way around: no amount of ours, whatever the numbers are.
  if (charge.captured !== (asked.capture === 'automatic')) return mismatched(charge, response);
  return approvedOrMismatched(charge, asked, response);
}

const approvedCode = '00';

function requiresAction(redirectUrl: string | null, response: ProviderResponse): ChargeOutcome {
  if (redirectUrl !== null) return { kind: 'requires_action', response, redirectUrl };
  throw new ProviderFault('unknown_outcome', 'EasyPay wants the payer to act and names no address that can be used');
}

function outcomeOfMovement(movement: EasypayMovement, asked: MovementRequest): ChargeOutcome {
  const response = responseOf(movement.id, movement, null);
  switch (movement.status) {
    case 'pending':
      return { kind: 'pending', response };
    case 'declined':
      return { kind: 'declined', declineCode: declineCodeOf(movement.response_code, asked.kind), response };
    case 'approved':
      // Nothing was to be given back, and something was: the payer acted a moment before, and now nothing is held.
      if (asked.kind === 'void' && asked.amountMinor === 0n) return { kind: 'approved', response };
      return approvedOrMismatched(movement, asked, response);
  }
}

function approvedOrMismatched(decided: Decided, asked: Asked, response: ProviderResponse): ChargeOutcome {
  const isAsked = BigInt(decided.amount_minor) === asked.amountMinor && decided.currency === asked.currency;
  return isAsked ? { kind: 'approved', response } : mismatched(decided, response);
}

function mismatched({ amount_minor: amountMinor, currency }: Decided, response: ProviderResponse): ChargeOutcome {
  return { kind: 'mismatched', response, reported: { amountMinor, currency } };
}

function responseOf(id: string, decided: Decided, card: ProviderResponse['card']): ProviderResponse {
  return {
    transactionId: id,
    responseCode: decided.response_code,
    responseMessage: decided.response_message,
    card,
  };
}

/**
 * What EasyPay refuses because of how it sees the charge. It looks at the key before anything else: one that it has carried
 * out is answered with its movement, one that it is carrying out with `request_in_progress`. So none of these comes of an
 * earlier send of our key ("already voided" is another's void), a look-up would find nothing, and the same key would be
 * refused again: certainly nothing moved, and our books and EasyPay's disagree.
 */
const refusals: ReadonlySet<string> = new Set([
  'amount_exceeds_authorized',
  'amount_exceeds_captured',
  'already_captured',
  'already_voided',
  'not_authorized',
  'not_captured',
]);

/** The refusal of a movement that is final, or null. */
function refusalOf(answer: HttpAnswer): ProviderFault | null {
  const code = codeIn(answer);
  if (answer.status !== 409 || !refusals.has(code)) return null;
  return new ProviderFault('rejected', `EasyPay answered 409 ${code}: our books and its own disagree about the charge`);
}

function codeIn(answer: HttpAnswer): string {
  return readBodyOrNull(errorSchema, answer)?.error.code ?? '(no code)';
}

/** The one place that decides what an error of EasyPay says about the money. */
function faultOf(answer: HttpAnswer): ProviderFault {
  const { status } = answer;
  const code = codeIn(answer);
  const said = `EasyPay answered ${status} ${code}`;
  if (status === 400 || status === 422) return new ProviderFault('rejected', said);
  // 404 also for a charge that it named to us itself: whoever does not know it keeps other books than those it is in.
  if (status === 401 || status === 403 || status === 404) {
    return new ProviderFault('misconfigured', `${said}: check EASYPAY_URL and EASYPAY_API_KEY`);
  }
  const retryAfterMs = retryAfterMsOf(answer, Date.now());
  if (status === 429) return new ProviderFault('rate_limited', said, { retryAfterMs });
  // Documented: with this code a 503 was turned away at the door. Any other 5xx may come from behind it.
  if (status === 503 && code === 'service_unavailable') return new ProviderFault('unavailable', said, { retryAfterMs });
  // 409 among them: our key is being worked on, or was used before. The look-up tells what came of it.
  return new ProviderFault('unknown_outcome', said, { retryAfterMs });
}
