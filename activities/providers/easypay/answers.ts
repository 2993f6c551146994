import { z } from 'zod';
import type { DeclineCode } from '../../../workflows/domain/failure.ts';
import type { ChargeOutcome } from '../../../workflows/domain/outcome.ts';
import { lastFourDigits, quotable, readBody, readBodyOrNull, remark, transactionId } from '../answer-parts.ts';
import { type HttpAnswer, retryAfterMsOf } from '../http.ts';
import { type ChargeLookUp, ProviderFault } from '../provider.ts';

const chargeSchema = z.object({
  id: transactionId,
  reference: z.string(),
  idempotency_key: z.string(),
  status: z.enum(['approved', 'declined', 'pending']),
  amount_minor: z.string().regex(/^\d{1,19}$/),
  currency: z.string().regex(/^[A-Za-z]{3}$/),
  response_code: remark(20),
  response_message: remark(200),
  card: z
    .object({ brand: remark(40), last_four: lastFourDigits })
    .nullable()
    .catch(null),
});

type EasypayCharge = z.infer<typeof chargeSchema>;

const chargeListSchema = z.object({ charges: z.array(chargeSchema) });
const errorSchema = z.object({ error: z.object({ code: quotable(/^[a-z_]{1,60}$/) }) });

/** What EasyPay's answer to a charge means. Throws a `ProviderFault` when it is no outcome. */
export function readCharge(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome {
  if (answer.status !== 200 && answer.status !== 201) throw faultOf(answer);
  const charge = readBody('EasyPay', chargeSchema, answer);
  if (charge.reference !== asked.reference || charge.idempotency_key !== asked.idempotencyKey) {
    throw new ProviderFault('unknown_outcome', 'EasyPay answered about another charge');
  }
  return outcomeOf(charge, asked);
}

/** What EasyPay's list of charges says about ours: its outcome, or null when it is not there. Throws a `ProviderFault`. */
export function readChargeList(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome | null {
  if (answer.status !== 200) throw faultOf(answer);
  const { charges } = readBody('EasyPay', chargeListSchema, answer);
  const ours = charges.find(
    (charge) => charge.reference === asked.reference && charge.idempotency_key === asked.idempotencyKey,
  );
  return ours === undefined ? null : outcomeOf(ours, asked);
}

function outcomeOf(charge: EasypayCharge, asked: ChargeLookUp): ChargeOutcome {
  const response = {
    transactionId: charge.id,
    responseCode: charge.response_code,
    responseMessage: charge.response_message,
    card: charge.card === null ? null : { brand: charge.card.brand, lastFour: charge.card.last_four },
  };
  switch (charge.status) {
    case 'pending':
      return { kind: 'pending', response };
    case 'declined':
      return { kind: 'declined', declineCode: declineCodeOf(charge.response_code), response };
    case 'approved': {
      const isOurs = BigInt(charge.amount_minor) === asked.amountMinor && charge.currency === asked.currency;
      if (isOurs) return { kind: 'approved', response };
      return {
        kind: 'mismatched',
        response,
        reported: { amountMinor: charge.amount_minor, currency: charge.currency },
      };
    }
  }
}

/**
 * EasyPay's response codes are those of ISO 8583 field 39, as Visa and Mastercard publish their meanings. The rest, `05`
 * among them, is the issuer's word without a reason.
 */
const declines: ReadonlyMap<string, DeclineCode> = new Map<string, DeclineCode>([
  ['34', 'suspected_fraud'],
  ['41', 'lost_or_stolen_card'],
  ['43', 'lost_or_stolen_card'],
  ['51', 'insufficient_funds'],
  ['54', 'expired_card'],
  ['57', 'not_permitted'],
  ['59', 'suspected_fraud'],
  ['61', 'limit_exceeded'],
  ['62', 'not_permitted'],
  ['65', 'limit_exceeded'],
  ['82', 'incorrect_cvc'],
  ['91', 'issuer_unavailable'],
  ['96', 'processing_error'],
]);

function declineCodeOf(responseCode: string): DeclineCode {
  return declines.get(responseCode) ?? 'card_declined';
}

/** The one place that decides what a refusal or an error of EasyPay says about the money. */
function faultOf(answer: HttpAnswer): ProviderFault {
  const { status } = answer;
  const code = readBodyOrNull(errorSchema, answer)?.error.code ?? '(no code)';
  const said = `EasyPay answered ${status} ${code}`;
  if (status === 400 || status === 422) return new ProviderFault('rejected', said);
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
