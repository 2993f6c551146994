import type { Delivery } from '../../prisma/deliveries.ts';
import { eventObjectOf } from '../../workflows/domain/event.ts';
import type { PaymentFailureCode } from '../../workflows/domain/failure.ts';
import { formatMoney } from '../../workflows/domain/money.ts';
import type { DeliveryDeps } from '../delivery-deps.ts';
import type { PayerMail } from './mail.ts';
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
  const isLate = kind === 'delay' && !delivery.payer.isStillPending;
  if (isLate) return { kind: 'skipped', problem: 'the payment takes no longer' };
  return deps.mails.send(mailOf(delivery, delivery.payer, kind), timeoutMs);
}

const mailKinds: ReadonlyMap<string, PayerMail['kind']> = new Map([
  ['payment.captured', 'success'],
  ['payment.failed', 'failure'],
  ['payment.delayed', 'delay'],
]);

/** Of a payment that is captured in parts, what was taken so far. */
const amountsOf = { success: 'captured_amount_minor', failure: 'amount_minor', delay: 'amount_minor' } as const;

function mailOf(delivery: Delivery, payer: NonNullable<Delivery['payer']>, kind: PayerMail['kind']): PayerMail {
  const { data } = delivery.event;
  const code = data.failure_code;
  return {
    kind,
    deliveryId: delivery.id,
    correlationId: delivery.correlationId,
    to: payer.email,
    merchantName: payer.merchantName,
    amount: formatMoney({ amountMinor: BigInt(String(data[amountsOf[kind]])), currency: data.currency }),
    description: payer.description,
    reason: code == null ? '' : payerWords[code as PaymentFailureCode],
    isTest: delivery.isTest,
  };
}
