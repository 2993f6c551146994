import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { MovementOrder } from '../bank/movement.ts';
import type { DeclineReason, TestToken } from '../face/test-tokens.ts';
import { testTokens } from '../face/test-tokens.ts';
import { HttpError } from '../http.ts';
import { minorUnitsOf, moneySchema } from './money.ts';

const vaultedSchema = z.strictObject({ vault_id: z.string().min(1).max(255) });

/** The body of `POST /v2/checkout/orders`: one purchase, and nothing yet that pays for it. */
export const orderRequestSchema = z.strictObject({
  intent: z.enum(['CAPTURE', 'AUTHORIZE']),
  purchase_units: z
    .array(
      z.strictObject({
        reference_id: z.string().min(1).max(256).default('default'),
        custom_id: z.string().min(1).max(255),
        description: z.string().max(127).optional(),
        amount: moneySchema,
      }),
    )
    .length(1),
});
/** What a caller asks PayPal to prepare. */
export type OrderRequest = z.infer<typeof orderRequestSchema>;

const paymentSourceSchema = z.union(
  [z.strictObject({ card: vaultedSchema }), z.strictObject({ paypal: vaultedSchema })],
  'must be { card: { vault_id } } or { paypal: { vault_id } }',
);
/** What pays for an order: a card or a wallet from the vault. */
export type PaymentSource = z.infer<typeof paymentSourceSchema>;

/** The body of `POST /v2/checkout/orders/{id}/capture` and `/authorize`. */
export const chargeRequestSchema = z.strictObject({ payment_source: paymentSourceSchema.optional() });

const chargeFields = {
  id: z.string().min(1),
  request_id: z.string().min(1),
  payment_source: paymentSourceSchema,
  response_code: z.string().min(1),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
};
const captureSchema = z.strictObject({ ...chargeFields, status: z.enum(['COMPLETED', 'DECLINED', 'PENDING']) });
const authorizationSchema = z.strictObject({ ...chargeFields, status: z.enum(['CREATED', 'DENIED', 'PENDING']) });

/** What PayPal keeps of an order. By its intent it has a capture or an authorization, once somebody paid. */
export const storedOrderSchema = z.strictObject({
  id: z.string().min(1),
  request_id: z.string().min(1),
  request: orderRequestSchema,
  created_at: z.iso.datetime(),
  capture: captureSchema.optional(),
  authorization: authorizationSchema.optional(),
});
/** What PayPal keeps of an order. */
export type StoredOrder = z.infer<typeof storedOrderSchema>;

/** The capture or authorization that an order has. */
export type Charge = z.infer<typeof captureSchema> | z.infer<typeof authorizationSchema>;

type PurchaseUnit = OrderRequest['purchase_units'][number];

/** A new order. It moves no money. */
export function makeOrder(request: OrderRequest, requestId: string): StoredOrder {
  return { id: newId(), request_id: requestId, request, created_at: new Date().toISOString() };
}

/** The order once its capture or authorization is decided. `declinesBefore`: how many charges with its reference were
 * decided before. A token that never answers, or whose payer must act first, decides nothing. */
export function chargeOrder(
  order: StoredOrder,
  asked: { readonly requestId: string; readonly source: PaymentSource },
  chargesBefore: number,
): StoredOrder {
  const now = new Date().toISOString();
  const { verdict, code } = verdictOf(tokenOf(asked.source), chargesBefore);
  const fields = {
    id: newId(),
    request_id: asked.requestId,
    payment_source: asked.source,
    response_code: code,
    created_at: now,
    updated_at: now,
  };
  return order.request.intent === 'CAPTURE'
    ? { ...order, capture: { ...fields, status: captureWords[verdict] } }
    : { ...order, authorization: { ...fields, status: authorizationWords[verdict] } };
}

/** The order once what was pending is approved. */
export function completeCharge(order: StoredOrder): StoredOrder {
  const { capture, authorization } = order;
  const now = new Date().toISOString();
  return {
    ...order,
    ...(capture && { capture: { ...capture, status: captureWords.approved, updated_at: now } }),
    ...(authorization && { authorization: { ...authorization, status: authorizationWords.approved, updated_at: now } }),
  };
}

/** The capture or authorization of the order; undefined while nobody has paid. */
export function chargeOf({ capture, authorization }: StoredOrder): Charge | undefined {
  return capture ?? authorization;
}

/** The movement that the order's capture or authorization is: none unless it is approved. */
export function movementOf(order: StoredOrder): MovementOrder | undefined {
  const { custom_id: reference, amount } = purchaseOf(order);
  const charge = chargeOf(order);
  if (charge?.status !== 'COMPLETED' && charge?.status !== 'CREATED') return undefined;
  return {
    kind: order.capture === undefined ? 'authorize' : 'charge',
    provider: 'paypal',
    reference,
    idempotency_key: charge.request_id,
    amount_minor: String(minorUnitsOf(amount)),
    currency: amount.currency_code,
  };
}

/** What the order pays for. */
export function purchaseOf({ request }: StoredOrder): PurchaseUnit {
  const [purchase] = request.purchase_units;
  if (purchase === undefined) throw new Error('An order without a purchase cannot be made');
  return purchase;
}

/** The card or wallet that pays. Throws a 422 when the vault does not hold it. */
export function tokenOf(source: PaymentSource): TestToken {
  const [kind, token] = 'card' in source ? ['card', source.card.vault_id] : ['paypal', source.paypal.vault_id];
  const known = testTokens.get(token);
  if (known !== undefined && (known.brand === 'paypal') === (kind === 'paypal')) return known;
  const field = `payment_source.${kind}.vault_id`;
  throw new HttpError(422, 'TOKEN_ID_NOT_FOUND', `The vault holds no such ${kind}`, field);
}

/** An id as PayPal writes them. */
export function newId(): string {
  return randomBytes(9).toString('hex').toUpperCase().slice(0, 17);
}

type Verdict = 'approved' | 'declined' | 'pending';

const captureWords = { approved: 'COMPLETED', declined: 'DECLINED', pending: 'PENDING' } as const;
const authorizationWords = { approved: 'CREATED', declined: 'DENIED', pending: 'PENDING' } as const;

/** What PayPal's processor says when all is well. */
export const approvedCode = '0000';

// The codes are those of PayPal's public list of processor responses. To PayPal the issuer is never away: it reaches it
// by a way of its own.
const declines: Readonly<Record<DeclineReason, string | null>> = {
  do_not_honor: '0500',
  insufficient_funds: '5120',
  expired_card: '5400',
  incorrect_cvc: '5110',
  lost_card: '9520',
  limit_exceeded: '5710',
  issuer_away: null,
  processing_error: '0960',
};

function verdictOf({ behavior }: TestToken, chargesBefore: number): { verdict: Verdict; code: string } {
  switch (behavior.kind) {
    case 'approve':
      return { verdict: 'approved', code: approvedCode };
    case 'pending':
      return { verdict: 'pending', code: approvedCode };
    case 'decline':
      return declinedFor(behavior.reason);
    case 'later':
      return chargesBefore < behavior.declines
        ? declinedFor('insufficient_funds')
        : { verdict: 'approved', code: approvedCode };
    case 'never':
    case 'challenge':
      throw new Error('Such a token decides nothing');
  }
}

function declinedFor(reason: DeclineReason): { verdict: Verdict; code: string } {
  const code = declines[reason];
  return code === null ? { verdict: 'approved', code: approvedCode } : { verdict: 'declined', code };
}
