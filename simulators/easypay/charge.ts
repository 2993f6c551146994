import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { MovementOrder } from '../bank/movement.ts';
import { amountMinorSchema, currencySchema } from '../bank/movement.ts';
import type { DeclineReason, TestToken } from '../face/test-tokens.ts';

/** The body of `POST /v1/charges`. */
export const chargeRequestSchema = z.strictObject({
  reference: z.string().min(1).max(255),
  amount_minor: amountMinorSchema,
  currency: currencySchema,
  card_token: z.string().min(1).max(255),
  description: z.string().max(1_000).optional(),
  capture: z.boolean().default(true),
  return_url: z
    .url({ protocol: /^https?$/, error: 'must be an http(s):// URL' })
    .max(2_000)
    .optional(),
});
/** What a caller asks EasyPay to charge, or with `capture: false` to authorize. */
export type ChargeRequest = z.infer<typeof chargeRequestSchema>;

const chargeSchema = z.strictObject({
  id: z.string().startsWith('epc_'),
  reference: z.string(),
  idempotency_key: z.string(),
  status: z.enum(['approved', 'declined', 'pending', 'requires_action', 'voided']),
  amount_minor: amountMinorSchema,
  currency: currencySchema,
  // Older books know charges only that are captured with their approval.
  captured: z.boolean().default(true),
  response_code: z.string(),
  response_message: z.string(),
  card: z.strictObject({ brand: z.string(), last_four: z.string() }),
  created_at: z.iso.datetime(),
});
/** A charge as EasyPay keeps it. `captured` says whether its approval captures it; `voided` is one that ended before
 * its payer confirmed it. */
export type Charge = z.infer<typeof chargeSchema>;

/** What EasyPay keeps of a charge: the object, what it was asked, to tell a repetition from another request, and the
 * random token of the page on which its payer confirms it. */
export const storedChargeSchema = z.strictObject({
  charge: chargeSchema,
  request: chargeRequestSchema,
  challenge: z.string().min(1).optional(),
});
/** What EasyPay keeps of a charge. */
export type StoredCharge = z.infer<typeof storedChargeSchema>;

/** A card that EasyPay can charge. */
export type Card = Exclude<TestToken, { readonly brand: 'paypal' }>;

/** Decides a new charge on a card, before which as many of its reference were decided as `earlier` counts. A card that
 * never answers has no charge. */
export function decideCharge(
  request: ChargeRequest,
  idempotencyKey: string,
  card: Card,
  earlier: number,
): StoredCharge {
  const charge: Charge = {
    id: `epc_${randomBytes(12).toString('hex')}`,
    reference: request.reference,
    idempotency_key: idempotencyKey,
    ...verdictOf(card, earlier),
    amount_minor: request.amount_minor,
    currency: request.currency,
    captured: request.capture,
    card: { brand: card.brand, last_four: card.lastFour },
    created_at: new Date().toISOString(),
  };
  if (charge.status !== 'requires_action') return { charge, request };
  return { charge, request, challenge: randomBytes(24).toString('base64url') };
}

/** The movement that an approved charge is. */
export function movementOf(charge: Charge): MovementOrder {
  return {
    kind: charge.captured ? 'charge' : 'authorize',
    provider: 'easypay',
    reference: charge.reference,
    idempotency_key: charge.idempotency_key,
    amount_minor: charge.amount_minor,
    currency: charge.currency,
  };
}

/** What was decided of a charge, with its code and words. */
export type Verdict = Pick<Charge, 'status' | 'response_code' | 'response_message'>;

/** The charge is approved. */
export const approved = { status: 'approved', response_code: '00', response_message: 'Approved' } as const;
/** It is decided later. */
export const pending = { status: 'pending', response_code: '09', response_message: 'Request in progress' } as const;
/** Its payer did not confirm it. */
export const authenticationFailed: Verdict = {
  status: 'declined',
  response_code: '1A',
  response_message: 'Authentication failed',
};
/** It was ended while it waited for its payer. */
export const voided: Verdict = { status: 'voided', response_code: '17', response_message: 'Customer cancellation' };

const authenticationRequired: Verdict = {
  status: 'requires_action',
  response_code: '09',
  response_message: 'Authentication required',
};

// The codes are those of ISO 8583, field 39, as networks use them.
const declines: Readonly<Record<DeclineReason, readonly [code: string, message: string]>> = {
  do_not_honor: ['05', 'Do not honor'],
  insufficient_funds: ['51', 'Insufficient funds'],
  expired_card: ['54', 'Expired card'],
  incorrect_cvc: ['82', 'Incorrect CVC'],
  lost_card: ['41', 'Lost card'],
  limit_exceeded: ['61', 'Exceeds amount limit'],
  issuer_away: ['91', 'Issuer unavailable'],
  processing_error: ['96', 'System malfunction'],
};

function declinedFor(reason: DeclineReason): Verdict {
  const [code, message] = declines[reason];
  return { status: 'declined', response_code: code, response_message: message };
}

function verdictOf({ behavior }: Card, earlier: number): Verdict {
  switch (behavior.kind) {
    case 'approve':
      return approved;
    case 'later':
      return earlier < behavior.declines ? declinedFor('insufficient_funds') : approved;
    case 'pending':
      return pending;
    case 'challenge':
      return authenticationRequired;
    case 'never':
      throw new Error('A card that never answers decides nothing');
    case 'decline':
      return declinedFor(behavior.reason);
  }
}
