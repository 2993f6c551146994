import { recordTransition as writeTransition } from '../prisma/transitions.ts';
import { isFinal } from '../workflows/domain/payment-status.ts';
import type { PaymentSnapshot, Transition, TransitionAnswer } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';

/** Writes one step of a payment's life; counts it, and says in the log when a person must act, once it is written. */
export async function recordTransition(deps: ActivityDeps, input: Transition): Promise<TransitionAnswer> {
  const answer = await writeTransition(deps.db, input);
  if (answer.kind === 'done') tell(deps, input, answer.payment);
  return answer;
}

function tell({ logger, metrics }: ActivityDeps, input: Transition, payment: PaymentSnapshot): void {
  const { alert, eventType, toStatus, fromStatus } = input;
  if (eventType === 'payment.delayed') metrics.paymentDelayed();
  if (eventType === 'payment.rerouted') {
    metrics.failedOver({ provider: input.details['declined_by'] ?? 'none', reason: 'declined' });
  }
  if (toStatus !== fromStatus && (isFinal(toStatus) || toStatus === 'unresolved')) {
    metrics.paymentEnded({ status: toStatus, provider: payment.processor, currency: payment.currency });
    if (fromStatus === 'pending') {
      for (const provider of leftByFault(payment)) metrics.failedOver({ provider, reason: 'fault' });
    }
  }
  if (alert !== null) {
    metrics.alertOpened({ kind: alert });
    const about = { payment_id: payment.id, request_id: payment.correlationId, failure: input.failure?.code };
    logger.error({ alert, ...about }, 'an operator must act');
  }
}

/** Who stands in the route before the provider that took the payment, and did not decline it, could not. */
function leftByFault({ route, processor, attempts }: PaymentSnapshot): string[] {
  const before = route.candidates.slice(0, Math.max(0, route.candidates.indexOf(processor ?? '')));
  const declined = new Set(attempts.filter(({ state }) => state === 'declined').map(({ provider }) => provider));
  return before.filter((provider) => !declined.has(provider));
}
