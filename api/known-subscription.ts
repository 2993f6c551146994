import type { MerchantScope } from '../prisma/payments.ts';
import type { SubscriptionRow } from '../prisma/subscription-list.ts';
import { subscriptionSummary } from '../workflows/subscription-contract.ts';
import type { KnownSubscription } from './temporal/subscription-client.ts';

/** A subscription whose row exists, for whoever sends something to its workflow. */
export function knownSubscription({ merchantId, isTest }: MerchantScope, row: SubscriptionRow): KnownSubscription {
  const { id: subscriptionId, amount, currency, billing_cycle: billingCycle, external_id: externalId } = row;
  const summary = subscriptionSummary({ amountMinor: BigInt(amount), currency, billingCycle, externalId });
  return { subscriptionId, merchantId, isTest, summary };
}
