import { z } from 'zod';
import type { DeclineCode } from '../../../workflows/domain/failure.ts';
import type { ChargeOutcome } from '../../../workflows/domain/outcome.ts';
import { type HttpAnswer, retryAfterMsOf } from '../http.ts';
import { type ChargeLookUp, ProviderFault } from '../provider.ts';

/**
 * Text that decides nothing: an approved charge stays approved whatever else is said about it, so this is cut and cleaned
 * of what a database cannot store (NUL, half of a surrogate pair) instead of making the answer unreadable.
 */
const remark = (lengthMax: number) =>
  z.string().transform((text) =>
    text
      .slice(0, lengthMax)
      .toWellFormed()
      .replace(/\p{Cc}/gu, '\uFFFD'),
  );

const chargeSchema = z.object({
  id: z.string().regex(/^[\w.:-]{1,200}$/),
  reference: z.string(),
  idempotency_key: z.string(),
  status: z.enum(['approved', 'declined', 'pending']),
  amount_minor: z.string().regex(/^\d{1,19}$/),
  currency: z.string().regex(/^[A-Za-z]{3}$/),
  response_code: remark(20),
  response_message: remark(200),
  card: z
    .object({ brand: remark(40), last_four: z.string().regex(/^\d{4}$/) })
    .nullable()
    .catch(null),
});

type EasypayCharge = z.infer<typeof chargeSchema>;

const chargeListSchema = z.object({ charges: z.array(chargeSchema) });
const errorSchema = z.object({ error: z.object({ code: z.string().max(100) }) });

/** What EasyPay's answer to a charge means. Throws a `ProviderFault` when it is no outcome. */
export function readCharge(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome {
  if (answer.status !== 200 && answer.status !== 201) throw faultOf(answer);
  const charge = parse(chargeSchema, answer);
  if (charge.reference !== asked.reference || charge.idempotency_key !== asked.idempotencyKey) {
    throw new ProviderFault('unknown_outcome', 'EasyPay answered about another charge');
  }
  return outcomeOf(charge, asked);
}

/** What EasyPay's list of charges says about ours: its outcome, or null when it is not there. Throws a `ProviderFault`. */
export function readChargeList(answer: HttpAnswer, asked: ChargeLookUp): ChargeOutcome | null {
  if (answer.status !== 200) throw faultOf(answer);
  const { charges } = parse(chargeListSchema, answer);
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

/** EasyPay's response codes are those of ISO 8583 field 39. */
const declines: Readonly<Record<string, DeclineCode>> = {
  '41': 'lost_or_stolen_card',
  '43': 'lost_or_stolen_card',
  '51': 'insufficient_funds',
  '54': 'expired_card',
  '82': 'incorrect_cvc',
};

function declineCodeOf(responseCode: string): DeclineCode {
  return declines[responseCode] ?? 'card_declined';
}

/** The one place that decides what a refusal or an error of EasyPay says about the money. */
function faultOf(answer: HttpAnswer): ProviderFault {
  const { status } = answer;
  const code = errorCodeOf(answer);
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

/** Only a code from a short list of characters goes into messages: what a provider writes is not ours to repeat. */
function errorCodeOf(answer: HttpAnswer): string {
  try {
    const { code } = errorSchema.parse(JSON.parse(answer.body)).error;
    return /^[a-z_]{1,60}$/.test(code) ? code : '(unreadable code)';
  } catch {
    return '(no code)';
  }
}

function parse<T>(schema: z.ZodType<T>, answer: HttpAnswer): T {
  try {
    return schema.parse(JSON.parse(answer.body));
  } catch {
    // The cause would quote the body, which may hold a payer's data.
    throw new ProviderFault('unknown_outcome', `EasyPay answered ${answer.status} with a body that cannot be read`);
  }
}
