import type { Delivery } from '../../prisma/deliveries.ts';
import { eventObjectOf, type StoredEventData } from '../../workflows/domain/event.ts';
import type { PaymentFailureCode } from '../../workflows/domain/failure.ts';
import { formatMoney } from '../../workflows/domain/money.ts';
import type { DeliveryDeps } from '../delivery-deps.ts';
import type { PayerMail } from './mail.ts';
import { cardOutlook, invoiceOutlook } from './outlook.ts';
import { payerWords } from './payer-words.ts';
import type { Telling } from './telling.ts';

/** Tries once to tell the receiver of a delivery, within a time-out. Never throws: what went wrong is in the answer. */
export async function tell(deps: DeliveryDeps, delivery: Delivery, timeoutMs: number): Promise<Telling> {
  try {
    const send = delivery.channel === 'email' ? sendMail : sendWebhook;
    return await send(deps, delivery, timeoutMs);
  } catch (err) {
    // A key that is missing, a template that fails: ours to repair while the delivery waits.
    deps.logger.error({ err, delivery_id: delivery.id }, 'a notification cannot be made');
    return { kind: 'again', problem: 'it cannot be made: see the log', statusCode: null, retryAfterMs: null };
  }
}

async function sendWebhook(deps: DeliveryDeps, delivery: Delivery, timeoutMs: number): Promise<Telling> {
  const { endpoint, correlationId } = delivery;
  if (endpoint === null || !endpoint.isActive) return { kind: 'skipped', problem: 'the endpoint is disabled' };
  const secret = deps.secretBox.open(endpoint.secret, endpoint.id);
  const event = eventObjectOf(delivery.event);
  return deps.webhooks.send({ url: endpoint.url, secret, event, correlationId }, timeoutMs);
}

async function sendMail(deps: DeliveryDeps, delivery: Delivery, timeoutMs: number): Promise<Telling> {
  if (deps.mails === null) return { kind: 'skipped', problem: 'no mail server is configured' };
  const kind = mailKinds.get(delivery.event.type);
  if (delivery.payer === null || kind === undefined) return { kind: 'skipped', problem: 'there is nobody to write to' };
  const outdated = outdatedOf(delivery.payer, kind);
  if (outdated !== null) return { kind: 'skipped', problem: outdated };
  return deps.mails.send(mailOf(delivery, delivery.payer, kind), timeoutMs);
}

const mailKinds: ReadonlyMap<string, PayerMail['kind']> = new Map([
  ['payment.captured', 'success'],
  ['payment.failed', 'failure'],
  ['payment.delayed', 'delay'],
  ['invoice.payment_failed', 'invoice-failure'],
  ['subscription.card_expiring', 'card-expiring'],
]);

type Payer = NonNullable<Delivery['payer']>;

/** Why there is nothing to tell any more; null: there is. */
function outdatedOf({ isStillPending, subscription }: Payer, kind: PayerMail['kind']): string | null {
  if (kind === 'delay') return isStillPending ? null : 'the payment takes no longer';
  if (kind === 'invoice-failure') return subscription?.invoice?.status === 'paid' ? 'the invoice is paid' : null;
  if (kind !== 'card-expiring') return null;
  const isKnown = subscription !== null && cardOutlook(subscription) !== null;
  return isKnown ? null : 'the subscription is over, or has another payment method';
}

function mailOf(delivery: Delivery, payer: Payer, kind: PayerMail['kind']): PayerMail {
  const { data } = delivery.event;
  const code = data.failure_code;
  return {
    kind,
    deliveryId: delivery.id,
    correlationId: delivery.correlationId,
    to: payer.email,
    merchantName: payer.merchantName,
    amount: amountOf(data, payer, kind),
    description: payer.description,
    reason: code == null ? '' : payerWords[code as PaymentFailureCode],
    outlook: outlookOf(payer, kind),
    isTest: delivery.isTest,
  };
}

/** Of a payment that is captured in parts, what was taken so far. */
function amountOf(data: StoredEventData, { subscription }: Payer, kind: PayerMail['kind']): string {
  const minor = data[kind === 'success' ? 'captured_amount_minor' : 'amount_minor'];
  const amount = formatMoney({ amountMinor: BigInt(String(minor)), currency: data.currency });
  return kind === 'card-expiring' ? `${amount} every ${subscription?.billingCycle}` : amount;
}

function outlookOf({ subscription, merchantName }: Payer, kind: PayerMail['kind']): string {
  if (subscription === null) return '';
  return kind === 'card-expiring' ? (cardOutlook(subscription) ?? '') : invoiceOutlook(subscription, merchantName);
}
