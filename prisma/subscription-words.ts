import type { InvoiceChange } from '../workflows/domain/billing/invoicing.ts';
import type { SubscriptionStatus } from '../workflows/domain/subscription-status.ts';

/** The audit trail's words for how a subscription stands. */
export const subscriptionAuditWords: Readonly<Record<SubscriptionStatus, string>> = {
  trialing: 'Successful',
  active: 'Successful',
  past_due: 'Failed',
  paused: 'Pending',
  canceled: 'Canceled',
  completed: 'Successful',
  unpaid: 'Failed',
};

/** The same for what became of an invoice. */
export const invoiceAuditWords: Readonly<Record<NonNullable<InvoiceChange['event']>, string>> = {
  open: 'Pending',
  paid: 'Successful',
  payment_failed: 'Failed',
  uncollectible: 'Failed',
  void: 'Canceled',
};
