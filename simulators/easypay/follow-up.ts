import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { MovementOrder } from '../bank/movement.ts';
import { amountMinorSchema, currencySchema } from '../bank/movement.ts';
import type { Card } from './charge.ts';
import { approved, pending } from './charge.ts';

const kindSchema = z.enum(['capture', 'void', 'refund']);
/** What can be asked of a charge once it is there. */
export type FollowUpKind = z.infer<typeof kindSchema>;

const reference = z.string().min(1).max(255);
const amountSchema = z.strictObject({ reference, amount_minor: amountMinorSchema, currency: currencySchema });

/** The bodies of `POST /v1/charges/{charge_id}/captures|voids|refunds`. A void gives back all that is still held. */
export const followUpRequestSchemas = {
  capture: amountSchema,
  void: z.strictObject({ reference }),
  refund: amountSchema,
} as const;
const followUpRequestSchema = z.union([amountSchema, followUpRequestSchemas.void]);
/** What a caller asks of a charge. */
export type FollowUpRequest = z.infer<typeof followUpRequestSchema>;

const followUpSchema = z.strictObject({
  id: z.string().startsWith('epm_'),
  charge_id: z.string(),
  kind: kindSchema,
  reference: z.string(),
  idempotency_key: z.string(),
  status: z.enum(['approved', 'declined', 'pending']),
  // The void of a charge that waits for its payer gives back nothing.
  amount_minor: z.union([z.literal('0'), amountMinorSchema]),
  currency: currencySchema,
  response_code: z.string(),
  response_message: z.string(),
  created_at: z.iso.datetime(),
});
/** A capture, void or refund as EasyPay shows it. */
export type FollowUp = z.infer<typeof followUpSchema>;

/** What EasyPay keeps of a capture, void or refund: the object, and what it was asked. */
export const storedFollowUpSchema = z.strictObject({ follow_up: followUpSchema, request: followUpRequestSchema });
/** What EasyPay keeps of a capture, void or refund. */
export type StoredFollowUp = z.infer<typeof storedFollowUpSchema>;

/** What is asked of which charge, under which key. */
export interface FollowUpAsked {
  readonly chargeId: string;
  readonly kind: FollowUpKind;
  readonly key: string;
  readonly request: FollowUpRequest;
}

/** Decides a capture, void or refund that the rules allow, over the amount that they give it. */
export function decideFollowUp(
  asked: FollowUpAsked,
  money: { readonly amount: bigint; readonly currency: string },
  card: Card,
): StoredFollowUp {
  const { chargeId, kind, key, request } = asked;
  const followUp: FollowUp = {
    id: `epm_${randomBytes(12).toString('hex')}`,
    charge_id: chargeId,
    kind,
    reference: request.reference,
    idempotency_key: key,
    ...verdictOf(kind, card),
    amount_minor: String(money.amount),
    currency: money.currency,
    created_at: new Date().toISOString(),
  };
  return { follow_up: followUp, request };
}

/** The capture or refund once it is approved. */
export function approveFollowUp(stored: StoredFollowUp): StoredFollowUp {
  return { ...stored, follow_up: { ...stored.follow_up, ...approved } };
}

/** The movement that it is: none unless it is approved and of more than nothing. */
export function movementOfFollowUp(followUp: FollowUp): MovementOrder | undefined {
  if (followUp.status !== 'approved' || followUp.amount_minor === '0') return undefined;
  return {
    kind: followUp.kind,
    provider: 'easypay',
    reference: followUp.reference,
    idempotency_key: followUp.idempotency_key,
    amount_minor: followUp.amount_minor,
    currency: followUp.currency,
  };
}

type Verdict = Pick<FollowUp, 'status' | 'response_code' | 'response_message'>;

// Networks answer these in words of their own; the letters keep them apart from the codes of charges.
const declined: Readonly<Record<'capture' | 'refund', Verdict>> = {
  capture: { status: 'declined', response_code: 'N0', response_message: 'Authorization expired' },
  refund: { status: 'declined', response_code: 'R0', response_message: 'Refund declined' },
};

function verdictOf(kind: FollowUpKind, card: Card): Verdict {
  if (kind === 'void') return approved;
  const behavior = kind === 'capture' ? card.captures : card.refunds;
  if (behavior === undefined) return approved;
  return behavior === 'pending' ? pending : declined[kind];
}
