import type { MerchantScope } from '../prisma/payments.ts';
import { findSubscriptionRow, type SubscriptionRow } from '../prisma/subscription-list.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './errors.ts';
import { requireForm } from './require-form.ts';

/** The id, or `not_found` for text that can be no subscription's id. */
export const requireSubscriptionId = requireForm(/^sub_[0-9a-z]{26}$/);

/** The row of a subscription of this merchant in this mode, or `not_found`. */
export async function requireSubscription(deps: ApiDeps, scope: MerchantScope, id: string): Promise<SubscriptionRow> {
  const row = await findSubscriptionRow(deps.db, scope, requireSubscriptionId(id));
  if (row === null) throw new Problem('not_found');
  return row;
}
