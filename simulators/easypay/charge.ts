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
});
/** What a caller asks EasyPay to charge. */
export type ChargeRequest = z.infer<typeof chargeRequestSchema>;

const chargeSchema = z.strictObject({
  id: z.string().startsWith('epc_'),
  reference: z.string(),
  idempotency_key: z.string(),
  status: z.enum(['approved', 'declined', 'pending']),
  amount_minor: amountMinorSchema,
  currency: currencySchema,
  response_code: z.string(),
  response_message: z.string(),
  card: z.strictObject({ brand: z.string(), last_four: z.string() }),
  created_at: z.iso.datetime(),
});
/** A charge as EasyPay shows it. */
export type Charge = z.infer<typeof chargeSchema>;

/** What EasyPay keeps of a charge: the object, and what it was asked, to tell a repetition from another request. */
export const storedChargeSchema = z.strictObject({ charge: chargeSchema, request: chargeRequestSchema });
/** What EasyPay keeps of a charge. */
export type StoredCharge = z.infer<typeof storedChargeSchema>;

/** A card that EasyPay can charge. */
export type Card = Exclude<TestToken, { readonly brand: 'paypal' }>;

/** Decides a new charge on a card. A card that never answers has no charge. */
export function decideCharge(request: ChargeRequest, idempotencyKey: string, card: Card): Charge {
  return {
    id: `epc_${randomBytes(12).toString('hex')}`,
    reference: request.reference,
    idempotency_key: idempotencyKey,
    ...verdictOf(card),
    amount_minor: request.amount_minor,
    currency: request.currency,
    card: { brand: card.brand, last_four: card.lastFour },
    created_at: new Date().toISOString(),
  };
}

/** The charge once it is approved. */
export function approveCharge(charge: Charge): Charge {
  return { ...charge, ...approved };
}

/** The movement that an approved charge is. */
export function movementOf(charge: Charge): MovementOrder {
  return {
    kind: 'charge',
    provider: 'easypay',
    reference: charge.reference,
    idempotency_key: charge.idempotency_key,
    amount_minor: charge.amount_minor,
    currency: charge.currency,
  };
}

type Verdict = Pick<Charge, 'status' | 'response_code' | 'response_message'>;

const approved: Verdict = { status: 'approved', response_code: '00', response_message: 'Approved' };

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

function verdictOf({ behavior }: Card): Verdict {
  switch (behavior.kind) {
    case 'approve':
      return approved;
    case 'pending':
      return { status: 'pending', response_code: '09', response_message: 'Request in progress' };
    case 'never':
      throw new Error('A card that never answers decides nothing');
    case 'decline': {
      const [code, message] = declines[behavior.reason];
      return { status: 'declined', response_code: code, response_message: message };
    }
  }
}
