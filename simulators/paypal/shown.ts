import type { TestToken } from '../face/test-tokens.ts';
import type { FollowUp } from './follow-up.ts';
import type { Money } from './money.ts';
import { canonical, oneMore } from './money.ts';
import type { Charge } from './order.ts';
import { chargeOf, purchaseOf, tokenOf } from './order.ts';
import type { Standing } from './rules.ts';
import { authorizationStatusOf, captureStatusOf } from './rules.ts';

/** How amounts are written: as they are, or wrong. */
type Write = (money: Money) => Money;

/** An object as PayPal shows it, and the same over another amount. */
export interface Shown {
  readonly body: object;
  readonly wrongBody: object;
}

/** The order, with its authorization, captures and refunds. */
export function shownOrder(standing: Standing): Shown {
  return inBoth((write) => order(standing, write));
}

/** The authorization of the order. */
export function shownAuthorization(standing: Standing): Shown {
  return inBoth((write) => authorization(standing, write));
}

/** A capture of the order's authorization, or a refund of one of its captures. */
export function shownFollowUp(followUp: FollowUp, standing: Standing): Shown {
  const show = followUp.kind === 'refund' ? refund : followUpCapture;
  return inBoth((write) => show(followUp, standing, write));
}

/** The capture of the order. */
export function shownCapture(standing: Standing): Shown {
  return inBoth((write) => orderCapture(standing, write));
}

function inBoth(show: (write: Write) => object): Shown {
  return { body: show(canonical), wrongBody: show(oneMore) };
}

function order(standing: Standing, write: Write): object {
  const { id, request, created_at: createdAt, capture } = standing.order;
  const charge = chargeOf(standing.order);
  const purchase = purchaseOf(standing.order);
  const captures = standing.followUps.filter(({ kind }) => kind === 'capture');
  const refunds = standing.followUps.filter(({ kind }) => kind === 'refund');
  const payments = {
    ...(standing.order.authorization && { authorizations: [authorization(standing, write)] }),
    ...(capture && { captures: [orderCapture(standing, write)] }),
    ...(captures.length > 0 && { captures: captures.map((one) => followUpCapture(one, standing, write)) }),
    ...(refunds.length > 0 && { refunds: refunds.map((one) => refund(one, standing, write)) }),
  };
  return {
    id,
    intent: request.intent,
    status: charge === undefined ? 'CREATED' : 'COMPLETED',
    ...(charge && { payment_source: shownSource(tokenOf(charge.payment_source)) }),
    purchase_units: [{ ...purchase, amount: write(purchase.amount), ...(charge && { payments }) }],
    create_time: createdAt,
    update_time: standing.followUps.at(-1)?.updated_at ?? charge?.updated_at ?? createdAt,
  };
}

function orderCapture(standing: Standing, write: Write): object {
  const { capture } = standing.order;
  if (capture === undefined) throw new Error('The order has no capture');
  const { amount, custom_id: customId } = purchaseOf(standing.order);
  return {
    id: capture.id,
    ...shownStatus(captureStatusOf(standing, { ...capture, amount })),
    amount: write(amount),
    final_capture: true,
    custom_id: customId,
    ...shownEnd(capture),
  };
}

function authorization(standing: Standing, write: Write): object {
  const { authorization: charge } = standing.order;
  const status = authorizationStatusOf(standing);
  if (charge === undefined || status === undefined) throw new Error('The order has no authorization');
  const { amount, custom_id: customId } = purchaseOf(standing.order);
  return {
    id: charge.id,
    ...shownStatus(status),
    amount: write(amount),
    custom_id: customId,
    ...shownEnd(charge),
  };
}

function followUpCapture(followUp: FollowUp, standing: Standing, write: Write): object {
  if (followUp.kind !== 'capture') throw new Error(`A ${followUp.kind} is no capture`);
  const { id, amount, request } = followUp;
  return {
    id,
    ...shownStatus(captureStatusOf(standing, followUp)),
    amount: write(amount),
    final_capture: request.final_capture,
    invoice_id: request.invoice_id,
    custom_id: purchaseOf(standing.order).custom_id,
    ...shownEnd(followUp),
  };
}

function refund(followUp: FollowUp, _standing: Standing, write: Write): object {
  if (followUp.kind !== 'refund') throw new Error(`A ${followUp.kind} is no refund`);
  const { id, status, amount, request } = followUp;
  return {
    id,
    status,
    ...(status === 'PENDING' && { status_details: { reason: 'ECHECK' } }),
    amount: write(amount),
    invoice_id: request.invoice_id,
    ...(request.custom_id !== undefined && { custom_id: request.custom_id }),
    create_time: followUp.created_at,
    update_time: followUp.updated_at,
  };
}

function shownStatus(status: string): object {
  return status === 'PENDING' ? { status, status_details: { reason: 'PENDING_REVIEW' } } : { status };
}

function shownEnd({ status, response_code: code, created_at, updated_at }: Charge | FollowUp): object {
  return {
    ...(status !== 'PENDING' && { processor_response: { response_code: code } }),
    create_time: created_at,
    update_time: updated_at,
  };
}

function shownSource(token: TestToken): object {
  if (token.brand === 'paypal') return { paypal: { account_status: 'VERIFIED' } };
  return { card: { brand: token.brand.toUpperCase(), last_digits: token.lastFour } };
}
