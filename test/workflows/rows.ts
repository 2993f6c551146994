import type { MovementKind } from '../../workflows/domain/movement.ts';
import { capturableOf, type PaymentAmounts, projectedStatus } from '../../workflows/domain/payment-status.ts';
import type { PaymentTerms } from '../../workflows/domain/terms.ts';
import type {
  AcceptPayment,
  MovementRefusal,
  MovementSnapshot,
  OpenMovement,
  PaymentSnapshot,
  Transition,
} from '../../workflows/ports.ts';
import { someTerms } from '../support/payment-request.ts';
import type { Script } from './script.ts';

/** What the database makes of its rows: the statements of `prisma/` in a few words. */

/** The terms of a script's payment. */
export function termsOf({ expiresInMs, askForMs, terms }: Script): PaymentTerms {
  return someTerms({
    ...(expiresInMs !== undefined && { expiresAfterSeconds: expiresInMs / 1000 }),
    ...(askForMs !== undefined && { askForSeconds: askForMs / 1000 }),
    ...terms,
  });
}

/** An instant so many seconds after another one. */
function after(instant: string, seconds: number): string {
  return new Date(Date.parse(instant) + seconds * 1000).toISOString();
}

/** The row of an accepted request. */
export function rowOf(input: AcceptPayment, script: Script = {}): PaymentSnapshot {
  const { request } = input;
  if (request === undefined) throw new Error('a new payment needs its request');
  const terms = termsOf(script);
  return {
    id: input.paymentId,
    merchantId: input.merchantId,
    isTest: input.isTest,
    externalId: request.externalId ?? input.paymentId,
    requestHash: request.requestHash,
    correlationId: request.correlationId,
    status: 'pending',
    version: 1,
    amountMinor: request.amountMinor,
    currency: request.currency,
    processor: null,
    openAttemptId: null,
    route: { rule: null, reason: 'a test', candidates: script.candidates ?? ['easypay'], ineligible: [] },
    attempts: [],
    delayedAt: null,
    failure: null,
    ...windowsOf(terms, input.now),
    captureMethod: script.captureMethod ?? 'automatic',
    terms,
    authorizedMinor: '0',
    capturedMinor: '0',
    voidedMinor: '0',
    refundedMinor: '0',
    actionExpiresAt: null,
    captureBefore: null,
    retriesMade: 0,
    retryAt: null,
    openMovement: null,
    voids: 0,
  };
}

/** The time to try from then on, and the time to ask after it. */
function windowsOf({ expiresAfterSeconds, askForSeconds }: PaymentTerms, from: string) {
  return { expiresAt: after(from, expiresAfterSeconds), askUntil: after(from, expiresAfterSeconds + askForSeconds) };
}

/** What a transition changes beside attempts. */
export function afterTransition(row: PaymentSnapshot, input: Transition): Partial<PaymentSnapshot> {
  const { toStatus, now, redirectUrl, retryAt } = input;
  const isCharged = toStatus === 'authorized' || toStatus === 'captured';
  return {
    delayedAt: input.eventType === 'payment.delayed' ? now : row.delayedAt,
    status: toStatus,
    version: input.fromVersion + 1,
    failure: input.failure,
    processor: input.provider ?? row.processor,
    openAttemptId: input.keepsAttemptOpen ? row.openAttemptId : null,
    authorizedMinor: isCharged ? row.amountMinor : row.authorizedMinor,
    capturedMinor: toStatus === 'captured' ? row.amountMinor : row.capturedMinor,
    captureBefore: toStatus === 'authorized' ? after(now, row.terms.captureWithinSeconds) : row.captureBefore,
    actionExpiresAt:
      redirectUrl === null ? row.actionExpiresAt : (row.actionExpiresAt ?? after(now, row.terms.actionWithinSeconds)),
    retryAt,
    ...(retryAt !== null && { retriesMade: row.retriesMade + 1, ...windowsOf(row.terms, retryAt) }),
  };
}

/** The row of a capture, void or refund that was allowed. */
export function movementRowOf(payment: PaymentSnapshot, input: OpenMovement, amountMinor: bigint): MovementSnapshot {
  return {
    id: input.movementId,
    kind: input.kind,
    paymentId: payment.id,
    merchantId: payment.merchantId,
    requestHash: input.request?.requestHash ?? '',
    state: 'pending',
    version: 1,
    amountMinor: amountMinor.toString(),
    currency: payment.currency,
    provider: payment.processor ?? '',
    openAttemptId: null,
    attemptState: null,
    failure: null,
    ...windowsOf(payment.terms, input.now),
  };
}

