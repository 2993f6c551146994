import { databaseStep } from './ask-of-the-world.ts';
import { businessNow, businessNowText } from './clock.ts';
import { movementIdOf } from './domain/ids.ts';
import { carryOut } from './movement.ts';
import type { PaymentProcess } from './payment-process.ts';
import type { MovementRequest } from './ports.ts';
import { refresh } from './record.ts';

/** Gives back what was reserved and not captured, or a charge that waits for its payer: withdrawn, or its time is over. */
export async function voidPayment(payment: PaymentProcess): Promise<void> {
  const { row } = payment;
  const key = `void-${row.voids + 1}`;
  const { paymentId, merchantId } = payment.input;
  const order = { movementId: movementIdOf('void', paymentId, key), kind: 'void' as const, paymentId, merchantId };
  const request = requestOf(payment, key);
  payment.isStale = true;
  const opened = await databaseStep('accept: void what is left', (ports) =>
    ports.openMovement({ ...order, request, now: businessNowText() }),
  );
  if (opened.kind === 'opened') await carryOut(payment.workOn(opened.movement));
  await refresh(payment); // whoever waits for the end is told the payment's status
  // A charge that was not given up may just have been confirmed, and a capture whose row this run did not know comes first:
  // then the wish stays.
  const isInTheWay = opened.kind === 'refused' && opened.code === 'movement_in_progress';
  if (payment.status !== 'requires_action' && !isInTheWay) payment.cancelRequest = null;
}

function requestOf({ row, cancelRequest }: PaymentProcess, idempotencyKey: string): MovementRequest {
  const { correlationId } = row;
  return {
    idempotencyKey,
    requestHash: idempotencyKey,
    correlationId,
    actor: cancelRequest?.actor ?? 'system',
    origin: 'workflow',
    reason: cancelRequest?.reason ?? 'the time ran out',
    amountMinor: null,
    captureId: null,
  };
}

/** Whether a void must succeed: the time to capture is over, and nobody may leave the payer's money reserved. */
export function mustVoid({ row }: PaymentProcess): boolean {
  return (
    row.status !== 'requires_action' && row.captureBefore !== null && businessNow() >= Date.parse(row.captureBefore)
  );
}
