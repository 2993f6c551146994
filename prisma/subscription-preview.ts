import type { StepResult } from '../workflows/domain/billing/step-result.ts';
import type { ChangeWish } from '../workflows/domain/billing/subscription-act.ts';
import { type ChangePreview, previewChange } from '../workflows/domain/billing/subscription-preview.ts';
import type { Database } from './database.ts';
import type { MerchantScope } from './payments.ts';
import { loadSubscription, planNotAvailable } from './subscription-snapshot.ts';

/** What a change of plan or quantity would do now, by the rules that would make it; null: there is no such subscription. */
export async function previewSubscription(
  db: Database,
  { merchantId }: MerchantScope,
  subscriptionId: string,
  wish: ChangeWish,
  now: Date,
): Promise<ChangePreview | Extract<StepResult, { kind: 'refused' }> | null> {
  const given = { now: now.toISOString(), wish: { id: null, step: wish }, wishEventId: null };
  const loaded = await loadSubscription(db, { subscriptionId, merchantId }, given);
  if (loaded === null) return null;
  if (loaded.hasWishedPlan) return previewChange(loaded.subscription, wish, loaded.context);
  return planNotAvailable;
}
