import type { DunningTerms } from './dunning.ts';
import type { InvoiceChange } from './invoicing.ts';
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
  /** Of a cancellation or a change of plan: the paid ones from that of the last paid period on, in the order of their numbers. */
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

/** What is to be given back of an invoice, if anything. */
export function refundOf({ id, paymentId, refundDueMinor }: Invoice): Subscription['refundsDue'] {
  if (refundDueMinor === 0n || paymentId === null) return [];
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
