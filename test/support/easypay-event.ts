import { createHmac, randomUUID } from 'node:crypto';
import type { World } from './world.ts';

/** An event of EasyPay's about a reference of ours, as it would write it. */
export function easypayEvent(type: string, reference: string): string {
  const id = `epe_${randomUUID()}`;
  return JSON.stringify({ id, type, created_at: new Date().toISOString(), data: { reference } });
}

/** How a test's event is signed otherwise than EasyPay would. */
export interface Signing {
  readonly secret?: string;
  /** How old the signature is; negative: it comes from the future. */
  readonly ageSeconds?: number;
  /** The whole header. */
  readonly signature?: string;
}

/** `EasyPay-Signature` over a body. */
export function easypaySignature(secret: string, body: string, at: number): string {
  return `t=${at},v1=${createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')}`;
}

/** Posts an event to our route for EasyPay, signed as EasyPay signs unless told otherwise. */
export async function tellEasypayEvent(world: World, body: string, signing: Signing = {}) {
  const { secret = world.easypayWebhookSecret, ageSeconds = 0 } = signing;
  const at = Math.floor(Date.now() / 1_000) - ageSeconds;
  const response = await fetch(`${world.apiUrl}/api/v1/webhooks/easypay/main`, {
    method: 'POST',
    headers: { 'easypay-signature': signing.signature ?? easypaySignature(secret, body, at) },
    body,
  });
  const text = await response.text();
  return {
    status: response.status,
    text,
    /** What became of it; throws where it was refused. */
    get outcome() {
      if (!response.ok) throw new Error(`the event was refused: ${text}`);
      return (JSON.parse(text) as { data: { status: string } }).data.status;
    },
  };
}
