import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { MovementOrder } from '../bank/movement.ts';
import { amountMinorSchema, currencySchema } from '../bank/movement.ts';
import type { TestCard } from './test-tokens.ts';

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

/** Decides a new charge on a card. A card that never answers has no charge. */
export function decideCharge(request: ChargeRequest, idempotencyKey: string, card: TestCard): Charge {
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

/** Whether two requests ask for the same. */
export function isSameRequest(one: ChargeRequest, other: ChargeRequest): boolean {
  return (
    one.reference === other.reference &&
    one.amount_minor === other.amount_minor &&
    one.currency === other.currency &&
    one.card_token === other.card_token &&
    one.description === other.description
  );
}

type Verdict = Pick<Charge, 'status' | 'response_code' | 'response_message'>;

const approved: Verdict = { status: 'approved', response_code: '00', response_message: 'Approved' };

function verdictOf({ behavior }: TestCard): Verdict {
  if (behavior.kind === 'approve') return approved;
  if (behavior.kind === 'pending') {
    return { status: 'pending', response_code: '09', response_message: 'Request in progress' };
  }
  if (behavior.kind === 'never') throw new Error('A card that never answers decides nothing');
  return { status: 'declined', response_code: behavior.code, response_message: behavior.message };
}
