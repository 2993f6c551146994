import { isEnded } from '../subscription-status.ts';
import type { InvoiceDraft } from './invoicing.ts';
import type { StepContext, StepResult } from './step-result.ts';
import type { Subscription } from './subscription.ts';
import { type ChangeWish, isPlanWished } from './subscription-act.ts';
import { changedPlan } from './subscription-changes.ts';
import { inNextPeriod } from './subscription-steps.ts';
import { judgeChange, pendingOf } from './subscription-wishes.ts';

/** What a change would do, if it were asked for now. */
export interface ChangePreview {
  readonly kind: 'preview';
  /** Null: nothing is to be changed. */
  readonly effective: 'now' | 'period_end' | null;
  /** What would be charged at once. */
  readonly invoiceNow: InvoiceDraft | null;
  /** What the next period would be billed, at its beginning. */
  readonly nextInvoice: (InvoiceDraft & { readonly date: Date }) | null;
  /** The subscription with the change in force. */
  readonly after: Subscription;
}

/** Shows a change of plan or quantity, by the rules that would make it. */
export function previewChange(
  subscription: Subscription,
  wish: ChangeWish,
  context: StepContext,
): ChangePreview | Extract<StepResult, { kind: 'refused' }> {
  if (isEnded(subscription.status)) {
    return { kind: 'refused', code: 'subscription_ended', detail: `The subscription is ${subscription.status}.` };
  }
  if (!isPlanWished(wish)) return previewOf(subscription, null, null, context);
  const judged = judgeChange(subscription, wish, context);
  if (judged.kind === 'refused') return judged;
  if (judged.effective === 'period_end') {
    const pendingChange = pendingOf(judged, context);
    return previewOf({ ...subscription, pendingChange }, 'period_end', null, { ...context, nextPlan: judged.plan });
  }
  const after = { ...changedPlan(subscription, judged.plan, judged.quantity, context.now), pendingChange: null };
  const invoiceNow = judged.effective === 'now' ? judged.draft : null;
  return previewOf(after, 'now', invoiceNow, { ...context, plan: judged.plan });
}

function previewOf(
  subscription: Subscription,
  effective: ChangePreview['effective'],
  invoiceNow: InvoiceDraft | null,
  context: StepContext,
): ChangePreview {
  const { nextBillingDate: date, cancelAtPeriodEnd } = subscription;
  if (date === null || cancelAtPeriodEnd) {
    return { kind: 'preview', effective, invoiceNow, nextInvoice: null, after: subscription };
  }
  const next = inNextPeriod(subscription, context);
  const after = effective === 'period_end' ? next.subscription : subscription;
  return { kind: 'preview', effective, invoiceNow, nextInvoice: { ...next.draft, date }, after };
}
