import { acceptSubscription as insertOrFind } from '../prisma/subscriptions.ts';
import type { AcceptSubscription, SubscriptionAcceptance } from '../workflows/subscription-ports.ts';
import type { ActivityDeps } from './deps.ts';

/** Commits the subscription's row, or finds the one that this id already has, or says why there is none. */
export function acceptSubscription({ db }: ActivityDeps, input: AcceptSubscription): Promise<SubscriptionAcceptance> {
  return insertOrFind(db, input);
}
