import { randomUUID } from 'node:crypto';
import { activityInfo } from '@temporalio/activity';
import { beginMovementAttempt, type SeenAttempt } from '../prisma/attempts.ts';
import { attemptIdOf } from '../workflows/domain/ids.ts';
import type { SendMovement, SentMovement } from '../workflows/ports.ts';
import type { ActivityDeps } from './deps.ts';
import { chargeTimeMinMs, exchangeWithin, firstTryTimeoutMs, laterTryTimeoutMs } from './exchange.ts';
import { withHeartbeats } from './heartbeats.ts';
import { movementRequestOf } from './movable-request.ts';
import { providerNamed } from './provider-named.ts';
import { ProviderFault } from './providers/provider.ts';
import { requireMine, sendAttempt } from './send-attempt.ts';

/**
 * Sends a capture, void or refund to the provider that charged. `sent` is committed before the first byte leaves, as for a
 * charge; the attempt stays open until the step that follows writes how it ended, unless certainly nothing happened.
 */
export async function sendMovement(deps: ActivityDeps, input: SendMovement): Promise<SentMovement> {
  return withHeartbeats(() => send(deps, input));
}

async function send(
  deps: ActivityDeps,
  { movementId, paymentId, merchantId, kind, provider: name, isUrgent }: SendMovement,
): Promise<SentMovement> {
  const provider = providerNamed(deps, name);
  const attemptId = attemptIdOf(movementId, kind, 1);
  const seen: SeenAttempt = { attemptId, paymentId, movementId, sender: randomUUID() };
  const exchange = exchangeWithin(activityInfo().isLocal ? firstTryTimeoutMs : laterTryTimeoutMs);
  const { sendWithinMs, mayStillSend } = exchange.nextSend(); // starts before the database's clock does
  const begun = await beginMovementAttempt(deps.db, merchantId, {
    ...seen,
    number: 1,
    provider: provider.name,
    sendWithinMs,
    isUrgent: isUrgent && activityInfo().attempt === 1,
  });
  if (begun.kind === 'moved_on') return { kind: 'moved_on' };
  requireMine(begun);
  const { subject: movable, isDoubtful } = begun;
  const call = () => ({ correlationId: movable.correlationId, timeoutMs: exchange.timeLeftMs(), mayStillSend });
  return sendAttempt(deps, merchantId, seen, isDoubtful, async () => {
    const request = await movementRequestOf(deps, movable, attemptId, call());
    if (exchange.timeLeftMs() < chargeTimeMinMs) throw new ProviderFault('unavailable', 'no time was left to send it');
    return provider.move(request, call());
  });
}
