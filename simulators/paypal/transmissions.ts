import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** The body of `POST /v1/notifications/verify-webhook-signature`, but for the event itself. */
export const verificationSchema = z.strictObject({
  transmission_id: z.string().min(1).max(50),
  transmission_time: z.string().min(1).max(100),
  transmission_sig: z.string().min(1).max(500),
  cert_url: z.url().max(500),
  auth_algo: z.string().regex(/^[a-zA-Z0-9]+$/, 'must be letters and digits'),
  webhook_id: z.string().min(1).max(50),
  webhook_event: z.looseObject({}),
});
/** What a receiver asks PayPal to verify. */
type Verification = z.infer<typeof verificationSchema>;

const algorithm = 'SHA256withRSA';
const certificateUrl = 'https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-simulated';

/** The headers that prove to a receiver that PayPal sent it an event. PayPal signs with a certificate of its own; here
 * the signature is an HMAC that nobody but this face can check, so that receivers must ask, as they may there. */
export class Transmissions {
  private readonly webhookId: string | undefined;
  private readonly secret: string;

  /** `webhookId`: the id of the one webhook that is registered. `secret` outlives the process, and so do signatures. */
  constructor(options: { readonly webhookId: string | undefined; readonly secret: string }) {
    this.webhookId = options.webhookId;
    this.secret = options.secret;
  }

  /** Whether this is the id of the webhook. */
  knows(webhookId: string): boolean {
    return webhookId === this.webhookId;
  }

  /** The headers of a transmission of this body that begins now. */
  sign(rawBody: string): Readonly<Record<string, string>> {
    const id = randomUUID();
    const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    return {
      'paypal-transmission-id': id,
      'paypal-transmission-time': time,
      'paypal-transmission-sig': this.signatureOf(id, time, rawBody),
      'paypal-cert-url': certificateUrl,
      'paypal-auth-algo': algorithm,
    };
  }

  /** Whether it signed exactly these bytes with these words. */
  isGenuine(asked: Verification, rawEvent: string): boolean {
    const { transmission_id: id, transmission_time: time, transmission_sig: given } = asked;
    const expected = Buffer.from(this.signatureOf(id, time, rawEvent));
    const signature = Buffer.from(given);
    return (
      this.knows(asked.webhook_id) &&
      asked.auth_algo === algorithm &&
      asked.cert_url === certificateUrl &&
      signature.length === expected.length &&
      timingSafeEqual(signature, expected)
    );
  }

  private signatureOf(id: string, time: string, rawBody: string): string {
    const text = `${id}|${time}|${this.webhookId ?? ''}|${rawBody}`;
    return createHmac('sha256', this.secret).update(text).digest('base64');
  }
}

/** The text of the member `webhook_event` of a JSON object, exactly as it came: PayPal verifies bytes, so an event that
 * was read and written again by its receiver is not the one that was signed. The text must be JSON. */
export function rawEventIn(text: string): string {
  let depth = 0;
  let before = '';
  let start: number | undefined;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]/g)) {
    if (depth === 1 && token === ':' && before === '"webhook_event"') start = index + 1;
    if (depth === 1 && start !== undefined && (token === ',' || token === '}')) return text.slice(start, index).trim();
    if (token === '{' || token === '[') depth += 1;
    if (token === '}' || token === ']') depth -= 1;
    before = token;
  }
  return '';
}
