/** The states of a subscription; what each one means stands in `docs/subscriptions.md`. */
export const subscriptionStatuses = [
  'trialing',
  'active',
  'past_due',
  'paused',
  'canceled',
  'completed',
  'unpaid',
] as const;

export type SubscriptionStatus = (typeof subscriptionStatuses)[number];

/** Every allowed move. The database holds the same table (`subscription_transitions`); a test compares the two. */
export const subscriptionTransitions: Readonly<Record<SubscriptionStatus, readonly SubscriptionStatus[]>> = {
  trialing: ['active', 'past_due', 'paused', 'canceled', 'unpaid'],
  active: ['past_due', 'paused', 'canceled', 'completed', 'unpaid'],
  past_due: ['active', 'trialing', 'paused', 'canceled', 'unpaid'],
  paused: ['trialing', 'active', 'past_due', 'canceled'],
  canceled: [],
  completed: [],
  unpaid: ['trialing', 'active', 'canceled'],
};

/** Whether no period of it will ever be billed again. */
export function isEnded(status: SubscriptionStatus): boolean {
  return subscriptionTransitions[status].length === 0;
}

/** The states of an invoice: open until it is paid, given up (`uncollectible`), or no longer asked for (`void`). */
export const invoiceStatuses = ['open', 'paid', 'uncollectible', 'void'] as const;

export type InvoiceStatus = (typeof invoiceStatuses)[number];