export function amountsOf(row: PaymentSnapshot): PaymentAmounts {
  return {
    authorized: BigInt(row.authorizedMinor),
    captured: BigInt(row.capturedMinor),
    voided: BigInt(row.voidedMinor),
    refunded: BigInt(row.refundedMinor),
  };
}

/** Why a payment does not allow a movement of this amount (null: all that is left); null: it does. */
export function refusalOf(
  payment: PaymentSnapshot,
  kind: MovementKind,
  asked: bigint | null,
  reserved: bigint,
): MovementRefusal | null {
  const { status, openMovement } = payment;
  const amounts = amountsOf(payment);
  if (openMovement !== null || status === 'unresolved' || status === 'pending') return 'movement_in_progress';
  switch (kind) {
    case 'capture': {
      const left = capturableOf(amounts);
      if (left <= 0n) return 'payment_not_capturable';
      return asked !== null && asked > left ? 'amount_exceeds_capturable' : null;
    }
    case 'void':
      return capturableOf(amounts) <= 0n && status !== 'requires_action' ? 'payment_not_cancelable' : null;
    case 'refund': {
      if (status === 'requires_action') return 'movement_in_progress';
      if (amounts.captured === 0n) return 'payment_not_refundable';
      const left = amounts.captured - reserved;
      return left <= 0n || (asked !== null && asked > left) ? 'amount_exceeds_refundable' : null;
    }
  }
}

/** What a movement's step changes in its payment; the movement is as it is after it. */
export function afterMovement(payment: PaymentSnapshot, movement: MovementSnapshot): Partial<PaymentSnapshot> {
  const { kind, state: toState } = movement;
  const isRefund = kind === 'refund';
  const happened = toState === 'succeeded';
  const isConcerned = happened || (!isRefund && (toState === 'unresolved' || payment.status === 'unresolved'));
  const moved = happened ? BigInt(movement.amountMinor) : 0n;
  const before = amountsOf(payment);
  const now: PaymentAmounts = {
    ...before,
    captured: before.captured + (kind === 'capture' ? moved : 0n),
    voided: before.voided + (kind === 'void' ? moved : 0n),
    refunded: before.refunded + (isRefund ? moved : 0n),
  };
  const isVoided = happened && kind === 'void';
  return {
    capturedMinor: now.captured.toString(),
    voidedMinor: now.voided.toString(),
    refundedMinor: now.refunded.toString(),
    status: statusAfter(payment, movement, now),
    version: payment.version + (isConcerned ? 1 : 0),
    failure: isRefund || !isConcerned ? payment.failure : toState === 'unresolved' ? movement.failure : null,
    ...(!isRefund && { openMovement: toState === 'unresolved' ? movement : null }),
    ...(isVoided && {
      openAttemptId: null,
      attempts: payment.attempts.map((each) =>
        each.state === 'requires_action' ? { ...each, state: 'voided' } : each,
      ),
    }),
  };
}

function statusAfter(payment: PaymentSnapshot, { kind, state }: MovementSnapshot, now: PaymentAmounts) {
  const { status } = payment;
  if (kind === 'refund' && status === 'unresolved') return status;
  if (kind !== 'refund' && state === 'unresolved') return 'unresolved';
  if (kind === 'void' && state === 'failed' && now.authorized === 0n) return 'requires_action';
  return state === 'succeeded' || status === 'unresolved' ? projectedStatus(now) : status;
}

/** The row of a payment whose amount is reserved, as scripts give it. */
export function authorizedRow(changes: Partial<PaymentSnapshot> = {}): Partial<PaymentSnapshot> {
  return {
    status: 'authorized',
    version: 2,
    processor: 'easypay',
    captureMethod: 'manual',
    authorizedMinor: '2599',
    captureBefore: fromNow(3_600_000),
    ...changes,
  };
}

/** The row of a payment that was captured as a whole. */
export function capturedRow(changes: Partial<PaymentSnapshot> = {}): Partial<PaymentSnapshot> {
  const amounts = { authorizedMinor: '2599', capturedMinor: '2599' };
  return { status: 'captured', version: 2, processor: 'easypay', ...amounts, ...changes };
}

/** An instant so far from now; negative: in the past. */
export function fromNow(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
