import { createHmac, randomBytes } from 'node:crypto';
import type { ProviderEvent } from '../face/events.ts';
import type { Charge } from './charge.ts';
import type { FollowUp } from './follow-up.ts';

/** The event that a charge came to its status. */
export function chargeEvent(charge: Charge): ProviderEvent {
  return eventOf('charge', charge, charge.reference);
}

/** The event that a capture, void or refund of a charge came to its status. */
export function followUpEvent(followUp: FollowUp, charge: Charge): ProviderEvent {
  return eventOf(followUp.kind, followUp, charge.reference);
}

/** EasyPay's signature: HMAC-SHA256 of the time and the raw body, in hexadecimal digits. */
export function signatureOf(secret: string, rawBody: string): { readonly 'easypay-signature': string } {
  const time = String(Math.floor(Date.now() / 1_000));
  const digest = createHmac('sha256', secret).update(`${time}.${rawBody}`).digest('hex');
  return { 'easypay-signature': `t=${time},v1=${digest}` };
}

type Subject = Pick<Charge | FollowUp, 'reference' | 'status' | 'amount_minor' | 'currency'>;

function eventOf(kind: string, subject: Subject, chargeReference: string): ProviderEvent {
  const { reference, status, amount_minor, currency } = subject;
  const id = `epe_${randomBytes(12).toString('hex')}`;
  const type = `${kind}.${status}`;
  const data = { reference, charge_reference: chargeReference, status, amount_minor, currency };
  return { id, type, body: { id, type, created_at: new Date().toISOString(), data } };
}
