import { databaseStep } from './ask-of-the-world.ts';
import { businessNow, businessNowText, waitUntil } from './clock.ts';
import { invariant } from './domain/invariant.ts';
import { runUntil } from './interruptible.ts';
import { carryOut } from './movement.ts';
import type { CaptureWish, CaptureWishEnd, PaymentProcess } from './payment-process.ts';
import { reconcileEvents } from './reconcile.ts';
import { refresh } from './record.ts';
import { showStep } from './status-board.ts';
import { voidPayment } from './void.ts';

/** One step while something reserved may be captured: a capture, a void, or the end of the time for both. */
export async function capturable(payment: PaymentProcess): Promise<void> {
  const { row, attention } = payment;
  invariant(row.captureBefore !== null, 'a reservation does not last for ever');
  const endsAt = Date.parse(row.captureBefore);
  payment.doing = `waiting for a capture or a void until ${row.captureBefore}`;
  showStep(payment);
  const summary = 'void what was not captured';
  const isWished = () => payment.captureWishes.length > 0 || payment.cancelRequest !== null;
  attention.answer();
  // Nobody waits for a look-up: events that it did not come to are handed over again by the sweep.
  if (attention.hasProviderEvents && !isWished())
    await runUntil(() => reconcileEvents(attention, payment.input), { at: endsAt, summary }, isWished);
  await waitUntil(endsAt, () => isWished() || attention.isCalled, summary);
  const wish = payment.captureWishes[0];
  if (wish !== undefined) await capture(payment, wish);
  else if (payment.cancelRequest !== null || businessNow() >= endsAt) await voidPayment(payment);
}

async function capture(payment: PaymentProcess, wish: CaptureWish): Promise<void> {
  const { paymentId, merchantId } = payment.input;
  const order = { movementId: wish.captureId, kind: 'capture' as const, paymentId, merchantId };
  payment.isStale = true;
  const opened = await databaseStep('accept: capture', (ports) =>
    ports.openMovement({ ...order, request: wish.request, now: businessNowText() }),
  );
  const end: CaptureWishEnd =
    opened.kind === 'refused'
      ? { kind: 'refused', code: opened.code }
      : { kind: 'ended', state: (await carryOut(payment.workOn(opened.movement))).state };
  await refresh(payment); // whoever waits for the end is told the payment's status too
  payment.endWish(wish.captureId, end);
}
