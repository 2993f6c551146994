import { z } from 'zod';
import type { MovementOrder } from '../bank/movement.ts';
import type { TestToken } from '../face/test-tokens.ts';
import type { Money } from './money.ts';
import { minorUnitsOf, moneySchema } from './money.ts';
import { approvedCode, newId } from './order.ts';

// The bank's book names each movement, and a test the whole amount that it means: PayPal itself can do without both.
const invoiceId = z.string('is required').min(1).max(127);
const noteToPayer = z.string().max(255).optional();
const captureRequestSchema = z.strictObject({
  amount: moneySchema,
  invoice_id: invoiceId,
  final_capture: z.boolean().default(false),
  note_to_payer: noteToPayer,
});
const voidRequestSchema = z.strictObject({});
const refundRequestSchema = z.strictObject({
  amount: moneySchema,
  invoice_id: invoiceId,
  custom_id: z.string().min(1).max(255).optional(),
  note_to_payer: noteToPayer,
});

/** The bodies of `POST /v2/payments/authorizations/{id}/capture` and `/void`, and of `POST
 * /v2/payments/captures/{id}/refund`. */
export const followUpRequestSchemas = {
  capture: captureRequestSchema,
  void: voidRequestSchema,
  refund: refundRequestSchema,
} as const;

const storedFields = {
  id: z.string().min(1),
  order_id: z.string().min(1),
  /** The authorization that is captured or voided, or the capture that is refunded. */
  parent_id: z.string().min(1),
  request_id: z.string().min(1),
  /** Of a void: what was still held. */
  amount: moneySchema,
  status: z.enum(['COMPLETED', 'PENDING', 'DECLINED', 'FAILED']),
  response_code: z.string().min(1),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
};

/** What PayPal keeps of a capture of an authorization, of a void or of a refund. */
export const followUpSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('capture'), request: captureRequestSchema, ...storedFields }),
  z.strictObject({ kind: z.literal('void'), request: voidRequestSchema, ...storedFields }),
  z.strictObject({ kind: z.literal('refund'), request: refundRequestSchema, ...storedFields }),
]);
/** What PayPal keeps of a capture of an authorization, of a void or of a refund. */
export type FollowUp = z.infer<typeof followUpSchema>;

/** What can be asked of an authorization or of a capture. */
export type FollowUpKind = FollowUp['kind'];

/** What is asked of which authorization or capture: what a request id stands for. */
export type FollowUpAsked = {
  [Kind in FollowUpKind]: {
    readonly kind: Kind;
    readonly parentId: string;
    readonly request: Extract<FollowUp, { kind: Kind }>['request'];
  };
}[FollowUpKind];

/** Decides what the rules allow, over the amount that they give it. */
export function decideFollowUp(
  asked: FollowUpAsked,
  { orderId, requestId, amount }: { readonly orderId: string; readonly requestId: string; readonly amount: Money },
  token: TestToken,
): FollowUp {
  const now = new Date().toISOString();
  const { parentId, ...what } = asked;
  return {
    ...what,
    id: newId(),
    order_id: orderId,
    parent_id: parentId,
    request_id: requestId,
    amount,
    ...verdictOf(asked.kind, token),
    created_at: now,
    updated_at: now,
  };
}

/** The capture or refund once it is completed. */
export function completeFollowUp(followUp: FollowUp): FollowUp {
  return { ...followUp, ...completed, updated_at: new Date().toISOString() };
}

/** Our id of it. The call that voids has no place for one, so it goes by the order's own, which is that of the payment. */
export function referenceOf({ kind, request }: Pick<FollowUpAsked, 'kind' | 'request'>, customId: string): string {
  return kind !== 'void' && 'invoice_id' in request ? request.invoice_id : customId;
}

/** The movement that it is: none unless it is completed. `customId` is the order's. */
export function movementOfFollowUp(followUp: FollowUp, customId: string): MovementOrder | undefined {
  if (followUp.status !== 'COMPLETED') return undefined;
  return {
    kind: followUp.kind,
    provider: 'paypal',
    reference: referenceOf(followUp, customId),
    idempotency_key: followUp.request_id,
    amount_minor: String(minorUnitsOf(followUp.amount)),
    currency: followUp.amount.currency_code,
  };
}

type Verdict = Pick<FollowUp, 'status' | 'response_code'>;

const completed: Verdict = { status: 'COMPLETED', response_code: approvedCode };
const pending: Verdict = { status: 'PENDING', response_code: approvedCode };
// BANKAUTH_EXPIRED in PayPal’s public list of processor responses. A refund shows none.
const declined: Readonly<Record<'capture' | 'refund', Verdict>> = {
  capture: { status: 'DECLINED', response_code: 'PPS3' },
  refund: { status: 'FAILED', response_code: 'FAILED' },
};

function verdictOf(kind: FollowUpKind, token: TestToken): Verdict {
  if (kind === 'void') return completed;
  const behavior = kind === 'capture' ? token.captures : token.refunds;
  if (behavior === 'pending') return pending;
  return behavior === 'decline' ? declined[kind] : completed;
}
