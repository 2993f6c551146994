import type { PayerSubscription } from '../../prisma/deliveries.ts';
import type { FinalAction } from '../../workflows/domain/billing/dunning.ts';
import { dateText } from '../../workflows/domain/date-text.ts';

const finalWords: Readonly<Record<FinalAction, string>> = {
  cancel: 'your subscription will be canceled',
  unpaid: 'your subscription will stay unpaid',
  pause: 'your subscription will be paused',
};

/** What comes after a charge of a subscription that failed, in words for the payer: the next try, or what happens otherwise. */
export function invoiceOutlook(subscription: PayerSubscription, merchantName: string): string {
  const { invoice, status, timeZone, dunningEndsAt, finalAction } = subscription;
  const date = (instant: string) => dateText(new Date(instant), timeZone);
  if (invoice?.status !== 'open') return 'It will not be tried again.';
  if (invoice.isBeingCharged) return 'Another try is under way.';
  if (status === 'paused') return 'Your subscription is paused: there is no other try until it goes on.';
  if (invoice.nextAttemptAt !== null)
    return `The next try is on ${date(invoice.nextAttemptAt)}. To pay in another way, please turn to ${merchantName}.`;
  const plea = `It will not be tried again in this way. Please give ${merchantName} another way to pay`;
  return dunningEndsAt === null
    ? `${plea}.`
    : `${plea} by ${date(dunningEndsAt)}: otherwise ${finalWords[finalAction]}.`;
}

/** Until when a card serves, as cards have it, in words for the payer; null: there is nothing to say of it any more. */
export function cardOutlook({ cardExpiry, status }: PayerSubscription): string | null {
  if (cardExpiry === null || status === 'canceled' || status === 'completed') return null;
  return `It expires at the end of ${String(cardExpiry.month).padStart(2, '0')}/${cardExpiry.year}.`;
}
