import { ActivityFailure } from '@temporalio/workflow';
import { regularly, requireUnbroken } from './ask-of-the-world.ts';
import type { Attention } from './attention.ts';
import { businessNowText } from './clock.ts';
import * as policies from './policies.ts';

/** Looks at what the provider says now where its events came, until none is left. They are a hint, and never a fact. */
export async function reconcileEvents(
  attention: Attention,
  payment: { readonly paymentId: string; readonly merchantId: string },
): Promise<void> {
  const { reconcile } = regularly({ ...policies.reconcile, summary: 'hold what is recorded against the provider' });
  while (attention.hasProviderEvents) {
    const providerEventIds = attention.takeProviderEvents();
    const { paymentId, merchantId } = payment;
    try {
      await reconcile({ paymentId, merchantId, providerEventIds, now: businessNowText() });
    } catch (error) {
      requireUnbroken(error);
      if (!(error instanceof ActivityFailure)) throw error;
      return; // the events stay open in their rows: the sweep hands them over again
    }
  }
}
