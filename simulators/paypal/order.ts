import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { MovementOrder } from '../bank/movement.ts';
import type { DeclineReason, TestToken } from '../face/test-tokens.ts';
import { canonical, minorUnitsOf, moneySchema, oneMore } from './money.ts';

const vaultedSchema = z.strictObject({ vault_id: z.string().min(1).max(255) });

/** The body of `POST /v2/checkout/orders`: one purchase, and nothing yet that pays for it. */
export const orderRequestSchema = z.strictObject({
  intent: z.literal('CAPTURE'),
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

/** The body of `POST /v2/checkout/orders/{id}/capture`. */
export const captureRequestSchema = z.strictObject({ payment_source: paymentSourceSchema.optional() });

const captureSchema = z.strictObject({
  id: z.string().min(1),
  request_id: z.string().min(1),
  payment_source: paymentSourceSchema,
  status: z.enum(['COMPLETED', 'DECLINED', 'PENDING']),
  response_code: z.string().min(1),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});
/** The capture of an order. */
type Capture = z.infer<typeof captureSchema>;

/** What PayPal keeps of an order. */
export const storedOrderSchema = z.strictObject({
  id: z.string().min(1),
  request_id: z.string().min(1),
  request: orderRequestSchema,
  created_at: z.iso.datetime(),
  capture: captureSchema.optional(),
});
/** What PayPal keeps of an order. */
export type StoredOrder = z.infer<typeof storedOrderSchema>;

type PurchaseUnit = OrderRequest['purchase_units'][number];

/** A new order. It moves no money. */
export function makeOrder(request: OrderRequest, requestId: string): StoredOrder {
  return { id: newId(), request_id: requestId, request, created_at: new Date().toISOString() };
}

/** The order once its capture is decided. A token that never answers has no capture. */
export function captureOrder(
  order: StoredOrder,
  asked: { readonly requestId: string; readonly source: PaymentSource },
  token: TestToken,
): CapturedOrder {
  const now = new Date().toISOString();
  const capture = {
    id: newId(),
    request_id: asked.requestId,
    payment_source: asked.source,
    ...verdictOf(token),
    created_at: now,
    updated_at: now,
  };
  return { ...order, capture };
}

/** An order that has its capture. */
export type CapturedOrder = StoredOrder & { readonly capture: Capture };

/** The order once its pending capture is completed. */
export function completeCapture(order: CapturedOrder): CapturedOrder {
  return { ...order, capture: { ...order.capture, ...completed, updated_at: new Date().toISOString() } };
}

/** The movement that a completed capture is. */
export function movementOf(order: CapturedOrder): MovementOrder {
  const { custom_id: reference, amount } = purchaseOf(order);
  return {
    kind: 'charge',
    provider: 'paypal',
    reference,
    idempotency_key: order.capture.request_id,
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

/** The token in the vault that pays, and of which kind it must be. */
export function vaultOf(source: PaymentSource): { kind: 'card' | 'paypal'; token: string } {
  if ('card' in source) return { kind: 'card', token: source.card.vault_id };
  return { kind: 'paypal', token: source.paypal.vault_id };
}

/** The order as PayPal shows it, once it is captured with the `token` that pays. With `isWrong` it names another amount. */
export function shownOrder(order: StoredOrder, token: TestToken | undefined, isWrong = false): object {
  const { capture, request } = order;
  const purchase = purchaseOf(order);
  const amount = isWrong ? oneMore(purchase.amount) : canonical(purchase.amount);
  const payments = capture && { captures: [shownCapture(capture, purchase, amount)] };
  return {
    id: order.id,
    intent: request.intent,
    status: capture === undefined ? 'CREATED' : 'COMPLETED',
    ...(token && { payment_source: shownSource(token) }),
    purchase_units: [{ ...purchase, amount, ...(payments && { payments }) }],
    create_time: order.created_at,
    update_time: capture?.updated_at ?? order.created_at,
  };
}

function shownCapture(capture: Capture, purchase: PurchaseUnit, amount: object): object {
  const isPending = capture.status === 'PENDING';
  return {
    id: capture.id,
    status: capture.status,
    ...(isPending ? { status_details: { reason: 'PENDING_REVIEW' } } : {}),
    amount,
    final_capture: true,
    custom_id: purchase.custom_id,
    ...(isPending ? {} : { processor_response: { response_code: capture.response_code } }),
    create_time: capture.created_at,
    update_time: capture.updated_at,
  };
}

function shownSource(token: TestToken): object {
  if (token.brand === 'paypal') return { paypal: { account_status: 'VERIFIED' } };
  return { card: { brand: token.brand.toUpperCase(), last_digits: token.lastFour } };
}

type Verdict = Pick<Capture, 'status' | 'response_code'>;

const completed: Verdict = { status: 'COMPLETED', response_code: '0000' };

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

function verdictOf({ behavior }: TestToken): Verdict {
  switch (behavior.kind) {
    case 'approve':
      return completed;
    case 'pending':
      return { status: 'PENDING', response_code: '0000' };
    case 'never':
      throw new Error('A token that never answers decides nothing');
    case 'decline': {
      const code = declines[behavior.reason];
      return code === null ? completed : { status: 'DECLINED', response_code: code };
    }
  }
}

function newId(): string {
  return randomBytes(9).toString('hex').toUpperCase().slice(0, 17);
}
