import type { DunningTerms } from './dunning.ts';
import { type InvoiceChange, withRefunds } from './invoicing.ts';
import type { ChargeEnd, Invoice, PlanTerms, Subscription } from './subscription.ts';
import type { SubscriptionActRefusal } from './subscription-act.ts';

/** What a step needs to know beside the subscription's row. */
export interface StepContext {
  /** Business time. */
  readonly now: Date;
  readonly plan: PlanTerms;
  /** The plan of a change that is pending, or wished for. */
  readonly nextPlan: PlanTerms | null;
  readonly openInvoice: Invoice | null;
  /**
   * Of a cancellation, of a charge that one waits for, and of a change of plan: the paid ones from that of the last paid period on, in
   * the order of their numbers.
   */
  readonly paidInvoices: readonly Invoice[];
  /** How the charge that is on its way ended; null: it has not. */
  readonly chargeEnd: ChargeEnd | null;
  readonly dunning: DunningTerms;
  /** Of a wish, to name what it makes. */
  readonly wishId: string | null;
}

/** What a step does: the row and the invoices as they are then, and the event's name where the status stays the same. */
export interface StepChange {
  readonly kind: 'changed';
  readonly subscription: Subscription;
  readonly event: string;
  readonly invoices: readonly InvoiceChange[];
}

/** `nothing`: it is not due, or was done. `refused`: it may not be done; nothing changes. */
export type StepResult =
  | StepChange
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly code: SubscriptionActRefusal; readonly detail: string };

/** The step is not due, or was done: the row stays as it is. */
export const nothing: StepResult = { kind: 'nothing' };

/** An act that may not be done. */
export function refused(code: SubscriptionActRefusal, detail: string): StepResult {
  return { kind: 'refused', code, detail };
}

/**
 * With what a cancellation gives back, where that was wished for, counted from it: of what was paid, once no charge is on its way any
 * more. `changes` are what else becomes of invoices in the same step.
 */
export function givingBack(
  subscription: Subscription,
  paid: readonly Invoice[],
  changes: readonly InvoiceChange[],
): { readonly subscription: Subscription; readonly invoices: readonly InvoiceChange[] } {
  const { cancelRefund, canceledAt, chargePaymentId } = subscription;
  if (cancelRefund === 'none' || canceledAt === null || chargePaymentId !== null) {
    return { subscription, invoices: changes };
  }
  const back = new Map(withRefunds(paid, subscription, canceledAt).map((invoice) => [invoice.id, invoice]));
  const others = [...back.values()].filter(({ id }) => changes.every(({ invoice }) => invoice.id !== id));
  return {
    subscription: {
      ...subscription,
      refundsDue: [...subscription.refundsDue, ...[...back.values()].flatMap(refundOf)],
    },
    invoices: [
      ...changes.map((change) => ({ ...change, invoice: back.get(change.invoice.id) ?? change.invoice })),
      ...others.map((invoice) => ({ kind: 'changed', invoice, event: null }) as const),
    ],
  };
}

function refundOf({ id, paymentId, refundDueMinor }: Invoice): Subscription['refundsDue'] {
  if (paymentId === null) return [];
  return [{ invoiceId: id, paymentId, amountMinor: refundDueMinor.toString() }];
}

/** An invoice that nobody asks for any more. */
export function closed(invoice: Invoice, status: 'void' | 'uncollectible'): InvoiceChange {
  return { kind: 'changed', invoice: { ...invoice, status, nextAttemptAt: null }, event: status };
}

/** A change; its event is named by the new status, or by `event` where that stays the same. */
export function changed(
  subscription: Subscription,
  event: string,
  invoices: readonly InvoiceChange[] = [],
): StepChange {
  return { kind: 'changed', subscription, event, invoices };
}
