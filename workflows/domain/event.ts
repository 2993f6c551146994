import { failureOf, type PaymentFailureCode } from './failure.ts';
import { formatMinor } from './money.ts';
import { movementKinds, movementStates } from './movement.ts';
import { paymentStatuses } from './payment-status.ts';
import { subscriptionStatuses } from './subscription-status.ts';

/**
 * Every type of event: a payment's change of status or amounts, what may happen to one that stays pending, the changes of its
 * captures, voids and refunds, a subscription's change of status or what else happens to it, and what becomes of its invoices.
 */
export const eventTypes: readonly string[] = [
  ...paymentStatuses.map((status) => `payment.${status}`),
  'payment.delayed',
  'payment.rerouted',
  'payment.retry_scheduled',
  ...movementKinds.flatMap((kind) => movementStates.map((state) => `${kind}.${state}`)),
  ...subscriptionStatuses.map((status) => `subscription.${status}`),
  'subscription.renewed',
  'subscription.retried',
  'subscription.paid',
  'subscription.declined',
  'subscription.changed',
  'subscription.refunded',
  'subscription.refund_failed',
  'subscription.card_expiring',
  'invoice.open',
  'invoice.paid',
  'invoice.payment_failed',
  'invoice.uncollectible',
  'invoice.void',
];

/** What the database keeps of an event's object, as it was then: see `…_event_data` in the migrations. */
export interface StoredEventData {
  readonly currency: string;
  /** Absent: it is none of those that fail, such as a subscription. */
  readonly failure_code?: string | null;
  /** `…_minor` are amounts: decimal strings of minor units of `currency`. */
  readonly [member: string]: unknown;
}

/** An event's row, in the database's words. */
export interface StoredEvent {
  readonly id: string;
  readonly type: string;
  readonly sequence: number;
  readonly object_id: string;
  readonly created_at: Date;
  readonly data: StoredEventData;
}

/** An event as merchants see it, in webhooks and in lists alike. `sequence` counts the events of one object from 1. */
export interface EventObject {
  readonly id: string;
  readonly type: string;
  readonly sequence: number;
  readonly object_id: string;
  readonly created_at: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Shows an event in the API's words: amounts as decimal strings in units of the currency, the failure as payments show it.
 * The object's version is the event's `sequence` and not repeated.
 */
export function eventObjectOf(row: StoredEvent): EventObject {
  const { version: _version, failure_code: failureCode, ...members } = row.data;
  const data = Object.entries(members).map(([name, value]) => shown(name, value, row.data.currency));
  return {
    id: row.id,
    type: row.type,
    sequence: row.sequence,
    object_id: row.object_id,
    created_at: row.created_at.toISOString(),
    data: { ...Object.fromEntries(data), ...(failureCode !== undefined && { failure: shownFailure(failureCode) }) },
  };
}

function shown(name: string, value: unknown, currency: string): [string, unknown] {
  if (!name.endsWith('_minor') || typeof value !== 'string') return [name, value];
  return [name.slice(0, -'_minor'.length), formatMinor(BigInt(value), currency)];
}

/** Codes come from our own rows: every one has its words. */
function shownFailure(code: string | null) {
  if (code === null) return null;
  const { message, declineClass } = failureOf(code as PaymentFailureCode);
  return { code, message, decline_class: declineClass };
}
